"""SetPlatformApplicationAttributes: change some attributes of an application, or none of them."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.phones import application_of, attributes_in


async def set_platform_application_attributes(caller: Caller, given: Given) -> Answer:
    mobile, arn = application_of(caller, given)
    await mobile.set_application(arn, **attributes_in(given["Attributes"]))
    return None
