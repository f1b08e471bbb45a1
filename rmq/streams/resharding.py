"""Resharding: splitting and merging shards. Plans; docs/design/streams.md tells the steps.

    begin ──> close each parent ──> open each child ──> commit

A process may die after any of them. What it began is in the stream's state, and whoever looks at
the stream next (a put that finds its shard closed, a reader at the end of one) carries it out.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from contextlib import suppress

from rmq.core.limits import whole
from rmq.core.script import LOOKS, Plan
from rmq.errors import (
    InvalidChange,
    InvalidParameter,
    LimitExceeded,
    NotProvisioned,
    StaleConfig,
    StreamDoesNotExist,
    brief,
)
from rmq.streams import accounting, commands, reshard
from rmq.streams.attributes import StreamInfo
from rmq.streams.ranges import Change, Open, adjacent, merge, middle, split, wave
from rmq.streams.registry import StreamRegistry, described, no_shard
from rmq.streams.sequence import read_shard_id
from rmq.streams.shard import Shard

WAVE, LARGEST_WAVE = 64, 256
"""Splits and merges that are carried out together: an eighth of the shards, between these two.
While they are, their shards take no records: a few round trips. Each wave reads the map anew, so
small ones of a large stream would take minutes."""


def split_shard(
    registry: StreamRegistry, name: str, shard_id: str, at: int | None
) -> Plan[tuple[Shard, Shard]]:
    """Split a shard in two. The new ones, the lower first."""

    def decide(info: StreamInfo) -> list[Change]:
        _check_mode(registry, info)
        one = Open.of(_shard(info, shard_id, "shard_id"))
        place = middle(one.first, one.last) if at is None else at
        if isinstance(place, bool) or not isinstance(place, int):
            raise InvalidParameter("at", place, "a hash key: a whole number from 0 to 2^128-1")
        if not one.first + 1 < place < one.last:
            raise InvalidChange(
                "at",
                place,
                f"more than {one.first + 1} and less than {one.last} in {shard_id}",
                f"NewStartingHashKey {place} used in SplitShard() on shard {shard_id} in stream "
                f"{name} under account {registry.place.account} is not both greater than one plus "
                f"the shard's StartingHashKey {one.first} and less than the shard's EndingHashKey "
                f"{one.last}.",
            )
        most = registry.limits.max_shards
        if most is not None and info.open_shard_count >= most:
            reason = f"it has {most} open shards, its limit"
            raise LimitExceeded(f"stream {name!r}: {reason}", stream=name, reason=reason)
        return [split(one, place)]

    yield from finished(registry, name)
    yield from accounting.check_shards(registry, name, 1)
    lower, upper = yield from change(registry, name, decide)
    return lower, upper


def merge_shards(
    registry: StreamRegistry, name: str, shard_id: str, adjacent_shard_id: str
) -> Plan[Shard]:
    """Make one shard of two that lie side by side."""

    def decide(info: StreamInfo) -> list[Change]:
        _check_mode(registry, info)
        one = Open.of(_shard(info, shard_id, "shard_id"))
        other = Open.of(_shard(info, adjacent_shard_id, "adjacent_shard_id"))
        if not adjacent(one, other):
            raise InvalidChange(
                "adjacent_shard_id",
                adjacent_shard_id,
                f"a shard that lies beside {shard_id}",
                f"Shards {shard_id} and {adjacent_shard_id} in stream {name} under account "
                f"{registry.place.account} are not an adjacent pair of shards eligible for merging",
            )
        return [merge(one, other)]

    yield from finished(registry, name)
    (made,) = yield from change(registry, name, decide)
    return made


def update_shard_count(registry: StreamRegistry, name: str, count: int) -> Plan[StreamInfo]:
    """Split and merge until there are *count* shards with ranges of the same width."""
    limits = registry.limits
    whole(count, "shard_count", 1, limits.max_shards)
    for _ in range(LOOKS):
        info = yield from finished(registry, name)
        _check_mode(registry, info)
        _check_count(registry, info, count)
        yield from accounting.check_shards(registry, name, count - info.open_shard_count)
        try:
            yield commands.scale_begin(
                registry.keys(name), info, count, limits.max_shard_count_updates
            )
        except StaleConfig:
            found = yield from described(registry, name)
            if found.target_shard_count != count:
                continue  # somebody else was quicker with something else
            # The answer to our own first try was lost.
        return (yield from finished(registry, name))
    raise _too_fast(name)


def finished(registry: StreamRegistry, name: str) -> Plan[StreamInfo]:
    """The stream's description once no update of its shard count is under way: what is, is carried
    out to its end, wave by wave."""
    while True:
        info = yield from described(registry, name)
        target = info.target_shard_count
        if target is None:
            return info

        def decide(info: StreamInfo, target: int = target) -> list[Change]:
            if info.target_shard_count != target:
                return []
            shards = [Open.of(one) for one in info.shards.open]
            return wave(shards, target, wave_size(len(shards)))

        if (yield from change(registry, name, decide)):
            continue
        info = yield from described(registry, name)
        if info.target_shard_count == target:
            with suppress(StaleConfig):
                yield commands.scale_end(registry.keys(name), info)


def wave_size(open_shards: int) -> int:
    """How many splits and merges of a stream are carried out together."""
    return min(max(WAVE, open_shards // 8), LARGEST_WAVE)


def change(
    registry: StreamRegistry,
    name: str,
    decide: Callable[[StreamInfo], list[Change]],
    fence: int | None = None,
) -> Plan[tuple[Shard, ...]]:
    """Carry out the changes that *decide* makes of the stream's description, as one reshard. The
    new shards. With a *fence*, only under that claim: raises StaleConfig when there is a later."""
    id = os.urandom(8).hex()
    for _ in range(LOOKS):
        info = yield from described(registry, name)
        changes = decide(info)
        if not changes:
            return ()
        number = sum(len(one.children) for one in changes)
        try:
            first: int = yield commands.reshard_begin(
                registry.keys(name), info, id, fence, number, reshard.pack(changes)
            )
        except StaleConfig:
            now = yield from described(registry, name)
            if now.version == info.version:
                raise  # it is the claim that is over
            continue
        # This finds what was begun, and ends it.
        now = yield from described(registry, name)
        if now.incarnation != info.incarnation:
            raise StreamDoesNotExist(f"stream {name!r} was deleted meanwhile", stream=name)
        yield accounting.count(registry, now)
        for one in range(first, first + number):
            if one not in now.shards:
                raise no_shard(name, one)  # it took so long that what it made has expired
        return tuple(now.shards[one] for one in range(first, first + number))
    raise _too_fast(name)


def _check_mode(registry: StreamRegistry, info: StreamInfo) -> None:
    if info.attributes.mode != "PROVISIONED":
        raise NotProvisioned(
            f"stream {info.name!r} is on demand: it splits and merges its shards by itself",
            stream=info.name,
        )


def _check_count(registry: StreamRegistry, info: StreamInfo, count: int) -> None:
    """Raises InvalidChange (Amazon Kinesis: UpdateShardCount)."""
    there = info.open_shard_count
    if not registry.limits.shard_count_steps:
        return
    shown = f"Current open shard count: {there} Target shard count: {count}"
    if count > 2 * there:
        raise InvalidChange(
            "shard_count",
            count,
            f"at most {2 * there}, twice the {there} open shards",
            "UpdateShardCount cannot scale up over double your current open shard count. " + shown,
        )
    if 2 * count < there:
        raise InvalidChange(
            "shard_count",
            count,
            f"at least {-(-there // 2)}, half of the {there} open shards",
            "UpdateShardCount cannot scale down below half your current open shard count. " + shown,
        )


def _shard(info: StreamInfo, shard_id: str, field: str) -> Shard:
    """An open shard of a stream. Raises InvalidParameter, ShardDoesNotExist."""
    number = read_shard_id(shard_id)
    if number is None:
        raise InvalidParameter(field, shard_id, "a name such as shardId-000000000000")
    if number not in info.shards:
        raise no_shard(info.name, number)
    found = info.shards[number]
    if not found.is_open:
        raise InvalidParameter(
            field, shard_id, f"an open shard; it was closed at {brief(found.closed_at)}"
        )
    return found


def _too_fast(name: str) -> StaleConfig:
    return StaleConfig(f"stream {name!r} changes faster than it can be used")
