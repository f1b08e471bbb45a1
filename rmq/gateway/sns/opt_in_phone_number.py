"""OptInPhoneNumber: send a number SMS again."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given


async def opt_in_phone_number(caller: Caller, given: Given) -> Answer:
    await caller.client.sms.opt_in(given["phoneNumber"])
    return {}
