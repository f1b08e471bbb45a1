"""DescribeChannel: a channel as it was asked for."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.channels import described, found
from rmq.gateway.service import Answer, Given


async def describe_channel(caller: Caller, given: Given) -> Answer:
    place, channel = await found(caller, given)
    return {"ChannelDescription": described(channel, place)}
