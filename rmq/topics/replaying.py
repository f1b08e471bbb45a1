"""Replaying: giving a subscription of a FIFO topic again what its archive holds. Plans.

A replay is a cursor set back. What was published since it began comes behind it, in order.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from rmq.core.script import LOOKS, Plan
from rmq.errors import InvalidParameter, StaleConfig, SubscriptionDoesNotExist
from rmq.topics import commands, relaying
from rmq.topics.commands import Put
from rmq.topics.finding import missing, stored_one
from rmq.topics.registry import TopicRegistry, described
from rmq.topics.subscribing import put
from rmq.topics.subscription import Replay, Subscription


def replay(
    registry: TopicRegistry, name: str, given: str, start: datetime, end: datetime | None
) -> Plan[Subscription]:
    """Set a subscription back to *start*, and deliver from there."""
    info = yield from described(registry, name)
    if not info.is_fifo or info.attributes.archive_retention is None:
        raise InvalidParameter("topic", name, "a FIFO topic that keeps an archive")
    began = yield from archive_begins(registry, name)
    _check_moment("start", start)
    # The very first message may have been sent at the moment that is asked for.
    if start < began.replace(microsecond=began.microsecond // 1000 * 1000):
        raise InvalidParameter("start", start, f"{began.isoformat()} or later: the archive begins")
    if start.timestamp() * 1000 > registry.clock.now_ms() + 1:
        # Up to then the subscription would be given nothing at all.
        raise InvalidParameter("start", start, "a moment of the past")
    if end is not None:
        _check_moment("end", end)
        if end <= start:
            raise InvalidParameter("end", end, f"later than the start, {start.isoformat()}")
    cursor = int(start.timestamp() * 1_000_000) - 1
    for _ in range(LOOKS):
        packed, one = yield from stored_one(registry, name, given)
        after = replace(one, replay=Replay(start=start, end=end))
        try:
            found = yield from put(
                registry, name, one, Put(before=packed, after=after, cursor=str(max(cursor, 0)))
            )
        except SubscriptionDoesNotExist:
            raise missing(name, one.id) from None
        except StaleConfig:
            continue
        yield from relaying.relay(registry, name)
        return found
    raise StaleConfig(f"topic {name!r} changes faster than it can be used")


def stop(registry: TopicRegistry, name: str, given: str) -> Plan[Subscription]:
    """End a replay; what is published from now on is delivered."""
    for _ in range(LOOKS):
        packed, one = yield from stored_one(registry, name, given)
        if one.replay is None or one.replay.stopped:
            return one
        after = replace(one, replay=replace(one.replay, stopped=True))
        try:
            return (
                yield from put(registry, name, one, Put(before=packed, after=after, cursor="+"))
            )
        except SubscriptionDoesNotExist:
            raise missing(name, one.id) from None
        except StaleConfig:
            continue
    raise StaleConfig(f"topic {name!r} changes faster than it can be used")


def status(registry: TopicRegistry, name: str, given: str) -> Plan[str | None]:
    """Pending, In progress or Completed; None where there was no replay, or it was stopped."""
    _, one = yield from stored_one(registry, name, given)
    replay = one.replay
    if replay is None or replay.stopped:
        return None
    cursor = yield commands.cursor_of(registry.keys(name), name, one.id)
    if cursor is None:
        return "Failed"
    until = one.mark.until
    last = until if replay.end_seq is None else min(until, replay.end_seq)
    if cursor >= last:
        # With its end in the future it goes on until then.
        now = registry.clock.now_ms() * 1000
        is_over = replay.end_seq is None or replay.end_seq <= now
        return "Completed" if is_over else "In progress"
    begun = int(replay.start.timestamp() * 1_000_000) - 1
    return "Pending" if cursor <= begun else "In progress"


def archive_begins(registry: TopicRegistry, name: str) -> Plan[datetime]:
    """The moment from which a topic's archive has everything (BeginningArchiveTime)."""
    info = yield from described(registry, name)
    keep = info.attributes.archive_retention
    if keep is None:
        raise InvalidParameter("topic", name, "a FIFO topic that keeps an archive")
    now = datetime.fromtimestamp(registry.clock.now_ms() / 1000, UTC)
    since = info.archived_since or info.created_at
    return max(now - keep, since)


def _check_moment(field: str, value: datetime) -> None:
    if not isinstance(value, datetime) or value.tzinfo is None:
        raise InvalidParameter(field, value, "a datetime with a time zone")
