"""The registry: what this client knows of its streams, so that it need not ask each time.

Nothing here must be right. Shards refuse what was decided on an outdated description.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeVar

from msgspec.structs import replace

from rmq.core.clock import Clock
from rmq.core.events import Events
from rmq.core.keys import ShardKeys, StreamKeys
from rmq.core.known import Known
from rmq.core.lane import Lane
from rmq.core.limits import Limits
from rmq.core.place import Place, Places
from rmq.core.script import LOOKS, Call, Plan, Several
from rmq.errors import (
    RmqError,
    ShardClosed,
    ShardDoesNotExist,
    StaleConfig,
    StreamDoesNotExist,
)
from rmq.streams import commands
from rmq.streams.attributes import StreamInfo, stream_name
from rmq.streams.reshard import Reshard
from rmq.streams.reshard import unpack as unpack_reshard
from rmq.streams.sequence import shard_id
from rmq.streams.shard import Row, hash_bytes

T = TypeVar("T")

TOGETHER = 200
"""Shards that one step opens or removes."""


@dataclass(slots=True)
class KnownStream:
    """What a client keeps of a stream that is there."""

    keys: StreamKeys
    info: StreamInfo | None = None
    lanes: dict[int, list[Lane]] = field(default_factory=dict)
    """By shard: those that nobody uses now."""
    shard_keys: dict[int, ShardKeys] = field(default_factory=dict)
    newest: int = 0
    """The greatest position that a shard is known to have given."""
    swept_ms: int = 0
    """When this client last saw to it that the stream is swept."""
    turn: int = 0
    """Which shard had the last record that could go to any."""
    handle: Any = None


class StreamRegistry(Known[StreamInfo, KnownStream]):
    """One client's streams: their keys, descriptions and lanes."""

    def __init__(self, places: Places, limits: Limits, clock: Clock, events: Events) -> None:
        super().__init__()
        self.places = places
        self.namespace = places.namespace
        self.place: Place = places.own
        self.limits = limits
        self.clock = clock
        self.events = events
        self.dead_letters: Callable[[str], Any] | None = None
        """From a queue's name to what puts dead letters there. Streams know no queues."""

    def keys(self, name: str) -> StreamKeys:
        """The keys of a stream. Raises InvalidParameter for what can not be a name."""
        found = self._known.get(name) if isinstance(name, str) else None
        return StreamKeys(self.namespace, stream_name(name)) if found is None else found.keys

    def shard_keys(self, name: str, number: int) -> ShardKeys:
        """The keys of one shard of a stream that is there."""
        table = self.stream(name).shard_keys
        found = table.get(number)
        if found is None:
            found = table[number] = ShardKeys(self.namespace, name, number)
        return found

    def _begin(self, name: str) -> KnownStream:
        return KnownStream(StreamKeys(self.namespace, name))

    def stream(self, name: str) -> KnownStream:
        """What we know of a stream that is there; call it after `known` or `described`."""
        return self.kept(name)

    def is_sweep_due(self, name: str, every_ms: int, *, told: bool) -> bool:
        """Whether it is time that this client sees to it that a stream is swept. One caller is told
        so. *told*: a shard said that it is; else the client's first use of the stream is too soon.
        """
        stream, now_ms = self.stream(name), self.clock.now_ms()
        if stream.swept_ms == 0 and not told:
            stream.swept_ms = now_ms
        if now_ms < stream.swept_ms + every_ms:
            return False
        stream.swept_ms = now_ms
        return True

    def take_lane(self, name: str, shard: int) -> tuple[ShardKeys, Lane]:
        """The keys of a shard, and a lane of it that nobody uses now. Lost lanes are simply not
        given back."""
        stream = self.stream(name)
        keys = stream.shard_keys.get(shard) or self.shard_keys(name, shard)
        try:
            return keys, stream.lanes[shard].pop()
        except (KeyError, IndexError):
            return keys, Lane()

    def give_lane(self, name: str, shard: int, lane: Lane, newest: int) -> None:
        """Give back a lane, with the position of the last record that was put on it."""
        stream = self._known.get(name)
        if stream is not None:
            stream.newest = max(stream.newest, newest)
            stream.lanes.setdefault(shard, []).append(lane)


def known(registry: StreamRegistry, name: str) -> Plan[StreamInfo]:
    """The stream's description, asked for if we have none; what somebody left half done of making
    or removing it is finished first. Raises StreamDoesNotExist."""
    info = registry.known(name)
    if info is not None:
        return info
    for _ in range(LOOKS):
        info = yield from look(registry, name)
        if info.status == "DELETING":
            yield from remove(registry, info)
        elif info.status == "CREATING":
            yield from open_all(registry, info)
        elif info.reshard is not None:
            yield from carry_out(registry, info, unpack_reshard(info.reshard))
        else:
            return registry.learn(info)
    raise StaleConfig(f"stream {name!r} changes faster than it can be used")


def described(registry: StreamRegistry, name: str) -> Plan[StreamInfo]:
    """The stream's description as it is now."""
    registry.forget(stream_name(name))
    return (yield from known(registry, name))


def look(registry: StreamRegistry, name: str) -> Plan[StreamInfo]:
    """The stream's description as it is now, whatever its state."""
    try:
        info: StreamInfo = yield commands.describe(registry.keys(name), name, registry.place)
    except StreamDoesNotExist:
        registry.drop(name)
        raise
    return info


def on_shard(
    registry: StreamRegistry, name: str, number: int, make: Callable[[StreamInfo], Call[T]]
) -> Plan[tuple[StreamInfo, T]]:
    """Carry out the Call that *make* builds from the stream's description on one of its shards.
    Raises ShardDoesNotExist."""
    for _ in range(LOOKS):
        info = yield from known(registry, name)
        if number not in info.shards:
            info = yield from described(registry, name)
            if number not in info.shards:
                raise no_shard(name, number)
        try:
            result: T = yield make(info)
        except ShardDoesNotExist:
            info = yield from described(registry, name)
            if number in info.shards and not info.shards[number].is_open:
                # It has expired; who removed it has not taken it out of the map, or died before.
                raise no_shard(name, number) from None
        except (StaleConfig, ShardClosed):
            registry.forget(name)
        else:
            return info, result
    raise StaleConfig(f"stream {name!r} changes faster than it can be used")


def no_shard(name: str, number: int) -> ShardDoesNotExist:
    return ShardDoesNotExist(
        f"stream {name!r} has no shard {shard_id(number)}; list its shards",
        stream=name,
        shard=shard_id(number),
    )


def on_shards(calls: list[Call[T]]) -> Plan[list[T]]:
    """Carry out calls on many shards, some at a time. Raises the first error."""
    results: list[T] = []
    for answer in (yield from on_each_shard(calls)):
        if isinstance(answer, RmqError):
            raise answer
        results.append(answer)
    return results


def on_each_shard(calls: list[Call[T]]) -> Plan[list[T | RmqError]]:
    """The same, with the result or the error of each."""
    results: list[T | RmqError] = []
    for start in range(0, len(calls), TOGETHER):
        part = calls[start : start + TOGETHER]
        answers = yield Several(part)
        for call, answer in zip(part, answers, strict=True):
            if isinstance(answer, RmqError):
                try:
                    answer = yield call  # with all the patience of a single call
                except RmqError as error:
                    answer = error
            results.append(answer)
    return results


# --- what is begun in the stream's slot, and has to be done in that of each shard ---


def open_all(registry: StreamRegistry, info: StreamInfo) -> Plan[None]:
    """Open the shards of a stream that is being made. Whoever meets it does."""
    keys = registry.keys(info.name)
    try:
        yield from on_shards(
            [
                commands.open_shard(_shard(registry, info, one.number), info, one.first)
                for one in info.shards.values()
            ],
        )
        # Before the stream is there: one that stands in no list would not be found again.
        yield commands.index_add(registry.namespace, info.name)
        yield commands.opened(keys, info)
    except (StaleConfig, StreamDoesNotExist):
        # Somebody else was quicker: to make it, or even to remove it.
        registry.forget(info.name)


def remove(registry: StreamRegistry, info: StreamInfo) -> Plan[None]:
    """Remove the shards of a stream that is being deleted, and then the stream. Whoever meets it
    does."""
    numbers = list(info.shards)
    if info.reshard is not None:
        numbers += [number for number, *_ in unpack_reshard(info.reshard).children]
    yield from drop(registry, info, numbers)
    # Before the stream is gone: whoever dies here leaves something by which the rest is found.
    yield commands.index_remove(registry.namespace, info.name)
    try:
        yield commands.delete(registry.keys(info.name), info, enforce=True, last=True)
    except StreamDoesNotExist:
        # Others were quicker, and may have made it anew since: then it stays in the list.
        with suppress(StreamDoesNotExist):
            yield from look(registry, info.name)
            yield commands.index_add(registry.namespace, info.name)
    registry.drop(info.name)


def drop(registry: StreamRegistry, info: StreamInfo, numbers: Iterable[int]) -> Plan[None]:
    """Remove shards with all they hold; who waits for records of theirs wakes first."""
    keys = [_shard(registry, info, number) for number in numbers]
    yield from on_shards([commands.drop_shard(one, info) for one in keys])


def carry_out(registry: StreamRegistry, info: StreamInfo, reshard: Reshard) -> Plan[None]:
    """Carry out a reshard. Whoever meets it does; each step can be repeated."""
    registry.forget(info.name)
    numbers = reshard.parents
    try:
        # 1. The parents take no more.
        ends: list[tuple[int, int]] = yield from on_shards(
            [commands.close(_shard(registry, info, number), info) for number in numbers]
        )
        last = {number: end for number, (end, _) in zip(numbers, ends, strict=True)}
        # 2. The children take records behind all that their parents have.
        bases = {
            number: max(last[parent] for parent in change.parents)
            for number, change, _ in reshard.children
        }
        yield from on_shards(
            [
                commands.open_shard(_shard(registry, info, number), info, base)
                for number, base in bases.items()
            ]
        )
        # 3. The map says so.
        rows = {
            number: replace(info.shards[number].row, last=end, closed_ms=closed_us // 1000)
            for number, (end, closed_us) in zip(numbers, ends, strict=True)
        }
        for number, change, (low, high) in reshard.children:
            rows[number] = Row(hash_bytes(low), hash_bytes(high), change.parents, bases[number])
        if (yield commands.reshard_commit(registry.keys(info.name), info.name, reshard.id, rows)):
            return
        now = yield from look(registry, info.name)
        there = set(now.shards) if now.incarnation == info.incarnation else set()
    except (ShardDoesNotExist, StaleConfig):
        return  # others were quicker, and what they made has even expired, or was removed
    except StreamDoesNotExist:
        there = set()
    # Others were quicker. What they made may even be gone since, and then we made it anew.
    late = [number for number, *_ in reshard.children if number not in there]
    if late:
        yield from drop(registry, info, late)


def _shard(registry: StreamRegistry, info: StreamInfo, number: int) -> ShardKeys:
    return ShardKeys(registry.namespace, info.name, number)
