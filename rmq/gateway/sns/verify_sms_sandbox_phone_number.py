"""VerifySMSSandboxPhoneNumber: show that a number is one's own, by the password that went there."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given


async def verify_sms_sandbox_phone_number(caller: Caller, given: Given) -> Answer:
    await caller.client.sms.verify_sandbox_number(given["PhoneNumber"], given["OneTimePassword"])
    return {}
