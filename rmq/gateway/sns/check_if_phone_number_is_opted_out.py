"""CheckIfPhoneNumberIsOptedOut: whether a number wants no SMS."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given


async def check_if_phone_number_is_opted_out(caller: Caller, given: Given) -> Answer:
    return {"isOptedOut": await caller.client.sms.is_opted_out(given["phoneNumber"])}
