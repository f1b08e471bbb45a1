"""A topic in asyncio. `sync.py` is made from this file: `make sync`."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from rmq.core.batch import BatchResult
from rmq.core.coalesce import AsyncCoalescer
from rmq.core.executor import AsyncExecutor
from rmq.core.limits import listed
from rmq.errors import RmqError
from rmq.queues.aio import AsyncQueue
from rmq.topics import finding, lifecycle, listening, publishing, replaying, subscribing, watching
from rmq.topics.attributes import TopicInfo, topic_name
from rmq.topics.filters.policy import FilterPolicyScope
from rmq.topics.message import Notification, Published
from rmq.topics.registry import TopicRegistry
from rmq.topics.subscription import Subscription, Subscriptions
from rmq.topics.watching import SubscriptionStats, TopicStats, Verdict

Attributes = Mapping[str, Any]
NO_EXTRAS = (None, None, False, None, None)
"""A publish of nothing but a message."""


def _name_of(given: Any) -> Any:
    """A queue's name, or what is no queue as it is."""
    return getattr(given, "name", given)


class AsyncTopic:
    """One topic. Get it from `client.topic(name)`, `get_topic` or `create_topic`.

    Messages that tasks publish at the same time go to Redis together; each has its own result or
    its own error.
    """

    def __init__(self, name: str, registry: TopicRegistry, executor: AsyncExecutor) -> None:
        self.name = topic_name(name)
        self._registry = registry
        self._executor = executor
        self._publishes: AsyncCoalescer[Notification | str | bytes, Published] = AsyncCoalescer(
            self._publish, parallel=1 if self.is_fifo else 2
        )

    def __repr__(self) -> str:
        return f"<topic {self.name!r} in {self._registry.namespace!r}>"

    @property
    def is_fifo(self) -> bool:
        """Whether the name ends in .fifo: order within groups, and deduplication."""
        return self.name.endswith(".fifo")

    @property
    def arn(self) -> str:
        """Its ARN, with this client's account and region."""
        return self._registry.place.arn("sns", self.name)

    @property
    def known(self) -> TopicInfo | None:
        """What this client last saw of it, without asking; None before its first use."""
        return self._registry.known(self.name)

    # --- publishing ---

    async def publish(
        self,
        message: str | bytes,
        *,
        subject: str | None = None,
        attributes: Attributes | None = None,
        by_protocol: bool = False,
        message_group_id: str | None = None,
        deduplication_id: str | None = None,
    ) -> Published:
        """Publish one message. When this returns, Redis has it, and unless something was in the way
        each matching queue has it too; whatever was in the way, it gets there later.

        *message* is text, or bytes that are text in UTF-8: at least 1 character, at most the
        topic's maximum_message_size in bytes together with the attributes.
        *subject*: up to 100 characters, no line breaks.
        *attributes* are typed values: str (String), int or float (Number), bytes (Binary), list
        (String.Array), or a MessageAttribute.
        *by_protocol*: the message is a JSON object with a text for each protocol and `default`.
        *message_group_id* is needed on FIFO topics. *deduplication_id* is for FIFO topics, and
        needed there unless content_based_deduplication is on.

        Raises InvalidParameter, TopicDoesNotExist, OutOfMemory, ConnectionLost.
        Source: Publish (Amazon SNS API Reference).
        """
        extras = (subject, attributes, by_protocol, message_group_id, deduplication_id)
        if extras == NO_EXTRAS:
            return await self._publishes.submit(message)
        return await self._publishes.submit(Notification(message, *extras))

    async def publish_many(
        self, messages: Iterable[Notification | str | bytes]
    ) -> BatchResult[Published]:
        """Publish any number of messages, in the order given. One result or error for each.

        Raises what concerns the first call as a whole: TopicDoesNotExist, OutOfMemory,
        ConnectionLost.
        """
        return BatchResult(tuple(await self._publish(listed(messages, "messages", "messages"))))

    async def _publish(
        self, messages: Sequence[Notification | str | bytes]
    ) -> list[Published | RmqError]:
        return await self._executor.run(publishing.publish(self._registry, self.name, messages))

    # --- subscriptions ---

    async def subscribe(
        self,
        endpoint: AsyncQueue | str,
        protocol: str | None = None,
        *,
        raw_message_delivery: bool = False,
        filter_policy: Mapping[str, Any] | str | None = None,
        filter_policy_scope: FilterPolicyScope = "message_attributes",
        dead_letter_queue: AsyncQueue | str | None = None,
        delivery_policy: Mapping[str, Any] | str | None = None,
        subscription_role_arn: str | None = None,
        account: str | None = None,
    ) -> Subscription:
        """Subscribe something. The same protocol and endpoint again is the same subscription.

        *endpoint* is a queue (or its name or ARN: protocol sqs), a URL (http, https), an address
        (email, email-json), a number (sms), the name of a callable that a dispatcher runs (lambda),
        the ARN of a platform endpoint (application) or of a delivery stream (firehose). *protocol*
        may be left out for queues and URLs.
        *dead_letter_queue* gets what can not be delivered.
        *account* is who subscribes, by default the topic's owner; a queue of another account has to
        confirm (a message with a token goes there), as URLs and addresses have to.

        Raises InvalidParameter, TopicDoesNotExist, QueueDoesNotExist (no such queue),
        SubscriptionExists (with other attributes), TooManySubscriptions, TooManyFilterPolicies.
        Source: Subscribe (Amazon SNS API Reference).
        """
        return await self._executor.run(
            subscribing.subscribe(
                self._registry,
                self.name,
                _name_of(endpoint),
                protocol,
                {
                    "raw_message_delivery": raw_message_delivery,
                    "filter_policy": filter_policy,
                    "filter_policy_scope": filter_policy_scope,
                    "dead_letter_queue": _name_of(dead_letter_queue),
                    "delivery_policy": delivery_policy,
                    "subscription_role_arn": subscription_role_arn,
                },
                account=account,
            )
        )

    async def confirm_subscription(
        self,
        token: str,
        *,
        authenticate_on_unsubscribe: bool = False,
        authenticated: bool = True,
    ) -> Subscription:
        """Confirm the subscription that got *token*; again with the same token changes nothing.

        Raises InvalidParameter (no such token, or older than 2 days).
        Source: ConfirmSubscription (Amazon SNS API Reference).
        """
        return await self._executor.run(
            subscribing.confirm(
                self._registry,
                self.name,
                token,
                authenticate_on_unsubscribe=authenticate_on_unsubscribe,
                authenticated=authenticated,
            )
        )

    async def subscription(self, id: str) -> Subscription:
        """One subscription by its id or ARN, as it is now. Raises SubscriptionDoesNotExist."""
        return await self._executor.run(finding.find(self._registry, self.name, id))

    async def subscriptions(self, *, limit: int = 100, token: str | None = None) -> Subscriptions:
        """Up to *limit* (1 to 1,000) subscriptions, going on behind *token*."""
        return await self._executor.run(finding.page(self._registry, self.name, limit, token))

    async def all_subscriptions(self) -> AsyncIterator[Subscription]:
        """Every subscription, however many there are."""
        token = None
        while True:
            page = await self.subscriptions(limit=1000, token=token)
            for one in page:
                yield one
            token = page.next_token
            if token is None:
                return

    async def set_subscription(self, id: str, **attributes: Any) -> Subscription:
        """Change attributes of a subscription (names of SubscriptionAttributes); None takes one
        away. They hold for what is published from now on.

        Raises InvalidParameter, SubscriptionDoesNotExist, TooManyFilterPolicies.
        Source: SetSubscriptionAttributes (Amazon SNS API Reference).
        """
        return await self._executor.run(
            subscribing.set_attributes(self._registry, self.name, id, attributes)
        )

    async def unsubscribe(self, id: str, *, farewell: bool = False) -> bool:
        """End a subscription, by its id or ARN. False when there was none.

        With *farewell* an endpoint that had to confirm gets a last message
        (UnsubscribeConfirmation), by which it can subscribe again.
        Source: Unsubscribe (Amazon SNS API Reference).
        """
        return await self._executor.run(
            subscribing.unsubscribe(self._registry, self.name, id, farewell=farewell)
        )

    # --- listening, replaying, looking ---

    async def listen(
        self,
        *,
        filter_policy: Mapping[str, Any] | str | None = None,
        filter_policy_scope: FilterPolicyScope = "message_attributes",
    ) -> AsyncIterator[listening.Heard]:
        """Hear what is published from now on, live (Redis Pub/Sub). Nothing is kept: who does not
        listen, or loses the connection, misses it.

            async for message in topic.listen():
                print(message.text)

        Raises TopicDoesNotExist, InvalidFilterPolicy.
        """
        hearing = await self._executor.run(
            listening.tune_in(self._registry, self.name, filter_policy, filter_policy_scope)
        )
        async for payload in self._executor.listen(hearing.channel, hearing.stay, hearing.stay_s):
            for message in hearing.hear(payload):
                yield message

    async def replay(self, id: str, start: datetime, end: datetime | None = None) -> Subscription:
        """Deliver archived messages from *start* to a subscription of a FIFO topic again; up to
        *end*, or on into what is published from now on. A new replay takes the place of one that
        runs. Raises InvalidParameter, SubscriptionDoesNotExist.
        Source: Message archiving and replay for FIFO topics (Amazon SNS Developer Guide).
        """
        return await self._executor.run(replaying.replay(self._registry, self.name, id, start, end))

    async def stop_replay(self, id: str) -> Subscription:
        """End a replay; what is published from now on is delivered."""
        return await self._executor.run(replaying.stop(self._registry, self.name, id))

    async def archive_begins(self) -> datetime:
        """The moment from which the archive of a FIFO topic has everything (BeginningArchiveTime).
        Raises InvalidParameter where it keeps none."""
        return await self._executor.run(replaying.archive_begins(self._registry, self.name))

    async def replay_status(self, id: str) -> str | None:
        """Pending, In progress, Completed or Failed; None where there was no replay."""
        return await self._executor.run(replaying.status(self._registry, self.name, id))

    async def explain(
        self,
        message: Notification | str | bytes,
        *,
        subscription: str | None = None,
    ) -> list[Verdict]:
        """For each subscription (or the one) whether it would get *message*, and if not, which
        condition of its filter policy refused it. Nothing is published."""
        return await self._executor.run(
            watching.explain(self._registry, self.name, message, subscription)
        )

    async def stats(self) -> TopicStats:
        """Totals: published, waiting in the outbox, bytes, subscriptions."""
        return await self._executor.run(watching.stats(self._registry, self.name))

    async def subscription_stats(self, id: str) -> SubscriptionStats:
        """Of one subscription: delivered, failed, filtered out by kind, latency, backlog."""
        return await self._executor.run(watching.subscription_stats(self._registry, self.name, id))

    async def info(self) -> TopicInfo:
        """Attributes and times as they are now."""
        return await self._executor.run(lifecycle.describe(self._registry, self.name))

    # --- the topic itself ---

    async def set_attributes(
        self, *, if_version: str | None = None, **attributes: Any
    ) -> TopicInfo:
        """Change attributes, all of them or none; None takes one away.

        The names are those of TopicAttributes. *if_version* is the version of the TopicInfo that
        the change was worked out from: when the topic has another by now, nothing is changed.
        Raises InvalidParameter, TopicDoesNotExist; with *if_version* StaleConfig.
        Source: SetTopicAttributes (Amazon SNS API Reference).
        """
        return await self._executor.run(
            lifecycle.set_attributes(self._registry, self.name, attributes, if_version)
        )

    async def tags(self) -> dict[str, str]:
        """All tags."""
        return await self._executor.run(lifecycle.tag(self._registry, self.name, {}, ()))

    async def tag(self, tags: Mapping[str, str]) -> dict[str, str]:
        """Set tags; a key that stands gets the new value. Returns all. At most 50."""
        return await self._executor.run(lifecycle.tag(self._registry, self.name, tags, ()))

    async def untag(self, keys: Iterable[str]) -> dict[str, str]:
        """Remove tags; unknown keys are ignored. Returns what is left."""
        return await self._executor.run(lifecycle.tag(self._registry, self.name, {}, keys))

    async def sweep(self, *, older_than: timedelta | float = 0) -> int:
        """Finish what publishers left unfinished for *older_than*, and forget what is over (expired
        confirmations, archives). How many deliveries that were. Publishers and dispatchers do this
        by themselves; a topic that nobody touches may want it."""
        return await self._executor.run(publishing.sweep(self._registry, self.name, older_than))

    async def delete_topic(self) -> bool:
        """Remove the topic with its subscriptions. False when there was none.

        Raises ArchiveActive while it keeps an archive (set archive_retention to None first).
        """
        return await self._executor.run(lifecycle.delete(self._registry, self.name))
