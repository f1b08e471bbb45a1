"""Commands: what can be asked about a stream or one of its shards in one round trip. Values;
nothing happens here."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rmq.core import script
from rmq.core.keys import ShardKeys, StreamKeys, stream_index
from rmq.core.place import Place
from rmq.core.script import Call, text_of
from rmq.streams.attributes import StreamInfo, info_from_reply
from rmq.streams.block import ENCRYPTED, PLAIN
from rmq.streams.shard import Row, pack_row

# --- the stream ---


def create(
    keys: StreamKeys,
    name: str,
    version: str,
    config: dict[str, str],
    tags: dict[str, str],
    rows: Sequence[Row],
) -> Call[None]:
    """Write down a stream that is to be."""
    rest: list[Any] = [part for pair in config.items() for part in pair]
    rest += [part for pair in tags.items() for part in pair]
    rest += [pack_row(row) for row in rows]
    return script.load("streams/create").call(
        name,
        lambda reply: None,
        state=keys.state,
        config=keys.config,
        tags=keys.tags,
        shards=keys.shards,
        version=version,
        n=len(config),
        m=len(tags),
        rest=rest,
    )


def opened(keys: StreamKeys, info: StreamInfo) -> Call[None]:
    """All shards of a new stream are open."""
    return script.load("streams/opened").call(
        info.name, lambda reply: None, state=keys.state, version=info.version
    )


def describe(keys: StreamKeys, name: str, place: Place) -> Call[StreamInfo]:
    """Everything a client must know of a stream before it can use it."""

    def parse(reply: Sequence[Any]) -> StreamInfo:
        state = dict(zip(map(text_of, reply[0][::2]), reply[0][1::2], strict=True))
        reshard = state.pop("reshard", None)
        rows = dict(zip(map(int, reply[2][::2]), reply[2][1::2], strict=True))
        return info_from_reply(
            name,
            place,
            {field: text_of(value) for field, value in state.items()},
            reshard,
            _pairs(reply[1]),
            rows,
            int(reply[3]),
        )

    return script.load("streams/describe").call(
        name,
        parse,
        state=keys.state,
        config=keys.config,
        shards=keys.shards,
        consumers=keys.consumers,
    )


def delete(keys: StreamKeys, info: StreamInfo, *, enforce: bool, last: bool) -> Call[None]:
    """The first or the last step of removing a stream."""
    call: Call[None] = script.load("streams/delete").call(
        info.name,
        lambda reply: None,
        state=keys.state,
        consumers=keys.consumers,
        rest_keys=[key for key in keys.all() if key not in (keys.state, keys.consumers)],
        incarnation=info.incarnation_text,
        enforce=int(enforce),
        last=int(last),
    )
    if last:
        call.repeated = "RMQ_STREAM_DOES_NOT_EXIST"
    return call


def index_add(namespace: str, name: str) -> Call[None]:
    return script.command("ZADD", name, lambda reply: None, stream_index(namespace), 0, name)


def index_remove(namespace: str, name: str) -> Call[None]:
    return script.command("ZREM", name, lambda reply: None, stream_index(namespace), name)


# --- one shard ---


def open_shard(keys: ShardKeys, info: StreamInfo, base: int) -> Call[None]:
    """Make a shard ready to take records, all with positions above *base*."""
    return script.load("streams/open").call(
        info.name,
        lambda reply: None,
        state=keys.state,
        log=keys.log,
        lanes=keys.lanes,
        incarnation=info.incarnation_text,
        version=info.number,
        base=base,
        retention_ms=info.attributes.retention_ms,
    )


def drop_shard(keys: ShardKeys, info: StreamInfo, *, last: bool) -> Call[None]:
    """Close a shard that is to be removed, and (*last*) remove it."""
    return script.load("streams/drop").call(
        info.name,
        lambda reply: None,
        state=keys.state,
        log=keys.log,
        rest_keys=[key for key in keys.all() if key not in (keys.state, keys.log)],
        incarnation=info.incarnation_text,
        last=int(last),
    )


@dataclass(frozen=True, slots=True)
class Rates:
    """What a shard takes in a second."""

    bytes: int | None
    records: int | None
    burst: int
    """Bytes that it takes at once when it rested."""


@dataclass(frozen=True, slots=True)
class Block:
    """Records that go to a shard together."""

    packed: bytes
    count: int
    sizes: str = ""
    """Of each record its size and its packed size, where there is a rate limit."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a shard did with a put."""

    first: int
    """Position of the first record; the others follow it one by one."""
    count: int
    """So many records, from the first on, were taken."""
    sweep: bool
    """Whether a sweep is due."""


def put(
    keys: ShardKeys,
    info: StreamInfo,
    lane: str,
    seen: int,
    above: int,
    rates: Rates | None,
    blocks: Sequence[Block],
) -> Call[Taken]:
    """Append blocks of records to a shard."""
    rest: list[Any] = []
    for one in blocks:
        rest += (one.count, one.packed, one.sizes)
    return script.load("streams/put").call(
        info.name,
        lambda reply: Taken(int(reply[0]), int(reply[1]), int(reply[2]) == 1),
        state=keys.state,
        log=keys.log,
        lanes=keys.lanes,
        incarnation=info.incarnation_text,
        version=info.number,
        lane=lane,
        seen=seen,
        above=above,
        kind=ENCRYPTED if info.attributes.is_encrypted else PLAIN,
        bytes_rate="" if rates is None or rates.bytes is None else rates.bytes,
        records_rate="" if rates is None or rates.records is None else rates.records,
        burst=0 if rates is None else rates.burst,
        rest=rest,
    )


Entry = tuple[bytes, bytes, bytes]
"""Of a log: id, kind, block."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a look into a shard found."""

    now: int
    """µs since 1970, by the server's clock."""
    start: int
    """The first position that counts: the one asked for, or later, where retention ends."""
    last: int
    """The shard's last position."""
    is_closed: bool
    entries: list[Entry]


def read(
    keys: ShardKeys,
    info: StreamInfo,
    start: int,
    most: int,
    most_bytes: int,
    valid_until_ms: int | None = None,
) -> Call[Found]:
    """Blocks from a position on. *most* 0 only looks where the shard is."""

    def parse(reply: Sequence[Any]) -> Found:
        entries = list(zip(reply[4::3], reply[5::3], reply[6::3], strict=True))
        return Found(int(reply[0]), int(reply[1]), int(reply[2]), int(reply[3]) == 1, entries)

    return script.load("streams/read").call(
        info.name,
        parse,
        state=keys.state,
        log=keys.log,
        incarnation=info.incarnation_text,
        start=start,
        max=most,
        bytes=most_bytes,
        valid_until_ms="" if valid_until_ms is None else valid_until_ms,
    )


def _pairs(reply: Sequence[Any]) -> dict[str, str]:
    return dict(zip(map(text_of, reply[::2]), map(text_of, reply[1::2]), strict=True))
