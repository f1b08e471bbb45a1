"""A reshard: splits and merges that were written down, and are under way.

    state.reshard = id, number of the first child, MessagePack: [[parents, [[low, high], ..]], ..]

Whoever reads it can carry it out to its end: docs/design/streams.md, Resharding.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from rmq.streams.ranges import Change
from rmq.streams.shard import hash_bytes

_Stored = list[tuple[tuple[int, ...], tuple[tuple[bytes, bytes], ...]]]
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(_Stored)


class Reshard(NamedTuple):
    """What is to be done."""

    id: str
    first_child: int
    """The children get this number and the next ones, in the order of the changes."""
    changes: tuple[Change, ...]

    @property
    def parents(self) -> list[int]:
        return [parent for change in self.changes for parent in change.parents]

    @property
    def children(self) -> list[tuple[int, Change, tuple[int, int]]]:
        """Of each new shard its number, the change that makes it, and its range."""
        found = [(change, one) for change in self.changes for one in change.children]
        return [(number, *one) for number, one in enumerate(found, self.first_child)]


def pack(changes: Sequence[Change]) -> bytes:
    """Changes as they are written down."""
    return _encoder.encode(
        [
            (
                change.parents,
                [(hash_bytes(first), hash_bytes(last)) for first, last in change.children],
            )
            for change in changes
        ]
    )


def unpack(stored: bytes) -> Reshard:
    """The reshard that the stream's state holds."""
    id, first, packed = stored.split(b" ", 2)
    changes = (
        Change(
            parents,
            tuple(
                (int.from_bytes(low, "big"), int.from_bytes(high, "big")) for low, high in children
            ),
        )
        for parents, children in _decoder.decode(packed)
    )
    return Reshard(id.decode(), int(first), tuple(changes))
