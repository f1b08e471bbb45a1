"""Broken: bytes in Redis that no client of ours wrote. Nothing of theirs is lost, and nobody's
consumer falls over them."""

from __future__ import annotations

import zlib

import msgspec
import pytest

from rmq.core.compression import LARGEST
from rmq.errors import BrokenEnvelope, ServerError
from tests.boto import BOTO


def envelope(kind, header):
    head = msgspec.msgpack.encode(header)
    return bytes((kind,)) + len(head).to_bytes(1 if kind == 2 else 4, "big") + head + b"body"


def deflated(envelope):
    one = zlib.compressobj(9, zlib.DEFLATED, -15)
    return b"\x10" + one.compress(envelope) + one.flush()


NESTED = b"\x81\xa1a\x81\xa1x\x92\xa6String" + b"\x91" * 5000 + b"\xc0"
BROKEN = {
    "nothing": b"",
    "unknown kind": b"\x09body",
    "cut in its header": b"\x02\xff\x80",
    "cut in its length": b"\x03\x00",
    "no message pack": b"\x02\x01\xc1body",
    "a list": envelope(2, [1, 2]),
    "a number for text": envelope(2, {"t": 5}),
    "an attribute of numbers": envelope(2, {"a": {"x": ["Number", 5]}}),
    "an attribute that is no pair": envelope(2, {"a": {"x": ["String"]}}),
    "an id that is no id": envelope(2, {"i": b"short"}),
    "a time out of all times": envelope(2, {"s": 1 << 62}),
    "a first receive out of all times": envelope(2, {"f": 1 << 62}),
    "nested without end": b"\x03" + len(NESTED).to_bytes(4, "big") + NESTED,
    "compressed, and cut": deflated(b"\x01body" * 9)[:-3],
    "compressed, and broken inside": deflated(b"\x02\xff\x80"),
    "compressed by a dictionary that its queue has not": b"\x11" + deflated(b"\x01body")[1:],
    "a bomb": deflated(b"\x01" + bytes(LARGEST)),
}


NO_MESSAGE = "a message that can not be read"


def plant(raw, log, packed, clock):
    """Put bytes into a queue's log that no client of ours would have written."""
    raw.xadd(log, {"m": packed}, id=f"{clock.now_ms() * 1000}-0")
    clock.move(0.001)


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_broken_envelope_is_a_named_error_and_can_be_deleted(
    backend, queue, raw, namespace, clock, kind
):
    backend.beyond_aws(NO_MESSAGE)
    plant(raw, f"{namespace}:{{q:orders}}:log", BROKEN[kind], clock)
    await queue.send(b"behind it")

    broken, good = await queue.receive(10)

    assert good.body == b"behind it"
    assert repr(broken)
    with pytest.raises(BrokenEnvelope):
        _look_at_all(broken)
    assert await broken.delete() is True


@pytest.mark.parametrize("kind", BROKEN)
async def test_a_broken_envelope_can_be_peeked_at(backend, queue, raw, namespace, clock, kind):
    backend.beyond_aws(NO_MESSAGE)
    plant(raw, f"{namespace}:{{q:orders}}:log", BROKEN[kind], clock)
    broken = (await queue.peek())[0]
    assert repr(broken)
    with pytest.raises(BrokenEnvelope):
        _look_at_all(broken)


def _look_at_all(message):
    _ = message.id, message.body, message.attributes, message.sent_at, message.first_sent_at
    _ = message.receive_count, message.first_received_at, message.trace_header, message.size


@pytest.mark.parametrize("backend", BOTO, indirect=True)
@pytest.mark.parametrize("kind", BROKEN)
async def test_through_aws_a_broken_envelope_keeps_nothing_from_its_consumer(
    queue, raw, namespace, clock, kind
):
    """It is left out of the answers, and counts as received."""
    plant(raw, f"{namespace}:{{q:orders}}:log", BROKEN[kind], clock)
    await queue.send(b"behind it")

    assert [one.body for one in await queue.peek()] == [b"behind it"]
    assert [one.body for one in await queue.receive(10)] == [b"behind it"]

    assert (await queue.stats()).in_flight == 2


async def test_a_broken_envelope_becomes_a_dead_letter_whole(client, raw, namespace, clock):
    dead = await client.create_queue("dead")
    queue = await client.create_queue(
        "orders", redrive_policy={"dead_letter_queue": "dead", "max_receive_count": 1}
    )
    key = f"{namespace}:{{q:%s}}:log"
    plant(raw, key % "orders", b"\x09garbage", clock)
    await queue.send(b"moves the counter")
    await queue.receive(10, visibility_timeout=0)

    assert await queue.receive(10) == []

    stored = [fields[b"m"] for _, fields in raw.xrange(key % "dead")]
    assert b"\x09garbage" in stored
    assert (await dead.stats()).visible == 2


async def test_a_key_of_another_type_is_an_error_of_the_server(backend, queue, raw, namespace):
    await queue.send(b"x")
    key = f"{namespace}:{{q:orders}}:log"
    raw.delete(key)
    raw.set(key, "not a stream")
    with pytest.raises(ServerError):
        await queue.receive()
    backend.beyond_aws("what Redis said")
    with pytest.raises(ServerError, match="WRONGTYPE"):
        await queue.receive()
    with pytest.raises(ServerError, match="WRONGTYPE"):
        await queue.send(b"y")
