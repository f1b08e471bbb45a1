"""Joining: a group is made, and its shards get leases. Plans.

open ── the first worker decides where the group starts
sync ── shards that are new get leases, the lowest numbers first, so that parents come before
        children; number by number, so that none is forgotten and none comes back
"""

from __future__ import annotations

from datetime import datetime

from rmq.core import script
from rmq.core.keys import GroupKeys
from rmq.core.script import Plan, Several, text_of
from rmq.errors import InvalidParameter, RmqError
from rmq.streams import commands as shard_commands
from rmq.streams.attributes import StreamInfo
from rmq.streams.commands import Found
from rmq.streams.groups import commands
from rmq.streams.groups.checkpoint import BEGINNING, Checkpoint
from rmq.streams.groups.commands import FORGET_LOOK, SYNC_STEP, Start
from rmq.streams.groups.options import position_of
from rmq.streams.registry import StreamRegistry, described, known

Lease = tuple[int, Checkpoint, tuple[int, ...]]


def current(registry: StreamRegistry, stream: str) -> Plan[StreamInfo]:
    """The stream as it is now; a round trip of one field where nothing has changed."""
    info = yield from known(registry, stream)
    version = yield script.command(
        "HGET",
        stream,
        lambda reply: None if reply is None else text_of(reply),
        registry.keys(stream).state,
        "version",
    )
    if version == info.version and info.reshard is None:
        return info
    return (yield from described(registry, stream))


def past_all(info: StreamInfo) -> int:
    """The number behind that of the newest shard. A reshard that is under way may have given higher
    ones, to shards that are not there yet."""
    return max(info.shards, default=-1) + 1


def start_of(registry: StreamRegistry, start: str | datetime, info: StreamInfo) -> Start:
    """Where a group begins that is made now. Raises InvalidParameter for a moment to come: what is
    put until then would be left out."""
    if isinstance(start, datetime):
        at = position_of(start)
        if at > registry.clock.now_ms() * 1000:
            raise InvalidParameter("start", start, "a moment that has come")
        return Start("AT_TIMESTAMP", at, past_all(info))
    return Start(start, 0, past_all(info))


def join(
    registry: StreamRegistry, keys: GroupKeys, name: str, info: StreamInfo, start: Start
) -> Plan[Start]:
    """Make the group, if there is none, and give leases to the shards that have none. Where it
    started. *name* is `stream/group`."""
    # First: a group that stands in no list would not be found again.
    yield commands.index_add(registry.namespace, name)
    found: Start = yield commands.open_group(keys, name, info.incarnation_text, start)
    yield from sync(registry, keys, name, info, found)
    return found


def sync(
    registry: StreamRegistry,
    keys: GroupKeys,
    name: str,
    info: StreamInfo,
    start: Start | None = None,
) -> Plan[None]:
    """Give leases to the shards that have none, and forget those of shards that are no more."""
    if start is None:
        start = yield commands.started(keys, name)
    first, past_last = start.next_shard, past_all(info)
    while first < past_last:
        past = min(first + SYNC_STEP, past_last)
        leases = yield from _leases(registry, info, start, range(first, past))
        first = yield commands.sync(keys, name, info.incarnation_text, first, past, leases)
    yield from forget(registry, keys, name, info)


def forget(registry: StreamRegistry, keys: GroupKeys, name: str, info: StreamInfo) -> Plan[None]:
    """Remove the leases of shards that were read to their end and have expired since, whether the
    stream was swept of them or not."""
    if len(info.shards) <= FORGET_LOOK:
        gone = expired(registry, info)
        there = [number for number in info.shards if number not in gone]
        yield commands.forget(keys, name, info.incarnation_text, there)


def expired(registry: StreamRegistry, info: StreamInfo) -> set[int]:
    """Shards of which every record has expired."""
    horizon = info.horizon(registry.clock.now_ms())
    return {
        one.number
        for one in info.shards.values()
        if one.closed_at is not None and one.closed_at < horizon
    }


def _leases(
    registry: StreamRegistry, info: StreamInfo, start: Start, numbers: range
) -> Plan[list[Lease]]:
    """Where to begin in each of these shards; what is not in it is done with."""
    shards = [info.shards[number] for number in numbers if number in info.shards]
    later = [(one.number, BEGINNING, one.parents) for one in shards if one.number >= start.initial]
    shards = [one for one in shards if one.number < start.initial]
    if start.type == "TRIM_HORIZON":
        now = [(one.number, BEGINNING, one.parents) for one in shards]
    elif start.type == "AT_TIMESTAMP":
        now = [
            (one.number, Checkpoint(start.at), one.parents)
            for one in shards
            if one.last is None or one.last >= start.at
        ]
    else:
        shards = [one for one in shards if one.is_open]
        calls = [
            shard_commands.read(registry.shard_keys(info.name, one.number), info, 0, 0, 0)
            for one in shards
        ]
        found: list[Found | RmqError] = (yield Several(calls)) if calls else []
        now = []
        for one, call, here in zip(shards, calls, found, strict=True):
            if isinstance(here, RmqError):
                here = yield call  # with all the patience of a single call
            now.append((one.number, Checkpoint(here.last + 1), one.parents))
    return now + later
