"""DescribeAccountSettings: whether the account has on-demand advantage."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis import shown
from rmq.gateway.service import Answer, Given


async def describe_account_settings(caller: Caller, given: Given) -> Answer:
    return shown.commitment(await caller.client.stream_commitment())
