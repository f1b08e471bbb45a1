"""GetResourcePolicy: the policy of a stream, a registered consumer or a queue."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.errors import not_found
from rmq.gateway.kinesis.resources import resource_in
from rmq.gateway.service import Answer, Given


async def get_resource_policy(caller: Caller, given: Given) -> Answer:
    policy = await resource_in(caller, given).policy()
    if not policy:
        raise not_found(f"No resource policy found for resource ARN {given['ResourceARN']}")
    return {"Policy": policy}
