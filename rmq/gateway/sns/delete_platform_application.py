"""DeletePlatformApplication: remove an application with its endpoints; one that is not there is
removed already."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.phones import application_of


async def delete_platform_application(caller: Caller, given: Given) -> Answer:
    mobile, arn = application_of(caller, given)
    await mobile.delete_application(arn)
    return None
