"""Failing: a handler that raises is called again; what it fails on for good holds up nothing."""

from __future__ import annotations

import asyncio
import base64
import json
import logging

import pytest

from rmq.core.events import SetAside
from rmq.errors import ConnectionLost, QueueDoesNotExist, RecordFailed
from tests.colours import until
from tests.streams.groups.consuming import Handler, checkpointed, put

NOW = {"retry_after": 0}
"""Attempts follow each other at once."""


class Failing(Handler):
    """Fails on what it was told to, so often."""

    def __init__(self, **times):
        super().__init__()
        self.times = times
        self.calls = []

    async def __call__(self, record):
        text = record.data.decode()
        self.calls.append(text)
        name = text.replace("-", "_")
        if self.times.get(name, 0) > 0:
            self.times[name] -= 1
            raise ValueError(f"no {text}")
        self.records.append(record)


async def test_what_a_handler_fails_on_it_gets_again_before_what_is_behind(stream, consume):
    handler = Failing(a_1=2)
    await put(stream, "a-1", "a-2")
    await consume(handler, **NOW)
    await handler.reach(2)
    assert handler.calls == ["a-1", "a-1", "a-1", "a-2"]


async def test_the_pause_doubles_up_to_its_limit(stream):
    options = stream.consumer("billing", Handler(), retry_after=0.2, retry_after_most=1).options
    assert [options.pause_s(attempt) for attempt in (1, 2, 3, 4, 100)] == [0.2, 0.4, 0.8, 1, 1]


async def test_a_record_that_fails_for_good_stops_the_worker_in_front_of_it(
    stream, consume, handler
):
    failing = Failing(a_2=99)
    await put(stream, "a-1", "a-2", "a-3")
    worker = await consume(failing, attempts=3, **NOW)
    await until(lambda: worker._task.done())
    with pytest.raises(RecordFailed, match="mend it, or give the group a dead-letter queue") as bad:
        await worker.__aexit__(None, None, None)
    assert failing.calls == ["a-1", "a-2", "a-2", "a-2"]
    assert isinstance(bad.value.__cause__, ValueError)
    assert bad.value.shard_id == "shardId-000000000000"
    assert await checkpointed(stream) == [failing.records[0].sequence_number]
    assert (await stream.group_info("billing")).workers == ()
    # Mended, it goes on there.
    await consume(handler)
    await handler.reach(2)
    assert handler.texts == ["a-2", "a-3"]
    assert handler.records[0].sequence_number == bad.value.sequence_number


async def test_or_it_is_skipped_loudly(client, stream, consume, caplog):
    told = []
    client.events.listen(lambda event: told.append(event) if isinstance(event, SetAside) else 0)
    handler = Failing(a_1=99)
    await put(stream, "a-1", "a-2")
    with caplog.at_level(logging.ERROR, "rmq.streams"):
        await consume(handler, attempts=2, on_failure="skip", **NOW)
        await handler.reach(1)
    assert handler.texts == ["a-2"]
    assert [(one.group, one.outcome) for one in told] == [("billing", "skipped")]
    assert "skipped after 2 attempts: ValueError('no a-1')" in caplog.text


async def test_or_it_goes_to_a_dead_letter_queue_with_the_reason(client, stream, consume):
    dead = await client.create_queue("dead")
    handler = Failing(a_1=99)
    await put(stream, "a-1", "a-2")
    await consume(handler, attempts=2, dead_letter_queue="dead", **NOW)
    await handler.reach(1)
    (message,) = await dead.receive()
    letter = json.loads(message.text)
    assert base64.b64decode(letter.pop("data")) == b"a-1"
    record = handler.records[0]
    assert letter.pop("sequence_number") < record.sequence_number
    assert letter.pop("approximate_arrival_timestamp").endswith("+00:00")
    assert letter == {
        "stream": "positions",
        "group": "billing",
        "shard_id": "shardId-000000000000",
        "sub_sequence_number": 0,
        "partition_key": "a",
        "attempts": 2,
        "error": "ValueError: no a-1",
    }


async def test_a_fifo_queue_takes_them_too(client, stream, consume):
    dead = await client.create_queue("dead.fifo")
    await put(stream, "a-1", "a-2", "b-1")
    handler = Failing(a_1=9, a_2=9)
    await consume(handler, attempts=1, dead_letter_queue="dead.fifo", **NOW)
    await handler.reach(1)
    found = await dead.receive(10)
    assert [base64.b64decode(json.loads(one.text)["data"]) for one in found] == [b"a-1", b"a-2"]
    assert {one.message_group_id for one in found} == {"shardId-000000000000"}


async def test_what_is_too_large_for_the_queue_goes_without_its_data(client, stream, consume):
    dead = await client.create_queue("dead", maximum_message_size=1024)
    text = "a-" + "x" * 1000
    await put(stream, text, "a-2")

    async def handle(record):
        raise ValueError("\ud800")

    await consume(handle, attempts=1, dead_letter_queue="dead", **NOW)
    found = []
    await until(lambda: _more(dead, found, 2))
    letters = [json.loads(one.text) for one in found]
    assert "data" not in letters[0]
    assert letters[0]["data_bytes"] == 1002
    assert letters[0]["error"] == "ValueError: ?"
    assert "data" in letters[1]


async def test_the_shard_waits_while_a_dead_letter_can_not_be_sent(client, stream, consume):
    """Redis is away for the queue; nothing is left out meanwhile."""
    await client.create_queue("dead")
    handler, tries = Failing(a_1=99), []
    await put(stream, "a-1", "a-2")
    worker = stream.consumer(
        "billing", handler, start="TRIM_HORIZON", attempts=1, dead_letter_queue="dead", **NOW
    )
    send = worker.handling._dead_letters

    async def fail_twice(letter):
        tries.append(letter)
        if len(tries) < 3:
            assert handler.records == []
            raise ConnectionLost("away")
        await send(letter)

    worker.handling._dead_letters = fail_twice
    async with worker:
        await handler.reach(1)
    assert len(tries) == 3
    assert (await client.queue("dead").stats()).visible == 1


async def test_a_dead_letter_queue_that_is_deleted_stops_the_worker(client, stream, consume):
    queue = await client.create_queue("dead")
    handler, gate = Failing(a_1=99), asyncio.Event()

    async def handle(record):
        await gate.wait()
        await handler(record)

    await put(stream, "a-1")
    worker = await consume(handle, attempts=1, dead_letter_queue="dead", **NOW)
    await until(lambda: worker.shards)
    await queue.delete_queue()
    gate.set()
    await until(lambda: worker._task.done())
    with pytest.raises(RecordFailed) as stopped:
        await worker.__aexit__(None, None, None)
    assert isinstance(stopped.value.__cause__, QueueDoesNotExist)


async def test_of_a_batch_only_the_record_that_fails_is_set_aside(client, stream, consume):
    dead = await client.create_queue("dead")
    calls, done = [], []

    async def handle(records):
        texts = [one.data.decode() for one in records]
        calls.append(texts)
        if "a-5" in texts:
            raise ValueError("five")
        done.extend(texts)

    await put(stream, *(f"a-{n}" for n in range(8)))
    await consume(handle, batch_size=8, attempts=2, dead_letter_queue="dead", **NOW)
    await until(lambda: len(done) == 7)
    assert done == [f"a-{n}" for n in range(8) if n != 5]
    (message,) = await dead.receive(10)
    assert base64.b64decode(json.loads(message.text)["data"]) == b"a-5"
    assert len(calls) == 2 + 2 * 3


async def test_a_failing_key_holds_up_no_other(stream, consume):
    handler = Failing(a_1=1)
    await put(stream, "a-1", "a-2", "b-1", "b-2")
    await consume(handler, concurrency=2, retry_after=0.05)
    await handler.reach(4)
    assert handler.by_key() == {"a": ["a-1", "a-2"], "b": ["b-1", "b-2"]}
    assert handler.texts[0] == "b-1"


async def test_who_stops_does_not_wait_for_further_attempts(stream, consume, handler):
    failing = Failing(a_1=99)
    await put(stream, "a-1")
    worker = await consume(failing, retry_after=3600, retry_after_most=3600)
    await until(lambda: failing.calls)
    await worker.stop()
    await consume(handler)
    await handler.reach(1)


async def test_a_handler_whose_own_wait_is_cancelled_has_failed(stream, consume):
    calls = []

    async def handle(record):
        calls.append(record)
        if len(calls) == 1:
            raise asyncio.CancelledError

    await put(stream, "a-1")
    await consume(handle, **NOW)
    await until(lambda: len(calls) == 2)


async def test_a_plain_function_fails_alike(stream, consume):
    calls = []

    def handle(record):
        calls.append(record)
        if len(calls) == 1:
            raise ValueError

    await put(stream, "a-1")
    await consume(handle, **NOW)
    await until(lambda: len(calls) == 2)


async def _more(queue, found, count):
    found += await queue.receive(10)
    return len(found) >= count
