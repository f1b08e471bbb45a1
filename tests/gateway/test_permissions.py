"""Permissions: the access policy as AddPermission and RemovePermission change it, to the letter.

Source: AddPermission, RemovePermission (Amazon SQS API Reference); sqs.md, section 10.
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest

from tests.gateway.sdk import Sdk, refusal

A, B = "111111111111", "222222222222"


@pytest.fixture
async def arn(sqs: Sdk, queue: str) -> str:
    return await sqs.arn(queue)


async def _policy(sqs: Sdk, url: str) -> Any:
    """The policy, or None."""
    found = await sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["Policy"])
    text = found.get("Attributes", {}).get("Policy")
    return None if text is None else json.loads(text)


async def _add(sqs: Sdk, url: str, label: str = "label", **changes: Any) -> dict[str, Any]:
    given = {"AWSAccountIds": [A], "Actions": ["SendMessage"]} | changes
    return await sqs.add_permission(QueueUrl=url, Label=label, **given)


async def test_the_first_permission_makes_a_policy(sqs, queue, arn):
    await _add(sqs, queue)

    assert await _policy(sqs, queue) == {
        "Version": "2012-10-17",
        "Id": f"{arn}/SQSDefaultPolicy",
        "Statement": [
            {
                "Sid": "label",
                "Effect": "Allow",
                "Principal": {"AWS": f"arn:aws:iam::{A}:root"},
                "Action": "SQS:SendMessage",
                "Resource": arn,
            }
        ],
    }


async def test_several_accounts_and_actions_are_lists(sqs, queue, arn):
    await _add(sqs, queue, AWSAccountIds=[A, B], Actions=["SendMessage", "ReceiveMessage"])

    (statement,) = (await _policy(sqs, queue))["Statement"]
    assert statement["Principal"] == {"AWS": [f"arn:aws:iam::{one}:root" for one in (A, B)]}
    assert statement["Action"] == ["SQS:SendMessage", "SQS:ReceiveMessage"]


async def test_a_star_is_every_action(sqs, queue):
    await _add(sqs, queue, Actions=["*"])

    (statement,) = (await _policy(sqs, queue))["Statement"]
    assert statement["Action"] == "SQS:*"


async def test_more_permissions_are_appended(sqs, queue):
    for label in ("one", "two", "three"):
        await _add(sqs, queue, label)

    statements = (await _policy(sqs, queue))["Statement"]
    assert [one["Sid"] for one in statements] == ["one", "two", "three"]


async def test_a_policy_that_was_set_keeps_what_it_has(sqs, queue):
    own = {
        "Version": "2008-10-17",
        "Id": "mine",
        "Statement": {"Sid": "alone", "Effect": "Deny", "Principal": "*", "Action": "SQS:*"},
    }
    await sqs.set_queue_attributes(QueueUrl=queue, Attributes={"Policy": json.dumps(own)})

    await _add(sqs, queue)

    policy = await _policy(sqs, queue)
    assert (policy["Version"], policy["Id"]) == ("2008-10-17", "mine")
    assert policy["Statement"][0] == own["Statement"]
    assert policy["Statement"][1]["Sid"] == "label"


async def test_a_label_is_taken_once(sqs, queue):
    await _add(sqs, queue)

    found = await refusal(_add(sqs, queue, Actions=["*"]))

    assert (found.code, found.message) == (
        "InvalidParameterValue",
        "Value label for parameter Label is invalid. Reason: Already exists.",
    )
    assert len((await _policy(sqs, queue))["Statement"]) == 1


async def test_a_permission_that_is_removed_leaves_the_others(sqs, queue):
    for label in ("one", "two", "three"):
        await _add(sqs, queue, label)

    await sqs.remove_permission(QueueUrl=queue, Label="two")

    statements = (await _policy(sqs, queue))["Statement"]
    assert [one["Sid"] for one in statements] == ["one", "three"]


async def test_the_last_permission_takes_the_policy_with_it(sqs, queue):
    await _add(sqs, queue)

    await sqs.remove_permission(QueueUrl=queue, Label="label")

    assert await _policy(sqs, queue) is None


@pytest.mark.parametrize("others", [True, False])
async def test_a_label_that_is_not_there_cannot_be_removed(sqs, queue, others):
    if others:
        await _add(sqs, queue, "other")

    found = await refusal(sqs.remove_permission(QueueUrl=queue, Label="label"))

    assert found.code == "InvalidParameterValue"
    assert found.message.startswith(
        "Value label for parameter Label is invalid. Reason: can't find label on existing policy"
    )


async def test_seven_actions_are_the_most(sqs, queue):
    seven = [
        "ChangeMessageVisibility",
        "DeleteMessage",
        "GetQueueAttributes",
        "GetQueueUrl",
        "PurgeQueue",
        "ReceiveMessage",
        "SendMessage",
    ]
    await _add(sqs, queue, Actions=seven)

    found = await refusal(_add(sqs, queue, "eight", Actions=[*seven, "ListDeadLetterSourceQueues"]))

    assert (found.code, found.message) == (
        "OverLimit",
        "8 Actions were found, maximum allowed is 7.",
    )


@pytest.mark.parametrize(
    "changes",
    [
        {"Actions": ["DeleteQueue"]},  # not for another account
        {"Actions": ["SendMessageBatch"]},  # SendMessage covers it
        {"Actions": ["sqs:SendMessage"]},
        {"Actions": [""]},
        {"AWSAccountIds": ["1"]},
        {"AWSAccountIds": ["*"]},
        {"AWSAccountIds": [f"arn:aws:iam::{A}:root"]},
    ],
)
async def test_what_cannot_be_permitted(sqs, queue, changes):
    found = await refusal(_add(sqs, queue, **changes))

    assert found.code == "InvalidParameterValue"
    assert await _policy(sqs, queue) is None


@pytest.mark.parametrize("label", ["", "a" * 81, "a b", "ü", "a.b"])
async def test_a_label_is_of_letters_digits_hyphens_and_underscores(sqs, queue, label):
    for call in (_add(sqs, queue, label), sqs.remove_permission(QueueUrl=queue, Label=label)):
        found = await refusal(call)
        assert found.code == "InvalidParameterValue"


async def test_a_policy_does_not_outgrow_its_limit(sqs, queue):
    async def fill() -> None:
        for number in range(100):
            await _add(sqs, queue, f"label-{number}", AWSAccountIds=[A] * 10)

    found = await refusal(fill())

    assert found.code == "OverLimit"
    assert len(json.dumps(await _policy(sqs, queue), separators=(",", ":"))) <= 8192


async def test_permissions_that_are_added_at_once_are_all_there(sqs, queue):
    labels = [f"label-{number}" for number in range(8)]

    await asyncio.gather(*(_add(sqs, queue, one) for one in labels))

    statements = (await _policy(sqs, queue))["Statement"]
    assert sorted(one["Sid"] for one in statements) == labels
