"""CreateSMSSandboxPhoneNumber: take a number in, and send it a one-time password."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given


async def create_sms_sandbox_phone_number(caller: Caller, given: Given) -> Answer:
    await caller.client.sms.add_sandbox_number(
        given["PhoneNumber"], language=given.get("LanguageCode", "en-US")
    )
    return {}
