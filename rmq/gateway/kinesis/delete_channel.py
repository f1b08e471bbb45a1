"""DeleteChannel: forget a channel."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.channels import found, remove
from rmq.gateway.service import Answer, Given


async def delete_channel(caller: Caller, given: Given) -> Answer:
    place, channel = await found(caller, given)
    await remove(caller, place, channel)
    return None
