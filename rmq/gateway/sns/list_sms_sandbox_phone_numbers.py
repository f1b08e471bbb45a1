"""ListSMSSandboxPhoneNumbers: the numbers of the sandbox and how they stand, page by page."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.pages import MOST, after_of, paged

QUESTION = "sandbox"


async def list_sms_sandbox_phone_numbers(caller: Caller, given: Given) -> Answer:
    page = await caller.client.sms.sandbox_numbers(
        limit=given.get("MaxResults", MOST), token=after_of(given, QUESTION)
    )
    found = [{"PhoneNumber": one.number, "Status": one.status} for one in page]
    return paged("PhoneNumbers", found, page.next_token, QUESTION)
