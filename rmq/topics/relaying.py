"""Relaying: how the messages of a FIFO topic get to its queues in order, by one relayer at a time.

    read ──> deliver ──> move cursors, read on ──> deliver ──> ..  nothing left: no relayer any more

Each subscription has a cursor. What a queue could not take now leaves its cursor where it is; the
others go on.
"""

from __future__ import annotations

from rmq.core.script import Plan
from rmq.errors import BrokenEnvelope, TopicDoesNotExist
from rmq.queues.arriving import Line
from rmq.topics import commands
from rmq.topics.attributes import TopicInfo
from rmq.topics.commands import Batch, Given, Turn
from rmq.topics.fanout import Delivery, counts_of, fan_out
from rmq.topics.matching import Audience
from rmq.topics.outgoing import Item, unpacked
from rmq.topics.registry import TopicRegistry, audience, known, up_to_date
from rmq.topics.subscription import Subscription

RELAY_STEP = 25
"""Messages that one turn gives to the subscriptions at one cursor."""


def relay(registry: TopicRegistry, name: str) -> Plan[int]:
    """Be the relayer until nothing is left to do, or somebody else is it. How many deliveries."""
    keys, total = registry.keys(name), 0
    away: list[str] = []
    given: list[Given] = []
    counts: dict[str, int] = {}
    while True:
        info = yield from known(registry, name)
        try:
            turn: Turn | None = yield commands.relay(
                keys, info, registry.relayer, RELAY_STEP, away, given, counts
            )
        except TopicDoesNotExist:
            registry.drop(name)
            return total
        if turn is None:
            return total
        info, listeners = yield from audience(registry, name)
        if listeners.number != turn.number:
            info, listeners = yield from up_to_date(registry, name)
        given, deliveries = [], []
        for batch in turn.batches:
            for id in batch.ids:
                one = listeners.all.get(id)
                if one is None:
                    # Ended since; its cursor is gone with it.
                    continue
                delivery = _delivery(info, one, listeners, batch)
                deliveries.append((delivery, Given(id, batch.cursor, batch.to)))
        yield from fan_out(registry, info, [made for made, _ in deliveries if made.items])
        for delivery, moved in deliveries:
            if delivery.is_done or not delivery.items:
                given.append(moved)
                total += len(delivery.items)
            else:
                away.append(moved.id)
        counts = counts_of(registry, [made for made, _ in deliveries if made.items])


def _delivery(info: TopicInfo, one: Subscription, listeners: Audience, batch: Batch) -> Delivery:
    """What a subscription gets of a batch."""
    replay = one.replay
    end = replay.end_seq if replay is not None else None
    items: list[Item] = []
    for seq, packed, group in batch.messages:
        # A replay with an end gives nothing that was published after it.
        if end is not None and seq > end:
            continue
        try:
            item = unpacked(seq, packed, group)
        except BrokenEnvelope:
            # Not a message of ours: nobody could read it.
            continue
        if replay is not None and seq <= replay.until:
            item.replay = replay.number
        if listeners.wants(one, item.view()):
            items.append(item)
    return Delivery(one, items, line_of(info, replay.number if replay is not None else 0))


def line_of(info: TopicInfo, replay: int) -> Line:
    """How a queue remembers what it took from a FIFO topic; another replay begins anew."""
    place = info.place
    return Line(
        f"t:{place.account}:{place.region}:{info.name}", f"{info.incarnation.hex()}.{replay}"
    )
