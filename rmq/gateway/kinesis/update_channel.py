"""UpdateChannel: change how fresh a channel's data is to be, or its logging."""

from __future__ import annotations

from msgspec.structs import replace

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.channels import (
    S3,
    TABLES,
    Channel,
    channels,
    check_freshness,
    described,
    found,
    no_channel,
)
from rmq.gateway.kinesis.errors import not_valid
from rmq.gateway.service import Answer, Given


async def update_channel(caller: Caller, given: Given) -> Answer:
    place, channel = await found(caller, given)
    said = [one for one in (S3, TABLES) if one in given]
    if said and said != [channel.destination]:
        raise not_valid(f"Channel {channel.name} delivers by {channel.destination}.")
    if said:
        check_freshness(given[said[0]])

    def change(before: Channel) -> Channel:
        settings, logging = before.settings, before.logging
        if said:
            settings = settings | given[said[0]]
        if "LoggingConfiguration" in given:
            logs = logging["CloudWatchLogs"] | given["LoggingConfiguration"]["CloudWatchLogs"]
            logging = {"CloudWatchLogs": logs}
        return replace(before, settings=settings, logging=logging)

    before = await channels(caller, place).change(channel.id, change)
    if before is None:
        raise no_channel(given["ChannelARN"])
    return {"ChannelDescription": described(change(before), place, "UPDATING")}
