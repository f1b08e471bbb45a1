"""Partition: what decides which shard takes a record.

Source: PutRecord (Amazon Kinesis Data Streams API Reference).
"""

from __future__ import annotations

from rmq.core.limits import Limits
from rmq.errors import InvalidParameter, MissingParameter, Words
from rmq.streams.record import Record
from rmq.streams.shard import LAST_HASH_KEY, hash_bytes, hash_key

MOST_KEY = 65_535
"""Bytes of a partition key where no limit says less."""


def hash_key_of(record: Record, limits: Limits) -> bytes:
    """The 16 bytes by which a record finds its shard. Raises InvalidParameter."""
    if record.explicit_hash_key is not None:
        return explicit_bytes(record.explicit_hash_key)
    return hash_key(key_bytes_of(record.partition_key, limits.max_partition_key))


def key_bytes_of(key: str | None, most: int | None) -> bytes:
    """A partition key in UTF-8. Raises InvalidParameter."""
    if key is None:
        raise MissingParameter("partition_key", "it decides which shard takes a record")
    if not isinstance(key, str):
        raise InvalidParameter("partition_key", Words(type(key).__name__), "str")
    if not key or (most is not None and len(key) > most):
        raise InvalidParameter("partition_key", key, f"1 to {most or MOST_KEY} characters of text")
    try:
        found = key.encode()
    except UnicodeEncodeError:
        raise InvalidParameter("partition_key", ascii(key), "text that UTF-8 can express") from None
    if len(found) > MOST_KEY:
        raise InvalidParameter("partition_key", found, f"at most {MOST_KEY} bytes in UTF-8")
    return found


def explicit_bytes(value: int | str) -> bytes:
    """A hash key that was given, as its 16 bytes. Raises InvalidParameter."""
    number = value
    if isinstance(value, str) and value.isascii() and value.isdigit() and len(value) <= 39:
        number = int(value) if value[0] != "0" or value == "0" else -1
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= LAST_HASH_KEY:
        raise InvalidParameter("explicit_hash_key", value, "a whole number from 0 to 2^128-1")
    return hash_bytes(number)
