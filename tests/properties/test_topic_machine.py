"""Hypothesis plays with real topics and with a plain model beside them, and looks for a difference.

Publishers die in the middle, and some come back and go on; queues and subscriptions come and go.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

import rmq
from rmq import Notification
from rmq.testing import HeldClock, private_namespace
from rmq.topics import publishing
from tests.properties.hand import Hand
from tests.servers import single_server

SWEEP_S = 60
LEFT_S = 5
LEASE_S = 5
NAMES = ("a", "b", "c")

queues = st.sampled_from(NAMES)
filters = st.sampled_from([None, "red", "blue"])
colours = st.lists(st.sampled_from(["red", "blue", "green"]), min_size=1, max_size=4)


@dataclass(eq=False)
class Subscriber:
    """A queue's subscription in the model."""

    id: str
    colour: str | None
    since: int
    """How many batches had been published."""

    def wants(self, colour: str) -> bool:
        return self.colour in (None, colour)


@dataclass(eq=False)
class Batch:
    """What was published together, and is perhaps still in the outbox."""

    number: int
    at: float
    messages: list[tuple[str, str]]
    """Text and colour."""
    who: dict[str, list[int]]
    """Queue -> which of them the publisher means to give it."""
    taken: dict[str, int] = field(default_factory=dict)
    """Queue -> the last one that it took."""
    hand: Hand | None = None
    gave: bool = False
    """Whether its publisher has come so far."""
    sweeps: bool = False
    """Whether its publisher was told that a sweep is due, and will see to it at the end."""


class TopicMachine(RuleBasedStateMachine):
    """What the machines of both kinds share."""

    url = "memory://"
    suffix = ""

    def __init__(self) -> None:
        super().__init__()
        self.clock = HeldClock()
        self.namespace = private_namespace()
        self.client = self.connect()
        self.topic = self.client.create_topic("news" + self.suffix)
        self.subscribers: dict[str, Subscriber] = {}
        self.content: dict[str, list[str]] = {}
        self.number = 0
        for name in NAMES:
            self.client.create_queue(name + self.suffix)
            self.content[name] = []

    def connect(self) -> Any:
        return rmq.connect(self.url, namespace=self.namespace, clock=self.clock)

    def teardown(self) -> None:
        self.client.wipe()
        self.client.close()

    def queue(self, name: str) -> Any:
        return self.client.queue(name + self.suffix)

    def found(self, name: str) -> list[str]:
        return [one.text for one in self.queue(name).peek(1000)]

    @property
    def now(self) -> float:
        return self.clock.now_ms() / 1000

    def policy(self, colour: str | None) -> dict[str, list[str]] | None:
        return None if colour is None else {"colour": [colour]}

    def notifications(self, found: list[str]) -> list[tuple[str, str]]:
        messages = []
        for colour in found:
            self.number += 1
            messages.append((f"{self.number}", colour))
        return messages


class StandardMachine(TopicMachine):
    def __init__(self) -> None:
        super().__init__()
        self.batches: list[Batch] = []
        self.outbox: list[Batch] = []
        self.sweep_at = self.now + SWEEP_S

    # --- what can happen ---

    @rule(by=st.sampled_from([0.001, 1, 4, 5, 30, 61]))
    def time_passes(self, by: float) -> None:
        self.clock.move(by)

    @rule(name=queues, colour=filters)
    def subscribe(self, name: str, colour: str | None) -> None:
        if name in self.subscribers or name not in self.content:
            return
        one = self.topic.subscribe(
            name, raw_message_delivery=True, filter_policy=self.policy(colour)
        )
        self.subscribers[name] = Subscriber(one.id, colour, len(self.batches))

    @rule(name=queues)
    def unsubscribe(self, name: str) -> None:
        if name in self.subscribers:
            assert self.topic.unsubscribe(self.subscribers.pop(name).id)

    @rule(name=queues, colour=filters)
    def set_filter(self, name: str, colour: str | None) -> None:
        if name in self.subscribers:
            one = self.subscribers[name]
            self.topic.set_subscription(one.id, filter_policy=self.policy(colour))
            one.colour = colour

    @rule(name=queues)
    def delete_queue(self, name: str) -> None:
        if name in self.content:
            self.queue(name).delete_queue()
            del self.content[name]
            for batch in self.batches:
                batch.taken.pop(name, None)

    @rule(name=queues)
    def create_queue(self, name: str) -> None:
        if name not in self.content:
            self.client.create_queue(name)
            self.content[name] = []

    def published(self, found: list[str]) -> tuple[Batch, list[Notification]]:
        messages = self.notifications(found)
        who = {
            name: [i for i, (_, colour) in enumerate(messages) if one.wants(colour)]
            for name, one in self.subscribers.items()
        }
        who = {name: which for name, which in who.items() if which}
        batch = Batch(len(self.batches), self.now, messages, who)
        self.batches.append(batch)
        if who:
            self.outbox.append(batch)
        given = [Notification(text, attributes={"colour": colour}) for text, colour in messages]
        return batch, given

    @rule(found=colours)
    def publish(self, found: list[str]) -> None:
        batch, given = self.published(found)
        if len(given) == 1:
            one = given[0]
            results = [self.topic.publish(one.message, attributes=one.attributes)]
        else:
            results = list(self.topic.publish_many(given))
        assert [one.matched for one in results] == [
            sum(i in which for which in batch.who.values()) for i in range(len(given))
        ]
        self.give(batch)
        if self.now >= self.sweep_at:
            self.sweep_at = self.now + SWEEP_S
            self.finish_older_than(LEFT_S)

    @rule(found=colours, gives=st.booleans())
    def publish_and_die(self, found: list[str], gives: bool) -> None:
        batch, given = self.published(found)
        batch.hand = Hand(self.client, publishing.publish(self.client._topics, "news", given))
        batch.hand.through("topics.publish")
        batch.sweeps = self.now >= self.sweep_at
        if gives and batch.who:
            batch.hand.through("Several")
            # Where all its queues are unknown the first step asks for them, the second gives.
            if not self.all_have(batch):
                batch.hand.through("Several")
            batch.gave = True
            self.take(batch, batch.who)

    def all_have(self, batch: Batch) -> bool:
        """Whether the messages are at some queue that exists."""
        there = [name for name in batch.who if name in self.content]
        if not there:
            return True
        text = batch.messages[batch.who[there[0]][-1]][0]
        return text in self.found(there[0])

    @precondition(lambda self: any(one.hand for one in self.batches))
    @rule(data=st.data())
    def a_dead_publisher_comes_back(self, data: st.DataObject) -> None:
        batch = data.draw(st.sampled_from([one for one in self.batches if one.hand]))
        assert batch.hand is not None
        batch.hand.finish()
        batch.hand = None
        if not batch.gave:
            self.take(batch, batch.who)
        if batch in self.outbox:
            self.outbox.remove(batch)
        if batch.sweeps:
            self.sweep_at = self.now + SWEEP_S
            self.finish_older_than(LEFT_S)

    @rule()
    def sweep(self) -> None:
        self.topic.sweep()
        self.sweep_at = self.now + SWEEP_S
        self.finish_older_than(0)

    # --- the model ---

    def take(self, batch: Batch, who: dict[str, list[int]]) -> None:
        for name, which in who.items():
            last = batch.taken.get(name, -1)
            new = [i for i in which if i > last]
            if name in self.content and new:
                self.content[name] += [batch.messages[i][0] for i in new]
                batch.taken[name] = new[-1]

    def give(self, batch: Batch) -> None:
        self.take(batch, batch.who)
        if batch in self.outbox:
            self.outbox.remove(batch)

    def finish_older_than(self, seconds: float) -> None:
        for batch in list(self.outbox):
            if seconds and self.now - batch.at < seconds:
                continue
            who = {
                name: [i for i, (_, colour) in enumerate(batch.messages) if one.wants(colour)]
                for name, one in self.subscribers.items()
                if one.since <= batch.number
            }
            self.take(batch, who)
            self.outbox.remove(batch)

    # --- what must hold after each ---

    @invariant()
    def every_queue_has_what_the_model_has(self) -> None:
        for name, texts in self.content.items():
            assert Counter(self.found(name)) == Counter(texts), name

    @invariant()
    def the_outbox_has_what_the_model_has(self) -> None:
        stats = self.topic.stats()
        assert stats.outbox == sum(len(one.messages) for one in self.outbox)
        assert stats.published == self.number
        assert stats.subscriptions == len(self.subscribers)


class FifoMachine(TopicMachine):
    """What a queue should have is known at once; when it has it is for the relayers to say."""

    suffix = ".fifo"

    def __init__(self) -> None:
        super().__init__()
        self.groups: dict[str, str] = {}
        self.sent: list[tuple[str, float]] = []
        self.hands: list[Hand] = []
        self.clients: list[Any] = []

    def settle(self) -> None:
        """Let leases end, and the rest be relayed."""
        self.clock.move(LEASE_S)
        self.topic.sweep()
        for name in self.content:
            assert Counter(self.found(name)) == Counter(self.content[name]), name

    @rule(by=st.sampled_from([0.001, 1, 4, 5]))
    def time_passes(self, by: float) -> None:
        self.clock.move(by)

    @rule(name=queues, colour=filters)
    def subscribe(self, name: str, colour: str | None) -> None:
        self.settle()
        if name in self.subscribers:
            return
        one = self.topic.subscribe(
            name + self.suffix, raw_message_delivery=True, filter_policy=self.policy(colour)
        )
        self.subscribers[name] = Subscriber(one.id, colour, 0)

    @rule(name=queues)
    def unsubscribe(self, name: str) -> None:
        if name in self.subscribers:
            self.settle()
            assert self.topic.unsubscribe(self.subscribers.pop(name).id)

    @rule(name=queues, colour=filters)
    def set_filter(self, name: str, colour: str | None) -> None:
        if name in self.subscribers:
            self.settle()
            one = self.subscribers[name]
            self.topic.set_subscription(one.id, filter_policy=self.policy(colour))
            one.colour = colour

    def published(self, found: list[str], group: str) -> list[Notification]:
        given = []
        for text, colour in self.notifications(found):
            given.append(
                Notification(
                    text,
                    attributes={"colour": colour},
                    message_group_id=group,
                    deduplication_id=text,
                )
            )
            self.groups[text] = group
            self.sent.append((text, self.now))
            for name, one in self.subscribers.items():
                if one.wants(colour):
                    self.content[name].append(text)
        return given

    @rule(found=colours, group=st.sampled_from("xy"))
    def publish(self, found: list[str], group: str) -> None:
        for one in self.topic.publish_many(self.published(found, group)):
            assert isinstance(one, rmq.Published)
            assert not one.is_duplicate

    @precondition(lambda self: self.sent)
    @rule(data=st.data())
    def publish_again(self, data: st.DataObject) -> None:
        known = [text for text, at in self.sent if self.now - at < 300]
        if known:
            id = data.draw(st.sampled_from(known))
            one = self.topic.publish("again", message_group_id="x", deduplication_id=id)
            assert one.is_duplicate

    @rule(found=colours, group=st.sampled_from("xy"), steps=st.integers(0, 6))
    def publish_and_die(self, found: list[str], group: str, steps: int) -> None:
        given = self.published(found, group)
        client = self.connect()
        self.clients.append(client)
        hand = Hand(client, publishing.publish(client._topics, "news.fifo", given))
        hand.through("topics.publish_fifo")
        for _ in range(steps):
            if not hand.is_over:
                hand.step()
        self.hands.append(hand)

    @precondition(lambda self: self.hands)
    @rule(data=st.data())
    def a_dead_publisher_comes_back(self, data: st.DataObject) -> None:
        hand = data.draw(st.sampled_from(self.hands))
        self.hands.remove(hand)
        hand.finish()

    @precondition(lambda self: self.hands)
    @rule(data=st.data())
    def a_dead_publisher_makes_one_more_step(self, data: st.DataObject) -> None:
        hand = data.draw(st.sampled_from(self.hands))
        if not hand.is_over:
            hand.step()

    @rule()
    def all_is_relayed(self) -> None:
        self.settle()

    @invariant()
    def every_group_has_come_in_order_so_far(self) -> None:
        for name, texts in self.content.items():
            found = self.found(name)
            for group in "xy":
                wanted = [text for text in texts if self.groups[text] == group]
                has = [text for text in found if self.groups[text] == group]
                assert has == wanted[: len(has)], name

    def teardown(self) -> None:
        self.settle()
        assert self.topic.stats().outbox == 0
        for client in self.clients:
            client.close()
        super().teardown()


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    with single_server() as server:
        yield server.url


@pytest.mark.parametrize("machine", [StandardMachine, FifoMachine])
@pytest.mark.parametrize("place", ["memory", "single"])
def test_a_topic_behaves_like_its_model(
    machine: type[TopicMachine], place: str, request: pytest.FixtureRequest
) -> None:
    """Publishes, subscriptions, filters, queues that come and go, crashes, sweeps, time."""
    url = "memory://" if place == "memory" else request.getfixturevalue("server_url")
    kind = type(machine.__name__, (machine,), {"url": url})
    run_state_machine_as_test(
        kind,
        settings=settings(
            max_examples=15 if place == "memory" else 100,
            stateful_step_count=40,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            database=None,
            report_multiple_bugs=False,
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
        ),
    )
