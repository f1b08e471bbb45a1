"""Commands: what can be asked about a topic in one round trip. Values; nothing happens here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rmq.core import script
from rmq.core.keys import TopicKeys, topic_index
from rmq.core.limits import ms
from rmq.core.place import Place
from rmq.core.script import Call, text_of
from rmq.topics.attributes import TopicInfo, info_from_text
from rmq.topics.subscription import Subscription, pack_subscription, unpack_subscription

LEASE_MS = 5_000
"""For how long a relayer of a FIFO topic has it to itself; it renews that with every turn."""


def create(
    keys: TopicKeys, name: str, version: str, config: dict[str, str], tags: dict[str, str]
) -> Call[dict[str, str] | None]:
    """Make a topic. The result is None, or the tags of the one that stands there."""
    rest = [part for pair in config.items() for part in pair]
    rest += [part for pair in tags.items() for part in pair]
    return script.load("topics/create").call(
        name,
        lambda reply: None if reply == 1 else _pairs(reply),
        state=keys.state,
        config=keys.config,
        tags=keys.tags,
        version=version,
        n=len(config),
        rest=rest,
    )


def describe(keys: TopicKeys, name: str, place: Place) -> Call[TopicInfo]:
    """Everything a client must know of a topic before it can use it, but for who subscribed."""

    def parse(reply: Sequence[Any]) -> TopicInfo:
        return info_from_text(name, place, text_of(reply[0]), _pairs(reply[1:]))

    return script.load("topics/describe").call(name, parse, state=keys.state, config=keys.config)


def set_attributes(
    keys: TopicKeys, info: TopicInfo, next_version: str, changes: dict[str, str]
) -> Call[None]:
    return script.load("topics/set_attributes").call(
        info.name,
        lambda reply: None,
        state=keys.state,
        config=keys.config,
        version=info.version,
        next=next_version,
        rest=[part for pair in changes.items() for part in pair],
    )


def tag(
    keys: TopicKeys, name: str, limit: int | None, add: dict[str, str], remove: Sequence[str]
) -> Call[dict[str, str]]:
    """Set and remove tags. The result is all tags. Adding none reads them."""
    return script.load("topics/tag").call(
        name,
        _pairs,
        state=keys.state,
        tags=keys.tags,
        limit="" if limit is None else limit,
        n=len(remove),
        rest=[*remove, *(part for pair in add.items() for part in pair)],
    )


def delete_topic(keys: TopicKeys, name: str) -> Call[None]:
    call = script.load("topics/delete_topic").call(
        name,
        lambda reply: None,
        state=keys.state,
        config=keys.config,
        rest_keys=[key for key in keys.all() if key not in (keys.state, keys.config)],
    )
    call.repeated = "RMQ_TOPIC_DOES_NOT_EXIST"
    return call


def index_add(namespace: str, name: str) -> Call[None]:
    return script.command("ZADD", name, lambda reply: None, topic_index(namespace), 0, name)


def index_remove(namespace: str, name: str) -> Call[None]:
    return script.command("ZREM", name, lambda reply: None, topic_index(namespace), name)


# --- subscriptions ---


@dataclass(frozen=True, slots=True, kw_only=True)
class Put:
    """A change of one subscription, and what has to hold for it."""

    before: bytes = b""
    """What is stored now; nothing for a new one."""
    after: Subscription | None
    """None removes it."""
    expires_ms: int | None = None
    recount: str = "0"
    """1 when its filter changes, 2 when it begins now."""
    policies: int = 0
    max_all: int | None = None
    max_pending: int | None = None
    max_policies: int | None = None
    cursor: str = ""


def put_subscription(
    keys: TopicKeys, info: TopicInfo, id: str, endpoint: str, put: Put
) -> Call[tuple[str, bytes]]:
    """Make, change or remove a subscription. The result is the id and what is stored now: of
    another one, where the endpoint is subscribed already."""

    def parse(reply: Any) -> tuple[str, bytes]:
        if reply is None:  # the answer that it was removed was lost
            return id, b""
        if isinstance(reply, (bytes, str)):
            return id, _bytes(reply)
        return text_of(reply[0]), _bytes(reply[1])

    call = script.load("topics/put_subscription").call(
        info.name,
        parse,
        state=keys.state,
        subscriptions=keys.subscriptions,
        endpoints=keys.endpoints,
        changes=keys.changes,
        pending=keys.pending,
        cursors=keys.cursors,
        stats=keys.stats,
        version=info.version,
        id=id,
        expected=put.before,
        record=b"" if put.after is None else pack_subscription(put.after),
        endpoint=endpoint,
        expires_ms=_or_none(put.expires_ms),
        recount=put.recount,
        policies=put.policies,
        max_all=_or_none(put.max_all),
        max_pending=_or_none(put.max_pending),
        max_policies=_or_none(put.max_policies),
        cursor=put.cursor,
    )
    if put.after is None:
        call.repeated = "RMQ_SUBSCRIPTION_DOES_NOT_EXIST"
    return call


def read_subscription(keys: TopicKeys, name: str, id: str) -> Call[bytes | None]:
    """What is stored of one subscription."""
    return script.command(
        "HGET", name, lambda reply: None if reply is None else _bytes(reply), keys.subscriptions, id
    )


def scan_subscriptions(
    keys: TopicKeys, info: TopicInfo, cursor: bytes, step: int
) -> Call[tuple[bytes, list[Subscription]]]:
    """Some of all subscriptions, in no order; going on with the cursor of the result, until 0."""

    def parse(reply: Sequence[Any]) -> tuple[bytes, list[Subscription]]:
        found = reply[1]
        if not isinstance(found, dict):
            found = dict(zip(found[::2], found[1::2], strict=True))
        return _bytes(str(reply[0]) if isinstance(reply[0], int) else reply[0]), [
            unpack_subscription(_bytes(stored), text_of(id), info.name, info.place)
            for id, stored in found.items()
        ]

    return script.command("HSCAN", info.name, parse, keys.subscriptions, cursor, "COUNT", step)


@dataclass(frozen=True, slots=True)
class News:
    """What became of a topic since a client last looked."""

    version: str
    number: str
    read_all: bool
    changes: list[tuple[str, Subscription | None]]


def changes(keys: TopicKeys, info: TopicInfo, number: str) -> Call[News]:
    """Which subscriptions changed since *number*."""

    def parse(reply: Sequence[Any]) -> News:
        version, last, read_all = (text_of(one) for one in reply[:3])
        found: list[tuple[str, Subscription | None]] = []
        for i in range(3, len(reply), 2):
            id, stored = text_of(reply[i]), _bytes(reply[i + 1])
            one = unpack_subscription(stored, id, info.name, info.place) if stored else None
            found.append((id, one))
        return News(version, last, read_all == "1", found)

    return script.load("topics/changes").call(
        info.name,
        parse,
        state=keys.state,
        subscriptions=keys.subscriptions,
        changes=keys.changes,
        number=number,
    )


# --- publishing ---


def publish(
    keys: TopicKeys,
    info: TopicInfo,
    number: str,
    lane: str,
    seen: int,
    totals: tuple[int, int],
    batch: bytes,
    count: int,
    matched: bool,
) -> Call[tuple[int, bool]]:
    """Publish a batch of *count* messages on a standard topic. *totals*: how many are no JSON
    object, how many have no attributes; *matched*: whether somebody gets one of them. The result is
    the first seq, and whether a sweep is due."""
    return script.load("topics/publish").call(
        info.name,
        lambda reply: (int(reply[0]), int(reply[1]) == 1),
        state=keys.state,
        outbox=keys.outbox,
        lanes=keys.lanes,
        live=keys.live,
        version=info.version,
        number=number,
        lane=lane,
        seen=seen,
        invalid=totals[0],
        bare=totals[1],
        batch=batch,
        count=count,
        matched=int(matched),
    )


@dataclass(frozen=True, slots=True)
class Placed:
    """What a publish on a FIFO topic came to."""

    is_relayer: bool
    sweep: bool
    seqs: list[tuple[int, bool]]
    """Of each its seq, and whether it is a duplicate."""


def publish_fifo(
    keys: TopicKeys,
    info: TopicInfo,
    number: str,
    relayer: str,
    totals: tuple[int, int],
    messages: Iterable[tuple[bytes, str, bytes, int]],
) -> Call[Placed]:
    """Publish on a FIFO topic: deduplication key, group, packed, and 1 where somebody gets it."""

    def parse(reply: Sequence[Any]) -> Placed:
        is_relayer, sweep, *seqs = (text_of(one) for one in reply)
        return Placed(
            is_relayer == "1",
            sweep == "1",
            [(int(one.lstrip("=")), one[0] == "=") for one in seqs],
        )

    attributes = info.attributes
    return script.load("topics/publish_fifo").call(
        info.name,
        parse,
        state=keys.state,
        outbox=keys.outbox,
        dedup=keys.dedup,
        live=keys.live,
        version=info.version,
        number=number,
        window_ms=ms(attributes.deduplication_window),
        relayer=relayer,
        lease_ms=LEASE_MS,
        keep=int(attributes.archive_retention is not None),
        invalid=totals[0],
        bare=totals[1],
        rest=[part for one in messages for part in one],
    )


Counts = dict[str, int]
"""Fields of a topic's stats and by how much they grow."""


def settle(
    keys: TopicKeys, name: str, done: dict[int, int], partial: dict[int, str], counts: Counts
) -> Call[None]:
    """Take from the outbox the batches that all have who should (*done*: by first seq how many
    messages each has), and note who still waits for the rest."""
    rest: list[Any] = [part for pair in done.items() for part in pair]
    rest += [part for pair in partial.items() for part in pair]
    rest += [part for pair in counts.items() for part in pair]
    return script.load("topics/settle").call(
        name,
        lambda reply: None,
        outbox=keys.outbox,
        partial=keys.partial,
        stats=keys.stats,
        state=keys.state,
        n=len(done),
        m=len(partial),
        rest=rest,
    )


@dataclass(frozen=True, slots=True)
class Left:
    """A batch that a publisher left in the outbox."""

    first: int
    """The seq of its first message; the others follow it one by one."""
    lane: str
    count: int
    """How many messages it has."""
    batch: bytes
    waiting: str
    """Ids of the subscriptions that still wait for it, with spaces between; '' for all."""


def outbox_read(keys: TopicKeys, name: str, after: int, age_ms: int, most: int) -> Call[list[Left]]:
    """What is in the outbox of a standard topic for longer than *age_ms*; 0 is for all."""

    def parse(reply: Sequence[Any]) -> list[Left]:
        return [
            Left(
                int(reply[i]),
                text_of(reply[i + 1]),
                int(reply[i + 2]),
                reply[i + 3],
                text_of(reply[i + 4]),
            )
            for i in range(0, len(reply), 5)
        ]

    return script.load("topics/outbox_read").call(
        name,
        parse,
        outbox=keys.outbox,
        partial=keys.partial,
        after=after,
        age_ms=age_ms,
        max=most,
    )


@dataclass(frozen=True, slots=True)
class Batch:
    """What the subscriptions at one cursor of a FIFO topic get next."""

    cursor: int
    to: int
    """Where the cursor moves when all was given."""
    ids: list[str]
    messages: list[tuple[int, bytes, str]]
    """seq, packed and group."""


@dataclass(frozen=True, slots=True)
class Turn:
    """What a relayer has to do next."""

    number: str
    """Of the last change of a subscription."""
    batches: list[Batch]


@dataclass(frozen=True, slots=True)
class Given:
    """What a subscription was given: all between two cursors."""

    id: str
    cursor: int
    to: int


def relay(
    keys: TopicKeys,
    info: TopicInfo,
    relayer: str,
    most: int,
    away: Sequence[str],
    given: Sequence[Given],
    counts: Counts,
) -> Call[Turn | None]:
    """A relayer's turn. None when the caller is not the relayer (any more)."""
    keep = info.attributes.archive_retention
    rest: list[Any] = [*away]
    rest += [part for one in given for part in (one.id, one.cursor, one.to)]
    rest += [part for pair in counts.items() for part in pair]

    def parse(reply: Sequence[Any]) -> Turn | None:
        if int(reply[0]) == 0:
            return None
        parts, found = iter(reply[2:]), []
        for cursor in parts:
            to = int(next(parts))
            ids = [text_of(next(parts)) for _ in range(int(next(parts)))]
            messages = [
                (int(next(parts)), next(parts), text_of(next(parts)))
                for _ in range(int(next(parts)))
            ]
            found.append(Batch(int(cursor), to, ids, messages))
        return Turn(text_of(reply[1]), found)

    return script.load("topics/relay").call(
        info.name,
        parse,
        state=keys.state,
        outbox=keys.outbox,
        cursors=keys.cursors,
        stats=keys.stats,
        relayer=relayer,
        lease_ms=LEASE_MS,
        keep_ms="" if keep is None else ms(keep),
        max=most,
        n=len(away),
        m=len(given),
        rest=rest,
    )


def sweep(keys: TopicKeys, info: TopicInfo, again_ms: int) -> Call[bool]:
    """Forget what is over. Whether there is more to do."""
    return script.load("topics/sweep").call(
        info.name,
        lambda reply: int(reply) == 1,
        state=keys.state,
        subscriptions=keys.subscriptions,
        endpoints=keys.endpoints,
        changes=keys.changes,
        pending=keys.pending,
        lanes=keys.lanes,
        dedup=keys.dedup,
        window_ms=ms(info.attributes.deduplication_window),
        again_ms=again_ms,
    )


def listen(keys: TopicKeys, name: str, keep_ms: int) -> Call[None]:
    return script.load("topics/listen").call(
        name, lambda reply: None, state=keys.state, keep_ms=keep_ms
    )


def cursor_of(keys: TopicKeys, name: str, id: str) -> Call[int | None]:
    """Up to which seq a subscription of a FIFO topic was given everything."""
    return script.command(
        "HGET", name, lambda reply: None if reply is None else int(reply), keys.cursors, id
    )


def stats(keys: TopicKeys, name: str, ids: Sequence[str]) -> Call[list[int]]:
    """Totals; see lua/topics/stats.lua."""
    return script.load("topics/stats").call(
        name,
        lambda reply: [int(one) for one in reply],
        state=keys.state,
        outbox=keys.outbox,
        subscriptions=keys.subscriptions,
        pending=keys.pending,
        stats=keys.stats,
        partial=keys.partial,
        cursors=keys.cursors,
        rest=ids,
    )


def _or_none(value: int | None) -> int | str:
    return "" if value is None else value


def _bytes(value: Any) -> bytes:
    return value.encode() if isinstance(value, str) else bytes(value)


def _pairs(reply: Sequence[Any]) -> dict[str, str]:
    """field, value, .. as a dict. redis-py may have made one already."""
    if isinstance(reply, dict):
        return {text_of(name): text_of(value) for name, value in reply.items()}
    return {text_of(reply[i]): text_of(reply[i + 1]) for i in range(0, len(reply), 2)}
