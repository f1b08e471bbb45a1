"""Errors of SNS: their names and statuses, and how ours become theirs.

Source: Amazon SNS API Reference, Errors of each action and Common Errors.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

from rmq import errors as ours
from rmq.gateway.caller import Caller
from rmq.gateway.errors import CORAL, AwsError, unavailable
from rmq.gateway.protocol.shapes import Problem
from rmq.gateway.service import Given

NAMESPACE = "com.amazonaws.sns"

STATUS = {
    "AuthorizationErrorException": 403,
    "BatchEntryIdsNotDistinctException": 400,
    "BatchRequestTooLongException": 400,
    "ConcurrentAccessException": 400,
    "EmptyBatchRequestException": 400,
    "EndpointDisabledException": 400,
    "FilterPolicyLimitExceededException": 403,
    "InternalErrorException": 500,
    "InvalidBatchEntryIdException": 400,
    "InvalidParameterException": 400,
    "InvalidParameterValueException": 400,
    "InvalidSecurityException": 403,
    "InvalidStateException": 400,
    "KMSAccessDeniedException": 400,
    "KMSDisabledException": 400,
    "KMSInvalidStateException": 400,
    "KMSNotFoundException": 400,
    "KMSOptInRequired": 403,
    "KMSThrottlingException": 400,
    "NotFoundException": 404,
    "OptedOutException": 400,
    "PlatformApplicationDisabledException": 400,
    "ReplayLimitExceededException": 403,
    "ResourceNotFoundException": 404,
    "StaleTagException": 400,
    "SubscriptionLimitExceededException": 403,
    "TagLimitExceededException": 400,
    "TagPolicyException": 400,
    "ThrottledException": 429,
    "TooManyEntriesInBatchRequestException": 400,
    "TopicLimitExceededException": 403,
    "UserErrorException": 400,
    "ValidationException": 400,
    "VerificationException": 400,
}
"""Each error of the model, and its HTTP status."""
_CODES = {
    "InvalidParameterValueException": "ParameterValueInvalid",
    "ValidationException": "ValidationException",
    "VerificationException": "VerificationException",
}
"""Codes that are not the error's name without its Exception."""
_SHAPES = {_CODES.get(name, name.removesuffix("Exception")): name for name in STATUS}


def error(shape: str, message: str, status: int | None = None) -> AwsError:
    """An error of the model, by its name or its code, or one that it leaves out."""
    shape = _SHAPES.get(shape, shape)
    if shape not in STATUS:
        return AwsError(shape, message, status=status or 400, namespace=CORAL)
    return AwsError(
        shape,
        message,
        code=_CODES.get(shape, shape.removesuffix("Exception")),
        status=status or STATUS[shape],
        namespace=NAMESPACE,
        # It has more to say than the others: how the number stands.
        members={"Status": "Pending"} if shape == "VerificationException" else None,
    )


def invalid(what: str, reason: str = "") -> AwsError:
    """A parameter that breaks a rule."""
    why = f" Reason: {reason}" if reason else ""
    return error("InvalidParameterException", f"Invalid parameter: {what}{why}")


def not_found(what: str) -> AwsError:
    return error("NotFoundException", f"{what} does not exist")


def no_resource() -> AwsError:
    return error("ResourceNotFoundException", "Resource does not exist")


def not_authorized(caller: Caller, action: str, arn: str) -> AwsError:
    who = f"arn:aws:iam::{caller.account}:root" if caller.is_signed else "anonymous"
    return error(
        "AuthorizationErrorException",
        f"User: {who} is not authorized to perform: SNS:{action} on resource: {arn} because no "
        f"resource-based policy allows the SNS:{action} action",
    )


def refuse(problems: list[Problem], operation: str) -> AwsError:
    """What is wrong by the model, all of it."""
    found = [
        f"Value {_shown(one.value)} at '{_named(one.path)}' failed to satisfy constraint: "
        f"{one.constraint}"
        for one in problems[:5]
    ]
    count = len(problems)
    said = f"{count} validation error{'s' if count > 1 else ''} detected: {'; '.join(found)}"
    if operation == "ListOriginationNumbers":
        return error("ValidationException", said)
    return AwsError("ValidationError", said)


def _shown(value: Any) -> str:
    return "null" if value is None else f"'{str(value)[:100]}'"


def _named(path: tuple[str | int, ...]) -> str:
    """A member as AWS's validation calls it: `tags.1.member.key`."""
    parts: list[str] = []
    for place, one in enumerate(path):
        if isinstance(one, int):
            parts += (str(one), "member")
        elif place and str(path[place - 1]).endswith("ttributes"):
            parts.append(one)  # the key of a map: the client's own
        else:
            parts.append(one[:1].lower() + one[1:])
    return ".".join(parts)


# --- from ours to theirs -------------------------------------------------------------------------


def translate(error_: ours.RmqError, caller: Caller, given: Given) -> AwsError:
    """An error of the library as SNS says it."""
    match error_:
        case ours.TopicDoesNotExist():
            # With it went what was subscribed, and that was asked for.
            return not_found("Subscription" if "SubscriptionArn" in given else "Topic")
        case ours.SubscriptionDoesNotExist():
            return not_found("Subscription")
        case ours.QueueDoesNotExist():
            if str(given.get("Endpoint", "")).rpartition(":")[2] == error_.queue:
                return invalid("SQS endpoint ARN")
            return _attribute(given, "RedrivePolicy: deadLetterTargetArn does not exist")
        case ours.TopicExists():
            which = "tags" if error_.attribute == "tags" else "attributes"
            return invalid(which.capitalize(), f"Topic already exists with different {which}")
        case ours.SubscriptionExists():
            return invalid("Attributes", "Subscription already exists with different attributes")
        case ours.TooManySubscriptions():
            return error("SubscriptionLimitExceededException", str(error_))
        case ours.TooManyFilterPolicies():
            return error("FilterPolicyLimitExceededException", str(error_))
        case ours.PlatformApplicationDoesNotExist():
            return not_found("PlatformApplication")
        case ours.EndpointDoesNotExist():
            return not_found("Endpoint")
        case ours.PlatformApplicationExists():
            which = "Platform application"
            return invalid("Attributes", f"{which} already exists with different attributes")
        case ours.EndpointExists():
            return invalid(
                "Token",
                f"Endpoint {error_.endpoint} already exists with the same Token, but different "
                "attributes.",
            )
        case ours.PlatformApplicationDisabled():
            return error("PlatformApplicationDisabledException", "Platform application is disabled")
        case ours.EndpointDisabled():
            return error("EndpointDisabledException", "Endpoint is disabled")
        case ours.OptedOut():
            return error("OptedOutException", "The phone number is opted out of SMS")
        case ours.OptedInRecently():
            return invalid("phoneNumber", "It may be opted in once every 30 days")
        case ours.SandboxNumberDoesNotExist():
            return no_resource()
        case ours.TooManySandboxNumbers():
            return error("UserErrorException", str(error_))
        case ours.TooManyPasswords():
            return error("ThrottledException", str(error_))
        case ours.VerificationFailed():
            return error("VerificationException", "The one-time password is not valid")
        case ours.ArchiveActive():
            return error(
                "InvalidStateException",
                "Invalid state: Topic cannot be deleted while its archive policy is active",
            )
        case ours.TooManyTags():
            return _too_many_tags(error_, given)
        case ours.InvalidFilterPolicy():
            return _attribute(given, f"FilterPolicy: {error_.reason}")
        case ours.InvalidPolicy():
            return error("InvalidParameterException", error_.aws_message)
        case BadAttribute():
            return _attribute(given, str(error_))
        case ours.InvalidParameter():
            return _invalid_parameter(error_, given)
        case ours.OutOfMemory():
            return unavailable("The store behind this endpoint is full; receive or delete first.")
        case ours.ServerError():
            return unavailable("The store behind this endpoint does not answer.")
    return error("InvalidParameterException", f"Invalid parameter: {error_}")


def _attribute(given: Given, what: str) -> AwsError:
    """An attribute's fault. SetSubscriptionAttributes, which has only one, says just that; where
    there are several they have to be told apart from the other parameters."""
    if "AttributeName" in given and "SubscriptionArn" in given:
        return invalid(what)
    return invalid("Attributes", what)


def _invalid_parameter(error_: ours.InvalidParameter, given: Given) -> AwsError:
    """A parameter that the library refused, by its name there."""
    from rmq.gateway.sns import attributes, phones, sms, subscriptions

    field = error_.field
    make = _FIELDS.get(field)
    if make is not None:
        return make(error_, given)
    if field.startswith("attributes["):
        return _message_attribute(error_)
    if field.startswith("message."):
        return invalid("Message", f"{field.removeprefix('message.')} {_said(error_)}")
    if field.startswith("tag"):
        return invalid("Tags", _said(error_))
    if field.startswith("feedback["):
        return _attribute(given, f"{field[10:-2]}: {_said(error_)}")
    names = attributes.NAME_OF | subscriptions.NAME_OF | phones.NAME_OF | sms.NAME_OF
    # A part of a delivery policy is called by its way there: `a field of delivery_policy.http`.
    for own, name in names.items():
        if re.search(rf"\b{own}\b", field):
            said = re.sub(rf"\b{own}\b", name, str(error_), count=1)
            return _attribute(given, f"{name}: {said}")
    return invalid(str(error_))


def _said(error_: ours.InvalidParameter) -> str:
    return str(error_) if isinstance(error_, ours.MissingParameter) else f"must be {error_.limit}"


def _too_many_tags(error_: ours.InvalidParameter, given: Given) -> AwsError:
    return error(
        "TagLimitExceededException",
        "Could not complete request: tag quota of per resource exceeded",
    )


def _endpoint(error_: ours.InvalidParameter, given: Given) -> AwsError:
    """Of the right form, and yet not one that this topic may have."""
    if error_.limit.startswith("a standard queue"):
        return invalid(
            "Invalid parameter: Endpoint",
            "FIFO SQS Queues can not be subscribed to standard SNS topics",
        )
    if "Protocol" not in given:
        return invalid("TargetArn" if "TargetArn" in given else "EndpointArn")
    protocol = given.get("Protocol", "")
    return invalid(ENDPOINTS.get(protocol, "Endpoint must match the specified protocol"))


ENDPOINTS = {
    "application": "Application endpoint arn invalid",
    "email": "Email address",
    "email-json": "Email address",
    "firehose": "Firehose endpoint ARN",
    "lambda": "Lambda endpoint ARN",
    "sms": "Invalid SMS endpoint",
    "sqs": "SQS endpoint ARN",
}
"""By protocol, what is said of an endpoint that is not one of its kind; of the others, that it does
not match."""


def _number(error_: ours.InvalidParameter, given: Given) -> AwsError:
    number = str(given.get("PhoneNumber", ""))[:40]
    if "Message" in given:
        return invalid("PhoneNumber", f"{number} is not valid to publish to")
    return invalid(
        "PhoneNumber" if "PhoneNumber" in given else "phoneNumber", "input incorrectly formatted"
    )


def _platform(error_: ours.InvalidParameter, given: Given) -> AwsError:
    for parameter in ("PlatformApplicationArn", "EndpointArn", "TargetArn"):
        if parameter in given:
            return invalid(parameter)
    return invalid("Platform", _said(error_))


def _protocol(error_: ours.InvalidParameter, given: Given) -> AwsError:
    if error_.limit.startswith("one of"):
        said = str(given.get("Protocol", ""))[:100]
        return invalid(f"Amazon SNS does not support this protocol string: {said}")
    return invalid("Protocol", _said(error_))


class BadAttribute(ours.InvalidParameter):
    """The text of an attribute is none that it may have. What is around the reason in the answer
    depends on the action."""

    def __init__(self, name: str, reason: str) -> None:
        ours.CallerError.__init__(self, f"{name}: {reason}")


def parameter_value(message: str) -> AwsError:
    """What is wrong with a message attribute."""
    return error("InvalidParameterValueException", message)


def _message(error_: ours.InvalidParameter, given: Given) -> AwsError:
    if "JSON" in error_.limit:
        return invalid("Message Structure - JSON message body failed to parse")
    return invalid("Message", _said(error_))


def _id(parameter: str, missing: str) -> Callable[[ours.InvalidParameter, Given], AwsError]:
    def make(error_: ours.InvalidParameter, given: Given) -> AwsError:
        if isinstance(error_, ours.MissingParameter):
            return invalid(missing)
        if error_.limit.startswith("left out"):
            return invalid(
                parameter,
                f"The request includes {parameter} parameter that is not valid for this topic type",
            )
        return invalid(
            parameter,
            f"{parameter} can only include alphanumeric and punctuation characters. 1 to 128 in "
            "length",
        )

    return make


def _message_attribute(error_: ours.InvalidParameter) -> AwsError:
    found = re.fullmatch(r"attributes\[(.*)\](?:\.(type|value))?", error_.field, re.DOTALL)
    name = found[1].strip("'\"") if found else error_.field
    if "character #x" in error_.value:
        return parameter_value(
            f"Invalid binary character in message attribute '{name}': {error_.value}."
        )
    if found is not None and found[2] is None:
        # One of SNS's own, which says something of a text message or a push.
        return parameter_value(
            f"The message attribute '{name}' is {error_.value}; it must be {error_.limit}."
        )
    if found is None or found[2] == "type":
        return parameter_value(
            f"The message attribute '{name}' has an invalid message attribute type, the set of "
            "supported type prefixes is Binary, Number, and String."
        )
    if "number" in error_.limit:
        return parameter_value(f"Could not cast message attribute '{name}' value to number.")
    return parameter_value(
        f"The message attribute '{name}' must contain non-empty message attribute value for "
        "message attribute type."
    )


_FIELDS: dict[str, Callable[[Any, Given], AwsError]] = {
    "message": _message,
    "message.default": lambda error_, given: invalid(
        "Message Structure - No default entry in JSON message body"
    ),
    "message size": lambda error_, given: invalid("Message too long"),
    "subject": lambda error_, given: invalid("Subject"),
    "attribute name": lambda error_, given: parameter_value(
        "Invalid non-alphanumeric character was found in the message attribute name. Can only "
        "include alphanumeric characters, hyphens, underscores, or dots."
    ),
    "message_group_id": _id(
        "MessageGroupId", "The MessageGroupId parameter is required for FIFO topics"
    ),
    "deduplication_id": _id(
        "MessageDeduplicationId",
        "The topic should either have ContentBasedDeduplication enabled or MessageDeduplicationId "
        "provided explicitly",
    ),
    "endpoint": _endpoint,
    "protocol": _protocol,
    "start": lambda error_, given: _attribute(
        given, f"ReplayPolicy: StartingPoint {_said(error_)}"
    ),
    "end": lambda error_, given: _attribute(given, f"ReplayPolicy: EndingPoint {_said(error_)}"),
    "topic": lambda error_, given: _attribute(
        given, "ReplayPolicy: the topic must be a FIFO topic with an ArchivePolicy"
    ),
    "tags": _too_many_tags,
    "application": lambda error_, given: invalid("PlatformApplicationArn"),
    "application name": lambda error_, given: invalid("Name"),
    "custom_user_data": lambda error_, given: invalid("CustomUserData", _said(error_)),
    "number": _number,
    "platform": _platform,
    "topic name": lambda error_, given: invalid("Topic Name"),
    "token": lambda error_, given: invalid("NextToken" if "NextToken" in given else "Token"),
}
"""By the library's names of parameters."""
