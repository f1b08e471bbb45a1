"""PutResourcePolicy: keep the policy of a stream, a registered consumer or a queue."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.resources import resource_in
from rmq.gateway.service import Answer, Given


async def put_resource_policy(caller: Caller, given: Given) -> Answer:
    await resource_in(caller, given).set_policy(given["Policy"])
    return None
