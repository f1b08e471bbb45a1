"""DeleteChannel: forget a channel."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.channels import channels, found
from rmq.gateway.service import Answer, Given


async def delete_channel(caller: Caller, given: Given) -> Answer:
    place, channel = await found(caller, given)
    await channels(caller, place).change(channel.id, lambda before: None)
    return None
