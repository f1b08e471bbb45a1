"""Watching: what a topic did, and why a message reaches somebody or does not. Plans."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from rmq.core.script import Plan
from rmq.errors import QueueDoesNotExist, TopicDoesNotExist
from rmq.queues import commands as queue_commands
from rmq.queues.registry import on_known
from rmq.topics import commands
from rmq.topics.filters.verdict import Outcome
from rmq.topics.filters.verdict import explain as explain_policy
from rmq.topics.finding import missing, stored_one, subscription_id
from rmq.topics.message import Notification
from rmq.topics.outgoing import prepare
from rmq.topics.registry import TopicRegistry, up_to_date
from rmq.topics.subscription import Subscription

KINDS = tuple(one.value for one in Outcome if one is not Outcome.MATCHED)
"""Why messages are filtered out, as Amazon SNS counts them."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a subscription gets a message. True where it does; `str()` says why not."""

    subscription: Subscription
    outcome: str
    """matched, unconfirmed, or one of KINDS."""
    reason: str

    def __bool__(self) -> bool:
        return self.outcome == Outcome.MATCHED

    def __str__(self) -> str:
        return self.reason


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicStats:
    """Totals of one topic, all of one moment."""

    published: int
    """Messages ever accepted."""
    bytes: int
    """Bytes ever accepted, envelopes included."""
    outbox: int
    """Messages that somebody should still get; on a FIFO topic with an archive all that is kept.
    What was published together stays together, until all have all of it."""
    oldest_at: datetime | None
    """When the oldest of them was published."""
    waiting: int
    """Batches, as published, that some have whole and others not yet, because their queue could not
    be reached. Standard topics."""
    subscriptions: int
    pending: int
    """Of these, how many wait for their confirmation."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionStats:
    """What became of a topic's messages at one subscription."""

    delivered: int
    """Replays included."""
    failed: int
    """Given up: to the dead-letter queue where there is one."""
    filtered_out: Mapping[str, int]
    """By kind, see KINDS; worked out, so that publishers need not count it."""
    latency_ms: float | None
    """Mean time between publish and delivery; None before the first."""
    backlog: int
    """Waiting in the inner queue of a subscription that is pushed to."""


def explain(
    registry: TopicRegistry,
    name: str,
    message: Notification | str | bytes,
    subscription: str | None,
) -> Plan[list[Verdict]]:
    """Who would get a message, and why others not."""
    info, listeners = yield from up_to_date(registry, name)
    view = prepare(info, registry.limits, message, 0).view()
    if subscription is None:
        chosen = sorted(listeners.all.values(), key=lambda one: one.id)
    else:
        id = subscription_id(name, registry.place, subscription)
        if id not in listeners.all:
            raise missing(name, id)
        chosen = [listeners.all[id]]
    found = []
    for one in chosen:
        if not one.confirmed:
            found.append(Verdict(one, "unconfirmed", "the subscription is not confirmed yet"))
            continue
        said = explain_policy(listeners.policy(one.id), view)
        found.append(Verdict(one, said.outcome.value, str(said)))
    return found


def stats(registry: TopicRegistry, name: str) -> Plan[TopicStats]:
    """Totals."""
    found = yield from _totals(registry, name, ())
    published, size, _, _, left, entries, oldest, partial, subscriptions, pending = found[:10]
    return TopicStats(
        published=published,
        bytes=size,
        outbox=entries if name.endswith(".fifo") else left,
        oldest_at=datetime.fromtimestamp(oldest / 1_000_000, UTC) if oldest else None,
        waiting=partial,
        subscriptions=subscriptions,
        pending=pending,
    )


def subscription_stats(registry: TopicRegistry, name: str, given: str) -> Plan[SubscriptionStats]:
    """What became of the topic's messages at one subscription."""
    _, one = yield from stored_one(registry, name, given)
    stats, _ = yield from _seen(registry, name, one)
    return stats


def _seen(
    registry: TopicRegistry, name: str, one: Subscription
) -> Plan[tuple[SubscriptionStats, int]]:
    """The stats of a subscription, and how many messages it was given, replays left out."""
    found = yield from _totals(registry, name, (one.id,))
    delivered, failed, took_ms, replayed, is_behind = found[10:15]
    backlog = 0
    if one.is_pushed and one.confirmed:
        try:
            counts, _ = yield from on_known(
                registry.inner,
                one.id,
                lambda info: queue_commands.stats(registry.inner.keys(one.id), info),
            )
            backlog = counts.messages
        except QueueDoesNotExist:
            pass
    # On a FIFO topic the outbox does not tell who still gets what is in it.
    left = found[5] * is_behind if name.endswith(".fifo") else found[4]
    seen = delivered + failed + backlog
    stats = SubscriptionStats(
        delivered=delivered + replayed,
        failed=failed,
        filtered_out=_filtered(one, found, seen, left),
        latency_ms=took_ms / delivered if delivered else None,
        backlog=backlog,
    )
    return stats, seen


MATCHED = "matched"
"""Beside the kinds in what a subscription keeps of its former filters: how many it was given."""


def filtered_so_far(registry: TopicRegistry, name: str, one: Subscription) -> Plan[dict[str, int]]:
    """What to keep of a filter that is about to change."""
    found, seen = yield from _seen(registry, name, one)
    return {**found.filtered_out, MATCHED: seen}


def _filtered(one: Subscription, totals: list[int], given: int, left: int) -> dict[str, int]:
    """What was not *given* of what was published since the filter was set, by kind. What is *left*
    in the outbox may still be given."""
    found = {kind: count for kind, count in one.filtered.items() if kind != MATCHED}
    if one.attributes.filter_policy is None:
        return found
    published, _, invalid, bare = totals[:4]
    given -= one.filtered.get(MATCHED, 0)
    missed = max(published - one.mark.published - given - left, 0)
    if one.attributes.filter_policy_scope == "message_attributes":
        other, special = Outcome.MESSAGE_ATTRIBUTES, Outcome.NO_MESSAGE_ATTRIBUTES
        of_these = min(bare - one.mark.bare, missed)
    else:
        other, special = Outcome.MESSAGE_BODY, Outcome.INVALID_MESSAGE_BODY
        of_these = min(invalid - one.mark.invalid, missed)
    for kind, count in ((special, of_these), (other, missed - of_these)):
        if count:
            found[kind.value] = found.get(kind.value, 0) + count
    return found


def _totals(registry: TopicRegistry, name: str, ids: tuple[str, ...]) -> Plan[list[int]]:
    try:
        found: list[int] = yield commands.stats(registry.keys(name), name, ids)
        return found
    except TopicDoesNotExist:
        registry.drop(name)
        raise
