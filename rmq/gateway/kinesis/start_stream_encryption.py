"""StartStreamEncryption: note by which key a stream's records are to be encrypted."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.errors import invalid
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.service import Answer, Given


async def start_stream_encryption(caller: Caller, given: Given) -> Answer:
    if given["EncryptionType"] != "KMS":
        raise invalid("EncryptionType must be KMS.")
    stream = stream_of(caller, given)
    await stream.set_attributes(encryption_type="KMS", kms_key_id=given["KeyId"])
    return None
