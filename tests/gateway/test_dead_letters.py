"""Dead letters: redrive policies in AWS's words, and the tasks that move messages back.

Source: RedrivePolicy (CreateQueue), ListDeadLetterSourceQueues, StartMessageMoveTask and its two
sisters (Amazon SQS API Reference); sqs.md, sections 8 and 9.
"""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest

from rmq.testing import HeldClock
from tests.colours import until
from tests.gateway.sdk import Sdk, refusal


def _policy(arn: Any, count: Any = 1, **more: Any) -> str:
    return json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": count, **more})


@pytest.fixture
async def dead(sqs: Sdk) -> str:
    """The ARN of a standard queue."""
    return await sqs.arn(await sqs.queue("dead"))


async def _stored(sqs: Sdk, url: str, name: str = "RedrivePolicy") -> Any:
    found = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[name])
    return json.loads(found["Attributes"][name])


async def _refused(sqs: Sdk, text: str, name: str = "RedrivePolicy", url: str = "") -> str:
    """The reason for which a policy is refused, by both actions that take one."""
    given = {name: text}
    fifo = {"FifoQueue": "true"} if url.endswith(".fifo") else {}
    new = "new.fifo" if fifo else "new"
    url = url or await sqs.queue("orders")
    reasons = []
    for call in (
        sqs.set_queue_attributes(QueueUrl=url, Attributes=given),
        sqs.create_queue(QueueName=new, Attributes=given | fifo),
    ):
        found = await refusal(call)
        assert found.code == "InvalidParameterValue"
        start, colon, reason = found.message.partition(" is invalid. Reason: ")
        assert colon
        assert start.startswith(f"Value {text[:100]}")  # a long one is shortened
        assert start.endswith(f" for parameter {name}")
        reasons.append(reason)
    assert reasons[0] == reasons[1]
    return reasons[0]


# --- policies ------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [1, 1000, "5"])
async def test_a_redrive_policy_comes_back(sqs, dead, count):
    """AWS's documentation writes the number both ways."""
    url = await sqs.queue("orders", RedrivePolicy=_policy(dead, count))

    found = await _stored(sqs, url)

    assert found["deadLetterTargetArn"] == dead
    assert int(found["maxReceiveCount"]) == int(count)


@pytest.mark.parametrize("text", ["nonsense", "[]", '"x"', "1", "{", "null"])
async def test_a_redrive_policy_is_a_json_object(sqs, text):
    assert await _refused(sqs, text) == "Redrive policy is not a valid JSON map."


async def test_a_redrive_policy_needs_both_parts(sqs, dead):
    assert await _refused(sqs, json.dumps({"deadLetterTargetArn": dead})) == (
        "Redrive policy does not contain mandatory attribute: maxReceiveCount."
    )
    assert await _refused(sqs, json.dumps({"maxReceiveCount": 1})) == (
        "Redrive policy does not contain mandatory attribute: deadLetterTargetArn."
    )


@pytest.mark.parametrize("count", [0, 1001, -1, "ten"])
async def test_a_receive_count_has_a_range(sqs, dead, count):
    assert await _refused(sqs, _policy(dead, count)) == (
        f"Invalid value for maxReceiveCount: {count}, valid values are from 1 to 1000 both "
        "inclusive."
    )


@pytest.mark.parametrize(
    "arn",
    [
        "arn:aws:sqs:us-east-1:000000000000:missing",
        "arn:aws:sqs:us-east-1:111111111111:dead",
        "arn:aws:sqs:eu-west-1:000000000000:dead",
        "arn:aws:sns:us-east-1:000000000000:dead",
        "dead",
        "",
        5,
    ],
)
async def test_a_dead_letter_queue_is_there_in_the_same_account_and_region(sqs, dead, arn):
    assert await _refused(sqs, _policy(arn)) == "Dead letter target does not exist."


async def test_a_dead_letter_queue_is_of_the_same_type(sqs, dead, fifo):
    why = "Dead-letter queue must be same type of queue as the source."

    assert await _refused(sqs, _policy(await sqs.arn(fifo))) == why
    assert await _refused(sqs, _policy(dead), url=fifo) == why


@pytest.mark.parametrize("permission", ["denyAll", "byQueue"])
async def test_a_dead_letter_queue_may_decline(sqs, dead, permission):
    allowed = await sqs.queue("allowed")
    policy: dict[str, Any] = {"redrivePermission": permission}
    if permission == "byQueue":
        policy["sourceQueueArns"] = [await sqs.arn(allowed)]
    await sqs.queue("orders")
    await sqs.set_queue_attributes(
        QueueUrl=(await sqs.get_queue_url(QueueName="dead"))["QueueUrl"],
        Attributes={"RedriveAllowPolicy": json.dumps(policy)},
    )

    assert "allow" in await _refused(sqs, _policy(dead))

    to_itself = sqs.set_queue_attributes(
        QueueUrl=allowed, Attributes={"RedrivePolicy": _policy(dead)}
    )
    if permission == "byQueue":
        assert await to_itself == {}
    else:
        assert (await refusal(to_itself)).code == "InvalidParameterValue"


@pytest.mark.parametrize(
    "policy",
    [
        {"redrivePermission": "allowAll"},
        {"redrivePermission": "denyAll"},
        {
            "redrivePermission": "byQueue",
            "sourceQueueArns": ["arn:aws:sqs:us-east-1:000000000000:not-yet"],
        },
    ],
)
async def test_a_redrive_allow_policy_comes_back(sqs, policy):
    url = await sqs.queue("dead", RedriveAllowPolicy=json.dumps(policy))

    assert await _stored(sqs, url, "RedriveAllowPolicy") == policy


SOME_ARN = "arn:aws:sqs:us-east-1:000000000000:some"


@pytest.mark.parametrize(
    "policy",
    [
        "nonsense",
        "[]",
        "{}",
        '{"redrivePermission":"AllowAll"}',
        '{"redrivePermission":"byQueue"}',
        '{"redrivePermission":"byQueue","sourceQueueArns":[]}',
        '{"redrivePermission":"byQueue","sourceQueueArns":"x"}',
        '{"redrivePermission":"byQueue","sourceQueueArns":[1]}',
        json.dumps({"redrivePermission": "byQueue", "sourceQueueArns": [SOME_ARN] * 11}),
        json.dumps({"redrivePermission": "denyAll", "sourceQueueArns": [SOME_ARN]}),
    ],
)
async def test_a_redrive_allow_policy_that_is_wrong(sqs, policy):
    assert await _refused(sqs, policy, "RedriveAllowPolicy")


# --- dying ---------------------------------------------------------------------------------------


async def _die(sqs: Sdk, clock: HeldClock, url: str, *bodies: str) -> None:
    """Let messages of a queue become dead letters."""
    for body in bodies:
        await sqs.send_message(QueueUrl=url, MessageBody=body)
    await sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10)
    clock.move(31)
    assert await sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10) == {}


async def _bodies(sqs: Sdk, url: str) -> list[str]:
    found = await sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, VisibilityTimeout=0)
    return sorted(one["Body"] for one in found.get("Messages", []))


async def test_a_dead_letter_says_where_it_came_from(sqs, dead, clock):
    url = await sqs.queue("orders", RedrivePolicy=_policy(dead))
    sent = await sqs.send_message(QueueUrl=url, MessageBody="x")
    at = str(clock.now_ms())
    await _die(sqs, clock, url)

    dead_url = (await sqs.get_queue_url(QueueName="dead"))["QueueUrl"]
    (found,) = (await sqs.receive_message(QueueUrl=dead_url, MessageSystemAttributeNames=["All"]))[
        "Messages"
    ]

    assert found["MessageId"] == sent["MessageId"]
    assert found["Attributes"]["DeadLetterQueueSourceArn"] == await sqs.arn(url)
    assert found["Attributes"]["SentTimestamp"] == at
    assert found["Attributes"]["ApproximateReceiveCount"] == "2"


async def test_the_sources_of_a_dead_letter_queue(sqs, dead):
    urls = [await sqs.queue(name, RedrivePolicy=_policy(dead)) for name in ("a", "b")]
    await sqs.queue("c")
    dead_url = (await sqs.get_queue_url(QueueName="dead"))["QueueUrl"]

    found = await sqs.list_dead_letter_source_queues(QueueUrl=dead_url)
    assert found == {"queueUrls": urls}

    await sqs.set_queue_attributes(QueueUrl=urls[0], Attributes={"RedrivePolicy": ""})
    found = await sqs.list_dead_letter_source_queues(QueueUrl=dead_url)
    assert found == {"queueUrls": urls[1:]}


# --- moving back ---------------------------------------------------------------------------------


async def _task(sqs: Sdk, arn: str, status: str) -> dict[str, Any]:
    """The latest task of a queue, once it has that status."""

    async def latest() -> dict[str, Any] | None:
        (found,) = (await sqs.list_message_move_tasks(SourceArn=arn))["Results"]
        return found if found["Status"] == status else None

    return dict(await until(latest))


async def test_messages_go_back_to_the_queues_they_came_from(sqs, dead, clock):
    urls = [await sqs.queue(name, RedrivePolicy=_policy(dead)) for name in ("a", "b")]
    for url in urls:
        await _die(sqs, clock, url, url[-1])
    started_at = clock.now_ms()

    started = await sqs.start_message_move_task(SourceArn=dead)

    task = await _task(sqs, dead, "COMPLETED")
    assert task == {
        "Status": "COMPLETED",
        "SourceArn": dead,
        "ApproximateNumberOfMessagesMoved": 2,
        "ApproximateNumberOfMessagesToMove": 2,
        "StartedTimestamp": started_at,
    }
    assert json.loads(base64.b64decode(started["TaskHandle"]))["sourceArn"] == dead
    for url in urls:
        assert await _bodies(sqs, url) == [url[-1]]


async def test_messages_may_go_to_another_queue(sqs, dead, clock):
    url = await sqs.queue("orders", RedrivePolicy=_policy(dead))
    await _die(sqs, clock, url, "x")
    other = await sqs.queue("other")

    await sqs.start_message_move_task(SourceArn=dead, DestinationArn=await sqs.arn(other))

    task = await _task(sqs, dead, "COMPLETED")
    assert task["DestinationArn"] == await sqs.arn(other)
    assert "MaxNumberOfMessagesPerSecond" not in task
    assert await _bodies(sqs, other) == ["x"]


async def test_a_running_task_has_a_handle_and_can_be_cancelled(sqs, dead, clock):
    url = await sqs.queue("orders", RedrivePolicy=_policy(dead))
    await _die(sqs, clock, url, *"abc")
    started = await sqs.start_message_move_task(SourceArn=dead, MaxNumberOfMessagesPerSecond=1)

    (running,) = (await sqs.list_message_move_tasks(SourceArn=dead))["Results"]
    assert running["Status"] == "RUNNING"
    assert running["TaskHandle"] == started["TaskHandle"]
    assert running["MaxNumberOfMessagesPerSecond"] == 1

    cancelled = await sqs.cancel_message_move_task(TaskHandle=started["TaskHandle"])
    clock.move(2)
    task = await _task(sqs, dead, "CANCELLED")
    assert "TaskHandle" not in task
    assert 0 <= cancelled["ApproximateNumberOfMessagesMoved"] < 3


async def test_a_task_for_a_message_that_came_from_nowhere_fails_and_says_why(sqs, dead):
    await sqs.queue("orders", RedrivePolicy=_policy(dead))
    dead_url = (await sqs.get_queue_url(QueueName="dead"))["QueueUrl"]
    await sqs.send_message(QueueUrl=dead_url, MessageBody="from nowhere")

    await sqs.start_message_move_task(SourceArn=dead)

    task = await _task(sqs, dead, "FAILED")
    assert task["FailureReason"] == "CouldNotDetermineMessageSource"


@pytest.mark.parametrize("results", [0, 11, -1])
async def test_at_most_ten_tasks_are_listed(sqs, dead, results):
    found = await refusal(sqs.list_message_move_tasks(SourceArn=dead, MaxResults=results))

    assert found.code == "InvalidParameterValue"


@pytest.mark.parametrize("rate", [0, 501, -1])
async def test_a_rate_has_a_range(sqs, dead, rate):
    await sqs.queue("orders", RedrivePolicy=_policy(dead))

    found = await refusal(
        sqs.start_message_move_task(SourceArn=dead, MaxNumberOfMessagesPerSecond=rate)
    )

    assert found.code == "InvalidParameterValue"
    assert f"Value {rate} for parameter MaxNumberOfMessagesPerSecond" in found.message


async def test_a_destination_is_another_queue_of_the_same_type(sqs, dead, fifo):
    await sqs.queue("orders", RedrivePolicy=_policy(dead))
    for destination in (dead, await sqs.arn(fifo)):
        found = await refusal(
            sqs.start_message_move_task(SourceArn=dead, DestinationArn=destination)
        )
        assert found.code == "InvalidParameterValue"


@pytest.mark.parametrize(
    "handle",
    [
        "",
        "nonsense",
        "ü",
        base64.b64encode(b"{}").decode(),
        base64.b64encode(b'{"taskId":1,"sourceArn":2}').decode(),
        base64.b64encode(
            b'{"taskId":"x","sourceArn":"arn:aws:sqs:us-east-1:000000000000:dead"}'
        ).decode(),
        base64.b64encode(b'{"taskId":"x","sourceArn":"nowhere"}').decode(),
    ],
)
async def test_a_handle_of_no_task_is_not_found(sqs, dead, handle):
    found = await refusal(sqs.cancel_message_move_task(TaskHandle=handle))

    assert found.code == "ResourceNotFoundException"
