"""Hypothesis plays with real queues and with the model beside them, and looks for a difference."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import fakeredis
import pytest
import redis
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
from rmq.core.connection import _memory_server
from rmq.core.keys import QueueKeys
from rmq.errors import MessageDoesNotExist, MessageNotInFlight, StaleReceipt
from rmq.queues.outbox import RELAY_STEP
from rmq.testing import HeldClock, private_namespace
from tests.properties.index import check_index
from tests.properties.model import Kept, Model
from tests.servers import single_server

VISIBILITY_MS = 30_000
RETENTION_MS = 600_500
"""No sum of moves: a message sent in the same ms as another lies a few us behind it."""
MAX_RECEIVES = 2

counts = st.integers(1, 10)
moves = st.sampled_from([0.001, 1, 5, 29, 30, 31, 120, 299, 301])


class QueueMachine(RuleBasedStateMachine):
    """One queue with its dead-letter queue. The subclasses say which URL and which type."""

    url = "memory://"
    suffix = ""

    def __init__(self) -> None:
        super().__init__()
        self.clock = HeldClock()
        self.client = rmq.connect(self.url, namespace=private_namespace(), clock=self.clock)
        if self.url == "memory://":
            self.redis = fakeredis.FakeRedis(server=_memory_server(""))
        else:
            self.redis = redis.Redis.from_url(self.url)
        retention = {"message_retention_period": RETENTION_MS / 1000}
        self.dead = self.client.create_queue("dead" + self.suffix, **retention)
        self.queue = self.client.create_queue(
            "orders" + self.suffix,
            redrive_policy={
                "dead_letter_queue": "dead" + self.suffix,
                "max_receive_count": MAX_RECEIVES,
            },
            **retention,
        )
        is_fifo = bool(self.suffix)
        self.model = Model(is_fifo, RETENTION_MS)
        self.dead_model = Model(is_fifo, RETENTION_MS)
        self.receipts: list[tuple[Any, Kept, int]] = []
        self.number = 0

    def teardown(self) -> None:
        for queue in (self.queue, self.dead):
            queue.delete_queue()
        self.client.close()
        self.redis.close()

    @property
    def now(self) -> int:
        return self.clock.now_ms()

    def keep(self, model: Model, sent: rmq.Sent, body: bytes, group: str, delay_ms: int) -> None:
        now = self.now
        model.kept.append(Kept(sent.id, body, group, now, now + RETENTION_MS, now + delay_ms))

    # --- what can happen ---

    @rule(by=moves)
    def time_passes(self, by: float) -> None:
        self.clock.move(by)
        for model in (self.model, self.dead_model):
            model.expire(self.now)

    @rule(count=counts)
    def receive(self, count: int) -> None:
        available = self.model.available(self.now)
        over = [one for one in available if one.count >= MAX_RECEIVES]
        turns = self.turns(count) if self.model.is_fair else None
        fit = [one for one in available if one.count < MAX_RECEIVES]
        got = self.queue.receive(count)
        found = [self.model.find(one.id) for one in got]
        assert all(one in fit for one in found), "received what was not to be had"
        assert len(set(map(id, found))) == len(found), "received one message twice at once"
        moved = self.moved_by_receive(over)
        if not over:
            assert len(got) == min(count, len(fit))
        elif not self.model.is_fifo:
            assert len(got) + len(moved) >= min(count, len(available))
        if turns is not None:
            assert found == turns
        else:
            self.check_order([one for one in found if one], fit)
        for message, one in zip(got, found, strict=True):
            assert one is not None
            one.count += 1
            assert message.receive_count == one.count + one.before
            assert message.body == one.body
            assert message.message_group_id == (one.group or None)
            one.visible_ms = self.now + VISIBILITY_MS
            self.receipts.append((message, one, one.count))

    def turns(self, count: int) -> list[Kept]:
        """What a receive from a fair queue hands out. A message over its limit has its turn as
        well, and a receive that got none but such looks again."""
        rest = Model(False, RETENTION_MS, kept=list(self.model.kept))
        while turns := rest.turns(count, self.now):
            if fit := [one for one in turns if one.count < MAX_RECEIVES]:
                return fit
            rest.kept = [one for one in rest.kept if one not in turns]
        return []

    def moved_by_receive(self, over: list[Kept]) -> list[Kept]:
        """The receive may have moved any of those over their limit; the dead-letter queue knows."""
        there = {one.id: place for place, one in enumerate(self.dead.peek(1000))}
        moved = sorted((one for one in over if one.id in there), key=lambda one: there[one.id])
        for one in moved:
            self.model.kept.remove(one)
            expires = self.now + RETENTION_MS if self.model.is_fifo else one.expires_ms
            self.dead_model.kept.append(
                Kept(one.id, one.body, one.group, one.sent_ms, expires, self.now, 0, one.count)
            )
        return moved

    def check_order(self, found: list[Kept], fit: list[Kept]) -> None:
        if self.model.is_fifo:
            for group in {one.group for one in found}:
                mine = [one for one in found if one.group == group]
                assert mine == [one for one in fit if one.group == group][: len(mine)]
        else:
            place = {id(one): i for i, one in enumerate(self.model.kept)}
            fresh = [place[id(one)] for one in found if not one.count]
            assert fresh == sorted(fresh) or any(one.visible_ms > one.sent_ms for one in found)

    @precondition(lambda self: self.receipts)
    @rule(data=st.data())
    def delete(self, data: st.DataObject) -> None:
        message, one, count = data.draw(st.sampled_from(self.receipts))
        there = one in self.model.kept
        held = there and one.count == count
        if self.model.is_fifo and there and (not held or one.visible_ms <= self.now):
            with pytest.raises(StaleReceipt):
                message.delete()
            return
        assert message.delete() is held
        if held:
            self.model.kept.remove(one)

    @precondition(lambda self: self.receipts)
    @rule(data=st.data(), timeout=st.sampled_from([0, 1, 10, 100]))
    def change_visibility(self, data: st.DataObject, timeout: int) -> None:
        message, one, count = data.draw(st.sampled_from(self.receipts))
        if one not in self.model.kept:
            with pytest.raises(MessageDoesNotExist):
                message.change_visibility(timeout)
        elif one.count != count or one.visible_ms <= self.now:
            with pytest.raises((StaleReceipt, MessageNotInFlight)):
                message.change_visibility(timeout)
        else:
            message.change_visibility(timeout)
            one.visible_ms = self.now + timeout * 1000

    @precondition(lambda self: self.dead_model.kept)
    @rule()
    def redrive(self) -> None:
        before = self.leaving(self.dead_model)
        task = self.dead.redrive()
        assert task.status == "COMPLETED"
        assert task.moved == len(before)
        back = self.queue.peek(1000)[len(self.model.kept) :]
        bodies = [one.body for one in back]
        assert bodies == [one.body for one in before]
        for one, peeked in zip(before, back, strict=True):
            self.model.kept.append(
                Kept(peeked.id, one.body, one.group, self.now, self.now + RETENTION_MS, self.now)
            )
        self.dead_model.kept = []

    def leaving(self, model: Model) -> list[Kept]:
        """All of a queue, in the order in which a redrive takes it out."""
        if not model.is_fair:
            return list(model.kept)
        rest, found = Model(False, RETENTION_MS, kept=list(model.kept)), []
        while turns := rest.turns(RELAY_STEP, self.now):
            found += turns
            rest.kept = [one for one in rest.kept if one not in turns]
        return found

    @rule()
    def purge(self) -> None:
        expected = len(self.model.kept)
        self.queue.sweep()
        assert self.queue.purge() == expected
        self.model.kept = []
        self.model.known = {}

    # --- what must hold after each ---

    @invariant()
    def counts_agree(self) -> None:
        for queue, model in ((self.queue, self.model), (self.dead, self.dead_model)):
            now, stats = self.now, queue.stats()
            assert stats.messages == len(model.kept)
            assert stats.in_flight == len(model.in_flight(now))
            assert stats.delayed == len(model.delayed(now))
            assert stats.outbox == 0

    @invariant()
    def index_agrees(self) -> None:
        if not self.model.is_fifo:
            for queue in (self.queue, self.dead):
                check_index(self.redis, QueueKeys(self.client.namespace, queue.name))

    @invariant()
    def peek_agrees(self) -> None:
        for queue, model in ((self.queue, self.model), (self.dead, self.dead_model)):
            assert [one.id for one in queue.peek(1000)] == [one.id for one in model.kept]


class StandardMachine(QueueMachine):
    @rule(delay=st.sampled_from([None, None, 0, 3, 60]), count=st.integers(1, 4))
    def send(self, delay: int | None, count: int) -> None:
        messages = []
        for _ in range(count):
            self.number += 1
            messages.append(rmq.Outgoing(b"%d" % self.number, delay=delay))
        for message, sent in zip(messages, self.queue.send_many(messages), strict=True):
            assert isinstance(sent, rmq.Sent)
            self.keep(self.model, sent, bytes(message.body), "", 1000 * (delay or 0))


class FairMachine(QueueMachine):
    """A standard queue whose messages may have a group."""

    @rule(
        groups=st.lists(
            st.sampled_from([None, "noisy", "noisy", "calm", "quiet"]), min_size=1, max_size=5
        ),
        delay=st.sampled_from([None, None, None, 0, 3, 60]),
    )
    def send(self, groups: list[str | None], delay: int | None) -> None:
        messages = []
        for group in groups:
            self.number += 1
            messages.append(rmq.Outgoing(b"%d" % self.number, delay=delay, message_group_id=group))
        for message, sent in zip(messages, self.queue.send_many(messages), strict=True):
            assert isinstance(sent, rmq.Sent)
            group = message.message_group_id or ""
            self.keep(self.model, sent, bytes(message.body), group, 1000 * (delay or 0))


class FifoMachine(QueueMachine):
    suffix = ".fifo"

    @rule(group=st.sampled_from("abc"), key=st.one_of(st.none(), st.integers(0, 3)))
    def send(self, group: str, key: int | None) -> None:
        self.number += 1
        name = f"key{key}" if key is not None else f"own{self.number}"
        body = b"%d" % self.number
        first = self.model.duplicate_of(name, self.now)
        sent = self.queue.send(body, message_group_id=group, deduplication_id=name)
        assert sent.is_duplicate is (first is not None)
        if first is not None:
            assert sent.id == first
            return
        self.model.known[name] = (sent.id, self.now)
        self.keep(self.model, sent, body, group, 0)


@pytest.fixture(scope="module")
def server_url() -> Iterator[str]:
    server = single_server()
    yield server.url
    server.stop()


@pytest.mark.parametrize("machine", [StandardMachine, FairMachine, FifoMachine])
@pytest.mark.parametrize("place", ["memory", "single"])
def test_a_queue_behaves_like_its_model(
    machine: type[QueueMachine], place: str, request: pytest.FixtureRequest
) -> None:
    """Sends, receives, deletes, visibility changes, dead letters, redrives, time: in any order."""
    url = "memory://" if place == "memory" else request.getfixturevalue("server_url")
    kind = type(machine.__name__, (machine,), {"url": url})
    run_state_machine_as_test(
        kind,
        settings=settings(
            max_examples=40,
            stateful_step_count=50,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            derandomize=True,
            database=None,
            report_multiple_bugs=False,
            phases=[Phase.explicit, Phase.generate, Phase.shrink],
        ),
    )
