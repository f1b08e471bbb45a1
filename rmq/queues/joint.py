"""Joint: how receives of one standard queue become one script call, and share its answer.

Not on a FIFO queue: what one call takes of a group is locked for one consumer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

from rmq.core.keys import QueueKeys
from rmq.core.limits import SCRIPT_MESSAGES
from rmq.core.script import Call, Joint
from rmq.queues import commands
from rmq.queues.attributes import QueueInfo
from rmq.queues.commands import MORE, MOVED, OVER_LIMIT, SWEEP, Got, Wanted

MOST = SCRIPT_MESSAGES[False]


def receive(
    keys: QueueKeys, info: QueueInfo, wanted: Wanted, make: Callable[..., Any]
) -> Joint[Got]:
    """commands.receive of a standard queue, together with whoever asks at the same time."""

    def join(ones: Sequence[Joint[Got]]) -> Call[Got]:
        asked = wanted
        if len(ones) > 1:
            amount, patience = sum(one.amount for one in ones), max(one.patience for one in ones)
            asked = replace(wanted, max_messages=amount, wait_ms=patience)
        return commands.receive(keys, info, asked, make)

    return Joint(
        (keys.log, info.version, make, wanted.visibility_ms, wanted.in_flight_limit, wanted.sweep),
        wanted.max_messages,
        wanted.wait_ms,
        MOST,
        join,
        _deal,
    )


def _deal(ones: Sequence[Joint[Got]], got: Got) -> list[Got]:
    """Each one's share. What there is to do beside (a sweep, a relay) is the first one's to do; the
    others look again."""
    flags = got.flags & OVER_LIMIT
    if got.flags & (SWEEP | MOVED | MORE):
        flags |= MORE
    shares, start = [], 0
    for place, one in enumerate(ones):
        end = start + one.amount
        # One of them wakes when the next message is due, the others a little later: a lease that
        # ends should not wake a thousand.
        late = 100 + place * 7919 % 900 if place and got.sleep_ms >= 0 else 0
        shares.append(
            Got(
                got.messages[start:end],
                flags if place else got.flags,
                got.sleep_ms + late,
                0 if place else got.moved,
            )
        )
        start = end
    return shares
