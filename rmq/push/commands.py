"""Commands: what a dispatcher asks beside what queues and topics offer. One round trip each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rmq.core import script
from rmq.core.keys import PushKeys, QueueKeys, TopicKeys
from rmq.core.place import Place
from rmq.core.script import Call, text_of

Count = tuple[int, int, int]
"""Delivered, failed, and milliseconds between publish and delivery of all delivered."""


def inner_due(keys: QueueKeys, name: str) -> Call[int]:
    """When an inner queue has to be looked at again (ms); 0 when it is empty."""
    return script.load("topics/inner_due").call(
        name, int, state=keys.state, log=keys.log, inflight=keys.inflight, delayed=keys.delayed
    )


def throttle(keys: QueueKeys, name: str, rate: int, want: int) -> Call[tuple[int, int]]:
    """Take up to *want* of the tokens that come at *rate* a second; a negative number gives back.
    How many are granted, and where that is none, for how many ms there are none."""
    return script.load("topics/throttle").call(
        name,
        lambda reply: (int(reply[0]), int(reply[1])),
        state=keys.state,
        rate=rate,
        want=want,
    )


def count(keys: TopicKeys, name: str, counts: Mapping[str, Count]) -> Call[None]:
    """Count for subscriptions, by their ids."""
    rest = [part for id, one in counts.items() for part in (id, *one)]
    return script.load("topics/count").call(
        name,
        lambda reply: None,
        subscriptions=keys.subscriptions,
        stats=keys.stats,
        rest=rest,
    )


def left(keys: TopicKeys, name: str, age_ms: int) -> Call[bool]:
    """Whether a topic waits for somebody to come by: it has what publishers left for so long, or
    something to forget."""
    return script.load("topics/left").call(
        name,
        lambda reply: int(reply) == 1,
        state=keys.state,
        outbox=keys.outbox,
        cursors=keys.cursors,
        age_ms=age_ms,
        is_fifo=int(name.endswith(".fifo")),
    )


def stamp(keys: TopicKeys, name: str) -> Call[tuple[str, str] | None]:
    """A topic's version, and the number of the last change of a subscription; None if it is
    gone."""

    def parse(reply: Sequence[Any]) -> tuple[str, str] | None:
        return None if reply[0] is None else (text_of(reply[0]), text_of(reply[1] or "0"))

    return script.command("HMGET", name, parse, keys.state, "version", "number")


def places(root: PushKeys) -> Call[set[Place]]:
    """The accounts and regions that have inner queues."""

    def parse(reply: Any) -> set[Place]:
        return {Place(*text_of(one).split(" ")) for one in reply}

    return script.command("SMEMBERS", "push", parse, root.places)
