"""Controls: what --testing adds: a clock, a reset, errors on demand; and that without it nothing of
that is there.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

import rmq
from rmq.gateway.app import Endpoint, endpoint_limits
from rmq.gateway.controls import CLOCK, FAULTS, RESETS
from rmq.gateway.http import Request, Response
from tests.gateway.sdk import REGION, Sdk, new_account, over_http, refusal
from tests.gateway.serving import serving


async def _ask(carry: Any, path: str, given: Any = None, method: str = "") -> Response:
    body = b"" if given is None else json.dumps(given).encode()
    return await carry(Request(method or ("POST" if body else "GET"), path, "", {}, body))


async def _said(carry: Any, path: str, given: Any = None, method: str = "") -> Any:
    answer = await _ask(carry, path, given, method)
    assert answer.status == 200, answer.body
    assert answer.content_type == "application/json"
    return json.loads(answer.body)


# --- the clock -----------------------------------------------------------------------------------


async def test_a_clock_is_frozen_moved_and_released(gateway, clock):
    clock.release()
    assert (await _said(gateway, CLOCK))["frozen"] is False

    frozen = await _said(gateway, CLOCK, {"freeze": True})
    assert frozen["frozen"] is True
    assert await _said(gateway, CLOCK) == frozen

    moved = await _said(gateway, CLOCK, {"advance": 30.5})
    assert moved["now_ms"] == frozen["now_ms"] + 30_500
    assert moved["frozen"] is True

    released = await _said(gateway, CLOCK, {"release": True})
    assert released["frozen"] is False
    assert released["now_ms"] < moved["now_ms"]


@pytest.mark.parametrize(
    "at",
    ["2026-01-01T00:00:00Z", "2026-01-01T00:00:00", "2026-01-01T02:00:00+02:00"],
)
async def test_a_clock_is_frozen_at_a_moment(gateway, at):
    found = await _said(gateway, CLOCK, {"freeze": at})

    assert found == {"now": "2026-01-01T00:00:00Z", "now_ms": 1_767_225_600_000, "frozen": True}


async def test_several_changes_are_made_in_order(gateway):
    found = await _said(gateway, CLOCK, {"freeze": "2026-01-01T00:00:00Z", "advance": 60})
    assert found["now"] == "2026-01-01T00:01:00Z"

    found = await _said(gateway, CLOCK, {"advance": 60, "release": True})
    assert found["frozen"] is False


@pytest.mark.parametrize(
    "given",
    [
        {"advance": -1},
        {"advance": 1e12},
        {"advance": "30"},
        {"advance": float("nan")},
        {"freeze": "yesterday"},
        {"freeze": 5},
        {"freeze": "2026-13-01T00:00:00Z"},
        {"release": "yes"},
        {"rewind": 5},
        [],
        "x",
    ],
    ids=str,
)
async def test_a_change_that_is_wrong_is_refused_and_changes_nothing(gateway, given):
    before = await _said(gateway, CLOCK, {"freeze": True})

    answer = await _ask(gateway, CLOCK, given)

    assert answer.status == 400
    assert json.loads(answer.body)["error"]
    assert await _said(gateway, CLOCK) == before


async def test_the_first_moments_and_the_last_of_the_calendar(gateway):
    for at in ("0001-01-01T00:00:00Z", "1969-12-31T23:59:59Z", "9999-12-31T23:59:59Z"):
        answer = await _ask(gateway, CLOCK, {"freeze": at, "advance": 10})
        assert answer.status in (200, 400)
    assert (await _ask(gateway, CLOCK)).status in (200, 400)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH"])
async def test_a_clock_is_read_or_set_and_no_more(gateway, method):
    assert (await _ask(gateway, CLOCK, {}, method)).status == 405


async def test_a_lease_ends_when_the_clock_says_so(endpoint_url, protocol):
    """Over HTTP, as users' tests do it."""
    carry = over_http(endpoint_url)
    sqs = Sdk(protocol, carry)
    url = await sqs.queue("orders")
    await sqs.send_message(QueueUrl=url, MessageBody="x")
    try:
        await _said(carry, CLOCK, {"freeze": True})
        assert (await sqs.receive_message(QueueUrl=url))["Messages"]
        assert await sqs.receive_message(QueueUrl=url) == {}
        await _said(carry, CLOCK, {"advance": 31})
        assert (await sqs.receive_message(QueueUrl=url))["Messages"]
    finally:
        await _said(carry, CLOCK, {"release": True})


async def test_the_60_seconds_pass_with_the_clock(endpoint_url, protocol):
    carry = over_http(endpoint_url)
    sqs = Sdk(protocol, carry)
    url = await sqs.queue("orders")
    try:
        await _said(carry, CLOCK, {"freeze": True})
        await sqs.purge_queue(QueueUrl=url)
        await sqs.delete_queue(QueueUrl=url)
        assert (await refusal(sqs.create_queue(QueueName="orders"))).code.endswith("Recently")
        await _said(carry, CLOCK, {"advance": 60})
        await sqs.queue("orders")
        await sqs.purge_queue(QueueUrl=url)
        assert (await refusal(sqs.purge_queue(QueueUrl=url))).code.endswith("InProgress")
        await _said(carry, CLOCK, {"advance": 60})
        await sqs.purge_queue(QueueUrl=url)
    finally:
        await _said(carry, CLOCK, {"release": True})


# --- reset ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", RESETS)
@pytest.mark.parametrize("method", ["POST", "DELETE"])
async def test_a_reset_leaves_nothing(gateway, clock, path, method):
    accounts = [new_account() for _ in range(2)] + ["0" * 12]
    everyone = [
        Sdk("json", gateway, account=one, region=two) for one in accounts for two in ("r-1", REGION)
    ]
    for sqs in everyone:
        await sqs.send_message(QueueUrl=await sqs.queue("orders"), MessageBody="x")

    found = await _said(gateway, path, method=method)

    assert found["status"] == "OK"
    assert found["removed_keys"] > 0
    for sqs in everyone:
        assert await sqs.list_queues() == {}
    assert clock.frozen is False
    assert (await _said(gateway, path, method=method))["removed_keys"] == 0


async def test_after_a_reset_no_key_is_left_in_redis(servers):
    redis = servers.client("valkey")
    with serving("--testing", redis=servers.url("valkey")) as endpoint:
        carry = over_http(endpoint.url)
        for sqs in (Sdk("json", carry), Sdk("query", carry, account="test")):
            url = await sqs.queue("orders.fifo", FifoQueue="true", ContentBasedDeduplication="true")
            await sqs.send_message(QueueUrl=url, MessageBody="x", MessageGroupId="g")
            await sqs.receive_message(QueueUrl=url)
            await sqs.tag_queue(QueueUrl=url, Tags={"a": "b"})
            await sqs.delete_queue(QueueUrl=await sqs.queue("gone"))
        ours = f"*{endpoint.namespace}*"
        assert redis.keys(ours)

        await _said(carry, "/_rmq/reset", {})

        assert redis.keys(ours) == []
        # And a name that was deleted a moment ago is free.
        await sqs.queue("gone")
    redis.close()


async def test_a_reset_forgets_faults(gateway, sqs):
    await _said(gateway, FAULTS, {"operation": "*", "error": "OverLimit", "count": 5})

    await _said(gateway, "/_rmq/reset", {})

    assert await sqs.list_queues() == {}


async def test_only_who_posts_resets(gateway, sqs):
    await sqs.queue("orders")

    answer = await _ask(gateway, "/_rmq/reset", method="GET")

    assert answer.status == 405
    assert (await sqs.list_queues())["QueueUrls"]


# --- faults --------------------------------------------------------------------------------------


async def test_a_fault_is_given_as_often_as_it_was_asked_for(sqs, queue, gateway):
    await _said(gateway, FAULTS, {"operation": "SendMessage", "error": "KmsThrottled", "count": 2})

    for _ in range(2):
        found = await refusal(sqs.send_message(QueueUrl=queue, MessageBody="x"))
        assert found.code == "KMS.ThrottlingException"
        assert await sqs.receive_message(QueueUrl=queue) == {}
    await sqs.send_message(QueueUrl=queue, MessageBody="x")
    assert (await _said(gateway, FAULTS))["faults"] == []


async def test_a_fault_may_have_a_message_and_a_status(sqs, gateway):
    """SDKs try again after 503."""
    asked = {"operation": "*", "error": "ServiceUnavailable", "message": "Soon.", "status": 503}
    await _said(gateway, FAULTS, asked)

    found = await refusal(sqs.list_queues())

    assert (found.status, found.code, found.message) == (503, "ServiceUnavailable", "Soon.")


async def test_faults_are_taken_back(sqs, gateway):
    await _said(gateway, FAULTS, {"operation": "*", "error": "OverLimit"})

    assert await _said(gateway, FAULTS, method="DELETE") == {"faults": []}

    assert await sqs.list_queues() == {}


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"operation": "SendMessage"},
        {"operation": "MakeTea", "error": "OverLimit"},
        {"operation": "SendMessage", "error": "OverLimit", "count": 0},
        {"operation": "SendMessage", "error": "OverLimit", "count": "many"},
        {"operation": "SendMessage", "error": "OverLimit", "status": 200},
        {"operation": "SendMessage", "error": "OverLimit", "status": 700},
        {"operation": "SendMessage", "error": "OverLimit", "more": 1},
        [],
    ],
    ids=str,
)
async def test_a_fault_that_is_wrong_is_refused(gateway, given):
    answer = await _ask(gateway, FAULTS, given)

    assert answer.status == 400
    assert (await _said(gateway, FAULTS))["faults"] == []


# --- who may -------------------------------------------------------------------------------------

ALL = (CLOCK, FAULTS, *RESETS)


@pytest.mark.parametrize("path", ALL)
@pytest.mark.parametrize("peer", ["10.0.0.1", "192.168.1.1", "2001:db8::1", "", "nonsense"])
async def test_controls_are_for_this_machine_only(gateway, sqs, path, peer):
    await sqs.queue("orders")
    request = Request("POST", path, "", {}, b"{}", peer=peer)

    assert (await gateway(request)).status == 403
    assert (await sqs.list_queues())["QueueUrls"]


@pytest.mark.parametrize("path", ALL)
async def test_controls_are_not_for_web_pages(gateway, sqs, path):
    """A page can send a form anywhere."""
    await sqs.queue("orders")
    request = Request("POST", path, "", {"origin": "https://evil.example"}, b"{}")

    assert (await gateway(request)).status == 403
    assert (await sqs.list_queues())["QueueUrls"]


@pytest.mark.parametrize("path", ALL)
async def test_without_testing_there_are_no_controls(namespace, clock, path):
    client = rmq.connect_async(
        "memory://", namespace=namespace, clock=clock, limits=endpoint_limits()
    )
    plain = Endpoint(client, account="0" * 12, region=REGION)
    sqs = Sdk("json", plain, account="0" * 12)
    await sqs.queue("orders")

    for method in ("GET", "POST", "DELETE"):
        answer = await _ask(plain, path, {}, method)
        assert 400 <= answer.status < 500
        assert answer.content_type == "text/xml"  # like any path that nobody knows

    assert (await sqs.list_queues())["QueueUrls"]
