"""Putting: how records get to the shards that take them. Plans; docs/design/streams.md tells why.

    records ── MD5 ──> shards ── cut ──> blocks ── one script call for each shard, all at once ──>

What goes to one shard goes there in the order given, one call after the other.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from rmq.core.lane import Lane
from rmq.core.limits import Limits
from rmq.core.script import LOOKS, Call, Plan, Several
from rmq.errors import (
    CallerError,
    InvalidParameter,
    RateExceeded,
    RmqError,
    ServerError,
    ShardClosed,
    ShardDoesNotExist,
    StaleConfig,
    Words,
)
from rmq.streams import commands, sweeping
from rmq.streams.attributes import StreamInfo
from rmq.streams.block import BLOCK_BYTES, BLOCK_RECORDS, pack_block, packed_size
from rmq.streams.commands import Block, Rates, Taken
from rmq.streams.partition import explicit_bytes, key_bytes_of
from rmq.streams.record import Put, Record
from rmq.streams.registry import StreamRegistry, described, known
from rmq.streams.sequence import read_sequence_number, shard_id
from rmq.streams.shard import hash_key

CALL_BYTES = 1 << 20
"""In one script call; one record alone may be larger. About 1 ms of server time."""
CALL_BLOCKS = 16


@dataclass(slots=True)
class _Line:
    """What goes to one shard, in order."""

    shard: int
    places: list[int] = field(default_factory=list)
    """Of each record its place among what was given to put."""
    sizes: list[int] = field(default_factory=list)
    """Of each, bytes of data and key."""
    packed: list[int] = field(default_factory=list)
    """Of each, bytes in a block."""
    flat: list[str | bytes | None] = field(default_factory=list)
    """Key, data, key, data, .."""
    above: int = 0
    at: int = 0
    """Those before were put."""


@dataclass(slots=True)
class _Part:
    """What one script call puts."""

    line: _Line
    lane: Lane
    call: Call[Taken]
    end: int
    """Where the line goes on after it."""


def put(
    registry: StreamRegistry, name: str, records: Sequence[Record]
) -> Plan[list[Put | RmqError]]:
    """Put any number of records, in bounded script calls. One result or error for each.

    Raises what concerns all of them: StreamDoesNotExist.
    """
    results: list[Put | RmqError | None] = [None] * len(records)
    todo: Iterable[int] = range(len(records))
    for _ in range(LOOKS):
        info = yield from known(registry, name)
        todo = yield from _put(registry, info, records, todo, results)
        if not todo:
            return results  # type: ignore[return-value]
        # A shard was closed, or the stream made anew: see who takes these now.
        yield from described(registry, name)
    error = StaleConfig(f"stream {name!r} changes faster than it can be used")
    return [error if one is None else one for one in results]


def put_where(
    registry: StreamRegistry, info: StreamInfo, records: Sequence[Record]
) -> Plan[list[Put | RmqError | None]]:
    """As put, where the shards of *info* are to take the records and no others: for who decided by
    them what is in a record. None for a record whose shard was closed; nothing was stored of it.
    """
    results: list[Put | RmqError | None] = [None] * len(records)
    yield from _put(registry, info, records, range(len(records)), results)
    return results


def check(registry: StreamRegistry, name: str, records: Sequence[Record]) -> Plan[None]:
    """Put nothing, and raise what would be wrong with the first that can not be put."""
    info = yield from described(registry, name)
    results: list[Put | RmqError | None] = [None] * len(records)
    yield from _lines(registry, info, records, range(len(records)), results)
    for error in results:
        if isinstance(error, RmqError):
            raise error


def _put(
    registry: StreamRegistry,
    info: StreamInfo,
    records: Sequence[Record],
    todo: Iterable[int],
    results: list[Put | RmqError | None],
) -> Plan[list[int]]:
    """Put those of *records* that are *todo* by one description. Those that have to look for their
    shard again."""
    lines = yield from _lines(registry, info, records, todo, results)
    return (yield from _put_lines(registry, info, lines, results))


def _lines(
    registry: StreamRegistry,
    info: StreamInfo,
    records: Sequence[Record],
    todo: Iterable[int],
    results: list[Put | RmqError | None],
) -> Plan[list[_Line]]:
    """Check records and find their shards; what is refused has its error in *results*."""
    limits, attributes, shards = registry.limits, info.attributes, info.shards
    most_key, most_size = limits.max_partition_key, attributes.max_record_size
    needs_key = attributes.record_distribution != "AUTO"
    lines: dict[int, _Line] = {}
    for place in todo:
        record = records[place]
        try:
            key, data = record.partition_key, record.data
            if type(data) is not bytes:
                data = _data(data)
            key_bytes = key_bytes_of(key, most_key) if key is not None or needs_key else b""
            size = len(key_bytes) + len(data)
            if size > most_size:
                raise InvalidParameter(
                    "record size",
                    Words(f"{size} bytes"),
                    f"at most {most_size} bytes, data and partition key together",
                )
            if not needs_key:
                number = _any(registry, info)
            elif record.explicit_hash_key is not None:
                number = shards.taker(explicit_bytes(record.explicit_hash_key))
            elif shards.only is not None:
                number = shards.only
            else:
                number = shards.taker(hash_key(key_bytes))
            above = 0
            if record.sequence_number_for_ordering is not None:
                above = yield from _above(registry, info, number, record)
        except CallerError as error:
            results[place] = error
            continue
        except AttributeError:
            # Asked only now: a look at each record before would cost all who do it right.
            if isinstance(record, Record):
                raise
            kind = Words(type(record).__name__)
            results[place] = InvalidParameter("record", kind, "an rmq.Record")
            continue
        line = lines.get(number)
        if line is None:
            line = lines[number] = _Line(number)
        line.places.append(place)
        line.sizes.append(size)
        line.packed.append(packed_size(len(key_bytes), len(data)) if key is not None else 5 + size)
        line.flat += (key, data)
        if above > line.above:
            line.above = above
    return list(lines.values())


def _data(data: object) -> bytes:
    if isinstance(data, str):
        try:
            return data.encode()
        except UnicodeEncodeError:
            raise InvalidParameter("data", ascii(data), "text that UTF-8 can express") from None
    if isinstance(data, (bytes, bytearray, memoryview)):
        return bytes(data)
    raise InvalidParameter("data", Words(type(data).__name__), "bytes or str")


def _any(registry: StreamRegistry, info: StreamInfo) -> int:
    """A shard for a record that the stream distributes by itself: by turns."""
    stream = registry.stream(info.name)
    stream.turn += 1
    return info.shards.open[stream.turn % len(info.shards.open)].number


def _above(registry: StreamRegistry, info: StreamInfo, number: int, record: Record) -> Plan[int]:
    """The position that a record has to come after. Raises InvalidParameter."""
    given = record.sequence_number_for_ordering
    if given == "0":
        return 0  # what a client that goes from number to number begins with: below all of them
    found = None if given is None else read_sequence_number(given)
    if found is None:
        raise _not_ours(given)
    position, _ = found
    stream = registry.stream(info.name)
    if position > stream.newest:
        # Not one that we had ourselves. Only the server knows whether there can be such a one.
        try:
            here = yield commands.read(registry.shard_keys(info.name, number), info, 0, 0, 0)
        except (StaleConfig, ShardDoesNotExist):
            return position  # the put will find that too
        if position > max(here.now, here.last):
            raise _not_ours(given)
    return position


def _not_ours(given: object) -> InvalidParameter:
    return InvalidParameter(
        "sequence_number_for_ordering", given, "a sequence number that this stream has given out"
    )


def _put_lines(
    registry: StreamRegistry,
    info: StreamInfo,
    lines: list[_Line],
    results: list[Put | RmqError | None],
) -> Plan[list[int]]:
    """Put lines, of each what one call may carry, until all is done. Those that have to look for
    their shard again."""
    rates = _rates(registry.limits, info)
    again: list[int] = []
    sweep = False
    while lines:
        parts = [_cut(registry, info, line, rates) for line in lines]
        answers: Sequence[Taken | RmqError]
        if len(parts) == 1:
            try:
                answers = ((yield parts[0].call),)
            except RmqError as error:
                answers = (error,)
        else:
            answers = yield Several([part.call for part in parts])
        lines = []
        for part, answer in zip(parts, answers, strict=True):
            line = part.line
            if len(parts) > 1 and isinstance(answer, ServerError) and not _moved(answer):
                # Its lane makes sure that it is done once.
                answer = yield from _patiently(part.call)
            if isinstance(answer, Taken):
                sweep = sweep or answer.sweep
                _note(registry, info, part, answer, results)
                if line.at < len(line.places):
                    lines.append(line)
            elif _moved(answer):
                again += line.places[line.at :]
            else:
                for place in line.places[line.at :]:
                    results[place] = answer
    if sweep:
        yield from sweeping.if_due(registry, info.name, told=True)
    # In the order given: two shards may have the same child.
    again.sort()
    return again


def _patiently(call: Call[Taken]) -> Plan[Taken | RmqError]:
    try:
        taken: Taken = yield call
    except RmqError as error:
        return error
    return taken


def _moved(error: object) -> bool:
    """Whether somebody else takes these records now."""
    return isinstance(error, (ShardClosed, ShardDoesNotExist, StaleConfig))


def _rates(limits: Limits, info: StreamInfo) -> Rates | None:
    """What a shard takes in a second (Amazon Kinesis Data Streams: Quotas and limits)."""
    most, records = limits.shard_write_bytes, limits.shard_write_records
    if info.attributes.mode != "PROVISIONED" or (most is None and records is None):
        return None
    # A large record is more than a second's worth: a shard that rested takes one at once.
    return Rates(most, records, max(most or 0, info.attributes.max_record_size))


def _cut(registry: StreamRegistry, info: StreamInfo, line: _Line, rates: Rates | None) -> _Part:
    """What one call may carry of a line, in blocks."""
    blocks: list[Block] = []
    packed, at, end, total = line.packed, line.at, line.at, 0
    last = len(packed)
    while at < last and len(blocks) < CALL_BLOCKS:
        size, most = 0, min(at + BLOCK_RECORDS, last)
        while end < most and (size + packed[end] <= BLOCK_BYTES or end == at):
            size += packed[end]
            end += 1
        if blocks and total + size > CALL_BYTES:
            end = at
            break
        sizes = ""
        if rates is not None:
            sizes = " ".join(f"{line.sizes[i]} {packed[i]}" for i in range(at, end))
        blocks.append(Block(pack_block(line.flat[2 * at : 2 * end]), end - at, sizes))
        total += size
        at = end
    keys, lane = registry.take_lane(info.name, line.shard)
    call = commands.put(keys, info, lane.id, lane.seen, line.above, rates, blocks)
    return _Part(line, lane, call, end)


def _note(
    registry: StreamRegistry,
    info: StreamInfo,
    part: _Part,
    taken: Taken,
    results: list[Put | RmqError | None],
) -> None:
    """Write down what became of each record of a part."""
    line, lane = part.line, part.lane
    position, shard = taken.first, line.shard
    encryption = "KMS" if info.attributes.is_encrypted else None
    places = line.places[line.at : part.end]
    for place in places[: taken.records]:
        results[place] = Put(shard, position, encryption)
        position += 1
    if taken.records < len(places):
        error = RateExceeded(
            f"rate exceeded for shard {shard_id(shard)} in stream {info.name!r}; try again later",
            stream=info.name,
            shard=shard_id(shard),
        )
        for place in places[taken.records :]:
            results[place] = error
    if taken.records:
        lane.seen = taken.first
    registry.give_lane(info.name, shard, lane, position - 1)
    line.at = part.end
