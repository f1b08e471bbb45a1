"""CreatePlatformEndpoint: register a device's token, or find that it is registered alike."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.phones import application_of, endpoint_attributes_in


async def create_platform_endpoint(caller: Caller, given: Given) -> Answer:
    mobile, arn = application_of(caller, given)
    made = endpoint_attributes_in(given.get("Attributes", {}))
    if "CustomUserData" in given:
        made["custom_user_data"] = given["CustomUserData"]
    made["token"] = given["Token"]
    one = await mobile.create_endpoint(arn, **made)
    return {"EndpointArn": one.arn}
