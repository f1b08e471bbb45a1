"""UpdateMaxRecordSize: how large a record may be."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.service import Answer, Given


async def update_max_record_size(caller: Caller, given: Given) -> Answer:
    size = given["MaxRecordSizeInKiB"] * 1024
    await stream_of(caller, given).set_attributes(max_record_size=size)
    return None
