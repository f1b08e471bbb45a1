"""Schema: every answer is what the service model says, to the letter, in every protocol.

The strict reading is the Sdk's, so it holds in all tests of this folder; here each operation is
driven through its variants, from the emptiest answer to the fullest.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable, Iterator
from datetime import UTC, datetime, timedelta, timezone

import cbor2
import pytest
from botocore.model import ServiceModel

from rmq.gateway.app import Endpoint
from rmq.gateway.errors import AwsError
from rmq.gateway.protocol import cbor
from rmq.gateway.protocol.shapes import reader
from rmq.gateway.sqs import overlay
from rmq.testing import HeldClock
from tests.colours import until
from tests.gateway import strict
from tests.gateway.sdk import MODEL, Sdk

Drive = Callable[[Sdk, HeldClock], Awaitable[None]]

DRIVES: dict[str, Drive] = {}
"""For each operation, what drives it through its variants."""


def drives(operation: str) -> Callable[[Drive], Drive]:
    def note(drive: Drive) -> Drive:
        DRIVES[operation] = drive
        return drive

    return note


# --- queues --------------------------------------------------------------------------------------


@drives("CreateQueue")
async def _create_queue(sqs: Sdk, clock: HeldClock) -> None:
    plain = await sqs.create_queue(QueueName="plain")
    again = await sqs.create_queue(QueueName="plain", Attributes={"VisibilityTimeout": "30"})
    assert plain == again
    await sqs.create_queue(
        QueueName="full.fifo",
        Attributes={"FifoQueue": "true", "DelaySeconds": "3"},
        tags={"team": "blue", "empty": ""},
    )


@drives("DeleteQueue")
async def _delete_queue(sqs: Sdk, clock: HeldClock) -> None:
    assert await sqs.delete_queue(QueueUrl=await sqs.queue("orders")) == {}


@drives("GetQueueUrl")
async def _get_queue_url(sqs: Sdk, clock: HeldClock) -> None:
    url = await sqs.queue("orders")
    assert await sqs.get_queue_url(QueueName="orders") == {"QueueUrl": url}
    found = await sqs.get_queue_url(QueueName="orders", QueueOwnerAWSAccountId=sqs.account)
    assert found == {"QueueUrl": url}


@drives("ListQueues")
async def _list_queues(sqs: Sdk, clock: HeldClock) -> None:
    assert await sqs.list_queues() == {}
    urls = [await sqs.queue(name) for name in ("a", "b", "c")]
    assert await sqs.list_queues() == {"QueueUrls": urls}
    page = await sqs.list_queues(MaxResults=2)
    assert page["QueueUrls"] == urls[:2]
    rest = await sqs.list_queues(MaxResults=2, NextToken=page["NextToken"])
    assert rest == {"QueueUrls": urls[2:]}
    assert await sqs.list_queues(QueueNamePrefix="b") == {"QueueUrls": [urls[1]]}
    assert await sqs.list_queues(QueueNamePrefix="none") == {}


@drives("GetQueueAttributes")
async def _get_queue_attributes(sqs: Sdk, clock: HeldClock) -> None:
    url = await sqs.queue("orders")
    assert await sqs.get_queue_attributes(QueueUrl=url) == {}
    assert await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"]) == {}
    await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    fifo = await sqs.queue("orders.fifo", FifoQueue="true")
    await sqs.get_queue_attributes(QueueUrl=fifo, AttributeNames=["All", "QueueArn"])


@drives("SetQueueAttributes")
async def _set_queue_attributes(sqs: Sdk, clock: HeldClock) -> None:
    url = await sqs.queue("orders")
    changed = {"VisibilityTimeout": "1", "Policy": '{"Statement":[]}', "KmsMasterKeyId": "a"}
    assert await sqs.set_queue_attributes(QueueUrl=url, Attributes=changed) == {}
    found = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])
    assert changed.items() <= found["Attributes"].items()


@drives("PurgeQueue")
async def _purge_queue(sqs: Sdk, clock: HeldClock) -> None:
    url = await sqs.queue("orders")
    await sqs.send_message(QueueUrl=url, MessageBody="x")
    assert await sqs.purge_queue(QueueUrl=url) == {}


@drives("TagQueue")
async def _tag_queue(sqs: Sdk, clock: HeldClock) -> None:
    assert await sqs.tag_queue(QueueUrl=await sqs.queue("orders"), Tags={"team": "blue"}) == {}


@drives("UntagQueue")
async def _untag_queue(sqs: Sdk, clock: HeldClock) -> None:
    url = await sqs.queue("orders")
    assert await sqs.untag_queue(QueueUrl=url, TagKeys=["never-set"]) == {}


@drives("ListQueueTags")
async def _list_queue_tags(sqs: Sdk, clock: HeldClock) -> None:
    url = await sqs.queue("orders")
    assert await sqs.list_queue_tags(QueueUrl=url) == {}
    await sqs.tag_queue(QueueUrl=url, Tags={"team": "blue", "empty": ""})
    assert await sqs.list_queue_tags(QueueUrl=url) == {"Tags": {"team": "blue", "empty": ""}}


@drives("AddPermission")
async def _add_permission(sqs: Sdk, clock: HeldClock) -> None:
    url = await sqs.queue("orders")
    added = await sqs.add_permission(
        QueueUrl=url, Label="l", AWSAccountIds=["1" * 12], Actions=["SendMessage"]
    )
    assert added == {}


@drives("RemovePermission")
async def _remove_permission(sqs: Sdk, clock: HeldClock) -> None:
    url = await sqs.queue("orders")
    await sqs.add_permission(QueueUrl=url, Label="l", AWSAccountIds=["1" * 12], Actions=["*"])
    assert await sqs.remove_permission(QueueUrl=url, Label="l") == {}


# --- messages ------------------------------------------------------------------------------------

FULL = {
    "MessageAttributes": {
        "text": {"DataType": "String.label", "StringValue": "v"},
        "number": {"DataType": "Number", "StringValue": "1"},
        "binary": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
    },
    "MessageSystemAttributes": {
        "AWSTraceHeader": {"DataType": "String", "StringValue": "Root=1-5759e988-bd862e3f"}
    },
}
"""All that a message may have beside its body."""


@drives("SendMessage")
async def _send_message(sqs: Sdk, clock: HeldClock) -> None:
    url = await sqs.queue("orders")
    bare = await sqs.send_message(QueueUrl=url, MessageBody="x", MessageAttributes={})
    assert set(bare) == {"MessageId", "MD5OfMessageBody"}
    full = await sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g", **FULL)
    assert set(full) == {
        *bare,
        "MD5OfMessageAttributes",
        "MD5OfMessageSystemAttributes",
    }
    fifo = await sqs.queue("orders.fifo", FifoQueue="true")
    sent = await sqs.send_message(
        QueueUrl=fifo, MessageBody="x", MessageGroupId="g", MessageDeduplicationId="d"
    )
    assert set(sent) == {*bare, "SequenceNumber"}


@drives("SendMessageBatch")
async def _send_message_batch(sqs: Sdk, clock: HeldClock) -> None:
    url = await sqs.queue("orders")
    good = {"Id": "good", "MessageBody": "x", **FULL}
    bad = {"Id": "bad", "MessageBody": "x", "DelaySeconds": 901}
    assert _ids(await sqs.send_message_batch(QueueUrl=url, Entries=[good])) == (["good"], [])
    assert _ids(await sqs.send_message_batch(QueueUrl=url, Entries=[bad])) == ([], ["bad"])
    both = await sqs.send_message_batch(QueueUrl=url, Entries=[bad, good])
    assert _ids(both) == (["good"], ["bad"])
    fifo = await sqs.queue("orders.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    sent = await sqs.send_message_batch(QueueUrl=fifo, Entries=[good | {"MessageGroupId": "g"}])
    assert "SequenceNumber" in sent["Successful"][0]


@drives("ReceiveMessage")
async def _receive_message(sqs: Sdk, clock: HeldClock) -> None:
    url = await sqs.queue("orders")
    assert await sqs.receive_message(QueueUrl=url) == {}
    await sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g", **FULL)
    everything = {"MessageAttributeNames": ["All"], "MessageSystemAttributeNames": ["All"]}
    found = await sqs.receive_message(QueueUrl=url, VisibilityTimeout=0)
    assert set(found["Messages"][0]) == {"MessageId", "ReceiptHandle", "MD5OfBody", "Body"}
    found = await sqs.receive_message(QueueUrl=url, **everything)
    assert {"Attributes", "MessageAttributes", "MD5OfMessageAttributes"} < set(found["Messages"][0])
    fifo = await sqs.queue("orders.fifo", FifoQueue="true", ContentBasedDeduplication="true")
    for body in ("one", "two"):
        await sqs.send_message(QueueUrl=fifo, MessageBody=body, MessageGroupId="g")
    found = await sqs.receive_message(QueueUrl=fifo, MaxNumberOfMessages=10, **everything)
    assert [one["Body"] for one in found["Messages"]] == ["one", "two"]


@drives("DeleteMessage")
async def _delete_message(sqs: Sdk, clock: HeldClock) -> None:
    url, handle = await _received(sqs)
    assert await sqs.delete_message(QueueUrl=url, ReceiptHandle=handle) == {}


@drives("DeleteMessageBatch")
async def _delete_message_batch(sqs: Sdk, clock: HeldClock) -> None:
    url, handle = await _received(sqs)
    bad, good = {"Id": "bad", "ReceiptHandle": "x"}, {"Id": "good", "ReceiptHandle": handle}
    assert _ids(await sqs.delete_message_batch(QueueUrl=url, Entries=[bad])) == ([], ["bad"])
    both = await sqs.delete_message_batch(QueueUrl=url, Entries=[good, bad])
    assert _ids(both) == (["good"], ["bad"])
    assert _ids(await sqs.delete_message_batch(QueueUrl=url, Entries=[good])) == (["good"], [])


@drives("ChangeMessageVisibility")
async def _change_message_visibility(sqs: Sdk, clock: HeldClock) -> None:
    url, handle = await _received(sqs)
    changed = await sqs.change_message_visibility(
        QueueUrl=url, ReceiptHandle=handle, VisibilityTimeout=60
    )
    assert changed == {}


@drives("ChangeMessageVisibilityBatch")
async def _change_message_visibility_batch(sqs: Sdk, clock: HeldClock) -> None:
    url, handle = await _received(sqs)
    good = {"Id": "good", "ReceiptHandle": handle, "VisibilityTimeout": 60}
    bad = {"Id": "bad", "ReceiptHandle": "x", "VisibilityTimeout": 60}
    change = sqs.change_message_visibility_batch
    assert _ids(await change(QueueUrl=url, Entries=[good])) == (["good"], [])
    assert _ids(await change(QueueUrl=url, Entries=[bad])) == ([], ["bad"])
    assert _ids(await change(QueueUrl=url, Entries=[bad, good])) == (["good"], ["bad"])


def _ids(answer: dict) -> tuple[list[str], list[str]]:
    """Of a batch, which entries succeeded and which failed."""
    good, bad = ([one["Id"] for one in answer.get(name, [])] for name in ("Successful", "Failed"))
    return good, bad


async def _received(sqs: Sdk) -> tuple[str, str]:
    """A queue and the receipt handle of a message that was received from it."""
    url = await sqs.queue("orders")
    await sqs.send_message(QueueUrl=url, MessageBody="x")
    found = await sqs.receive_message(QueueUrl=url)
    return url, found["Messages"][0]["ReceiptHandle"]


# --- dead letters --------------------------------------------------------------------------------


@drives("ListDeadLetterSourceQueues")
async def _list_dead_letter_source_queues(sqs: Sdk, clock: HeldClock) -> None:
    lonely = await sqs.queue("lonely")
    found = await sqs.list_dead_letter_source_queues(QueueUrl=lonely)
    assert found.get("queueUrls", []) == []
    dead, sources = await _dead_letters(sqs, "a", "b")
    found = await sqs.list_dead_letter_source_queues(QueueUrl=dead)
    assert found == {"queueUrls": sources}
    page = await sqs.list_dead_letter_source_queues(QueueUrl=dead, MaxResults=1)
    assert set(page) == {"queueUrls", "NextToken"}


@drives("StartMessageMoveTask")
async def _start_message_move_task(sqs: Sdk, clock: HeldClock) -> None:
    dead, _ = await _dead_letters(sqs, "a")
    started = await sqs.start_message_move_task(SourceArn=await sqs.arn(dead))
    assert set(started) == {"TaskHandle"}


@drives("CancelMessageMoveTask")
async def _cancel_message_move_task(sqs: Sdk, clock: HeldClock) -> None:
    dead, sources = await _dead_letters(sqs, "a")
    await _die(sqs, clock, sources[0], 3)
    started = await sqs.start_message_move_task(
        SourceArn=await sqs.arn(dead), MaxNumberOfMessagesPerSecond=1
    )
    cancelled = await sqs.cancel_message_move_task(TaskHandle=started["TaskHandle"])
    assert set(cancelled) == {"ApproximateNumberOfMessagesMoved"}


@drives("ListMessageMoveTasks")
async def _list_message_move_tasks(sqs: Sdk, clock: HeldClock) -> None:
    dead, sources = await _dead_letters(sqs, "a")
    arn = await sqs.arn(dead)
    assert (await sqs.list_message_move_tasks(SourceArn=arn)).get("Results", []) == []

    # One that is running, to a queue of the caller's choice.
    await _die(sqs, clock, sources[0], 3)
    other = await sqs.arn(await sqs.queue("other"))
    started = await sqs.start_message_move_task(
        SourceArn=arn, DestinationArn=other, MaxNumberOfMessagesPerSecond=1
    )
    (running,) = (await sqs.list_message_move_tasks(SourceArn=arn))["Results"]
    assert running["TaskHandle"] == started["TaskHandle"]
    await sqs.cancel_message_move_task(TaskHandle=started["TaskHandle"])

    # One that fails: the message was sent here and never came from elsewhere.
    clock.move(1)  # the newest is first, and these would be of one millisecond
    await sqs.purge_queue(QueueUrl=dead)
    await sqs.send_message(QueueUrl=dead, MessageBody="from nowhere")
    await sqs.start_message_move_task(SourceArn=arn)

    async def failed() -> bool:
        (latest,) = (await sqs.list_message_move_tasks(SourceArn=arn))["Results"]
        return latest["Status"] == "FAILED"

    await until(failed)
    tasks = (await sqs.list_message_move_tasks(SourceArn=arn, MaxResults=10))["Results"]
    assert [one["Status"] for one in tasks] == ["FAILED", "CANCELLED"]
    assert tasks[0]["FailureReason"]


async def _dead_letters(sqs: Sdk, *names: str) -> tuple[str, list[str]]:
    """A dead-letter queue, and queues whose messages go there after one receive."""
    dead = await sqs.queue("dead")
    policy = json.dumps({"deadLetterTargetArn": await sqs.arn(dead), "maxReceiveCount": 1})
    return dead, [await sqs.queue(name, RedrivePolicy=policy) for name in names]


async def _die(sqs: Sdk, clock: HeldClock, source: str, count: int) -> None:
    """Let *count* messages of a queue become dead letters."""
    for _ in range(count):
        await sqs.send_message(QueueUrl=source, MessageBody="x")
    await sqs.receive_message(QueueUrl=source, MaxNumberOfMessages=10)
    clock.move(31)
    assert await sqs.receive_message(QueueUrl=source, MaxNumberOfMessages=10) == {}


# --- the tests -----------------------------------------------------------------------------------


@pytest.mark.parametrize("operation", MODEL.operation_names)
async def test_each_answer_is_as_the_model_has_it(operation: str, sqs: Sdk, clock: HeldClock):
    await DRIVES[operation](sqs, clock)

    assert operation in sqs.asked


NEVER = {
    ("MessageAttributeValue", "StringListValues"),
    ("MessageAttributeValue", "BinaryListValues"),
}
"""Members of answers that AWS has only in the model: "Not implemented. Reserved for future use"."""


async def test_every_member_of_every_answer_was_seen(
    protocol: str, gateway: Endpoint, clock: HeldClock
):
    """What no test has seen could have any form."""
    seen: set[tuple[str, str]] = set()
    for place, drive in enumerate(DRIVES.values()):
        sqs = Sdk(protocol, gateway, region=f"region-{place}")
        await drive(sqs, clock)
        seen |= sqs.seen

    shapes = (MODEL.operation_model(name).output_shape for name in MODEL.operation_names)
    wanted = {one for shape in shapes if shape for one in strict.all_members(shape)}
    assert seen == wanted - NEVER


# --- the strict reading itself -------------------------------------------------------------------

MADE_UP = {
    "metadata": {"protocol": "json"},
    "shapes": {
        "Top": {
            "type": "structure",
            "required": ["must"],
            "members": {
                "must": {"shape": "Text"},
                "word": {"shape": "Word"},
                "many": {"shape": "Many"},
                "map": {"shape": "Map"},
                "flag": {"shape": "Flag"},
                "whole": {"shape": "Whole"},
                "big": {"shape": "Big"},
                "raw": {"shape": "Raw"},
                "at": {"shape": "At"},
            },
        },
        "Text": {"type": "string"},
        "Word": {"type": "string", "enum": ["this", "that"]},
        "Many": {"type": "list", "member": {"shape": "Text"}},
        "Map": {"type": "map", "key": {"shape": "Word"}, "value": {"shape": "Whole"}},
        "Flag": {"type": "boolean"},
        "Whole": {"type": "integer"},
        "Big": {"type": "long"},
        "Raw": {"type": "blob"},
        "At": {"type": "timestamp"},
    },
}


@pytest.fixture
def top():
    return ServiceModel(MADE_UP, "made-up").shape_for("Top")


GOOD = {
    "must": "",
    "word": "this",
    "many": ["a"],
    "map": {"that": 1},
    "flag": False,
    "big": 1 << 40,
}


def test_the_strict_reading_accepts_what_is_right(top):
    assert list(strict.faults(top, GOOD)) == []


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"must": None}, "answer.must is None, not a string"),
        ({"more": 1}, "answer.more is not in the model"),
        ({"word": "other"}, "answer.word is 'other', not one of ['this', 'that']"),
        ({"many": {}}, "answer.many is {}, not a list"),
        ({"many": ["a", 2]}, "answer.many[1] is 2, not a string"),
        ({"map": []}, "answer.map is [], not an object"),
        ({"map": {"other": 1}}, "the key 'other' of answer.map is 'other', not one of"),
        ({"map": {"this": "1"}}, "answer.map['this'] is '1', not a integer"),
        ({"flag": 1}, "answer.flag is 1, not a boolean"),
        ({"whole": True}, "answer.whole is True, not a integer"),
        ({"whole": 1 << 31}, "answer.whole is 2147483648, not a integer"),
        ({"big": 1.0}, "answer.big is 1.0, not a long"),
        ({"raw": "no base64!"}, "answer.raw is 'no base64!', not a blob"),
    ],
)
def test_the_strict_reading_names_what_is_wrong(top, change, fault):
    (found,) = strict.faults(top, GOOD | change)

    assert found.startswith(fault)


def test_the_strict_reading_misses_what_is_required(top):
    assert list(strict.faults(top, {})) == ["answer.must is required and not there"]


def test_elements_that_a_parser_overlooked_are_found():
    from xml.etree import ElementTree

    root = ElementTree.fromstring("<R><A>1</A><B>2</B><C/><D><E>2</E></D></R>")

    assert strict.unread(root, {"A": "1", "B": "2", "C": "", "D": "2"}) == []
    assert strict.unread(root, {"A": "1", "B": "2"}) == ["", "2"]


def test_the_overlay_names_every_list_and_map_of_the_model():
    """A new one in a newer botocore has no name in the query protocol yet."""
    lists = {name for name in MODEL.shape_names if MODEL.shape_for(name).type_name == "list"}
    maps = {name for name in MODEL.shape_names if MODEL.shape_for(name).type_name == "map"}

    assert lists == set(overlay.LIST_MEMBERS)
    assert maps == set(overlay.MAPS)


# --- CBOR ----------------------------------------------------------------------------------------
# SQS has no CBOR, so there is no operation to drive: the protocol alone.

AT = datetime(2026, 1, 2, 3, 4, 5, 678_000, tzinfo=UTC)
AT_MS = 1_767_323_045_678


@pytest.fixture
def read(top) -> Iterator[Callable[[bytes], dict]]:
    read_top = reader(top, cbor.SCALARS)
    return lambda body: cbor.read(read_top, body, [])


def test_what_is_written_in_cbor_is_read_again(read):
    value = {**GOOD, "whole": -(1 << 31), "raw": b"\x00\xff\xc3", "at": AT}

    assert read(cbor.write(value)) == value


def test_the_bytes_of_a_timestamp_and_of_a_blob_in_cbor():
    map_of_one, at, tag_1, eight_bytes = "a1", "626174", "c1", "1b"
    assert cbor.write({"at": AT}).hex() == map_of_one + at + tag_1 + eight_bytes + f"{AT_MS:016x}"

    raw, two_bytes = "63726177", "42"
    assert cbor.write({"raw": b"\x00\xff"}).hex() == map_of_one + raw + two_bytes + "00ff"


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(cbor2.CBORTag(1, AT_MS), id="tagged milliseconds"),
        pytest.param(AT_MS / 1000, id="bare seconds"),
    ],
)
def test_timestamps_in_cbor_come_in_two_forms(read, given):
    assert read(cbor2.dumps({"must": "", "at": given}))["at"] == AT


def test_a_moment_of_another_zone_is_written_as_the_same_moment():
    elsewhere = AT.astimezone(timezone(timedelta(hours=5, minutes=30)))

    assert cbor.write({"at": elsewhere}) == cbor.write({"at": AT})


def test_a_map_of_unknown_length_and_parts_of_text_are_read(read):
    """Java's writer streams."""
    body = bytes.fromhex("bf646d7573747f61616162ffff")

    assert read(body) == {"must": "ab"}


def test_null_is_the_same_as_absent_and_no_body_as_an_empty_map(read):
    assert read(cbor2.dumps({"must": "", "word": None})) == {"must": ""}
    assert read(b"") == {}


def test_an_operation_without_output_has_no_body_in_cbor():
    assert cbor.write(None) == b""
    assert cbor2.loads(cbor.write({})) == {}


def test_an_error_in_cbor_says_type_and_message():
    body = cbor.write_error(AwsError("Shape", "Why.", namespace="com.amazonaws.x"))

    assert cbor2.loads(body) == {"__type": "com.amazonaws.x#Shape", "message": "Why."}


@pytest.mark.parametrize(
    "value",
    [
        {"must": b"bytes"},
        {"raw": "text"},
        {"raw": 1},
        {"whole": 1.5},
        {"whole": 1 << 31},
        {"big": 1 << 63},
        {"flag": 1},
        {"many": {}},
        {"map": []},
        {"at": "2026"},
        {"at": cbor2.CBORTag(1, "no number")},
        {"at": cbor2.CBORTag(1, 1 << 62)},
        {"at": float("nan")},
        [],
        "text",
        1,
    ],
    ids=str,
)
def test_a_wrong_type_in_cbor_is_malformed(read, value):
    with pytest.raises(AwsError) as caught:
        read(cbor2.dumps(value))

    assert caught.value.shape == "SerializationException"


@pytest.mark.parametrize(
    "body",
    [
        pytest.param(b"\xff", id="a break alone"),
        pytest.param(b"\xa1", id="cut"),
        pytest.param(b"\xbb\xff\xff\xff\xff\xff\xff\xff\xff", id="a giant map"),
        pytest.param(b"\x5b\x7f\xff\xff\xff\xff\xff\xff\xff", id="giant bytes"),
        pytest.param(b"\x9b\x00\x00\x00\xff\xff\xff\xff\xff", id="a giant list"),
        pytest.param(b"\xa1\x63raw" + b"\x81" * 100_000 + b"\x00", id="deep"),
        pytest.param(b"\xd8\x1d\x00", id="a reference to nothing"),
        pytest.param(b"\xa1\x62at\xc0\x61x", id="a date that is none"),
        pytest.param(b"\xa1\x80\x00", id="a list as key"),
        pytest.param(b"\xa1\x64must\x62\xff\xff", id="text that is not UTF-8"),
    ],
)
def test_broken_cbor_is_malformed(read, body):
    with pytest.raises(AwsError) as caught:
        read(body)

    assert caught.value.shape == "SerializationException"
