"""Administration: looking at groups, sending one back or forth, removing them. Plans."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from rmq.core import script
from rmq.core.keys import GroupKeys, ShardKeys, group_index
from rmq.core.limits import flag
from rmq.core.paging import Page, check_page, names_from, page_of
from rmq.core.script import LOOKS, Call, Plan, Several
from rmq.errors import (
    GroupDoesNotExist,
    InvalidParameter,
    RmqError,
    ShardDoesNotExist,
    StaleConfig,
)
from rmq.streams.attributes import StreamInfo, stream_name
from rmq.streams.groups import commands, joining
from rmq.streams.groups.checkpoint import Checkpoint
from rmq.streams.groups.commands import UNBOUNDED, Described, Row
from rmq.streams.groups.options import START_TYPES, group_name
from rmq.streams.registry import StreamRegistry, described
from rmq.streams.sequence import moment, sequence_number, shard_id

BLOCKS = 64
"""Of records that are not read yet, counted in one shard."""
TOGETHER = 200
"""Shards that one step looks at."""


@dataclass(frozen=True, slots=True)
class Lag:
    """How much of a shard a group has not done."""

    millis: int
    """How long ago the first record arrived that is not done; 0 when there is none."""
    records: int | None
    """How many records are not done; aggregated ones count as one. None where it would take long to
    count them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaseInfo:
    """A shard in a group."""

    shard_id: str
    owner: str | None
    """The worker that reads it; None for nobody."""
    wanted_by: str | None
    """The worker that it is about to be handed over to."""
    token: int
    """The fencing token; 0 when it has had no owner."""
    sequence_number: str | None
    """Of the last record that is done; None at the beginning, and at the end."""
    sub_sequence_number: int | None
    """Of the last user record that is done, where it is not the last of its record."""
    is_finished: bool
    """Whether the shard was read to its end."""
    waits_for: tuple[str, ...]
    """Its parents that have to be read to their end before it begins."""
    owner_switches: int
    """Owners since the last checkpoint: many where a record kills whoever reads it."""
    alone_for: timedelta | None
    """For how long it has had no owner, though it may have one."""
    lag: Lag


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerInfo:
    """A worker of a group."""

    id: str
    heartbeat_ends: datetime
    """When it counts as dead unless it is heard of."""
    max_shards: int | None
    """Shards that it takes at most; 0 while it is stopping."""
    shards: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class GroupInfo:
    """A group as it is now."""

    stream: str
    name: str
    created_at: datetime
    start: str
    """Where it began, or was sent by a reset: LATEST, TRIM_HORIZON or AT_TIMESTAMP."""
    start_timestamp: datetime | None
    """Of AT_TIMESTAMP."""
    workers: tuple[WorkerInfo, ...]
    leases: tuple[LeaseInfo, ...]
    """By shard; those of shards that have expired are gone."""

    @property
    def lag(self) -> Lag:
        """That of all its shards: the longest time, and the sum of records."""
        records = [one.lag.records for one in self.leases]
        return Lag(
            max((one.lag.millis for one in self.leases), default=0),
            None if None in records else sum(filter(None, records)),
        )


def names(
    registry: StreamRegistry, stream: str, prefix: str, limit: int, token: str | None
) -> Plan[Page]:
    """Names of a stream's groups, page by page."""
    check_page(prefix, limit, token)
    before = f"{stream_name(stream)}/"
    after = None if token is None or token < prefix else before + token
    found = yield names_from(
        group_index(registry.namespace), "groups", before + prefix, after, limit + 1
    )
    return page_of([one.removeprefix(before) for one in found], limit)


def info(registry: StreamRegistry, stream: str, group: str) -> Plan[GroupInfo]:
    """All of a group, with its lag. Raises StreamDoesNotExist, GroupDoesNotExist."""
    keys, name = _keys(registry, stream, group)
    about = yield from described(registry, stream)
    found: Described = yield commands.describe(keys, name)
    if found.incarnation != about.incarnation_text:
        raise GroupDoesNotExist._refused(name, "")
    lags = yield from _lags(registry, about, found.rows)
    positions = {row.number: row.checkpoint for row in found.rows}
    leases = tuple(
        _lease(row, lag, positions, found.now_ms) for row, lag in zip(found.rows, lags, strict=True)
    )
    workers = tuple(
        WorkerInfo(
            id=id,
            heartbeat_ends=moment(ends * 1000),
            max_shards=None if most == UNBOUNDED else most,
            shards=tuple(one.shard_id for one in leases if one.owner == id),
        )
        for id, (ends, most) in sorted(found.workers.items())
        if ends > found.now_ms
    )
    start = found.start
    return GroupInfo(
        stream=stream,
        name=group,
        created_at=moment(found.created_ms * 1000),
        start=start.type,
        start_timestamp=moment(start.at) if start.type == "AT_TIMESTAMP" else None,
        workers=workers,
        leases=leases,
    )


def reset(registry: StreamRegistry, stream: str, group: str, start: str | datetime) -> Plan[None]:
    """Send a group to another place; its workers go on from there.

    Raises StreamDoesNotExist, GroupDoesNotExist, InvalidParameter.
    """
    keys, name = _keys(registry, stream, group)
    if not isinstance(start, datetime) and start not in START_TYPES:
        raise InvalidParameter("start", start, "LATEST, TRIM_HORIZON or a datetime")
    for _ in range(LOOKS):
        about = yield from described(registry, stream)
        found = joining.start_of(registry, start, about)
        yield commands.reset(keys, name, about.incarnation_text, found)
        try:
            yield from joining.sync(registry, keys, name, about, found)
        except StaleConfig:
            continue
        return
    raise StaleConfig(f"stream {stream!r} changes faster than it can be used")


def delete(registry: StreamRegistry, stream: str, group: str, *, force: bool) -> Plan[bool]:
    """Remove a group. False when there was none. Raises GroupInUse unless *force*, and
    InvalidParameter."""
    keys, name = _keys(registry, stream, group)
    found: bool = yield commands.delete(keys, name, flag(force, "force"))
    # Also when it was gone already: a delete that was cut short ends here.
    yield commands.index_remove(registry.namespace, name)
    return found


def delete_all(registry: StreamRegistry, stream: str) -> Plan[None]:
    """Remove the groups of a stream that is gone."""
    while True:
        page = yield from names(registry, stream, "", 1000, None)
        for group in page.names:
            yield from delete(registry, stream, group, force=True)
        if page.next_token is None:
            return


def _keys(registry: StreamRegistry, stream: str, group: str) -> tuple[GroupKeys, str]:
    stream, group = stream_name(stream), group_name(group)
    return GroupKeys(registry.namespace, stream, group), f"{stream}/{group}"


# --- lag ---


def behind(keys: ShardKeys, about: StreamInfo, position: int, blocks: int = BLOCKS) -> Call[Lag]:
    """How much of a shard is not read yet."""

    def parse(reply: Sequence[Any]) -> Lag:
        records = int(reply[1])
        return Lag(int(reply[0]), None if records < 0 else records)

    return script.load("groups/behind").call(
        about.name,
        parse,
        state=keys.state,
        log=keys.log,
        incarnation=about.incarnation_text,
        position=position,
        blocks=blocks,
    )


def _lags(registry: StreamRegistry, about: StreamInfo, rows: Sequence[Row]) -> Plan[list[Lag]]:
    """Of each row."""
    lags = [Lag(0, 0)] * len(rows)
    asked = [
        (place, row.number, row.checkpoint)
        for place, row in enumerate(rows)
        if row.checkpoint is not None and row.number in about.shards
    ]
    for start in range(0, len(asked), TOGETHER):
        part = asked[start : start + TOGETHER]
        calls = [
            behind(registry.shard_keys(about.name, number), about, checkpoint.position)
            for _, number, checkpoint in part
        ]
        answers = yield Several(calls)
        for (place, _, _), call, answer in zip(part, calls, answers, strict=True):
            try:
                if isinstance(answer, RmqError):
                    answer = yield call  # with all the patience of a single call
            except (ShardDoesNotExist, StaleConfig):
                continue  # it went meanwhile
            lags[place] = answer
    return lags


def _lease(row: Row, lag: Lag, positions: dict[int, Checkpoint | None], now_ms: int) -> LeaseInfo:
    last = None if row.checkpoint is None else row.checkpoint.last
    return LeaseInfo(
        shard_id=shard_id(row.number),
        owner=row.owner,
        wanted_by=row.want,
        token=row.token,
        sequence_number=None if last is None else sequence_number(last[0], row.number),
        sub_sequence_number=None if last is None else last[1],
        is_finished=row.checkpoint is None,
        waits_for=tuple(
            shard_id(parent) for parent in row.parents if positions.get(parent) is not None
        ),
        owner_switches=row.switches,
        alone_for=timedelta(milliseconds=now_ms - row.since_ms) if row.since_ms else None,
        lag=lag,
    )
