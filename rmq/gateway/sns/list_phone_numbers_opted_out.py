"""ListPhoneNumbersOptedOut: the numbers that want no SMS, page by page."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.pages import MOST, after_of, paged

QUESTION = "opted out"
TOKEN = "nextToken"


async def list_phone_numbers_opted_out(caller: Caller, given: Given) -> Answer:
    page = await caller.client.sms.opted_out(limit=MOST, token=after_of(given, QUESTION, TOKEN))
    return paged("phoneNumbers", list(page), page.next_token, QUESTION, TOKEN)
