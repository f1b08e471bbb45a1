"""Paging: MaxResults and NextToken of the two listings that have them.

Source: ListQueues, ListDeadLetterSourceQueues (Amazon SQS API Reference).
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from tests.gateway.sdk import Sdk, refusal

List = Callable[..., Awaitable[dict[str, Any]]]
NAMES = ("a", "b", "c", "d", "e")


@pytest.fixture(params=["queues", "sources"])
async def listing(request: pytest.FixtureRequest, sqs: Sdk) -> List:
    """Either listing, of the same five queues."""
    policy = {}
    if request.param == "sources":
        dead = await sqs.queue("dead")
        target = json.dumps({"deadLetterTargetArn": await sqs.arn(dead), "maxReceiveCount": 1})
        policy = {"RedrivePolicy": target}
    for name in NAMES:
        await sqs.queue(f"source-{name}", **policy)
    if request.param == "queues":
        return sqs.list_queues

    async def sources(**given: Any) -> dict[str, Any]:
        found = await sqs.list_dead_letter_source_queues(QueueUrl=dead, **given)
        return {"QueueUrls": found.pop("queueUrls", []), **found}

    return sources


def _names(page: dict[str, Any]) -> list[str]:
    return [one.rpartition("-")[2] for one in page["QueueUrls"]]


@pytest.mark.parametrize(
    ("size", "pages"),
    [(1, ["a", "b", "c", "d", "e"]), (2, ["ab", "cd", "e"]), (4, ["abcd", "e"]), (5, ["abcde"])],
)
async def test_pages_have_all_queues_once_and_in_order(listing, size, pages):
    found, token = [], {}
    while True:
        page = await listing(MaxResults=size, **token)
        found.append("".join(_names(page)))
        if "NextToken" not in page:
            break
        token = {"NextToken": page["NextToken"]}

    assert found == pages


async def test_without_a_size_there_is_no_token(listing):
    assert list(await listing()) == ["QueueUrls"]
    assert _names(await listing()) == list(NAMES)


async def test_a_token_without_a_size_is_answered_to_the_end(listing):
    page = await listing(MaxResults=2)

    rest = await listing(NextToken=page["NextToken"])

    assert _names(rest) == ["c", "d", "e"]
    assert "NextToken" not in rest


async def test_a_page_goes_on_behind_a_queue_that_has_gone(listing, sqs):
    page = await listing(MaxResults=2)
    await sqs.delete_queue(QueueUrl=page["QueueUrls"][-1])

    assert _names(await listing(MaxResults=2, NextToken=page["NextToken"])) == ["c", "d"]


async def test_a_token_is_of_letters_that_no_url_escapes(listing):
    token = (await listing(MaxResults=1))["NextToken"]

    assert token.strip("=").replace("-", "").replace("_", "").isalnum()


@pytest.mark.parametrize("size", [0, -1, 1001])
async def test_a_size_has_a_range(listing, size):
    found = await refusal(listing(MaxResults=size))

    assert (found.code, found.message) == (
        "InvalidParameterValue",
        f"Value {size} for parameter MaxResults is invalid. Reason: Must be between 1 and 1000, if "
        "provided.",
    )


@pytest.mark.parametrize("token", ["x", "ü", "AAAA", "kqFhoWI=", "=", "a" * 10_000])
async def test_a_token_that_is_nobodys_is_refused(listing, token):
    found = await refusal(listing(MaxResults=1, NextToken=token))

    assert (found.code, found.message) == (
        "InvalidParameterValue",
        "Invalid or expired next token.",
    )


async def test_a_token_of_another_question_is_refused(sqs):
    for name in ("ab", "ac", "bb", "bc"):
        await sqs.queue(name)
    page = await sqs.list_queues(MaxResults=1, QueueNamePrefix="a")

    found = await refusal(
        sqs.list_queues(MaxResults=1, QueueNamePrefix="b", NextToken=page["NextToken"])
    )

    assert found.message == "Invalid or expired next token."


async def test_a_prefix_is_of_exact_letters(sqs):
    for name in ("ab", "Ab", "a", "b"):
        await sqs.queue(name)

    for prefix, names in (("a", ["a", "ab"]), ("A", ["Ab"]), ("a*", []), ("ab", ["ab"])):
        found = await sqs.list_queues(QueueNamePrefix=prefix)
        assert [one.rpartition("/")[2] for one in found.get("QueueUrls", [])] == names


async def test_no_more_than_a_thousand_are_listed(sqs, gateway):
    for number in range(1001):
        await gateway.client.create_queue(f"queue-{number:04}")

    assert len((await sqs.list_queues())["QueueUrls"]) == 1000
    page = await sqs.list_queues(MaxResults=1000)
    assert len(page["QueueUrls"]) == 1000
    rest = await sqs.list_queues(MaxResults=1000, NextToken=page["NextToken"])
    assert [one.rpartition("/")[2] for one in rest["QueueUrls"]] == ["queue-1000"]
