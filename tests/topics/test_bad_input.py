"""Bad input: each is refused with a named error that says what was wrong, and nothing is stored."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import pytest

from rmq import MessageAttribute, Notification
from rmq.errors import InvalidParameter

pytestmark = pytest.mark.parametrize("backend", ["async-memory", "sync-valkey"], indirect=True)
"""The tables are long, and nearly all of this is refused before anything is sent."""

A = MessageAttribute
LONE = "\ud800"
"""A lone surrogate: a Python str that UTF-8 can not express."""


@dataclass(frozen=True)
class Bad:
    """A value that a parameter must not have."""

    parameter: str
    value: Any
    field: str

    def __str__(self) -> str:
        shown = ascii(self.value)
        return f"{self.parameter}={shown if len(shown) < 40 else shown[:37] + '...'}"


def table(*rows):
    """Rows of parameter and values, or parameter, values and the field that the error names."""
    made = []
    for parameter, values, *named in rows:
        made += [Bad(parameter, value, named[0] if named else parameter) for value in values]
    return pytest.mark.parametrize("bad", made, ids=str)


def names(error, bad):
    """The error says which field, which value and which limit."""
    assert error.field.startswith(bad.field), error.field
    assert error.limit
    assert isinstance(error.value, str)
    assert error.field in str(error)


async def has_nothing(topic):
    found = await topic.stats()
    assert (found.published, found.bytes, found.outbox) == (0, 0, 0)


NOT_TEXT = (5, b"b", None, ["x"])

MESSAGES = table(
    ("message", ["", b"", None, 5, ["x"], LONE, b"\xff"]),
    ("subject", ["", "x" * 101, "a\nb", "a\rb", "\x00", "\x1b", "\x7f", "\u2028", LONE, 5, b"s"]),
    ("message_group_id", ["", "x" * 129, "a b", "\u00fc", "a\n", 5, b"g"]),
    ("deduplication_id", ["", "x" * 129, "a b", "\u00fc", 5, b"d"]),
    ("attributes", [5, "text", [("a", "b")]]),
    ("attributes", [{"": "v"}, {"a b": "v"}, {".a": "v"}, {"a.": "v"}, {"a..b": "v"}], "attribute"),
    ("attributes", [{"x" * 257: "v"}, {5: "v"}, {"AWS.x": "v"}, {"amazon.x": "v"}], "attribute"),
    ("attributes", [{"AWS.SNS.": "v"}, {"AWS.SNS.\n": "v"}, {"AWS.SNS..a": "v"}], "attribute"),
    ("attributes", [{"a": one} for one in (None, True, {}, {1}, "", b"")], "attributes['a']"),
    (
        "attributes",
        [{"a": [one]} for one in ({1}, b"x", {}, [1], math.nan)],
        "attributes['a']",
    ),
    ("attributes", [{"a": A("Text", "v")}, {"a": A("", "v")}, {"a": A(5, "v")}], "attributes['a']"),
    ("attributes", [{"a": A("Number", "five")}, {"a": A("Binary", "v")}], "attributes['a']"),
    ("attributes", [{"a": math.inf}, {"a": LONE}, {"a": [LONE]}], "attributes['a']"),
    ("attributes", [{"AWS.SNS.SMS.MaxPrice": A("Number", "x")}], "attributes['AWS.SNS.SMS.MaxPri"),
    ("by_protocol", [True], "message"),
)


@MESSAGES
async def test_a_bad_message_is_not_published(topic, queue, bad):
    await topic.subscribe(queue)
    with pytest.raises(InvalidParameter) as caught:
        await topic.publish(**{"message": "x"} | {bad.parameter: bad.value})
    names(caught.value, bad)
    await has_nothing(topic)


@MESSAGES
async def test_nor_in_a_batch_nor_on_a_fifo_topic(fifo_topic, bad):
    given = {"message": "x", "message_group_id": "g"} | {bad.parameter: bad.value}
    (error,) = await fifo_topic.publish_many([Notification(**given)])
    assert isinstance(error, InvalidParameter)
    names(error, bad)
    await has_nothing(fifo_topic)


@pytest.mark.parametrize("messages", [5, None, "abc", b"abc"], ids=repr)
async def test_a_batch_is_a_list(topic, messages):
    with pytest.raises(InvalidParameter, match="messages"):
        await topic.publish_many(messages)
    await has_nothing(topic)


ROLE = {"subscription_role_arn": "arn:aws:iam::000000000000:role/r"}


@pytest.mark.parametrize(
    ("protocol", "endpoint", "field"),
    [
        *((one, "x", "protocol") for one in ("", "SQS", "smtp", 5)),
        *(("sqs", one, "") for one in ("", "a b", "a.b", "arn:aws:sns:us-east-1:000000000000:x")),
        *(("sqs", one, "") for one in (5, None, b"orders", ["orders"], "arn:aws:sqs", LONE)),
        ("sqs", "arn:aws:sqs:us-east-1:1:orders", "endpoint"),
        ("sqs", "arn:aws:sqs:US EAST:000000000000:orders", "endpoint"),
        *(("http", one, "endpoint") for one in ("https://a.b", "a.b", "http://", "http://a b/")),
        *(("https", one, "endpoint") for one in ("http://a.b", "https://:80", "https://a:x/")),
        *(("email", one, "endpoint") for one in ("a", "@", "a@", "@b", "a b@c", "a@b@c")),
        *(("sms", one, "endpoint") for one in ("", "12", "+0123456789", "five", "+" + "1" * 16)),
        ("lambda", "arn:aws:sqs:us-east-1:000000000000:orders", "endpoint"),
        ("application", "arn:aws:lambda:us-east-1:000000000000:function:f", "endpoint"),
        ("application", "app", "endpoint"),
        ("https", "https://example.com/" + "x" * 2048, "endpoint"),
    ],
    ids=lambda one: ascii(one)[:40],
)
async def test_a_bad_endpoint_is_not_subscribed(topic, protocol, endpoint, field):
    with pytest.raises(InvalidParameter) as caught:
        await topic.subscribe(endpoint, protocol)
    assert caught.value.field.startswith(field)
    assert len(await topic.subscriptions()) == 0


SUBSCRIPTIONS = table(
    ("raw_message_delivery", ["true", 1, None]),
    ("filter_policy", ["[]", "{", 5, ["a"], {"a": "b"}, '{"a":5}', LONE], "filter_policy"),
    ("filter_policy_scope", ["", "body", 5, None, "MessageBody"]),
    ("dead_letter_queue", ["", 5, "a b", "arn:x"]),
    ("delivery_policy", ["{}", {}, 5], "delivery_policy"),
    ("subscription_role_arn", ["", 5, "x" * 2049]),
)


@SUBSCRIPTIONS
async def test_a_bad_attribute_makes_no_subscription(topic, queue, bad):
    with pytest.raises(InvalidParameter) as caught:
        await topic.subscribe(queue, **{bad.parameter: bad.value})
    assert caught.value.limit
    assert len(await topic.subscriptions()) == 0


@SUBSCRIPTIONS
async def test_nor_does_it_change_one(topic, queue, bad):
    one = await topic.subscribe(queue)
    with pytest.raises(InvalidParameter):
        await topic.set_subscription(one.id, **{bad.parameter: bad.value})
    assert (await topic.subscription(one.id)).attributes == one.attributes


async def test_an_unknown_attribute_of_a_subscription_is_named(topic, queue):
    one = await topic.subscribe(queue)
    with pytest.raises(InvalidParameter, match="colour"):
        await topic.set_subscription(one.id, colour="red")


@pytest.mark.parametrize("id", ["", "x", 5, None, "0" * 36, "arn:aws:sns:x", LONE], ids=ascii)
async def test_what_is_no_id_is_no_subscription(topic, id):
    for call in (
        topic.subscription(id),
        topic.unsubscribe(id),
        topic.set_subscription(id, raw_message_delivery=True),
        topic.subscription_stats(id),
        topic.stop_replay(id),
        topic.replay_status(id),
    ):
        with pytest.raises(InvalidParameter, match="subscription"):
            await call


NAMES = ["", "a b", "a.b", "\u00fc", "x" * 257, "a.fifo.fifo", ".fifo", "a\n", LONE, 5, None, b"a"]


@pytest.mark.parametrize("name", NAMES, ids=lambda one: ascii(one)[:20])
async def test_a_bad_name_is_no_topic(client, name):
    with pytest.raises(InvalidParameter, match="topic name"):
        client.topic(name)
    with pytest.raises(InvalidParameter, match="topic name"):
        await client.create_topic(name)
    assert list(await client.list_topics()) == []


@table(
    ("display_name", ["x" * 101, 5, None, LONE]),
    ("policy", ["", "{}", "[]", 5, "x"]),
    ("delivery_policy", ["", "[]", '{"http":3}', 5]),
    ("kms_master_key_id", ["", "x" * 2049, 5]),
    ("signature_version", [0, 3, "1", True, 1.5]),
    ("tracing_config", ["", "active", 5]),
    ("maximum_message_size", [1023, 1_048_577, "2048", True, 1.5]),
    ("data_protection_policy", ["[]", "x", 5, '{"a":"' + "x" * 30_720 + '"}']),
    ("feedback", [5, {"x": "y"}, {"SQSSuccessFeedbackSampleRate": "101"}]),
    ("content_based_deduplication", [True]),
    ("fifo_throughput_scope", ["topic"]),
    ("archive_retention", [timedelta(days=1)]),
    ("colour", ["red"], "attribute"),
)
async def test_a_bad_attribute_makes_no_topic(client, bad):
    with pytest.raises(InvalidParameter) as caught:
        await client.create_topic("x", **{bad.parameter: bad.value})
    assert caught.value.field.startswith(bad.field)
    assert list(await client.list_topics()) == []


@table(
    ("content_based_deduplication", ["true", 1, None]),
    ("fifo_throughput_scope", ["", "perTopic", 5, None]),
    ("archive_retention", [timedelta(hours=23), timedelta(days=366), "7", -1, math.nan]),
    ("deduplication_window", [1, 301, "300"]),
    ("tracing_config", ["Active"]),
)
async def test_nor_a_fifo_topic(client, bad):
    with pytest.raises(InvalidParameter) as caught:
        await client.create_topic("x.fifo", **{bad.parameter: bad.value})
    assert caught.value.field.startswith(bad.field)
    assert list(await client.list_topics()) == []


@pytest.mark.parametrize("tags", [{"": "v"}, {"k" * 129: "v"}, {"k": "v" * 257}, {5: "v"}, "kv"])
async def test_a_bad_tag_is_not_set(client, topic, tags):
    with pytest.raises(InvalidParameter):
        await topic.tag(tags)
    with pytest.raises(InvalidParameter):
        await client.create_topic("x", tags=tags)
    assert await topic.tags() == {}
    assert list(await client.list_topics()) == ["news"]


@pytest.mark.parametrize("limit", [0, -1, 1001, "5", 1.5, True, None], ids=repr)
async def test_a_page_has_a_size(client, topic, limit):
    with pytest.raises(InvalidParameter, match="limit"):
        await topic.subscriptions(limit=limit)
    with pytest.raises(InvalidParameter, match="limit"):
        await client.list_topics(limit=limit)


@pytest.mark.parametrize("token", ["", "x", 5, "0" * 36], ids=repr)
async def test_a_page_goes_on_behind_a_token(topic, token):
    with pytest.raises(InvalidParameter, match="token"):
        await topic.subscriptions(token=token)


@pytest.mark.parametrize("older_than", ["5", None, math.nan, True], ids=repr)
async def test_a_sweep_has_an_age(topic, older_than):
    with pytest.raises(InvalidParameter, match="older_than"):
        await topic.sweep(older_than=older_than)
