"""UpdateAccountSettings: switch on-demand advantage on or off."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis import shown
from rmq.gateway.service import Answer, Given


async def update_account_settings(caller: Caller, given: Given) -> Answer:
    wanted = given["MinimumThroughputBillingCommitment"]["Status"] == "ENABLED"
    return shown.commitment(await caller.client.stream_commitment(wanted))
