"""Publishing: how messages get from a publisher through the outbox to those who should have them.
Plans; docs/design/topics.md tells the steps.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import timedelta

from rmq.core.codec import PLAIN, PLAIN_ENVELOPE
from rmq.core.limits import GROUP_COST, SCRIPT_MESSAGES, ms, seconds
from rmq.core.script import LOOKS, Aside, Plan
from rmq.errors import (
    BrokenEnvelope,
    CallerError,
    RmqError,
    StaleConfig,
    TopicDoesNotExist,
)
from rmq.queues.arriving import Line
from rmq.topics import commands, relaying
from rmq.topics.attributes import TopicInfo
from rmq.topics.commands import Left
from rmq.topics.fanout import Delivery, counts_of, fan_out
from rmq.topics.matching import Audience
from rmq.topics.message import Notification, Published
from rmq.topics.outgoing import Item, pack_batch, prepare, unpack_batch
from rmq.topics.registry import TopicRegistry, audience, known, up_to_date
from rmq.topics.subscription import Subscription

MESSAGES = SCRIPT_MESSAGES[False]
"""Messages in one script call that publishes; on a FIFO topic a message costs no more."""
BATCH_BYTES = 1 << 20
"""Bytes in one script call that publishes. One message alone may be larger."""
LEFT_MS = 5_000
"""What is in the outbox for so long was left there: its publisher died, or a queue was away."""
LEFT_STEP = 20
"""Batches that one step of finishing reads; each may have BATCH_BYTES."""
LEFT_MOST = 500
"""Batches that a publisher looks at for others."""
SWEEP_MS = 60_000
"""How soon a sweep is due again."""
AGAIN_MS = 10_000
"""How soon where something was left over."""


@dataclass(slots=True)
class _Matched:
    """A batch of messages, and who gets which."""

    number: str
    """Of the last change of a subscription that was known."""
    items: list[Item] = field(default_factory=list)
    places: list[int] = field(default_factory=list)
    """Of each its place among what was given to publish."""
    everyone: list[Subscription] = field(default_factory=list)
    """Those that get all of them."""
    some: dict[str, tuple[Subscription, list[Item]]] = field(default_factory=dict)
    """Those that filter, and what they get."""
    counts: list[int] = field(default_factory=list)
    """Of each, how many get it; empty where that is everyone."""
    invalid: int = 0
    bare: int = 0

    def match(self, listeners: Audience, item: Item) -> None:
        """Find who gets a message of those that filter."""
        view = item.view()
        found = listeners.match(view)
        # Only who filters by the body needs to know; nobody else makes it be read.
        self.invalid += listeners.filters_bodies and view.body is None
        self.bare += view.attributes is None
        self.counts.append(len(self.everyone) + len(found))
        for one in found:
            if one.id in self.some:
                self.some[one.id][1].append(item)
            else:
                self.some[one.id] = one, [item]

    def count(self, number: int) -> int:
        """How many get the message of that number."""
        return self.counts[number] if self.counts else len(self.everyone)

    def deliveries(self, line: Line) -> list[Delivery]:
        """Who gets what, on a line."""
        found = [Delivery(one, self.items, line) for one in self.everyone]
        found += [Delivery(one, items, line) for one, items in self.some.values()]
        return found


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
    batch, end, size, cost = _Matched(listeners.number), start, 0, 0
    batch.everyone = listeners.everyone
    items, plain_size, has_filters = batch.items, info.plain_size, listeners.has_filters
    while end < len(messages) and cost < MESSAGES:
        given = messages[end]
        if type(given) is bytes and not signed and 0 < len(given) <= plain_size and given.isascii():
            # Nothing but a message: most are, and this is the whole of the check.
            item = Item(given, PLAIN, PLAIN_ENVELOPE + given)
        else:
            try:
                item = prepare(info, registry.limits, given, signed)
            except CallerError as error:
                results[end] = error
                end += 1
                continue
        size += len(item.packed)
        if items and size > BATCH_BYTES:
            break
        if has_filters:
            batch.match(listeners, item)
        items.append(item)
        batch.places.append(end)
        end += 1
        cost += GROUP_COST if item.group and not info.is_fifo else 1
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
    deliveries = batch.deliveries(Line(lane.id))
    try:
        first, due = yield commands.publish(
            keys,
            info,
            batch.number,
            lane.id,
            lane.seen,
            (batch.invalid, batch.bare),
            pack_batch(batch.items),
            len(batch.items),
            bool(deliveries),
        )
    except StaleConfig:
        registry.give_lane(name, lane)
        raise
    lane.seen = first
    counts = batch.counts or itertools.repeat(len(batch.everyone))
    for seq, item, place, count in zip(itertools.count(first), batch.items, batch.places, counts):
        item.seq = seq
        results[place] = Published(info, seq, count)
    # It is published, whatever becomes of the rest: a sweep finishes it.
    with suppress(RmqError):
        batches = {first: (len(batch.items), deliveries)} if deliveries else {}
        done = yield from _deliver(registry, info, deliveries, batches)
        if done:
            registry.give_lane(name, lane)
        if due:
            yield from _sweep_step(registry, name)


def _deliver(
    registry: TopicRegistry,
    info: TopicInfo,
    deliveries: list[Delivery],
    batches: dict[int, tuple[int, list[Delivery]]],
) -> Plan[bool]:
    """Deliver what is in the outbox, and take out the *batches* (by first seq: how many messages,
    and who gets them) that all have who should. Whether that is everything."""
    if deliveries:
        yield from fan_out(registry, info, deliveries)
    done: dict[int, int] = {}
    partial: dict[int, str] = {}
    for first, (count, parts) in batches.items():
        waiting = [one.subscription.id for one in parts if not one.is_done]
        if waiting:
            partial[first] = " ".join(waiting)
        else:
            done[first] = count
    if done or partial:
        counts = counts_of(registry, deliveries)
        keys = registry.keys(info.name)
        yield Aside(commands.settle(keys, info.name, done, partial, counts))
    return not partial


def _publish_fifo(
    registry: TopicRegistry,
    info: TopicInfo,
    listeners: Audience,
    batch: _Matched,
    results: list[Published | RmqError | None],
) -> Plan[None]:
    parts = [
        (item.key, item.group, item.packed, int(batch.count(number) > 0))
        for number, item in enumerate(batch.items)
    ]
    relayer = registry.new_relayer()
    placed = yield commands.publish_fifo(
        registry.keys(info.name),
        info,
        batch.number,
        relayer,
        (batch.invalid, batch.bare),
        parts,
    )
    for number, (place, (seq, again)) in enumerate(zip(batch.places, placed.seqs, strict=True)):
        results[place] = Published(info, seq, batch.count(number), again)
    # It is published, whatever becomes of the rest: the next relayer finishes it.
    with suppress(RmqError):
        if placed.is_relayer:
            last = max(seq for seq, _ in placed.seqs)
            yield from relaying.relay(registry, info.name, relayer, last)
        if placed.sweep:
            yield from _sweep_step(registry, info.name)


# --- finishing what others left -----------------------------------------------------------------


def sweep(
    registry: TopicRegistry, name: str, older_than: timedelta | float = LEFT_MS / 1000
) -> Plan[int]:
    """Finish what publishers left for so long, and forget what is over. How many deliveries."""
    age_ms = ms(seconds(older_than, "older_than"))
    # Who asks for a sweep has a reason to think that they are back.
    registry.all_are_back()
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
        # A relayer may have died, or left alone who was away, or an archive was given up.
        yield from relaying.relay(registry, name)
    else:
        yield from _finish(registry, name, LEFT_MS, most=LEFT_MOST)


def _finish(registry: TopicRegistry, name: str, age_ms: int, most: int | None = None) -> Plan[int]:
    """Deliver what is left in the outbox of a standard topic. How many deliveries came of it."""
    keys, after, looked, total, left_over = registry.keys(name), 0, 0, 0, False
    info = yield from known(registry, name)
    while most is None or looked < most:
        info, listeners = yield from up_to_date(registry, name)
        left: list[Left] = yield commands.outbox_read(keys, name, after, age_ms, LEFT_STEP)
        if not left:
            break
        after, looked = left[-1].first, looked + len(left)
        # One lane after the other would be slow, and all at once out of order.
        for step in _in_order(left):
            batches = {one.first: (one.count, _matched_again(listeners, one)) for one in step}
            deliveries = [one for _, parts in batches.values() for one in parts]
            done = yield from _deliver(registry, info, deliveries, batches)
            total += sum(len(one.items) for one in deliveries if one.is_done)
            left_over = left_over or not done
        if len(left) < LEFT_STEP:
            break
    else:
        # More is left: whoever publishes next goes on.
        if not left_over:
            yield commands.sweep(keys, info, 0)
    if left_over:
        yield commands.sweep(keys, info, AGAIN_MS)
    return total


def _in_order(left: Sequence[Left]) -> Iterator[list[Left]]:
    """Batches in steps, of each lane one in a step."""
    lanes: dict[str, list[Left]] = {}
    for one in left:
        lanes.setdefault(one.lane, []).append(one)
    for step in itertools.zip_longest(*lanes.values()):
        yield [one for one in step if one is not None]


def _matched_again(listeners: Audience, left: Left) -> list[Delivery]:
    """Who gets a batch that was left: those who still wait for it, or all that match and were
    subscribed when it was published."""
    try:
        items = unpack_batch(left.first, left.batch)
    except BrokenEnvelope:
        # Not a batch of ours: nobody could read it.
        return []
    waiting = set(left.waiting.split())
    found: dict[str, Delivery] = {}
    for item in items:
        view = item.view()
        for one in [*listeners.everyone, *listeners.match(view)]:
            if (one.id in waiting) if waiting else (one.mark.since < left.first):
                if one.id not in found:
                    found[one.id] = Delivery(one, [], Line(left.lane))
                found[one.id].items.append(item)
    return list(found.values())
