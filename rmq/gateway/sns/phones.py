"""Phones: between SNS's platform applications and endpoints, all of it text, and ours.

What may be set, and how far, is for the library to say (rmq.topics.mobile); here are the names.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rmq.gateway.caller import Caller
from rmq.gateway.service import Given
from rmq.gateway.sns.attributes import boolean_in, boolean_out
from rmq.gateway.sns.errors import invalid
from rmq.gateway.sns.place import arn_in
from rmq.topics.mobile.aio import AsyncMobile
from rmq.topics.mobile.application import PlatformApplication
from rmq.topics.mobile.endpoint import PlatformEndpoint

FIELD_OF = {
    "ApplePlatformBundleID": "apple_platform_bundle_id",
    "ApplePlatformTeamID": "apple_platform_team_id",
    "Enabled": "enabled",
    "EventDeliveryFailure": "event_delivery_failure",
    "EventEndpointCreated": "event_endpoint_created",
    "EventEndpointDeleted": "event_endpoint_deleted",
    "EventEndpointUpdated": "event_endpoint_updated",
    "FailureFeedbackRoleArn": "failure_feedback_role_arn",
    "PlatformCredential": "credential",
    "PlatformPrincipal": "principal",
    "SuccessFeedbackRoleArn": "success_feedback_role_arn",
    "SuccessFeedbackSampleRate": "success_feedback_sample_rate",
}
"""What an application can be told, by its name in SNS, and our name for it."""
SECRET = ("PlatformCredential", "PlatformPrincipal")
"""What SNS does not return."""
ENDPOINT_FIELD_OF = {"CustomUserData": "custom_user_data", "Enabled": "enabled", "Token": "token"}
"""The same of an endpoint."""
NAME_OF = {field: name for name, field in FIELD_OF.items()}


def application_of(caller: Caller, given: Given) -> tuple[AsyncMobile, str]:
    """Where the application is that PlatformApplicationArn names, and its ARN. Raises AwsError."""
    return _found(caller, given, "PlatformApplicationArn", "app/")


def endpoint_of(
    caller: Caller, given: Given, parameter: str = "EndpointArn"
) -> tuple[AsyncMobile, str]:
    """Where the endpoint is that a parameter names, and its ARN. Raises AwsError."""
    return _found(caller, given, parameter, "endpoint/")


def _found(caller: Caller, given: Given, parameter: str, kind: str) -> tuple[AsyncMobile, str]:
    arn = arn_in(caller, given, parameter)
    if not arn.resource.startswith(kind):
        raise invalid(parameter, "Wrong kind of ARN")
    return caller.accounts.client(*arn.place).mobile, given[parameter]


def attributes_in(given: Mapping[str, str]) -> dict[str, Any]:
    """Attributes of an application as the library takes them. Raises AwsError."""
    return {_field(FIELD_OF, name): _value_in(name, text) for name, text in given.items()}


def endpoint_attributes_in(given: Mapping[str, str]) -> dict[str, Any]:
    """Attributes of an endpoint as the library takes them. Raises AwsError."""
    return {
        _field(ENDPOINT_FIELD_OF, name): boolean_in(name, text) if name == "Enabled" else text
        for name, text in given.items()
    }


def _field(names: Mapping[str, str], name: str) -> str:
    if name not in names:
        raise invalid("Attributes", f"Invalid attribute name: {name[:100]}")
    return names[name]


def _value_in(name: str, text: str) -> Any:
    if name == "Enabled":
        return boolean_in(name, text)
    if name == "SuccessFeedbackSampleRate" and text.isascii() and text.isdecimal():
        return int(text[:10])
    return text or None


def application_out(one: PlatformApplication) -> dict[str, str]:
    """What an application was told, by SNS's names. What is not set is left out."""
    found = {"Enabled": boolean_out(one.attributes.enabled)}
    for name, field in FIELD_OF.items():
        value = None if name in SECRET else getattr(one.attributes, field)
        if value is not None and name != "Enabled":
            found[name] = str(value)
    if one.authentication_method is not None:
        found["AuthenticationMethod"] = one.authentication_method
    return found


def endpoint_out(one: PlatformEndpoint) -> dict[str, str]:
    """What an endpoint was told, by SNS's names."""
    found = {"Token": one.token, "Enabled": boolean_out(one.enabled)}
    if one.custom_user_data:
        found["CustomUserData"] = one.custom_user_data
    return found
