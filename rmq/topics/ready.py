"""Ready: how dispatchers learn which inner queues have something to push, in one place for each
namespace.

A publisher marks what it delivered to; a dispatcher claims what is due and looks no more at it for
the length of a claim, drains the inner queue, and says when to look again.

    marked ── claim ──> claimed until .. ── done ──> gone, or due again at ..
       ^                   │    │
       └── mark (earlier wins)  └── the claim ran out: its dispatcher died
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rmq.core import script
from rmq.core.keys import PushKeys
from rmq.core.script import Call, text_of

OFFERED = -2
"""Instead of a time: nothing is due but what was to be left to others."""
CLAIM_MS = 30_000
"""For how long a claim holds; a dispatcher at work renews it."""


@dataclass(frozen=True, slots=True)
class Work:
    """What a dispatcher has to look at: the inner queue *queue* of subscription *queue* on *topic*;
    without a topic an inner queue of direct messages."""

    queue: str
    topic: str = ""

    @property
    def member(self) -> str:
        return f"{self.queue} {self.topic}"


@dataclass(frozen=True, slots=True)
class Claimed:
    """Work that is ours until *until_ms*."""

    work: Work
    until_ms: int


@dataclass(frozen=True, slots=True)
class Claims:
    """What a claim came to."""

    found: list[Claimed]
    until_ms: int
    """When those end that were held, and were renewed."""
    sleep_ms: int
    """For how long there is nothing else to look for; -1 for until something is marked, OFFERED
    where what is left to others is due."""


def mark(keys: PushKeys, works: Iterable[Work], due_ms: int = 0) -> Call[None]:
    """Say that there is something to do, now or at *due_ms*. An earlier mark stands."""
    rest = [work.member for work in works]
    return script.load("topics/ready_mark").call(
        "push",
        lambda reply: None,
        ready=keys.ready,
        wake=keys.wake,
        due_ms=due_ms,
        rest=rest,
    )


def claim(
    keys: PushKeys,
    most: int,
    wait_ms: int,
    held: Sequence[Claimed] = (),
    offered: Sequence[Work] = (),
) -> Call[Claims]:
    """Claim up to *most* (1 to 1,000), and renew those *held*, but not those marked since: these
    are found again, or are another dispatcher's by now. What is *offered* is left to others.
    *wait_ms* is for how long the caller will wait where it finds nothing."""
    rest: list[Any] = [part for one in held for part in (one.work.member, one.until_ms)]
    rest += [part for one in offered for part in (one.member, -1)]

    def parse(reply: Sequence[Any]) -> Claims:
        until_ms, sleep_ms = int(reply[0]), int(reply[1])
        found = []
        for member in reply[2:]:
            queue, _, topic = text_of(member).partition(" ")
            found.append(Claimed(Work(queue, topic), until_ms))
        return Claims(found, until_ms, sleep_ms)

    return script.load("topics/ready_claim").call(
        "push",
        parse,
        ready=keys.ready,
        wake=keys.wake,
        max=most,
        claim_ms=CLAIM_MS,
        wait_ms=wait_ms,
        rest=rest,
    )


def done(keys: PushKeys, claimed: Claimed, again_ms: int = 0) -> Call[None]:
    """End a claim: nothing is left (0), or something is due at *again_ms*. What was marked
    meanwhile stays, and where the claim is not ours any more *again_ms* is marked."""
    return script.load("topics/ready_done").call(
        "push",
        lambda reply: None,
        ready=keys.ready,
        wake=keys.wake,
        member=claimed.work.member,
        until_ms=claimed.until_ms,
        again_ms=again_ms,
    )
