"""GetSMSSandboxAccountStatus: whether only verified numbers are sent SMS."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given


async def get_sms_sandbox_account_status(caller: Caller, given: Given) -> Answer:
    return {"IsInSandbox": await caller.client.sms.is_in_sandbox()}
