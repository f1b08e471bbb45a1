"""Messages: digests, selections, batches and receipts, as they are on the wire.

How queues behave is for the library's own tests; here is what only an SDK sees.
Source: SendMessage, ReceiveMessage, ...Batch (Amazon SQS API Reference); sqs.md, sections 4 to 7.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

import pytest

from rmq.testing import HeldClock
from tests.gateway.sdk import Sdk, refusal


async def _received(sqs: Sdk, url: str, **wanted: Any) -> dict[str, Any]:
    """The one message that is received."""
    found = await sqs.receive_message(QueueUrl=url, VisibilityTimeout=0, **wanted)
    (message,) = found["Messages"]
    return dict(message)


def _text(value: str, label: str = "String") -> dict[str, str]:
    return {"DataType": label, "StringValue": value}


# --- MD5 -----------------------------------------------------------------------------------------


async def test_the_digest_of_a_body(sqs, queue):
    sent = await sqs.send_message(QueueUrl=queue, MessageBody="This is a test message")

    assert sent["MD5OfMessageBody"] == "fafb00f5732ab283681e124bf8747ed1"
    assert (await _received(sqs, queue))["MD5OfBody"] == sent["MD5OfMessageBody"]


async def test_the_digest_of_a_body_is_of_its_utf_8(sqs, queue):
    sent = await sqs.send_message(QueueUrl=queue, MessageBody="ü漢😀")

    assert sent["MD5OfMessageBody"] == hashlib.md5("ü漢😀".encode()).hexdigest()


THREE = {
    "Population": _text("1250800", "Number"),
    "City": _text("Any City"),
    "Binary": {"DataType": "Binary", "BinaryValue": b"\x00\x01"},
}


@pytest.mark.parametrize(
    ("attributes", "digest"),
    [
        ({"a": _text("v")}, "a18cbb58171ebf4ce88d9fb787f9210b"),
        (THREE, "04150213f46934cece42ec4f30a4689f"),
    ],
)
async def test_the_digest_of_attributes(sqs, queue, attributes, digest):
    sent = await sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes=attributes)

    assert sent["MD5OfMessageAttributes"] == digest
    found = await _received(sqs, queue, MessageAttributeNames=["All"])
    assert found["MD5OfMessageAttributes"] == digest
    assert found["MessageAttributes"] == attributes


async def test_the_digest_on_receipt_is_of_what_was_asked_for(sqs, queue):
    """SDKs compare it with what they got."""
    sent = await sqs.send_message(
        QueueUrl=queue, MessageBody="x", MessageAttributes={"a": _text("v"), "b": _text("w")}
    )

    found = await _received(sqs, queue, MessageAttributeNames=["a"])

    assert found["MD5OfMessageAttributes"] == "a18cbb58171ebf4ce88d9fb787f9210b"
    assert found["MD5OfMessageAttributes"] != sent["MD5OfMessageAttributes"]


async def test_the_digest_has_the_label_of_a_type(sqs, queue):
    plain, labelled = [
        await sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes={"a": value})
        for value in (_text("v"), _text("v", "String.label"))
    ]

    assert plain["MD5OfMessageAttributes"] != labelled["MD5OfMessageAttributes"]
    buffer = b"".join(
        len(part).to_bytes(4, "big") + part if part != b"\1" else part
        for part in (b"a", b"String.label", b"\1", b"v")
    )
    assert labelled["MD5OfMessageAttributes"] == hashlib.md5(buffer).hexdigest()


async def test_the_digest_of_system_attributes_is_made_the_same_way(sqs, queue):
    trace = {"AWSTraceHeader": _text("Root=1")}
    sent = await sqs.send_message(QueueUrl=queue, MessageBody="x", MessageSystemAttributes=trace)

    buffer = b"".join(
        len(part).to_bytes(4, "big") + part if part != b"\1" else part
        for part in (b"AWSTraceHeader", b"String", b"\1", b"Root=1")
    )
    assert sent["MD5OfMessageSystemAttributes"] == hashlib.md5(buffer).hexdigest()
    assert "MD5OfMessageAttributes" not in sent


# --- which attributes ----------------------------------------------------------------------------

NAMES = ("foo", "foo.bar", "foo.bar.baz", "foobar", "Foo", "other")


@pytest.mark.parametrize(
    ("wanted", "found"),
    [
        ((), ()),
        (("All",), NAMES),
        ((".*",), NAMES),
        (("foo",), ("foo",)),
        (("foo", "other"), ("foo", "other")),
        (("foo.*",), ("foo.bar", "foo.bar.baz")),
        (("foo.bar.*", "Foo"), ("foo.bar.baz", "Foo")),
        (("all", "FOO", "fo", "unknown"), ()),
        (("unknown", "All"), NAMES),
    ],
)
async def test_which_attributes_a_receive_asks_for(sqs, queue, wanted, found):
    given = {name: _text("v") for name in NAMES}
    await sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes=given)

    message = await _received(sqs, queue, MessageAttributeNames=list(wanted))

    attributes = set(message.get("MessageAttributes", {}))
    # Whether prefix.* also means the prefix itself, AWS does not say.
    assert attributes - set(found) <= {one.removesuffix(".*") for one in wanted if one[-1] == "*"}
    assert set(found) <= attributes
    assert ("MD5OfMessageAttributes" in message) == bool(attributes)


async def _system(sqs: Sdk, url: str, **wanted: Any) -> set[str]:
    return set((await _received(sqs, url, **wanted)).get("Attributes", {}))


PLAIN = {
    "SenderId",
    "SentTimestamp",
    "ApproximateReceiveCount",
    "ApproximateFirstReceiveTimestamp",
}


@pytest.mark.parametrize("parameter", ["AttributeNames", "MessageSystemAttributeNames"])
async def test_system_attributes_are_asked_for_by_either_name(sqs, queue, parameter):
    """The first is deprecated."""
    await sqs.send_message(QueueUrl=queue, MessageBody="x")

    assert await _system(sqs, queue) == set()
    assert await _system(sqs, queue, **{parameter: ["All"]}) == PLAIN
    assert await _system(sqs, queue, **{parameter: ["SenderId"]}) == {"SenderId"}
    assert await _system(sqs, queue, **{parameter: ["MessageGroupId"]}) == set()


async def test_both_names_together_ask_for_both(sqs, queue):
    await sqs.send_message(QueueUrl=queue, MessageBody="x")

    found = await _system(
        sqs, queue, AttributeNames=["SenderId"], MessageSystemAttributeNames=["SentTimestamp"]
    )

    assert found == {"SenderId", "SentTimestamp"}


async def test_what_system_attributes_say(sqs, fifo, clock: HeldClock):
    sent_at = clock.now_ms()
    sent = await sqs.send_message(
        QueueUrl=fifo,
        MessageBody="x",
        MessageGroupId="g",
        MessageDeduplicationId="d",
        MessageSystemAttributes={"AWSTraceHeader": _text("Root=1")},
    )
    clock.move(5)
    await _received(sqs, fifo)
    clock.move(5)

    found = await _received(sqs, fifo, MessageSystemAttributeNames=["All"])

    assert found["Attributes"] == {
        "SenderId": sqs.account,
        "SentTimestamp": str(sent_at),
        "ApproximateReceiveCount": "2",
        "ApproximateFirstReceiveTimestamp": str(sent_at + 5000),
        "SequenceNumber": sent["SequenceNumber"],
        "MessageGroupId": "g",
        "MessageDeduplicationId": "d",
        "AWSTraceHeader": "Root=1",
    }


async def test_a_message_of_a_standard_queue_may_have_a_group(sqs, queue):
    """Fair queues."""
    await sqs.send_message(QueueUrl=queue, MessageBody="x", MessageGroupId="tenant")

    found = await _received(sqs, queue, MessageSystemAttributeNames=["All"])

    assert found["Attributes"]["MessageGroupId"] == "tenant"


async def test_a_tenant_of_a_standard_queue_does_not_wait_for_a_noisy_one(sqs, queue):
    """Fair queues: the group with the fewest messages in flight is next."""
    noisy = [_entry(f"n{i}", MessageBody=f"n{i}", MessageGroupId="noisy") for i in range(10)]
    for _ in range(3):
        await sqs.send_message_batch(QueueUrl=queue, Entries=noisy)
    await sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10)
    await sqs.send_message(QueueUrl=queue, MessageBody="q", MessageGroupId="quiet")

    found = await sqs.receive_message(
        QueueUrl=queue, MaxNumberOfMessages=2, AttributeNames=["MessageGroupId"]
    )

    groups = [one["Attributes"]["MessageGroupId"] for one in found["Messages"]]
    assert groups == ["quiet", "noisy"]


async def test_ids_handles_and_numbers_look_like_aws(sqs, queue, fifo):
    await sqs.send_message(QueueUrl=queue, MessageBody="x")
    message = await _received(sqs, queue)
    sent = await sqs.send_message(QueueUrl=fifo, MessageBody="x", MessageGroupId="g")

    assert re.fullmatch(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", message["MessageId"])
    assert len(message["ReceiptHandle"]) <= 1024
    assert re.fullmatch(r"[0-9]{20}", sent["SequenceNumber"])


async def test_messages_that_the_library_sent_as_bytes_are_readable(sqs, queue, gateway):
    """What is not UTF-8 cannot be on these wires; the digest is of what is."""
    await gateway.client.queue("orders").send(b"\xffa")

    message = await _received(sqs, queue)

    assert message["MD5OfBody"] == hashlib.md5(message["Body"].encode()).hexdigest()


# --- batches -------------------------------------------------------------------------------------


def _entry(id: str, **more: Any) -> dict[str, Any]:
    return {"Id": id, "MessageBody": "x", **more}


async def test_what_is_wrong_with_one_entry_fails_that_one(sqs, queue):
    small = await sqs.queue("small", MaximumMessageSize="1024")
    entries = [
        _entry("good-1"),
        _entry("delay", DelaySeconds=901),
        _entry("long", MessageBody="x" * 1025),
        _entry("empty", MessageBody=""),
        _entry("character", MessageBody="\x08"),
        _entry("type", MessageAttributes={"N": _text("v", "Date")}),
        _entry("dedup", MessageDeduplicationId="d"),
        _entry("good-2"),
    ]

    found = await sqs.send_message_batch(QueueUrl=small, Entries=entries)

    assert [one["Id"] for one in found["Successful"]] == ["good-1", "good-2"]
    failed = {one["Id"]: (one["Code"], one["SenderFault"]) for one in found["Failed"]}
    assert failed == {
        "delay": ("InvalidParameterValue", True),
        "long": ("InvalidParameterValue", True),
        "empty": ("MissingParameter", True),
        "character": ("InvalidMessageContents", True),
        "type": ("InvalidParameterValue", True),
        "dedup": ("InvalidParameterValue", True),
    }
    messages = {one["Id"]: one["Message"] for one in found["Failed"]}
    assert messages["delay"].startswith("Value 901 for parameter DelaySeconds is invalid.")
    assert messages["long"].endswith("Message must be shorter than 1024 bytes.")


async def test_a_batch_whose_entries_all_fail_is_answered_with_200(sqs, fifo):
    entries = [_entry("a"), _entry("b")]  # of no group

    found = await sqs.send_message_batch(QueueUrl=fifo, Entries=entries)

    assert found.get("Successful", []) == []
    assert [(one["Id"], one["Code"]) for one in found["Failed"]] == [
        ("a", "MissingParameter"),
        ("b", "MissingParameter"),
    ]


TOO_LONG = "x" * 600_000
"""Two of them are more than a batch may hold."""


@pytest.mark.parametrize(
    ("entries", "code"),
    [
        # Each is also wrong in all the ways that come later.
        ([], "EmptyBatchRequest"),
        ([_entry("!", MessageBody=TOO_LONG)] * 11, "TooManyEntriesInBatchRequest"),
        ([_entry("!", MessageBody=TOO_LONG)] * 2, "InvalidBatchEntryId"),
        ([_entry("a", MessageBody=TOO_LONG)] * 2, "BatchEntryIdsNotDistinct"),
        (
            [
                _entry("a", MessageBody=TOO_LONG),
                _entry("b", MessageBody=TOO_LONG, DelaySeconds=901),
            ],
            "BatchRequestTooLong",
        ),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
async def test_the_whole_batch_is_looked_at_before_its_entries(sqs, queue, entries, code):
    found = await refusal(sqs.send_message_batch(QueueUrl=queue, Entries=entries))

    assert found.code == f"AWS.SimpleQueueService.{code}"
    assert await sqs.receive_message(QueueUrl=queue) == {}


@pytest.mark.parametrize("id", ["", "a" * 81, "a b", "a.b", "ü", "a\n"])
async def test_an_id_of_an_entry_is_of_letters_digits_hyphens_and_underscores(sqs, queue, id):
    found = await refusal(sqs.send_message_batch(QueueUrl=queue, Entries=[_entry(id)]))

    assert found.code == "AWS.SimpleQueueService.InvalidBatchEntryId"


async def test_an_id_of_80_characters_of_every_kind_is_good(sqs, queue):
    id = "aZ09-_" + "a" * 74

    found = await sqs.send_message_batch(QueueUrl=queue, Entries=[_entry(id)])

    assert found["Successful"][0]["Id"] == id


async def test_a_batch_may_be_of_one_mebibyte_with_its_attributes(sqs, queue):
    attribute = {"N": {"DataType": "Binary", "BinaryValue": b"12345"}}  # 1 + 6 + 5 bytes
    half = 1_048_576 // 2
    entries = [
        _entry("a", MessageBody="ü" * (half // 2)),  # 2 bytes each
        _entry("b", MessageBody="x" * (half - 12), MessageAttributes=attribute),
    ]
    found = await sqs.send_message_batch(QueueUrl=queue, Entries=entries)
    assert len(found["Successful"]) == 2

    entries[1]["MessageBody"] += "x"
    refused = await refusal(sqs.send_message_batch(QueueUrl=queue, Entries=entries))
    assert refused.code == "AWS.SimpleQueueService.BatchRequestTooLong"
    assert refused.message.endswith("You have sent 1048577 bytes.")


async def test_a_trace_header_does_not_count(sqs, queue):
    trace = {"AWSTraceHeader": _text("x" * 1000)}

    sent = await sqs.send_message(
        QueueUrl=queue, MessageBody="x" * 1_048_576, MessageSystemAttributes=trace
    )

    assert sent["MessageId"]


async def test_a_batch_of_a_fifo_queue_is_sent_in_its_order(sqs, fifo):
    bodies = [f"{i:02}" for i in range(10)]
    entries = [_entry(one, MessageBody=one, MessageGroupId="g") for one in reversed(bodies)]

    sent = await sqs.send_message_batch(QueueUrl=fifo, Entries=entries)

    numbers = [one["SequenceNumber"] for one in sent["Successful"]]
    assert numbers == sorted(numbers)
    found = await sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10)
    assert [one["Body"] for one in found["Messages"]] == bodies[::-1]


async def test_an_entry_of_a_batch_to_prolong_needs_its_timeout(sqs, queue):
    """The model lets it be left out; it could mean nothing."""
    await sqs.send_message(QueueUrl=queue, MessageBody="x")
    handle = (await sqs.receive_message(QueueUrl=queue))["Messages"][0]["ReceiptHandle"]
    entries = [
        {"Id": "without", "ReceiptHandle": handle},
        {"Id": "with", "ReceiptHandle": handle, "VisibilityTimeout": 60},
    ]

    found = await sqs.change_message_visibility_batch(QueueUrl=queue, Entries=entries)

    assert [one["Id"] for one in found["Successful"]] == ["with"]
    (failed,) = found["Failed"]
    assert (failed["Id"], failed["Code"]) == ("without", "MissingParameter")


async def test_an_expired_handle_of_a_fifo_queue_fails_alone_in_a_batch(sqs, fifo, clock):
    for group in "ab":
        await sqs.send_message(QueueUrl=fifo, MessageBody=group, MessageGroupId=group)
    (old,) = (await sqs.receive_message(QueueUrl=fifo))["Messages"]
    clock.move(31)
    found = await sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10)
    new = next(one for one in found["Messages"] if one["Body"] != old["Body"])
    entries = [
        {"Id": "old", "ReceiptHandle": old["ReceiptHandle"]},
        {"Id": "new", "ReceiptHandle": new["ReceiptHandle"]},
    ]

    found = await sqs.delete_message_batch(QueueUrl=fifo, Entries=entries)

    assert [one["Id"] for one in found["Successful"]] == ["new"]
    assert found["Failed"] == [
        {
            "Id": "old",
            "Code": "ReceiptHandleIsInvalid",
            "Message": "The receipt handle has expired",
            "SenderFault": True,
        }
    ]


# --- FIFO ----------------------------------------------------------------------------------------


async def test_a_duplicate_is_answered_with_the_first_ones_id_and_number(sqs, fifo):
    first, second = [
        await sqs.send_message(QueueUrl=fifo, MessageBody="x", MessageGroupId="g") for _ in range(2)
    ]

    assert first == second
    assert len((await sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10))["Messages"]) == 1


async def test_no_delay_at_all_is_a_delay_that_a_fifo_queue_allows(sqs, fifo):
    """Many clients say 0 where they mean nothing."""
    sent = await sqs.send_message(
        QueueUrl=fifo, MessageBody="x", MessageGroupId="g", DelaySeconds=0
    )
    assert sent["SequenceNumber"]

    refused = await refusal(
        sqs.send_message(QueueUrl=fifo, MessageBody="y", MessageGroupId="g", DelaySeconds=1)
    )
    assert refused.message == (
        "Value 1 for parameter DelaySeconds is invalid. Reason: The request include parameter that "
        "is not valid for this queue type."
    )


async def test_no_delay_overrides_the_delay_of_a_standard_queue(sqs):
    url = await sqs.queue("late", DelaySeconds="10")
    await sqs.send_message(QueueUrl=url, MessageBody="late")
    await sqs.send_message(QueueUrl=url, MessageBody="now", DelaySeconds=0)

    assert (await _received(sqs, url))["Body"] == "now"


async def test_the_same_attempt_gets_the_same_messages_and_handles(sqs, fifo):
    await sqs.send_message(QueueUrl=fifo, MessageBody="x", MessageGroupId="g")
    ask = {"QueueUrl": fifo, "ReceiveRequestAttemptId": "attempt"}

    first, again = [await sqs.receive_message(**ask) for _ in range(2)]

    assert first["Messages"][0]["ReceiptHandle"] == again["Messages"][0]["ReceiptHandle"]
    assert await sqs.receive_message(QueueUrl=fifo) == {}


# --- attributes of messages ----------------------------------------------------------------------


@pytest.mark.parametrize(
    "name",
    [
        "",
        "a b",
        "AWS.x",
        "aws.x",
        "Amazon.x",
        "AMAZON.x",
        ".a",
        "a.",
        "a..b",
        "a" * 257,
        "ü",
        "a:b",
    ],
)
async def test_a_name_of_an_attribute_that_is_not_allowed(sqs, queue, name):
    found = await refusal(
        sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes={name: _text("v")})
    )

    assert found.code == "InvalidParameterValue"


@pytest.mark.parametrize("name", ["a", "A.b-c_9", "a" * 256, "9", "-", "Amazonx", "awsx"])
async def test_a_name_of_an_attribute_that_is_allowed(sqs, queue, name):
    given = {name: _text("v")}
    await sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes=given)

    assert (await _received(sqs, queue, MessageAttributeNames=[name]))["MessageAttributes"] == given


@pytest.mark.parametrize(
    "value",
    [
        pytest.param({"DataType": "String"}, id="no value"),
        pytest.param({"DataType": "String", "BinaryValue": b"x"}, id="the wrong one"),
        pytest.param({"DataType": "Binary", "StringValue": "x"}, id="the other wrong one"),
        pytest.param({"DataType": "Binary", "BinaryValue": b""}, id="empty bytes"),
        pytest.param({"DataType": "", "StringValue": "x"}, id="no type"),
        pytest.param({"DataType": "string", "StringValue": "x"}, id="a type in lower case"),
        pytest.param({"DataType": "Stringy", "StringValue": "x"}, id="almost a type"),
        pytest.param({"DataType": "String." + "x" * 250, "StringValue": "x"}, id="a long label"),
        pytest.param({"DataType": "String", "StringValue": "x", "BinaryValue": b"x"}, id="both"),
        pytest.param({"DataType": "String", "StringListValues": ["x"]}, id="a list"),
        pytest.param({"DataType": "Number", "StringValue": ""}, id="no number"),
        pytest.param({"DataType": "Number", "StringValue": "1e127"}, id="too large a number"),
        pytest.param({"DataType": "Number", "StringValue": "0x10"}, id="a hexadecimal number"),
        pytest.param({"DataType": "Number", "StringValue": "NaN"}, id="not a number"),
    ],
)
async def test_a_value_of_an_attribute_that_is_not_allowed(sqs, queue, value):
    found = await refusal(
        sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes={"N": value})
    )

    assert found.code == "InvalidParameterValue"
    assert "N" in found.message


@pytest.mark.parametrize("text", ["1", "-1", "+1", "1.50", "007", "1e10", ".5", "9" * 38, "1e126"])
async def test_a_number_is_kept_as_it_was_written(sqs, queue, text):
    given = {"N": _text(text, "Number.int")}
    await sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes=given)

    assert (await _received(sqs, queue, MessageAttributeNames=["N"]))["MessageAttributes"] == given


async def test_a_forbidden_character_in_an_attribute(sqs, queue):
    given = {"N": _text("a\x00b")}

    found = await refusal(
        sqs.send_message(QueueUrl=queue, MessageBody="x", MessageAttributes=given)
    )

    assert found.code == "InvalidMessageContents"


async def test_only_the_trace_header_is_a_system_attribute_to_send(sqs, queue):
    for given in (
        {"SenderId": _text("x")},
        {"AWSTraceHeader": {"DataType": "Binary", "BinaryValue": b"x"}},
    ):
        found = await refusal(
            sqs.send_message(QueueUrl=queue, MessageBody="x", MessageSystemAttributes=given)
        )

        assert found.code == "InvalidParameterValue"


@pytest.mark.parametrize("body", ["\t\n\r", "\ud7ff\ue000\ufffd\U00010000\U0010ffff", " ", "0"])
async def test_every_character_that_is_allowed(sqs, queue, body):
    await sqs.send_message(QueueUrl=queue, MessageBody=body)

    assert (await _received(sqs, queue))["Body"] == body


@pytest.mark.parametrize("character", ["\x00", "\x08", "\x0b", "\x1f", "\ufffe", "\uffff"])
async def test_every_kind_of_character_that_is_not(sqs, queue, character):
    found = await refusal(sqs.send_message(QueueUrl=queue, MessageBody=f"a{character}b"))

    assert found.code == "InvalidMessageContents"
    assert f"#x{ord(character):x}'" in found.message
