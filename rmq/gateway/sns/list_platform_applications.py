"""ListPlatformApplications: the caller's applications, page by page."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.pages import MOST, after_of, paged
from rmq.gateway.sns.phones import application_out

QUESTION = "applications"


async def list_platform_applications(caller: Caller, given: Given) -> Answer:
    page = await caller.client.mobile.applications(limit=MOST, token=after_of(given, QUESTION))
    found = [
        {"PlatformApplicationArn": one.arn, "Attributes": application_out(one)} for one in page
    ]
    return paged("PlatformApplications", found, page.next_token, QUESTION)
