"""User records: what an application puts, checked before it is taken.

Several of them travel in one record of the stream, where nobody looks at each any more. So what no
stream takes is refused at once, to who puts it.
"""

from __future__ import annotations

from typing import NamedTuple

from rmq.core.limits import Limits, text
from rmq.errors import InvalidParameter, Words
from rmq.streams.shard import LAST_HASH_KEY


class UserRecord(NamedTuple):
    """What one put of the application brought."""

    partition_key: str
    data: bytes
    explicit_hash_key: int | None = None


def checked_record(
    data: bytes | str,
    partition_key: str,
    explicit_hash_key: int | str | None,
    limits: Limits,
    max_record_size: int,
) -> UserRecord:
    """A record that the stream takes. Raises InvalidParameter."""
    if type(data) is not bytes:
        if isinstance(data, str):
            data = text(data, "data", 0).encode()
        elif isinstance(data, (bytes, bytearray, memoryview)):
            data = bytes(data)
        else:
            raise InvalidParameter("data", Words(type(data).__name__), "bytes or str")
    text(partition_key, "partition_key", 1, limits.max_partition_key)
    if explicit_hash_key is not None:
        explicit_hash_key = _hash_key(explicit_hash_key)
    # A character has at most 4 bytes: most keys need not be encoded to see that there is room.
    if len(data) + 4 * len(partition_key) > max_record_size:
        size = len(data) + len(partition_key.encode())
        if size > max_record_size:
            raise InvalidParameter(
                "record size",
                Words(f"{size} bytes"),
                f"at most {max_record_size} bytes, data and partition key together",
            )
    return UserRecord(partition_key, data, explicit_hash_key)


def _hash_key(value: int | str) -> int:
    number = value
    if isinstance(value, str):
        number = int(value) if value.isascii() and value.isdigit() and len(value) < 40 else -1
    if isinstance(number, bool) or not isinstance(number, int) or not 0 <= number <= LAST_HASH_KEY:
        raise InvalidParameter("explicit_hash_key", value, "a whole number from 0 to 2^128-1")
    return number
