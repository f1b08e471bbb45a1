"""CreateChannel: note a channel from an on-demand stream to S3 or S3 Tables. Nothing goes there."""

from __future__ import annotations

from rmq.core.limits import checked_tags
from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.channels import (
    Channel,
    add,
    described,
    destination_in,
    new_id,
    settings_in,
)
from rmq.gateway.kinesis.errors import in_use
from rmq.gateway.kinesis.place import check_on_demand, one_stream, resource
from rmq.gateway.kinesis.resources import check_tags
from rmq.gateway.service import Answer, Given


async def create_channel(caller: Caller, given: Given) -> Answer:
    arn, record = one_stream(given), given["StreamConfigurationList"][0]["RecordConfiguration"]
    check_tags(given.get("Tags", {}))
    place = resource(arn, "StreamARN", "stream").place
    settings = settings_in(given, record)
    client = caller.accounts.client(*place)
    tags = checked_tags(given.get("Tags", {}), client.limits)
    info = await (await check_on_demand(caller, arn)).info()
    more = {}
    if "LoggingConfiguration" in given:
        more["logging"] = given["LoggingConfiguration"]
    channel = Channel(
        id=new_id(),
        name=given["ChannelName"],
        created_ms=client.clock.now_ms(),
        stream_arn=info.arn,
        stream_created_ms=round(info.created_at.timestamp() * 1000),
        role_arn=given["ServiceExecutionRoleARN"],
        record=record,
        destination=destination_in(given),
        settings=settings,
        encryption=given.get("EncryptionConfiguration"),
        tags=tags,
        **more,
    )
    if not await add(caller, info, channel):
        raise in_use(f"Channel {channel.name} under account {place.account} already exists.")
    return {"ChannelDescription": described(channel, place, "CREATING")}
