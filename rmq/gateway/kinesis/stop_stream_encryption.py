"""StopStreamEncryption: records that are put from now on are not encrypted."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.errors import invalid
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.service import Answer, Given


async def stop_stream_encryption(caller: Caller, given: Given) -> Answer:
    if given["EncryptionType"] != "KMS":
        raise invalid("EncryptionType must be KMS.")
    await stream_of(caller, given).set_attributes(encryption_type="NONE")
    return None
