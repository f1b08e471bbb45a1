"""Publishing: how messages get from a publisher through the outbox to those who should have them.
Plans; docs/design/topics.md tells the steps.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from rmq.core.script import Aside, Plan
from rmq.errors import (
    BrokenEnvelope,
    CallerError,
    RmqError,
    ServerError,
    StaleConfig,
    TopicDoesNotExist,
)
from rmq.queues.arriving import Line
from rmq.queues.limits import SCRIPT_MESSAGES, ms, seconds
from rmq.queues.registry import LOOKS
from rmq.topics import commands, relaying
from rmq.topics.attributes import TopicInfo
from rmq.topics.commands import Left
from rmq.topics.fanout import Delivery, counts_of, fan_out
from rmq.topics.matching import Audience
from rmq.topics.message import Notification, Published
from rmq.topics.outgoing import Item, prepare, unpacked
from rmq.topics.registry import TopicRegistry, audience, known, up_to_date
from rmq.topics.subscription import Subscription

BATCH_BYTES = 1 << 20
"""Bytes in one script call that publishes. One message alone may be larger."""
LEFT_MS = 5_000
"""What is in the outbox for so long was left there: its publisher died, or a queue was away."""
LEFT_STEP = 100
"""Messages that one step of finishing reads."""
SWEEP_MS = 60_000
"""How soon a sweep is due again."""
AGAIN_MS = 10_000
"""How soon where something was left over."""


@dataclass(slots=True)
class _Matched:
    """Messages, and who gets which."""

    items: list[Item] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    """Of each its place among what was given to publish."""
    counts: list[int] = field(default_factory=list)
    """Of each, how many get it."""
    by_subscription: dict[str, tuple[Subscription, list[Item]]] = field(default_factory=dict)
    invalid: int = 0
    bare: int = 0

    def add(self, item: Item, who: Sequence[Subscription]) -> None:
        self.items.append(item)
        self.counts.append(len(who))
        wanted = self.by_subscription
        for one in who:
            found = wanted.get(one.id)
            if found is None:
                wanted[one.id] = one, [item]
            else:
                found[1].append(item)


def publish(
    registry: TopicRegistry, name: str, messages: Sequence[Notification | str | bytes]
) -> Plan[list[Published | RmqError]]:
    """Publish any number of messages, in bounded script calls. One result or error for each.

    When a call fails, those before it are published and are answered so; the error is the rest's.
    """
    results: list[Published | RmqError | None] = [None] * len(messages)
    at = 0
    while at < len(messages):
        try:
            at = yield from _publish_some(registry, name, messages, at, results)
        except RmqError as error:
            if isinstance(error, TopicDoesNotExist):
                registry.drop(name)
            if at == 0:
                raise
            return [error if one is None else one for one in results]
    return results  # type: ignore[return-value]


def _publish_some(
    registry: TopicRegistry,
    name: str,
    messages: Sequence[Notification | str | bytes],
    start: int,
    results: list[Published | RmqError | None],
) -> Plan[int]:
    """Publish what one script call may carry, from *start*; note the results. Where to go on."""
    for _ in range(LOOKS):
        info, listeners = yield from audience(registry, name)
        batch, end = _cut(registry, info, listeners, messages, start, results)
        if batch.items:
            try:
                if info.is_fifo:
                    yield from _publish_fifo(registry, info, listeners, batch, results)
                else:
                    yield from _publish_standard(registry, info, listeners, batch, results)
            except StaleConfig:
                registry.forget(name)
                yield from up_to_date(registry, name)
                continue
        return end
    raise StaleConfig(f"topic {name!r} changes faster than it can be used")


def _cut(
    registry: TopicRegistry,
    info: TopicInfo,
    listeners: Audience,
    messages: Sequence[Notification | str | bytes],
    start: int,
    results: list[Published | RmqError | None],
) -> tuple[_Matched, int]:
    """Check and match what one call may carry; what is refused has its error in *results*."""
    signed = info.attributes.signature_version or int(registry.signs_queues)
    batch, end, size, most = _Matched(), start, 0, SCRIPT_MESSAGES[info.is_fifo]
    while end < len(messages) and len(batch.items) < most:
        try:
            item = prepare(info, registry.limits, messages[end], signed)
        except CallerError as error:
            results[end] = error
            end += 1
            continue
        size += len(item.packed)
        if batch.items and size > BATCH_BYTES:
            break
        if listeners.has_filters:
            view = item.view()
            who = listeners.match(view)
            # Only who filters by the body needs to know; nobody else makes it be read.
            batch.invalid += listeners.filters_bodies and view.body is None
            batch.bare += view.attributes is None
        else:
            who = listeners.everyone
        batch.places.append(end)
        batch.add(item, who)
        end += 1
    return batch, end


def _publish_standard(
    registry: TopicRegistry,
    info: TopicInfo,
    listeners: Audience,
    batch: _Matched,
    results: list[Published | RmqError | None],
) -> Plan[None]:
    name, keys = info.name, registry.keys(info.name)
    lane = registry.take_lane(name)
    parts = [
        (item.packed, int(count > 0)) for item, count in zip(batch.items, batch.counts, strict=True)
    ]
    try:
        first, due = yield commands.publish(
            keys, info, listeners.number, lane.id, lane.seen, (batch.invalid, batch.bare), parts
        )
    except StaleConfig:
        registry.give_lane(name, lane)
        raise
    lane.seen = first
    for number, (item, place, count) in enumerate(
        zip(batch.items, batch.places, batch.counts, strict=True)
    ):
        item.seq = first + number
        results[place] = Published(info, item.seq, count)
    deliveries = [
        Delivery(one, items, Line(lane.id)) for one, items in batch.by_subscription.values()
    ]
    # It is published, whatever becomes of the rest: a sweep finishes it.
    with suppress(ServerError):
        done = yield from _deliver(registry, info, deliveries, batch.items)
        if done:
            registry.give_lane(name, lane)
        if due:
            yield from _sweep_step(registry, name)


def _deliver(
    registry: TopicRegistry, info: TopicInfo, deliveries: list[Delivery], items: Sequence[Item]
) -> Plan[bool]:
    """Deliver what is in the outbox, and take out what all have. Whether that is everything."""
    if not deliveries:
        return True
    yield from fan_out(registry, info, deliveries)
    waiting: dict[int, list[str]] = {}
    for one in deliveries:
        if not one.is_done:
            for item in one.items:
                waiting.setdefault(item.seq, []).append(one.subscription.id)
    done = [item.seq for item in items if item.seq not in waiting]
    partial = {seq: " ".join(ids) for seq, ids in waiting.items()}
    yield Aside(
        commands.settle(
            registry.keys(info.name), info.name, done, partial, counts_of(registry, deliveries)
        )
    )
    return not waiting


def _publish_fifo(
    registry: TopicRegistry,
    info: TopicInfo,
    listeners: Audience,
    batch: _Matched,
    results: list[Published | RmqError | None],
) -> Plan[None]:
    parts = [
        (item.key, item.group, item.packed, int(count > 0))
        for item, count in zip(batch.items, batch.counts, strict=True)
    ]
    placed = yield commands.publish_fifo(
        registry.keys(info.name),
        info,
        listeners.number,
        registry.relayer,
        (batch.invalid, batch.bare),
        parts,
    )
    for place, count, (seq, again) in zip(batch.places, batch.counts, placed.seqs, strict=True):
        results[place] = Published(info, seq, count, again)
    # It is published, whatever becomes of the rest: the next relayer finishes it.
    with suppress(ServerError):
        if placed.is_relayer:
            yield from relaying.relay(registry, info.name)
        if placed.sweep:
            yield from _sweep_step(registry, info.name)


# --- finishing what others left -----------------------------------------------------------------


def sweep(
    registry: TopicRegistry, name: str, older_than: timedelta | float = LEFT_MS / 1000
) -> Plan[int]:
    """Finish what publishers left for so long, and forget what is over. How many deliveries."""
    age_ms = ms(seconds(older_than, "older_than"))
    info, _ = yield from up_to_date(registry, name)
    while (yield commands.sweep(registry.keys(name), info, SWEEP_MS)):
        pass
    if info.is_fifo:
        return (yield from relaying.relay(registry, name))
    return (yield from _finish(registry, name, age_ms))


def _sweep_step(registry: TopicRegistry, name: str) -> Plan[None]:
    """What a publisher does for others, now and then."""
    info = yield from known(registry, name)
    yield commands.sweep(registry.keys(name), info, SWEEP_MS)
    if info.is_fifo:
        return
    yield from _finish(registry, name, LEFT_MS, most=LEFT_STEP)


def _finish(registry: TopicRegistry, name: str, age_ms: int, most: int | None = None) -> Plan[int]:
    """Deliver what is left in the outbox of a standard topic. How many deliveries came of it."""
    keys, after, looked, total, left_over = registry.keys(name), 0, 0, 0, False
    while most is None or looked < most:
        info, listeners = yield from up_to_date(registry, name)
        left: list[Left] = yield commands.outbox_read(keys, name, after, age_ms, LEFT_STEP)
        if not left:
            break
        after, looked = left[-1].seq, looked + len(left)
        deliveries, items = _matched_again(listeners, left)
        before = {one for one in deliveries if one.is_done}
        done = yield from _deliver(registry, info, deliveries, items)
        if not deliveries and items:
            yield commands.settle(keys, name, [item.seq for item in items], {}, {})
        total += sum(len(one.items) for one in deliveries if one.is_done and one not in before)
        left_over = left_over or not done
        if len(left) < LEFT_STEP:
            break
    if left_over:
        yield commands.sweep(keys, (yield from known(registry, name)), AGAIN_MS)
    return total


def _matched_again(listeners: Audience, left: Sequence[Left]) -> tuple[list[Delivery], list[Item]]:
    """Who gets what was left: those who still wait for it, or all that match and were subscribed
    when it was published. On each lane in order."""
    items: list[Item] = []
    wanted: dict[tuple[str, str], Delivery] = {}
    for one in left:
        try:
            item = unpacked(one.seq, one.packed)
        except BrokenEnvelope:
            # Not a message of ours: nobody could read it.
            item = Item(b"", unpacked(0, b"\x01").header, one.packed, seq=one.seq)
            items.append(item)
            continue
        items.append(item)
        if one.waiting:
            who = [listeners.all[id] for id in one.waiting.split() if id in listeners.all]
        else:
            who = [some for some in listeners.match(item.view()) if some.mark.since < one.seq]
        for some in who:
            if not some.confirmed:
                continue
            place = some.id, one.lane
            if place not in wanted:
                wanted[place] = Delivery(some, [], Line(one.lane))
            wanted[place].items.append(item)  # type: ignore[attr-defined]
    return list(wanted.values()), items
