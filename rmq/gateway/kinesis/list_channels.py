"""ListChannels: the caller's channels, page by page."""

from __future__ import annotations

from rmq.core.place import Place
from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.channels import channels, summary
from rmq.gateway.kinesis.listing import listed
from rmq.gateway.service import Answer, Given


async def list_channels(caller: Caller, given: Given) -> Answer:
    place = Place(caller.account, caller.region)
    return await listed(
        caller,
        given,
        channels(caller),
        "ChannelSummaries",
        "channels",
        lambda channel: summary(channel, place),
    )
