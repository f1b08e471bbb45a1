"""Tasks: calls that are messages."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from pydantic import BaseModel

from rmq.core.clock import HeldClock
from rmq.errors import ConfigurationError, InvalidParameter
from rmq.worker import App, Context


@dataclass
class Point:
    x: int
    y: int


class Address(BaseModel):
    street: str


async def test_a_call_that_is_sent_is_made_by_a_worker(app, work):
    made: list[Any] = []

    @app.task(queue="mail")
    async def send_mail(to: str, subject: str = "none", *, copies: int = 1) -> None:
        """Send a mail."""
        made.append((to, subject, copies))

    async with work:
        handle = await send_mail.send("a@b.c", subject="x")
        await send_mail.delay(to="d", copies=2)
        ran = await work.run()
    assert made == [("a@b.c", "x", 1), ("d", "none", 2)]
    assert handle.queue == "mail"
    assert ran[0].message.id == handle.message_id
    assert ran[0].name == send_mail.name
    assert send_mail.__doc__ == "Send a mail."


class Unknown:
    """Nothing says how to read one from JSON."""


async def test_an_argument_of_any_type_gets_what_was_sent_and_one_of_no_known_type_fails(app, work):
    got: list[Any] = []

    @app.task(queue="any")
    async def take(what: object) -> None:
        got.append(what)

    @app.task(queue="any")
    async def never(what: Unknown) -> None:
        got.append(what)

    async with work:
        await take.send({"a": 1})
        await never.send({"a": 1})
        ran = await work.run()
    assert got == [{"a": 1}]
    assert [one.outcome for one in ran] == ["done", "unreadable"]


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
async def test_arguments_keep_their_types(app, work, encoding):
    got: list[Any] = []

    @app.task(queue="types", encoding=encoding)
    async def take(
        when: datetime, point: Point, address: Address, raw: bytes, many: list[Point], any_: Any
    ) -> None:
        got.extend((when, point, address, raw, many, any_))

    when = datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC)
    async with work:
        await take.send(when, Point(1, 2), Address(street="s"), b"\0\xff", [Point(3, 4)], {"a": 1})
        (ran,) = await work.run()
    assert ran.outcome == "done"
    assert got == [when, Point(1, 2), Address(street="s"), b"\0\xff", [Point(3, 4)], {"a": 1}]
    assert (ran.message.body[:1] == b"{") == (encoding == "json")


async def test_a_message_from_any_sdk_is_a_call(app, work):
    made = []

    @app.task(queue="mail", name="send_mail")
    async def send_mail(to: str, copies: int = 1) -> None:
        made.append((to, copies))

    async with work:
        queue = app.client.queue("mail")
        await queue.send('{"task": "send_mail", "args": ["a"], "from": "elsewhere"}')
        await queue.send(b' {"task": "send_mail", "kwargs": {"to": "b", "copies": 3}}')
        await queue.send(msgspec.msgpack.encode({"task": "send_mail", "args": ["c", 4]}))
        assert [one.outcome for one in await work.run()] == ["done"] * 3
    assert made == [("a", 1), ("b", 3), ("c", 4)]


@pytest.mark.parametrize(
    "body",
    [
        b"nonsense",
        b"[]",
        b"{}",
        b'{"task": 3}',
        b'{"task": "take", "args": ["not a number"]}',
        b'{"task": "take", "args": [1, 2]}',
        b'{"task": "take", "kwargs": {"other": 1}}',
        b'{"task": "take", "args": [1], "kwargs": {"number": 1}}',
        b'{"task": "take"}',
        b"\x81\xa4task",
    ],
)
async def test_a_message_that_is_no_call_is_a_dead_letter_at_once(app, work, body):
    @app.task(queue="tasks", name="take")
    async def take(number: int) -> None:
        raise AssertionError(number)

    async with work:
        await app.client.queue("tasks").send(body)
        (ran,) = await work.run()
        (dead,) = await work.dead_letters("tasks")
    assert ran.outcome == "unreadable"
    assert dead.failure.text


async def test_a_task_that_is_not_known_waits_for_a_worker_that_knows_it(app, work):
    @app.task(queue="tasks")
    async def known() -> None: ...

    async with work:
        await app.client.queue("tasks").send('{"task": "from.the.future"}')
        (ran,) = await work.run()
    assert ran.outcome == "retried"
    assert "from.the.future" in str(ran.error)


async def test_what_does_not_fit_is_not_sent(app):
    @app.task(queue="tasks")
    async def take(number: int, *, context: Context | None = None) -> None: ...

    with pytest.raises(InvalidParameter, match=r"arguments of .*take"):
        await take.send()
    with pytest.raises(InvalidParameter, match="what json can hold"):
        await take.send(object())
    with pytest.raises(InvalidParameter, match="options is 'colour'"):
        take.options(colour="red")
    with pytest.raises(InvalidParameter, match="no such option"):
        app.task(colour="red")
    with pytest.raises(InvalidParameter, match="encoding is 'pickle'"):
        app.task(encoding="pickle")(lambda: None)
    with pytest.raises(ConfigurationError, match="already"):
        app.task(queue="tasks")(take.__wrapped__)
    with pytest.raises(ConfigurationError, match="already"):
        app.handler("tasks")(take.__wrapped__)


async def test_a_call_waits_in_redis_until_its_moment(app, work):
    made = []

    @app.task(queue="tasks")
    async def note(what: str, context: Context) -> None:
        made.append((what, context.task_id))

    async with work:
        at = work.clock.now() + timedelta(days=40)
        later = await note.send_at(at, "far")
        await note.send_at(work.clock.now() - timedelta(days=1), "past")
        soon = await note.options(delay=5, id="my-id").send("soon")
        await work.run()
        assert [what for what, _ in made] == ["past"]
        work.clock.move(5)
        await work.run()
        assert made[1] == ("soon", soon.id) == ("soon", "my-id")
        work.clock.move(timedelta(days=40))
        # SQS keeps a message for 4 days; a call that is for later stays until then.
        await work.run()
    assert made[2:] == [("far", later.id)]


async def test_a_call_that_is_late_is_not_made(app, work):
    @app.task(queue="tasks")
    async def note() -> None:
        raise AssertionError

    async with work:
        await note.options(deadline=work.clock.now() + timedelta(seconds=5)).send()
        work.clock.move(6)
        (ran,) = await work.run()
        (dead,) = await work.dead_letters("tasks")
    assert ran.outcome == "rejected"
    assert dead.failure.text == "its deadline was 1 s ago"


def test_a_program_without_asyncio_sends_too(servers):
    app = App("memory://sync", clock=HeldClock())

    @app.task(queue="tasks")
    def note(what: str) -> None: ...

    app.sync_client.create_queue("tasks")
    handle = note.send_sync("x")
    (found,) = app.sync_client.queue("tasks").peek()
    assert found.id == handle.message_id
    assert note("called") is None
    app.sync_client.wipe()
    app.sync_client.close()
