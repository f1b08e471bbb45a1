"""Relaying: how the messages of a FIFO topic get to its queues in order, by one relayer at a time.

    read ──> deliver ──> move cursors, read on ──> deliver ──> ..  nothing left: no relayer any more

Each subscription has a cursor. What a queue could not take now leaves its cursor where it is; the
others go on.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from rmq.core.script import Aside, Plan
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

RELAY_STEP = 100
"""Messages that one turn gives to the subscriptions at one cursor; what one call delivers."""
LAST_SEQ = 1 << 62
"""Behind all."""


@dataclass(slots=True)
class _Relay:
    """One relayer's time at work."""

    name: str
    away: list[str] = field(default_factory=list)
    given: list[Given] = field(default_factory=list)
    """In the last turn."""
    counts: dict[str, int] = field(default_factory=dict)
    reached: int = 0
    """Up to which seq everybody who is not away was given everything."""
    total: int = 0
    """Deliveries."""


def relay(
    registry: TopicRegistry, name: str, relayer: str | None = None, up_to: int = LAST_SEQ
) -> Plan[int]:
    """Be the relayer until nothing is left to do, or somebody else is it. How many deliveries.

    With *up_to* what is left behind that seq is given in the background: who publishes waits for
    its own messages, not for those of everybody who goes on publishing.
    """
    work = _Relay(relayer or registry.new_relayer())
    yield from _go_on(registry, name, work, None, up_to)
    return work.total


def _go_on(
    registry: TopicRegistry, name: str, work: _Relay, turn: Turn | None, up_to: int
) -> Plan[None]:
    while True:
        if turn is None:
            turn = yield from _turn(registry, name, work)
        if turn is None:
            return
        if work.reached >= up_to:
            yield Aside(_go_on(registry, name, work, turn, LAST_SEQ))
            return
        yield from _give(registry, name, work, turn)
        turn = None


def _turn(registry: TopicRegistry, name: str, work: _Relay) -> Plan[Turn | None]:
    """Note what was given, and read what comes next; None when that is nothing."""
    info = yield from known(registry, name)
    try:
        turn: Turn | None = yield commands.relay(
            registry.keys(name), info, work.name, RELAY_STEP, work.away, work.given, work.counts
        )
    except TopicDoesNotExist:
        registry.drop(name)
        return None
    return turn


def _give(registry: TopicRegistry, name: str, work: _Relay, turn: Turn) -> Plan[None]:
    info, listeners = yield from audience(registry, name)
    if listeners.number != turn.number:
        info, listeners = yield from up_to_date(registry, name)
    deliveries: list[tuple[Delivery, Given]] = []
    reached = min((batch.to for batch in turn.batches), default=LAST_SEQ)
    for batch in turn.batches:
        for id in batch.ids:
            one = listeners.all.get(id)
            if one is None:
                # Ended since; its cursor is gone with it.
                continue
            if one.mark.line > int(turn.number):
                # Its cursor was set elsewhere since: what was read behind the old one would be
                # taken for something on the new line.
                reached = 0
                continue
            delivery = _delivery(info, one, listeners, batch)
            deliveries.append((delivery, Given(id, batch.cursor, batch.to)))
    made = [one for one, _ in deliveries if one.items]
    yield from fan_out(registry, info, made)
    work.given = []
    for delivery, moved in deliveries:
        if delivery.is_done or not delivery.items:
            work.given.append(moved)
            work.total += len(delivery.items)
        else:
            work.away.append(moved.id)
    work.counts = counts_of(registry, made)
    work.reached = reached


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
        if seq <= one.mark.until:
            item.replay = one.mark.line
        if listeners.wants(one, item.view()):
            items.append(item)
    return Delivery(one, items, line_of(info, one))


def line_of(info: TopicInfo, one: Subscription) -> Line:
    """How a queue remembers what it took from a FIFO topic."""
    place = info.place
    source = f"t:{place.account}:{place.region}:{info.name}"
    return Line(source, info.incarnation.hex(), one.mark.line)
