"""ListOriginationNumbers: the numbers that SMS come from, page by page."""

from __future__ import annotations

from typing import Any

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.pages import after_of, paged
from rmq.topics.sms.origination import PAGE, OriginationNumber

QUESTION = "origination numbers"


async def list_origination_numbers(caller: Caller, given: Given) -> Answer:
    page = await caller.client.sms.origination_numbers(
        limit=given.get("MaxResults", PAGE), token=after_of(given, QUESTION)
    )
    return paged("PhoneNumbers", [_out(one) for one in page], page.next_token, QUESTION)


def _out(one: OriginationNumber) -> dict[str, Any]:
    return {
        "CreatedAt": one.created_at,
        "PhoneNumber": one.number,
        "Status": one.status,
        "Iso2CountryCode": one.country,
        "RouteType": one.route,
        "NumberCapabilities": list(one.capabilities),
    }
