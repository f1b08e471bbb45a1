"""Commands: what workers and those who look after a group ask for. One round trip each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Any

from rmq.core import script
from rmq.core.keys import GroupKeys, group_index
from rmq.core.script import Call, text_of
from rmq.errors import GroupDoesNotExist
from rmq.streams.groups.checkpoint import Checkpoint

UNBOUNDED = 1_000_000
"""Shards that a worker takes which takes as many as there are."""
SYNC_STEP = 500
"""Shards that one call gives leases to."""
CHECKPOINT_STEP = 500
"""Checkpoints that one call notes."""
FORGET_LOOK = 20_000
"""Shards of a stream that is looked at to forget old leases. One with more keeps them."""


@dataclass(frozen=True, slots=True)
class Start:
    """Where a group starts, or started."""

    type: str
    """LATEST, TRIM_HORIZON or AT_TIMESTAMP."""
    at: int
    """The position from which AT_TIMESTAMP reads."""
    initial: int
    """It is for shards with a lower number; later ones are read from their beginning."""
    next_shard: int = 0
    """The number of the first shard that has no lease yet."""


@dataclass(frozen=True, slots=True)
class Held:
    """A lease of the worker that asked."""

    number: int
    """Of the shard."""
    token: int
    """The fencing token."""
    checkpoint: Checkpoint
    is_wanted: bool
    """Another worker has asked for it."""


@dataclass(frozen=True, slots=True)
class Beat:
    """The answer to a heartbeat."""

    next_shard: int
    """The number of the first shard that has no lease yet."""
    again_ms: int
    """When to come again."""
    workers: int
    held: list[Held]
    alone: dict[int, int]
    """Shards that could have an owner and have none for long, and for how long (ms)."""


@dataclass(frozen=True, slots=True)
class Note:
    """How far one shard was read, for `checkpoint`."""

    number: int
    token: int
    checkpoint: Checkpoint | None
    """None: to its end."""
    release: bool = False
    """Let the lease go."""


class Outcome(IntEnum):
    """What became of a Note."""

    BACKWARDS = -1
    """It was read further already."""
    LOST = 0
    """The lease has another owner by now, or none."""
    NOTED = 1
    WANTED = 2
    """Noted, and another worker has asked for the lease."""


@dataclass(frozen=True, slots=True)
class Row:
    """A lease as it lies in Redis; see lua/lib/group.lua."""

    number: int
    owner: str | None
    token: int
    checkpoint: Checkpoint | None
    switches: int
    since_ms: int
    want: str | None
    parents: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Described:
    """All of a group as it lies in Redis."""

    now_ms: int
    start: Start
    incarnation: str
    created_ms: int
    rows: list[Row]
    """By number."""
    workers: dict[str, tuple[int, int]]
    """When a heartbeat ends (ms), and how many shards the worker takes at most."""


def index_add(namespace: str, name: str) -> Call[None]:
    """List a group, `stream/group`."""
    return script.command("ZADD", name, lambda reply: None, group_index(namespace), 0, name)


def index_remove(namespace: str, name: str) -> Call[None]:
    """List it no more."""
    return script.command("ZREM", name, lambda reply: None, group_index(namespace), name)


def open_group(keys: GroupKeys, name: str, incarnation: str, start: Start) -> Call[Start]:
    """Make a group where there is none. Where it starts, or started."""

    def parse(reply: Sequence[Any]) -> Start:
        return Start(text_of(reply[0]), int(reply[1]), int(reply[2]), int(reply[3]))

    return script.load("groups/open").call(
        name,
        parse,
        state=keys.state,
        leases=keys.leases,
        workers=keys.workers,
        incarnation=incarnation,
        start=start.type,
        at=start.at,
        initial=start.initial,
    )


def started(keys: GroupKeys, name: str) -> Call[Start]:
    """Where a group started that is there. Raises GroupDoesNotExist."""

    def parse(reply: Sequence[Any]) -> Start:
        if reply[0] is None:
            raise GroupDoesNotExist._refused(name, "")
        return Start(text_of(reply[0]), int(reply[1]), int(reply[2]), int(reply[3]))

    fields = ("start", "at", "initial", "next_shard")
    return script.command("HMGET", name, parse, keys.state, *fields)


def sync(
    keys: GroupKeys,
    name: str,
    incarnation: str,
    first: int,
    past: int,
    shards: Iterable[tuple[int, Checkpoint, Sequence[int]]],
) -> Call[int]:
    """Give leases to shards: their number, where to begin, parents. Of those from *first* to *past*
    the others are done with. The first shard without a lease then."""
    rest: list[Any] = []
    for number, checkpoint, parents in shards:
        rest += (number, checkpoint.position, ",".join(map(str, parents)) or "-")
    return script.load("groups/sync").call(
        name,
        int,
        state=keys.state,
        leases=keys.leases,
        incarnation=incarnation,
        first=first,
        past=past,
        rest=rest,
    )


def heartbeat(
    keys: GroupKeys,
    name: str,
    incarnation: str,
    worker: str,
    *,
    lease_ms: int,
    most: int,
    alarm_ms: int,
) -> Call[Beat]:
    """Say that a worker lives; what it has, and what nobody has for *alarm_ms*."""

    def parse(reply: Sequence[Any]) -> Beat:
        own = 4 + 5 * int(reply[3])
        held = [
            Held(
                int(reply[i]),
                int(reply[i + 1]),
                Checkpoint(int(reply[i + 2]), int(reply[i + 3])),
                int(reply[i + 4]) == 1,
            )
            for i in range(4, own, 5)
        ]
        alone = {int(reply[i]): int(reply[i + 1]) for i in range(own, len(reply), 2)}
        return Beat(int(reply[0]), int(reply[1]), int(reply[2]), held, alone)

    return script.load("groups/heartbeat").call(
        name,
        parse,
        state=keys.state,
        leases=keys.leases,
        workers=keys.workers,
        incarnation=incarnation,
        worker=worker,
        lease_ms=lease_ms,
        most=most,
        alarm_ms=alarm_ms,
    )


def checkpoint(
    keys: GroupKeys, name: str, worker: str, notes: Sequence[Note]
) -> Call[list[Outcome]]:
    """Note how far shards were read; up to CHECKPOINT_STEP of them."""
    rest: list[Any] = []
    for one in notes:
        at = ("E", 0) if one.checkpoint is None else one.checkpoint
        rest += (one.number, one.token, *at, "release" if one.release else "hold")
    return script.load("groups/checkpoint").call(
        name,
        lambda reply: [Outcome(int(one)) for one in reply],
        state=keys.state,
        leases=keys.leases,
        workers=keys.workers,
        worker=worker,
        rest=rest,
    )


def leave(keys: GroupKeys, name: str, worker: str) -> Call[int]:
    """A worker goes. How many leases it still had."""
    return script.load("groups/leave").call(
        name, int, leases=keys.leases, workers=keys.workers, worker=worker
    )


def forget(keys: GroupKeys, name: str, incarnation: str, there: Sequence[int]) -> Call[int]:
    """Remove leases of shards that were read to their end and are not *there* any more."""
    return script.load("groups/forget").call(
        name,
        int,
        state=keys.state,
        leases=keys.leases,
        incarnation=incarnation,
        rest=there,
    )


def reset(keys: GroupKeys, name: str, incarnation: str, start: Start) -> Call[None]:
    """End all leases and begin anew at *start*."""
    return script.load("groups/reset").call(
        name,
        lambda reply: None,
        state=keys.state,
        leases=keys.leases,
        incarnation=incarnation,
        start=start.type,
        at=start.at,
        initial=start.initial,
    )


def delete(keys: GroupKeys, name: str, force: bool) -> Call[bool]:
    """Remove a group. False when there was none."""
    return script.load("groups/delete_group").call(
        name,
        lambda reply: int(reply) == 1,
        state=keys.state,
        leases=keys.leases,
        workers=keys.workers,
        force=int(force),
    )


def describe(keys: GroupKeys, name: str) -> Call[Described]:
    """All that is known of a group."""
    return script.load("groups/describe").call(
        name, _described, state=keys.state, leases=keys.leases, workers=keys.workers
    )


def _described(reply: Sequence[Any]) -> Described:
    now_ms, *lists = reply
    state, leases, workers = (
        {text_of(one[i]): text_of(one[i + 1]) for i in range(0, len(one), 2)} for one in lists
    )
    return Described(
        int(now_ms),
        Start(state["start"], int(state["at"]), int(state["initial"]), int(state["next_shard"])),
        state["incarnation"],
        int(state["created"]),
        sorted((_row(int(number), text) for number, text in leases.items()), key=_number),
        {id: (int(ends), int(most)) for id, (ends, most) in _words(workers)},
    )


def _row(number: int, text: str) -> Row:
    owner, want, position, token, sub, switches, since, parents = text.split(" ")
    return Row(
        number,
        None if owner == "-" else owner,
        int(token),
        None if position == "E" else Checkpoint(int(position), int(sub)),
        int(switches),
        int(since),
        None if want == "-" else want,
        () if parents == "-" else tuple(map(int, parents.split(","))),
    )


def _number(row: Row) -> int:
    return row.number


def _words(workers: dict[str, str]) -> Iterable[tuple[str, list[str]]]:
    return ((id, text.split(" ")) for id, text in workers.items())
