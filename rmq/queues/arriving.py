"""Arriving: what a topic has for a queue, as the queue takes it in. One round trip.

A topic says its own seq with each message, and the queue remembers the last one for each line on
which they come: a publisher's lane, or a FIFO topic. So what is delivered again is not taken twice.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rmq.core import script
from rmq.core.keys import QueueKeys
from rmq.core.limits import ms
from rmq.core.script import Call
from rmq.queues.attributes import QueueInfo


@dataclass(frozen=True, slots=True)
class Line:
    """On what messages come: in order, none left out."""

    source: str
    """A lane, or a FIFO topic."""
    incarnation: str = ""
    """Of the FIFO topic; '' for a lane."""
    number: int = 0
    """Grows each time a FIFO topic begins anew with this queue: a replay, another subscription."""


Arriving = tuple[bytes, int | str]
"""A message for a standard queue: packed, and the topic's seq, with the group behind it if it has
one: `1700000000000000 eu`."""


def deliver(
    keys: QueueKeys, info: QueueInfo, line: Line, first: int, parts: Sequence[Any], width: int = 2
) -> Call[int]:
    """Take in, on a standard queue. *parts* are those of Arriving, one behind the other, *first* is
    the first seq. Where seqs follow each other without a gap or a group they may be left out:
    *width* is 1 then. The result is how many were new."""
    if info.compresses:
        # They may be another queue's as well.
        parts = list(parts)
        info.deflate.compress_every(parts, 0, width)
    return script.load("queues/deliver").call(
        info.name,
        int,
        state=keys.state,
        log=keys.log,
        delayed=keys.delayed,
        wake=keys.wake,
        lanes=keys.lanes,
        order=keys.order,
        groups=keys.groups,
        loads=keys.loads,
        relayed=keys.relayed,
        version=info.version,
        source=line.source,
        incarnation=line.incarnation,
        line=line.number,
        delay_ms=info.delay_ms,
        first=first,
        width=width,
        rest=parts,
    )


def deliver_fifo(
    keys: QueueKeys, info: QueueInfo, line: Line, messages: Iterable[tuple[int, bytes, str, bytes]]
) -> Call[int]:
    """Take in, on a FIFO queue: the topic's seq, deduplication key, group and packed of each. The
    result is how many were new."""
    rest: list[Any] = [part for message in messages for part in message]
    if info.compresses:
        info.deflate.compress_every(rest, 3, 4)
    return script.load("queues/deliver_fifo").call(
        info.name,
        int,
        state=keys.state,
        log=keys.log,
        order=keys.order,
        groups=keys.groups,
        dedup=keys.dedup,
        delayed=keys.delayed,
        wake=keys.wake,
        relayed=keys.relayed,
        version=info.version,
        source=line.source,
        incarnation=line.incarnation,
        line=line.number,
        window_ms=ms(info.attributes.deduplication_window),
        delay_ms=info.delay_ms,
        rest=rest,
    )
