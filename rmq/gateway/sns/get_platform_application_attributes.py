"""GetPlatformApplicationAttributes: what an application was told, but for its credentials."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.phones import application_of, application_out


async def get_platform_application_attributes(caller: Caller, given: Given) -> Answer:
    mobile, arn = application_of(caller, given)
    return {"Attributes": application_out(await mobile.application(arn))}
