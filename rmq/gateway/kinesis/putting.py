"""Putting: what PutRecord and PutRecords check before anything is put. A request that breaks a rule
puts none of its records.

Source: PutRecord, PutRecords (Amazon Kinesis Data Streams API Reference).
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from rmq.gateway.errors import AwsError
from rmq.gateway.kinesis.errors import dry_run, invalid
from rmq.streams import putting
from rmq.streams.aio import AsyncStream
from rmq.streams.attributes import StreamInfo
from rmq.streams.record import Record
from rmq.streams.shard import LAST_HASH_KEY


async def checked(
    stream: AsyncStream, entries: Sequence[dict[str, Any]], most_bytes: int | None = None
) -> list[Record]:
    """Records as the library takes them. Raises AwsError, for what the stream is found to refuse
    when it is looked at again: it may take more than it did when it was last seen."""
    if stream.known is not None:
        with suppress(AwsError):
            return _records_in(stream.known, entries, most_bytes)
    return _records_in(await stream.info(), entries, most_bytes)


async def tried(stream: AsyncStream, records: Sequence[Record]) -> AwsError:
    """What says that records would have been put. Raises what would be wrong with them."""
    await stream._executor.run(putting.check(stream._registry, stream.name, records))
    return dry_run()


def _records_in(
    info: StreamInfo, entries: Sequence[dict[str, Any]], most_bytes: int | None
) -> list[Record]:
    attributes = info.attributes
    most, whole, found = attributes.max_record_size, 0, []
    needs_key = attributes.record_distribution != "AUTO"
    for one in entries:
        key, data, hash_key = one.get("PartitionKey"), one["Data"], one.get("ExplicitHashKey")
        size = len(data)
        if key is not None:
            size += len(key) if key.isascii() else len(_utf8(key))
        elif needs_key:
            raise invalid("PartitionKey must be specified for a stream that distributes by it.")
        if size > most:
            raise invalid(
                f"Record of {size} bytes, data and partition key together, is larger than the "
                f"maximum record size of stream {info.name}: {most} bytes."
            )
        if hash_key is not None and int(hash_key) > LAST_HASH_KEY:
            raise invalid(
                "Invalid ExplicitHashKey. ExplicitHashKey must be in the range: [0, 2^128-1]. "
                f"Specified value was {hash_key}"
            )
        whole += size
        found.append(Record(data, key, hash_key, one.get("SequenceNumberForOrdering")))
    if most_bytes is not None and whole > most_bytes:
        raise invalid(f"Records size exceeds {most_bytes // (1 << 20)} MB limit")
    return found


def _utf8(key: str) -> bytes:
    try:
        return key.encode()
    except UnicodeEncodeError:
        raise invalid("PartitionKey must be text that UTF-8 can express.") from None
