"""Bad input: each is refused with a named error that says what was wrong, and nothing is stored."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from rmq import MessageAttribute, Outgoing, RedriveAllowPolicy, RedrivePolicy
from rmq.errors import (
    CallerError,
    InvalidParameter,
    InvalidReceipt,
    MissingParameter,
    QueueDoesNotExist,
)

pytestmark = pytest.mark.parametrize(
    "backend", ["async-memory", "sync-valkey", "boto3-http"], indirect=True
)
"""The tables are long, and nearly all of this is refused before anything is sent; or, through AWS's
API, before anything is stored."""

A = MessageAttribute
LONE = "\ud800"
"""A lone surrogate: a Python str that UTF-8 can not express."""


@dataclass(frozen=True)
class Bad:
    """A value that a parameter must not have."""

    parameter: str
    value: Any
    field: str = ""
    """What the error names; the parameter unless given."""

    def __str__(self) -> str:
        shown = repr(self.value)
        return f"{self.parameter}={shown if len(shown) < 40 else shown[:37] + '...'}"

    @property
    def arguments(self) -> dict[str, Any]:
        return {self.parameter: self.value}


def table(*rows):
    """Rows of parameter and values, or parameter, values and the field that the error names."""
    made = []
    for parameter, values, *named in rows:
        made += [Bad(parameter, value, named[0] if named else parameter) for value in values]
    return pytest.mark.parametrize("bad", made, ids=str)


def names(error, bad):
    """Whether the error says which field, which value and which limit."""
    assert error.field.startswith(bad.field), error.field
    assert error.limit
    assert isinstance(error.value, str)
    assert error.field in str(error)
    return True


async def has_nothing(backend, queue):
    """Nothing was ever stored; where there are no totals, nothing is now."""
    found = await queue.stats()
    assert found.messages == 0
    if backend.has_totals:
        assert (found.sent, found.bytes) == (0, 0)


NOT_TEXT = (5, b"b", None, ["x"])
NOT_WHOLE = ("5", 1.5, True, None)
NOT_DURATION = ("5", True, [1], math.nan, math.inf, -math.inf, -1, -0.001, timedelta(seconds=-1))


# --- sending ------------------------------------------------------------------------------------

IDS = ("", "x" * 129, "with space", "tab\t", "ü", "nul\0", LONE, 5, b"b", ["x"])


@table(
    ("body", ("", b"", 5, None, 1.5, ["x"], {"a": 1}, "\x00", "\x0b", "\x1f", "\ufffe", LONE)),
    ("delay", (*NOT_DURATION, 900.001, 901, timedelta(days=1))),
    ("message_group_id", IDS),
    ("deduplication_id", ("d", *IDS)),
    ("trace_header", ("", 5, b"b", LONE)),
    ("sender_id", ("", 5, b"b", LONE)),
    (
        "attributes",
        ("x", 5, [("a", "b")], {f"a{i}": "v" for i in range(11)}),
    ),
    (
        "attributes",
        (
            {5: "v"},
            {"": "v"},
            {"x" * 257: "v"},
            {"AWS.x": "v"},
            {"aws.x": "v"},
            {"Amazon.x": "v"},
            {"amAZon.x": "v"},
            {".a": "v"},
            {"a.": "v"},
            {"a..b": "v"},
            {"a b": "v"},
            {"ä": "v"},
            {"a\n": "v"},
        ),
        "attribute name",
    ),
    (
        "attributes",
        (
            {"a": None},
            {"a": True},
            {"a": ["x"]},
            {"a": ""},
            {"a": b""},
            {"a": "\x00"},
            {"a": LONE},
            {"a": math.nan},
            {"a": math.inf},
            {"a": 10**39 + 1},
            {"a": 10**127},
            {"a": 1e-129},
            {"a": A("Text", "v")},
            {"a": A("string", "v")},
            {"a": A("", "v")},
            {"a": A(5, "v")},
            {"a": A("String.", "v")},
            {"a": A("String.\x00", "v")},
            {"a": A("String." + "x" * 250, "v")},
            {"a": A("StringList", "v")},
            {"a": A("String", b"v")},
            {"a": A("Binary", "v")},
            {"a": A("Binary", b"")},
            {"a": A("Number", "")},
            {"a": A("Number", "one")},
            {"a": A("Number", "0x10")},
            {"a": A("Number", "1,5")},
            {"a": A("Number", " 1")},
            {"a": A("Number", "1e999999")},
            {"a": A("Number", "٣")},
            {"a": A("Number", 5)},
            {"a": A("Number", "1" * 39)},
            {"a": A("Number.int", "NaN")},
        ),
        "attributes['a']",
    ),
)
async def test_a_bad_send_is_refused_and_stores_nothing(backend, queue, bad):
    arguments = {"body": b"x"} | bad.arguments
    with pytest.raises(InvalidParameter) as caught:
        await queue.send(**arguments)
    assert names(caught.value, bad)
    await has_nothing(backend, queue)


@pytest.mark.parametrize(
    "number",
    ["0", "-0.0", "1" * 38, "1e126", "-1.5E-128", ".5", "5.", "+7", "0" * 60 + "1", "1" + "0" * 60],
)
async def test_numbers_up_to_their_limits_are_taken_as_they_are(queue, number):
    await queue.send(b"x", attributes={"a": A("Number", number)})
    assert (await queue.receive())[0].attributes["a"].value == number


@table(
    ("message_group_id", IDS),
    ("deduplication_id", IDS),
    ("delay", (0, 5, timedelta(seconds=1))),
)
async def test_a_bad_fifo_send_is_refused_and_stores_nothing(backend, fifo, bad):
    arguments = {"body": b"x", "message_group_id": "g"} | bad.arguments
    with pytest.raises(InvalidParameter) as caught:
        await fifo.send(**arguments)
    assert names(caught.value, bad)
    await has_nothing(backend, fifo)


async def test_a_fifo_send_needs_a_group(fifo):
    with pytest.raises(MissingParameter, match="message_group_id"):
        await fifo.send(b"x")


async def test_a_fifo_send_needs_a_deduplication_id_where_the_body_is_none(backend, client):
    fifo = await client.create_queue("plain.fifo")
    with pytest.raises(MissingParameter, match="deduplication_id"):
        await fifo.send(b"x", message_group_id="g")
    await has_nothing(backend, fifo)


@pytest.mark.parametrize("messages", [5, None, "abc", b"abc"], ids=repr)
async def test_a_batch_must_be_a_list_of_messages(queue, messages):
    """A text is one message that somebody forgot to put in brackets."""
    with pytest.raises(InvalidParameter):
        await queue.send_many(messages)
    assert (await queue.stats()).sent == 0


async def test_each_of_a_batch_that_is_no_message_has_its_error(queue):
    result = await queue.send_many([b"ok", 5, None, Outgoing(body=7), Outgoing(body=b"ok")])
    assert list(result.failed) == [1, 2, 3]
    assert {type(error) for error in result.failed.values()} == {InvalidParameter}


# --- receiving ----------------------------------------------------------------------------------


@table(
    ("max_messages", (0, -1, 11, 10**30, *NOT_WHOLE)),
    ("visibility_timeout", (*NOT_DURATION, 43_200.001, 43_201, timedelta(days=1))),
    ("wait", (*NOT_DURATION, 20.001, 21, timedelta(minutes=1))),
    ("receive_request_attempt_id", ("a", *IDS)),
)
async def test_a_bad_receive_is_refused_and_leases_nothing(queue, bad):
    await queue.send(b"x")
    with pytest.raises(InvalidParameter) as caught:
        await queue.receive(**bad.arguments)
    assert names(caught.value, bad)
    assert (await queue.stats()).in_flight == 0


@table(("receive_request_attempt_id", IDS))
async def test_a_bad_attempt_id_is_refused(fifo, bad):
    await fifo.send(b"x", message_group_id="g")
    with pytest.raises(InvalidParameter) as caught:
        await fifo.receive(**bad.arguments)
    assert names(caught.value, bad)
    assert (await fifo.stats()).in_flight == 0


# --- handles ------------------------------------------------------------------------------------

HANDLES = (
    "",
    "x",
    "=",
    "A" * 43,
    "A" * 44,
    "A" * 45,
    "A" * 2000,
    "ü",
    LONE,
    "\0",
    5,
    None,
    b"A" * 44,
)


@pytest.mark.parametrize("handle", HANDLES, ids=lambda one: repr(one)[:20])
async def test_what_is_no_handle_is_refused(queue, handle):
    await queue.send(b"x")
    await queue.receive()
    with pytest.raises(InvalidReceipt):
        await queue.delete(handle)
    with pytest.raises(InvalidReceipt):
        await queue.change_visibility(handle, 5)
    result = await queue.delete_many([handle])
    assert [type(one) for one in result] == [InvalidReceipt]
    assert (await queue.stats()).in_flight == 1


@table(("timeout", (*NOT_DURATION, None, 43_201), "visibility_timeout"))
async def test_a_bad_visibility_timeout_is_refused_and_changes_nothing(queue, clock, bad):
    await queue.send(b"x")
    message = (await queue.receive())[0]
    with pytest.raises(InvalidParameter) as caught:
        await message.change_visibility(bad.value)
    assert names(caught.value, bad)
    clock.move(29)
    assert await queue.receive() == []


@pytest.mark.parametrize("given", [5, None], ids=repr)
async def test_many_handles_must_be_a_list(queue, given):
    with pytest.raises(CallerError):
        await queue.delete_many(given)
    with pytest.raises(CallerError):
        await queue.change_visibility_many(given)


async def test_many_changes_must_be_pairs(queue):
    await queue.send(b"x")
    message = (await queue.receive())[0]
    with pytest.raises(CallerError):
        await queue.change_visibility_many([message.receipt_handle])


# --- attributes ---------------------------------------------------------------------------------

DURATIONS = (
    ("visibility_timeout", (*NOT_DURATION, None, 43_201)),
    ("delay", (*NOT_DURATION, None, 901)),
    ("message_retention_period", (*NOT_DURATION, None, 0, 59, 59.9, 1_209_601)),
    ("receive_message_wait_time", (*NOT_DURATION, None, 20.5, 21)),
)
POLICIES = (
    (
        "redrive_policy",
        (
            "dead",
            5,
            [],
            {},
            {"max_receive_count": 3},
            {"dead_letter_queue": "dead", "other": 1},
            {"dead_letter_queue": "dead", "max_receive_count": 0},
            {"dead_letter_queue": "dead", "max_receive_count": 1001},
            {"dead_letter_queue": "dead", "max_receive_count": "3"},
            {"dead_letter_queue": "dead", "max_receive_count": True},
            {"dead_letter_queue": "nowhere"},
            {"dead_letter_queue": "dead.fifo"},
            RedrivePolicy(dead_letter_queue="dead", max_receive_count=0),
        ),
    ),
    (
        "redrive_policy",
        (
            {"dead_letter_queue": 5},
            {"dead_letter_queue": None},
            {"dead_letter_queue": "a b"},
            RedrivePolicy(dead_letter_queue=""),
        ),
        "",
    ),
    (
        "redrive_allow_policy",
        (
            "allow_all",
            5,
            {"permission": "maybe"},
            {"permission": 5},
            {"permission": "allow_all", "source_queues": ["a"]},
            {"permission": "deny_all", "source_queues": ["a"]},
            {"permission": "by_queue"},
            {"permission": "by_queue", "source_queues": []},
            {"permission": "by_queue", "source_queues": "abc"},
            {"permission": "by_queue", "source_queues": 5},
            {"permission": "by_queue", "source_queues": [f"q{i}" for i in range(11)]},
            {"permission": "by_queue", "other": 1},
            RedriveAllowPolicy(permission="maybe"),
        ),
    ),
    (
        "redrive_allow_policy",
        (
            {"permission": "by_queue", "source_queues": ["a b"]},
            {"permission": "by_queue", "source_queues": [5]},
        ),
        "",
    ),
)
OTHERS = (
    ("maximum_message_size", (*NOT_WHOLE, 0, -1, 1023, 1_048_577)),
    ("content_based_deduplication", (True, False)),
    ("deduplication_scope", ("queue", "message_group")),
    ("fifo_throughput_limit", ("per_queue", "per_message_group_id")),
    ("deduplication_window", (300, timedelta(minutes=5))),
    ("policy", ("", "x", "5", "[]", '"{}"', "{", "{}x", "[" * 8192, 5, b"{}", {}, LONE)),
    ("policy", ('{"a": "' + "x" * 8184 + '"}', '{"a": "' + "ü" * 4092 + '"}')),
    ("kms_master_key_id", ("", "k" * 2049, 5, b"k", LONE)),
    ("kms_data_key_reuse_period", (*NOT_DURATION, None, 0, 59, 59.9, 86_401)),
    ("sqs_managed_sse_enabled", (None, 1, 0, "true")),
    ("compression", ("gzip", "DEFLATE", "", True, None, 5, [])),
    ("no_such_attribute", (5, None), "attribute"),
    ("VisibilityTimeout", (5,), "attribute"),
)
FIFO_ONLY = (
    ("content_based_deduplication", ("true", 1, None, "yes")),
    ("deduplication_scope", ("group", "messageGroup", 5, None, [])),
    ("fifo_throughput_limit", ("perQueue", 5, None, "per_message_group_id")),
    ("deduplication_window", (*NOT_DURATION, None, 0, 299, 301)),
)


@table(*DURATIONS, *POLICIES, *OTHERS)
async def test_bad_attributes_make_no_queue_and_change_none(client, bad):
    for name in ("dead", "dead.fifo", "orders"):
        await client.create_queue(name)
    queue = client.queue("orders")
    before = await queue.info()

    with pytest.raises(InvalidParameter) as caught:
        await client.create_queue("new", **bad.arguments)
    assert names(caught.value, bad)
    assert "new" not in await client.list_queues()

    with pytest.raises(InvalidParameter) as caught:
        await queue.set_attributes(**bad.arguments)
    assert names(caught.value, bad)
    assert await queue.info() == before


@table(*FIFO_ONLY)
async def test_bad_attributes_make_no_fifo_queue_and_change_none(client, bad):
    queue = await client.create_queue("orders.fifo")
    before = await queue.info()

    with pytest.raises(InvalidParameter) as caught:
        await client.create_queue("new.fifo", **bad.arguments)
    assert names(caught.value, bad)
    with pytest.raises(InvalidParameter) as caught:
        await queue.set_attributes(**bad.arguments)
    assert names(caught.value, bad)

    assert await queue.info() == before
    assert list(await client.list_queues()) == ["orders.fifo"]


# --- names, tags, lists -------------------------------------------------------------------------

NAMES = (
    "",
    " ",
    "a b",
    "ü",
    "a.b",
    "a/b",
    "a\n",
    "{a}",
    "x" * 81,
    ".fifo",
    "a.fif",
    "a.FIFO",
    "a.fifo.fifo",
    "x" * 76 + ".fifo",
    LONE,
    5,
    None,
    b"a",
    ["a"],
)


@pytest.mark.parametrize("name", NAMES, ids=lambda one: repr(one)[:20])
async def test_no_queue_is_made_of_a_bad_name(client, name):
    with pytest.raises(InvalidParameter, match="queue name"):
        await client.create_queue(name)
    assert list(await client.list_queues()) == []


@pytest.mark.parametrize("name", NAMES, ids=lambda one: repr(one)[:20])
async def test_a_bad_name_is_refused_everywhere(backend, client, name):
    backend.beyond_aws("a name that can not be: SQS has URLs, and such a queue does not exist")
    with pytest.raises(InvalidParameter, match="queue name"):
        client.queue(name)
    with pytest.raises(InvalidParameter, match="queue name"):
        await client.get_queue(name)
    with pytest.raises(InvalidParameter, match="queue name"):
        await client.delete_queue(name)
    assert list(await client.list_queues()) == []


@pytest.mark.parametrize(
    "tags",
    [
        5,
        "x",
        ["a"],
        {"": "v"},
        {"k" * 129: "v"},
        {"k": "v" * 257},
        {"k": 5},
        {"k": None},
        {5: "v"},
        {b"k": "v"},
        {LONE: "v"},
        {"k": LONE},
    ],
    ids=lambda one: repr(one)[:20],
)
async def test_bad_tags_are_refused(client, queue, tags):
    with pytest.raises(InvalidParameter, match="tag"):
        await queue.tag(tags)
    assert await queue.tags() == {}
    with pytest.raises(InvalidParameter, match="tag"):
        await client.create_queue("new", tags=tags)
    assert list(await client.list_queues()) == ["orders"]


@pytest.mark.parametrize("keys", [5, None, "k", b"k", [5], [""], ["k" * 129], [LONE]], ids=repr)
async def test_bad_tag_keys_are_refused(queue, keys):
    await queue.tag({"k": "v"})
    with pytest.raises(InvalidParameter, match="tag"):
        await queue.untag(keys)
    assert await queue.tags() == {"k": "v"}


@table(
    ("prefix", (5, None, b"a", LONE)),
    ("limit", (0, -1, 1001, *NOT_WHOLE)),
    ("token", (5, b"a", "ü", LONE)),
)
async def test_bad_lists_are_refused(client, queue, bad):
    with pytest.raises(InvalidParameter) as caught:
        await client.list_queues(**bad.arguments)
    assert names(caught.value, bad)


@table(("limit", (0, -1, 1001, *NOT_WHOLE)), ("token", (5, b"a", "ü", LONE)))
async def test_bad_lists_of_sources_are_refused(queue, bad):
    with pytest.raises(InvalidParameter) as caught:
        await queue.dead_letter_sources(**bad.arguments)
    assert names(caught.value, bad)


@table(
    ("limit", (0, -1, 1001, *NOT_WHOLE)),
    ("after", ("", "x", "-1", "1.5", " 1", 5, b"1", LONE, "9" * 40, "9" * 5000)),
)
async def test_bad_peeks_are_refused(queue, bad):
    await queue.send(b"x")
    with pytest.raises(InvalidParameter) as caught:
        await queue.peek(**bad.arguments)
    assert names(caught.value, bad)


@table(
    ("destination", ("", "a b", 5, b"a", LONE), "queue name"),
    ("max_per_second", (0, -1, 501, "5", 1.5, True)),
)
async def test_bad_redrives_are_refused(client, bad):
    dead = await client.create_queue("dead")
    await client.create_queue("orders", redrive_policy={"dead_letter_queue": "dead"})
    for start in (dead.redrive, dead.start_redrive):
        with pytest.raises(InvalidParameter) as caught:
            await start(**bad.arguments)
        assert names(caught.value, bad)
    assert await dead.redrive_tasks() == []


@pytest.mark.parametrize("limit", [0, 11, *NOT_WHOLE], ids=repr)
async def test_bad_lists_of_tasks_are_refused(queue, limit):
    with pytest.raises(InvalidParameter, match="limit"):
        await queue.redrive_tasks(limit)


@pytest.mark.parametrize("id", [5, None, b"x", "", LONE], ids=repr)
async def test_what_is_no_task_can_not_be_cancelled(queue, id):
    with pytest.raises(CallerError):
        await queue.cancel_redrive(id)


# --- queues that are not there ------------------------------------------------------------------

CALLS = {
    "send": lambda q: q.send(b"x"),
    "send_many": lambda q: q.send_many([b"x"]),
    "receive": lambda q: q.receive(),
    "receive waiting": lambda q: q.receive(wait=20),
    "delete": lambda q: q.delete("A" * 44),
    "delete_many": lambda q: q.delete_many(["A" * 44]),
    "change_visibility": lambda q: q.change_visibility("A" * 44, 5),
    "change_visibility_many": lambda q: q.change_visibility_many([("A" * 44, 5)]),
    "peek": lambda q: q.peek(),
    "stats": lambda q: q.stats(),
    "info": lambda q: q.info(),
    "set_attributes": lambda q: q.set_attributes(delay=1),
    "tags": lambda q: q.tags(),
    "tag": lambda q: q.tag({"a": "b"}),
    "untag": lambda q: q.untag(["a"]),
    "purge": lambda q: q.purge(),
    "delete_queue": lambda q: q.delete_queue(),
    "sweep": lambda q: q.sweep(),
    "dead_letter_sources": lambda q: q.dead_letter_sources(),
    "redrive": lambda q: q.redrive(),
    "start_redrive": lambda q: q.start_redrive(),
    "cancel_redrive": lambda q: q.cancel_redrive("x"),
    "redrive_tasks": lambda q: q.redrive_tasks(),
}


@pytest.mark.parametrize("call", CALLS)
async def test_a_queue_that_does_not_exist_is_named(client, raw, namespace, call):
    with pytest.raises(QueueDoesNotExist, match="nowhere") as caught:
        await CALLS[call](client.queue("nowhere"))
    assert caught.value.queue == "nowhere"
    assert list(raw.scan_iter(f"{namespace}:*")) == []


@pytest.mark.parametrize("call", CALLS)
async def test_a_queue_that_another_client_deleted_is_named(client, connect, queue, call):
    await queue.send(b"x")
    await connect().delete_queue("orders")
    with pytest.raises(QueueDoesNotExist, match="orders"):
        await CALLS[call](queue)
