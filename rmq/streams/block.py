"""Blocks: what one put brings to a shard, as one entry of its log.

    XADD log <position of the last record>-<count>  r  <MessagePack: [key, data, key, data, ..]>

One entry for each record would cost 25 to 60 bytes and a command each. The entry's id has the last
position, not the first: the first entry from a position on is then the first that has a record
from there on, and what is trimmed by id has expired whole.

The field says what is in it: `r` records, `k` records put while the stream was encrypted, `c` the
end of a closed shard, which only wakes who waits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec

from rmq.streams.record import StreamRecord

PLAIN, ENCRYPTED, END = b"r", b"k", b"c"
BLOCK_RECORDS = 500
BLOCK_BYTES = 65_536 - 128
"""Of MessagePack. With what Redis puts around it that is just below a size that jemalloc has; one
byte above, and it would take 16 KiB more."""
_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(list[Any]).decode

Item = tuple[str | None, bytes]
"""Partition key and data."""


def packed_size(key_bytes: int, data_bytes: int) -> int:
    """What a record takes in a block: the bytes of its key and its data, each behind its length."""
    return _packed(key_bytes, 32) + _packed(data_bytes, 0)


def _packed(size: int, short: int) -> int:
    if size < short:
        return size + 1
    return size + (2 if size < 256 else 3 if size < 65_536 else 5)


def pack_block(flat: Sequence[str | bytes | None]) -> bytes:
    """A block of key, data, key, data, .."""
    return _encode(flat)


def unpack_block(
    id: bytes, kind: bytes, block: bytes, shard: int, start: int
) -> list[StreamRecord]:
    """The records of an entry, from the position *start* on."""
    last, count = read_id(id)
    position = last - count + 1
    items = _decode(block)
    if start > position:
        items = items[2 * (start - position) :]
        position = start
    encryption = "KMS" if kind == ENCRYPTED else None
    pairs = zip(items[1::2], items[::2], range(position, last + 1), strict=True)
    return [StreamRecord(data, key, shard, at, 0, encryption) for data, key, at in pairs]


def read_id(id: bytes | str) -> tuple[int, int]:
    """The position of an entry's last record, and how many it has."""
    last, _, count = (id.decode() if isinstance(id, bytes) else id).partition("-")
    return int(last), int(count)
