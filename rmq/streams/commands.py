"""Commands: what can be asked about a stream or one of its shards in one round trip. Values;
nothing happens here."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from rmq.core import script
from rmq.core.keys import ShardKeys, StreamKeys, stream_index
from rmq.core.place import Place
from rmq.core.script import Call, text_of
from rmq.streams.attributes import StreamInfo, info_from_reply
from rmq.streams.block import ENCRYPTED, PLAIN
from rmq.streams.on_demand import Load
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
            consumer_count=int(reply[3]),
            queue_count=int(reply[4]),
            channel_count=int(reply[5]),
        )

    return script.load("streams/describe").call(
        name,
        parse,
        state=keys.state,
        config=keys.config,
        shards=keys.shards,
        consumers=keys.consumers,
        queues=keys.queues,
        channels=keys.channels,
    )


def delete(keys: StreamKeys, info: StreamInfo, *, enforce: bool, last: bool) -> Call[None]:
    """The first or the last step of removing a stream."""
    call: Call[None] = script.load("streams/delete").call(
        info.name,
        lambda reply: None,
        state=keys.state,
        consumers=keys.consumers,
        queues=keys.queues,
        channels=keys.channels,
        rest_keys=[keys.config, keys.peaks, keys.shards, keys.subscribers, keys.tags],
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


def set_attributes(
    keys: StreamKeys,
    info: StreamInfo,
    rations: Mapping[str, int | None],
    changes: Mapping[str, str],
) -> Call[None]:
    """Change the config. *rations*: what of it may be done so often in 24 hours."""
    rest: list[Any] = []
    for what, most in rations.items():
        rest += (what, _or_none(most))
    rest += [part for pair in changes.items() for part in pair]
    return script.load("streams/set_attributes").call(
        info.name,
        lambda reply: None,
        state=keys.state,
        config=keys.config,
        queues=keys.queues,
        version=info.version,
        n=len(rations),
        rest=rest,
    )


def tag(
    keys: StreamKeys, name: str, limit: int | None, add: Mapping[str, str], remove: Sequence[str]
) -> Call[dict[str, str]]:
    """Set and remove tags. The result is all tags. Adding none reads them."""
    return script.load("streams/tag").call(
        name,
        _pairs,
        state=keys.state,
        tags=keys.tags,
        limit=_or_none(limit),
        n=len(remove),
        rest=[*remove, *(part for pair in add.items() for part in pair)],
    )


# --- resharding ---


def reshard_begin(
    keys: StreamKeys,
    info: StreamInfo,
    id: str,
    fence: int | None,
    children: int,
    changes: bytes,
) -> Call[int]:
    """Write down splits and merges that are to be. The result is the number of the first child."""
    return script.load("streams/reshard_begin").call(
        info.name,
        int,
        state=keys.state,
        version=info.version,
        id=id,
        fence=_or_none(fence),
        children=children,
        changes=changes,
    )


def reshard_commit(keys: StreamKeys, name: str, id: str, rows: Mapping[int, Row]) -> Call[bool]:
    """Put parents and children into the map. Whether nobody else had done it."""
    return script.load("streams/reshard_commit").call(
        name,
        lambda reply: int(reply) == 1,
        state=keys.state,
        shards=keys.shards,
        id=id,
        rest=[part for number, row in rows.items() for part in (number, pack_row(row))],
    )


def scale_begin(keys: StreamKeys, info: StreamInfo, target: int, most: int | None) -> Call[None]:
    """Write down how many shards a stream is on its way to; at most so often in 24 hours."""
    return script.load("streams/scale_begin").call(
        info.name,
        lambda reply: None,
        state=keys.state,
        version=info.version,
        target=target,
        most=_or_none(most),
    )


def scale_end(keys: StreamKeys, info: StreamInfo) -> Call[None]:
    """A stream has the shards that it was on its way to."""
    return script.load("streams/scale_end").call(
        info.name, lambda reply: None, state=keys.state, version=info.version
    )


# --- sweeping ---


def sweep_claim(keys: StreamKeys, name: str, every_ms: int, anyway: bool) -> Call[int]:
    """Claim to sweep a stream. The number of the claim, or 0 when it is not time yet."""
    return script.load("streams/sweep_claim").call(
        name, int, state=keys.state, every_ms=every_ms, anyway=int(anyway)
    )


def forget(keys: StreamKeys, info: StreamInfo, numbers: Sequence[int]) -> Call[None]:
    """Take expired shards out of the map."""
    call: Call[None] = script.load("streams/forget").call(
        info.name,
        lambda reply: None,
        state=keys.state,
        shards=keys.shards,
        consumers=keys.consumers,
        subscribers=keys.subscribers,
        incarnation=info.incarnation_text,
        rest=numbers,
    )
    return call


def peak(keys: StreamKeys, name: str, fence: int, load: Load) -> Call[Load]:
    """Note what came in the last minute. The result is the most of any minute in 30 days."""
    return script.load("streams/peak").call(
        name,
        lambda reply: Load(int(reply[0]), int(reply[1])),
        state=keys.state,
        peaks=keys.peaks,
        fence=fence,
        bytes_s=int(load.bytes_s),
        records_s=int(load.records_s),
    )


# --- what stands on a stream ---


def attach(attached: str, keys: StreamKeys, info: StreamInfo, id: str) -> Call[None]:
    """Note a queue or channel (*attached* is the key of those) that stands on a stream."""
    return script.load("streams/attach").call(
        info.name,
        lambda reply: None,
        state=keys.state,
        attached=attached,
        incarnation=info.incarnation_text,
        id=id,
    )


def detach(attached: str, name: str, id: str) -> Call[None]:
    """Forget it again. Ids are used once, so this does no harm to a stream that was made anew."""
    return script.command("SREM", name, lambda reply: None, attached, id)


# --- registered consumers ---


def register(
    keys: StreamKeys, info: StreamInfo, consumer: str, rest: bytes, most: int | None
) -> Call[bytes | None]:
    """Register a consumer. The result is what is stored; None where the first answer was lost."""
    call: Call[bytes | None] = script.load("streams/register").call(
        info.name,
        lambda reply: reply,
        state=keys.state,
        consumers=keys.consumers,
        queues=keys.queues,
        version=info.version,
        name=consumer,
        packed=rest,
        most=_or_none(most),
    )
    call.repeated = "RMQ_CONSUMER_EXISTS"
    return call


def set_consumer(
    keys: StreamKeys,
    info: StreamInfo,
    consumer: str,
    expected: bytes,
    stored: bytes,
) -> Call[None]:
    """Change a registered consumer; with nothing stored any more it is removed."""
    call: Call[None] = script.load("streams/set_consumer").call(
        info.name,
        lambda reply: None,
        state=keys.state,
        consumers=keys.consumers,
        subscribers=keys.subscribers,
        name=consumer,
        expected=expected,
        stored=stored,
        rest=[] if stored else list(info.shards),
    )
    if not stored:
        call.repeated = "RMQ_CONSUMER_DOES_NOT_EXIST"
    return call


def read_consumer(keys: StreamKeys, name: str, consumer: str) -> Call[bytes | None]:
    """What is stored of a registered consumer."""
    return script.command("HGET", name, lambda reply: reply, keys.consumers, consumer)


def read_consumers(keys: StreamKeys, name: str) -> Call[dict[str, bytes]]:
    """What is stored of all registered consumers, by name."""

    def parse(reply: Any) -> dict[str, bytes]:
        if isinstance(reply, dict):
            return {text_of(one): stored for one, stored in reply.items()}
        return dict(zip(map(text_of, reply[::2]), reply[1::2], strict=True))

    return script.command("HGETALL", name, parse, keys.consumers)


def subscribe(
    keys: StreamKeys,
    name: str,
    consumer: str,
    created_ms: int,
    shard: int,
    id: str,
    rest_ms: int,
) -> Call[None]:
    """Let one reader have a shard as a registered consumer."""
    return script.load("streams/subscribe").call(
        name,
        lambda reply: None,
        consumers=keys.consumers,
        subscribers=keys.subscribers,
        name=consumer,
        created_ms=created_ms,
        shard=shard,
        id=id,
        rest_ms=rest_ms,
    )


def subscriber(keys: StreamKeys, name: str, consumer: str, shard: int) -> Call[str]:
    """The id of who reads a shard as a registered consumer; '' where nobody does."""
    return script.command(
        "HGET",
        name,
        lambda reply: text_of(reply).partition(" ")[2] if reply else "",
        keys.subscribers,
        f"{consumer}/{shard}",
    )


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
        created_us=info.created_us,
    )


def drop_shard(keys: ShardKeys, info: StreamInfo) -> Call[None]:
    """Remove a shard with all it holds."""
    return script.load("streams/drop").call(
        info.name,
        lambda reply: None,
        state=keys.state,
        log=keys.log,
        rest_keys=[key for key in keys.all() if key not in (keys.state, keys.log)],
        incarnation=info.incarnation_text,
    )


def close(keys: ShardKeys, info: StreamInfo) -> Call[tuple[int, int]]:
    """Let a shard take no more records. Its last position, and when it was closed (us)."""
    return script.load("streams/close").call(
        info.name,
        lambda reply: (int(reply[0]), int(reply[1])),
        state=keys.state,
        log=keys.log,
        incarnation=info.incarnation_text,
    )


def beat(keys: ShardKeys, info: StreamInfo) -> Call[int]:
    """Move a shard's last position on to now. The result is its last position."""
    return script.load("streams/beat").call(
        info.name, int, state=keys.state, incarnation=info.incarnation_text
    )


def inform(keys: ShardKeys, info: StreamInfo) -> Call[None]:
    """Tell a shard of a change of the stream."""
    return script.load("streams/inform").call(
        info.name,
        lambda reply: None,
        state=keys.state,
        incarnation=info.incarnation_text,
        version=info.number,
        retention_ms=info.attributes.retention_ms,
    )


@dataclass(frozen=True, slots=True)
class Swept:
    """What a sweep of one shard found."""

    blocks: int
    """Blocks of expired records that were removed."""
    more: bool
    is_over: bool
    """Closed, and its last record has expired."""
    load: Load
    """What came to it lately."""


def sweep(keys: ShardKeys, info: StreamInfo, every_ms: int) -> Call[Swept]:
    """Forget what is over in a shard, and measure what comes to it."""

    def parse(reply: Sequence[Any]) -> Swept:
        blocks, more, over, bytes_s, records_s = map(int, reply)
        return Swept(blocks, more == 1, over == 1, Load(bytes_s, records_s))

    return script.load("streams/sweep").call(
        info.name,
        parse,
        state=keys.state,
        log=keys.log,
        lanes=keys.lanes,
        incarnation=info.incarnation_text,
        version=info.number,
        retention_ms=info.attributes.retention_ms,
        every_ms=every_ms,
    )


def recent(keys: ShardKeys, name: str, before: bytes | str, most_bytes: int) -> Call[list[Entry]]:
    """Some of the last blocks that a shard took, the newest first, before an id; + for all."""
    return script.load("streams/recent").call(
        name,
        lambda reply: list(zip(reply[::3], reply[1::3], reply[2::3], strict=True)),
        log=keys.log,
        before=before,
        bytes=most_bytes,
    )


@dataclass(frozen=True, slots=True)
class Rates:
    """What a shard takes in a second."""

    bytes: int | None
    records: int | None
    burst: int
    """Bytes that it takes at once when it rested."""


class Block(NamedTuple):
    """Records that go to a shard together."""

    packed: bytes
    records: int
    sizes: str = ""
    """Of each record its size and its packed size, where there is a rate limit."""


class Taken(NamedTuple):
    """What a shard did with a put."""

    first: int
    """Position of the first record; the others follow it one by one."""
    records: int
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
        rest += (one.records, one.packed, one.sizes)
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


def find(keys: ShardKeys, info: StreamInfo, position: int) -> Call[tuple[Found, bool]]:
    """Where a shard is, and whether it has a record at a position."""

    def parse(reply: Sequence[Any]) -> tuple[Found, bool]:
        now, horizon, last, closed, is_there = map(int, reply)
        return Found(now, horizon, last, closed == 1, []), is_there == 1

    return script.load("streams/find").call(
        info.name,
        parse,
        state=keys.state,
        log=keys.log,
        incarnation=info.incarnation_text,
        position=position,
    )


def meter(
    keys: ShardKeys,
    info: StreamInfo,
    reads: int | None,
    bytes_rate: int | None,
    brought: int | None = None,
) -> Call[bool]:
    """Ask whether a shard may be read again, or note what a read *brought*."""
    return script.load("streams/meter").call(
        info.name,
        lambda reply: int(reply) == 1,
        state=keys.state,
        incarnation=info.incarnation_text,
        reads="" if reads is None else reads,
        bytes_rate="" if bytes_rate is None else bytes_rate,
        brought="" if brought is None else brought,
    )


def _or_none(value: int | None) -> int | str:
    return "" if value is None else value


def _pairs(reply: Sequence[Any]) -> dict[str, str]:
    return dict(zip(map(text_of, reply[::2]), map(text_of, reply[1::2]), strict=True))
