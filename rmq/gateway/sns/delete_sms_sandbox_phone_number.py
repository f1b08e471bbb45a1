"""DeleteSMSSandboxPhoneNumber: take a number out of the sandbox."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given


async def delete_sms_sandbox_phone_number(caller: Caller, given: Given) -> Answer:
    await caller.client.sms.remove_sandbox_number(given["PhoneNumber"])
    return {}
