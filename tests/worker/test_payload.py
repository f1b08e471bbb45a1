"""Payloads: from a body to what a function takes, and which functions there may be. Nothing here
is about Redis, so it is the one in this process."""

from __future__ import annotations

import functools
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import pytest
from pydantic import BaseModel, Field

from rmq.errors import ConfigurationError, InvalidParameter
from rmq.testing import working
from rmq.worker import App
from rmq.worker.payload import reader


class Cat(BaseModel):
    kind: Literal["cat"]
    lives: int


class Dog(BaseModel):
    kind: Literal["dog"]


Animal = Annotated[Cat | Dog, Field(discriminator="kind")]


class Box(msgspec.Struct):
    size: int


@dataclass
class Crate:
    size: int
    lid: str


class Message:
    def __init__(self, body: bytes) -> None:
        self.body = body


def read(annotation: Any, body: bytes) -> Any:
    return reader(annotation, "x of f")(Message(body))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("annotation", "body", "wanted"),
    [
        (str | None, b"plain", "plain"),
        (bytes | None, b"\xff", b"\xff"),
        (bytearray, b"\xff", bytearray(b"\xff")),
        (Cat | None, b'{"kind":"cat","lives":9}', Cat(kind="cat", lives=9)),
        (Cat | None, b"null", None),
        (list[Cat], b'[{"kind":"cat","lives":9}]', [Cat(kind="cat", lives=9)]),
        (Animal, b'{"kind":"dog"}', Dog(kind="dog")),
        (int | Dog, b"5", 5),
        (Crate | Dog, b'{"size":1,"lid":"x"}', Crate(1, "x")),
    ],
    ids=str,
)
def test_a_body_is_read_as_the_annotation_says(annotation, body, wanted):
    assert read(annotation, body) == wanted


def test_a_union_that_nobody_can_tell_apart_is_refused():
    with pytest.raises(ConfigurationError, match="x of f is annotated"):
        reader(Crate | Box, "x of f")


def test_what_a_model_refuses_is_said_in_one_line_without_the_value():
    for annotation in (Cat, Cat | None, list[Cat] | None, Animal):
        body = b'{"kind":"cat","lives":"secret"}'
        if annotation == list[Cat] | None:
            body = b"[" + body + b"]"
        with pytest.raises(Exception, match=r"lives: .*integer") as refused:
            read(annotation, body)
        assert "\n" not in str(refused.value)
        assert "secret" not in str(refused.value)


async def test_a_plain_wrapper_of_a_coroutine_is_awaited():
    """A decorator that knows nothing of coroutines makes one: what it returns has not run."""
    ran = []

    def traced(function: Any) -> Any:
        @functools.wraps(function)
        def wrapper(*args: Any) -> Any:
            return function(*args)

        return wrapper

    app = App("memory://")

    @app.handler("orders", timeout=30)
    @traced
    async def on_order(size: int) -> None:
        ran.append(size)

    async with working(app) as work:
        await app.client.queue("orders").send("5")
        assert [one.outcome for one in await work.run()] == ["done"]
    assert ran == [5]


async def test_whatever_can_be_called_is_a_handler_or_a_task():
    class Adder:
        def __init__(self, more: int) -> None:
            self.more = more

        async def __call__(self, x: int) -> int:
            return x + self.more

    async def add(x: int, y: int) -> int:
        return x + y

    app = App("memory://")
    tasks = [
        app.task()(Adder(1)),
        app.task()(functools.partial(add, y=2)),
    ]
    app.handler("orders")(Adder(3))
    async with working(app) as work:
        for task in tasks:
            await task.send(1)
        await app.client.queue("orders").send("1")
        ran = await work.run()
    assert [(one.outcome, one.result) for one in ran] == [("done", 2), ("done", 3), ("done", 4)]
    assert [one.name.rpartition(".")[2] for one in ran] == ["Adder", "add", "Adder"]


def test_a_function_that_yields_is_refused_because_its_body_would_never_run():
    def plain(x: int) -> Iterator[int]:
        yield x

    async def coroutine(x: int) -> AsyncIterator[int]:
        yield x

    app = App("memory://")
    for function in (plain, coroutine, functools.partial(plain)):
        with pytest.raises(ConfigurationError, match=r"yields"):
            app.handler("orders")(function)
        with pytest.raises(ConfigurationError, match=r"yields"):
            app.task()(function)


def test_a_tasks_name_is_text():
    app = App("memory://")
    for name in ("", 5, "x" * 201):
        with pytest.raises(InvalidParameter, match=r"name is"):
            app.task(name=name)(lambda: None)  # type: ignore[arg-type]


async def test_stop_iteration_is_a_failure_like_any_other():
    app = App("memory://")

    @app.handler("orders", retries=0)
    def on_order(size: int) -> None:
        next(iter(()))

    async with working(app) as work:
        await app.client.queue("orders").send("5")
        (ran,) = await work.run()
        assert (ran.outcome, str(ran.error)) == ("failed", "it raised StopIteration")


@pytest.mark.parametrize("encoding", ["json", "msgpack"])
async def test_keys_of_a_dict_keep_their_type_as_arguments(encoding):
    app = App("memory://")

    @app.task(encoding=encoding)
    async def count(names: dict[int, str], animal: Cat | None = None) -> list[Any]:
        return [names, animal]

    async with working(app) as work:
        await count.send({1: "a"}, animal=Cat(kind="cat", lives=1))
        (ran,) = await work.run()
        assert ran.result == [{1: "a"}, Cat(kind="cat", lives=1)]


TASK = {"task": "one", "result_ttl": 60}


@pytest.mark.parametrize(
    ("said", "why"),
    [
        ({"id": "a{b}"}, "id is 'a{b}'"),
        ({"id": "x" * 201}, "201 characters"),
        ({"result_ttl": -1}, "result_ttl is -1 s"),
        ({"result_ttl": 1e300}, "result_ttl is 1e\\+300"),
        ({"unique": "for ever"}, "unique is 'for ever'"),
        ({"unique": "done:{}"}, "unique is 'done:{}'"),
        ({"group": "abc"}, "group is 'abc'"),
        ({"group": "abc:1000"}, "group is 'abc:1000'"),
        ({"chain": [1]}, "chain\\[0\\] is int"),
        ({"group": "a{:0"}, "group is 'a{:0'"),
        ({"chain": [{"task": "one", "id": "a"}]}, "queue name is None"),
        ({"chain": [{"task": "one", "queue": "tasks"}]}, "chain\\[0\\].id is None"),
    ],
    ids=str,
)
async def test_a_message_whose_followers_can_not_be_is_a_dead_letter_and_not_run(said, why):
    """Others make such messages. They were run again and again, or came back for ever."""
    app = App("memory://")
    ran = []

    @app.task(name="one")
    async def one() -> None:
        ran.append(1)

    async with working(app) as work:
        await app.client.queue("tasks").send(msgspec.json.encode(TASK | said))
        (found,) = await work.run()
        assert found.outcome == "unreadable"
        (letter,) = await work.dead_letters("tasks")
        assert letter.failure is not None
        assert re.search(why, letter.failure.text)
    assert ran == []


async def test_an_error_may_have_any_characters():
    app = App("memory://")

    @app.task(retries=0, result_ttl=60)
    async def fail() -> None:
        raise ValueError("a\0b")

    async with working(app) as work:
        handle = await fail.send()
        await work.run()
        status = await handle.status()
    assert status.error == "ValueError: a b"
    assert status.traceback.startswith("Traceback")
