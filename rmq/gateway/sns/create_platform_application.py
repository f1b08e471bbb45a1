"""CreatePlatformApplication: make one, or find that it stands with the same attributes."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.phones import attributes_in


async def create_platform_application(caller: Caller, given: Given) -> Answer:
    made = attributes_in(given["Attributes"])
    one = await caller.client.mobile.create_application(given["Platform"], given["Name"], **made)
    return {"PlatformApplicationArn": one.arn}
