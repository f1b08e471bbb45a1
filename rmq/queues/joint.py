"""Joint: how receives of one standard queue become one script call, and share its answer.

Not on a FIFO queue: what one call takes of a group is locked for one consumer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from rmq.core.script import Call, Joint
from rmq.queues.limits import SCRIPT_MESSAGES

if TYPE_CHECKING:
    from rmq.queues.commands import Got, Wanted

MOST = SCRIPT_MESSAGES[False]


def joint(
    wanted: Wanted,
    kind: tuple[Any, ...],
    again: Callable[[Wanted], Call[Got]],
    told_one: int,
    told_all: int,
    more: int,
) -> Joint[Got]:
    """What joins a receive with others of the same *kind*.

    *again* makes the call anew for another number of messages. Of the answer's flags the first gets
    all; the others get *told_all*, and *more* (look again) where there is one of *told_one*, for
    one of them has something to do now.
    """

    def join(calls: Sequence[Call[Got]]) -> Call[Got]:
        joints = [call.joint for call in calls if call.joint is not None]
        return again(
            replace(
                wanted,
                max_messages=sum(one.amount for one in joints),
                wait_ms=max(one.patience for one in joints),
            )
        )

    def deal(calls: Sequence[Call[Got]], got: Got) -> list[Got]:
        flags = (got.flags & told_all) | (more if got.flags & told_one else 0)
        shares, start = [], 0
        for place, call in enumerate(calls):
            assert call.joint is not None
            end = start + call.joint.amount
            # One of them wakes when the next message is due, the others a little later: a lease
            # that ends should not wake a thousand.
            late = 100 + place * 7919 % 900 if place and got.sleep_ms >= 0 else 0
            shares.append(
                replace(
                    got,
                    messages=got.messages[start:end],
                    flags=flags if place else got.flags,
                    sleep_ms=got.sleep_ms + late,
                    moved=0 if place else got.moved,
                )
            )
            start = end
        return shares

    return Joint(kind, wanted.max_messages, wanted.wait_ms, MOST, join, deal)
