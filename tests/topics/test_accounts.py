"""Accounts: topics and queues of several, and the policies of queues."""

from __future__ import annotations

import json

import pytest

from rmq.errors import InvalidParameter, QueueDoesNotExist
from tests.topics.reading import settled, texts, told

OTHER = "111122223333"
REGION = "us-east-1"
OURS = "000000000000"


def policy(effect="Allow", *, action="sqs:SendMessage", resource="*", **conditions):
    """A queue's policy of one statement, for SNS."""
    statement = {
        "Effect": effect,
        "Principal": {"Service": "sns.amazonaws.com"},
        "Action": action,
        "Resource": resource,
    }
    if conditions:
        statement["Condition"] = {
            "ArnEquals": {f"aws:{name}": value for name, value in conditions.items()}
        }
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
async def other(backend, client):
    """The client of another account."""
    backend.beyond_aws("a client of another account on the same connections")
    return client.in_account(OTHER, REGION)


@pytest.fixture
async def theirs(other, topic):
    """A queue of theirs that lets our topic send, and agreed to be subscribed."""
    queue = await other.create_queue("theirs", policy=policy(SourceArn=topic.arn))
    one = await topic.subscribe(f"arn:aws:sqs:{REGION}:{OTHER}:theirs", account=OTHER)
    await topic.confirm_subscription(one.token)
    return queue


async def test_each_account_has_topics_of_its_own(client, other, topic):
    assert list(await other.list_topics()) == []
    mine = await other.create_topic("news")
    assert mine.arn == f"arn:aws:sns:{REGION}:{OTHER}:news"
    assert list(await client.list_topics()) == ["news"]
    queue = await other.create_queue("q")
    await mine.subscribe(queue)
    await topic.publish("ours")
    await mine.publish("theirs")
    assert await told(queue) == ["theirs"]


async def test_each_region_has_topics_of_its_own(client, topic, backend):
    backend.beyond_aws("a client of another region on the same connections")
    europe = client.in_account(OURS, "eu-central-1")
    assert list(await europe.list_topics()) == []
    assert europe.topic("news").arn == f"arn:aws:sns:eu-central-1:{OURS}:news"


async def test_the_way_back_leads_home(client, other, topic):
    home = other.in_account(OURS, REGION)
    assert home.namespace == client.namespace
    assert list(await home.list_topics()) == ["news"]


@pytest.mark.parametrize(
    ("account", "region", "field"),
    [
        ("1", REGION, "account"),
        (5, REGION, "account"),
        ("x" * 12, REGION, "account"),
        ("", REGION, "account"),
        (OTHER, "", "region"),
        (OTHER, "US", "region"),
        (OTHER, "a:b", "region"),
        (OTHER, None, "region"),
    ],
)
async def test_an_account_and_a_region_have_a_form(client, backend, account, region, field):
    backend.beyond_aws("a client of another account on the same connections")
    with pytest.raises(InvalidParameter) as caught:
        client.in_account(account, region)
    assert caught.value.field == field


async def test_a_topic_delivers_to_a_queue_of_another_account(topic, theirs):
    await topic.publish("across")
    assert await told(theirs) == ["across"]


async def test_a_queue_of_another_account_has_to_agree(topic, other):
    await other.create_queue("theirs", policy=policy(SourceArn=topic.arn))
    arn = f"arn:aws:sqs:{REGION}:{OTHER}:theirs"
    for account in (OTHER, OURS):
        one = await topic.subscribe(arn, account=account)
        assert one.confirmed is False


async def test_a_subscriber_of_another_account_can_not_subscribe_our_queue_silently(topic, queue):
    one = await topic.subscribe(queue, account=OTHER)
    assert (one.confirmed, one.account) == (False, OTHER)


@pytest.mark.parametrize("account", ["1", "x" * 12, 5, ""])
async def test_who_subscribes_is_an_account(topic, queue, account):
    with pytest.raises(InvalidParameter, match="account"):
        await topic.subscribe(queue, account=account)


async def test_we_do_not_say_whether_another_accounts_queue_is_there(topic, other):
    one = await topic.subscribe(f"arn:aws:sqs:{REGION}:{OTHER}:nowhere", account=OTHER)
    assert one.confirmed is False
    with pytest.raises(QueueDoesNotExist):
        await topic.subscribe(f"arn:aws:sqs:{REGION}:{OURS}:nowhere")


async def test_without_a_policy_another_accounts_queue_takes_nothing(topic, theirs):
    await theirs.set_attributes(policy=None)
    await topic.publish("refused")
    assert await told(theirs) == []


@pytest.mark.parametrize(
    ("text", "arrives"),
    [
        (policy(), True),
        (policy(SourceArn=f"arn:aws:sns:{REGION}:{OURS}:news"), True),
        (policy(SourceArn=f"arn:aws:sns:{REGION}:{OURS}:*"), True),
        (policy(SourceArn=f"arn:aws:sns:{REGION}:{OURS}:other"), False),
        (policy(SourceArn=f"arn:aws:sns:{REGION}:{OTHER}:news"), False),
        (policy(action="sqs:ReceiveMessage"), False),
        (policy(action="sqs:*"), True),
        (policy(resource=f"arn:aws:sqs:{REGION}:{OTHER}:other"), False),
        (policy("Deny"), False),
    ],
)
async def test_the_policy_of_another_accounts_queue_decides(topic, theirs, text, arrives):
    await theirs.set_attributes(policy=text)
    await topic.publish("x")
    assert await told(theirs) == (["x"] if arrives else [])


async def test_our_own_queue_needs_no_policy_to_allow_it(topic, queue):
    await topic.subscribe(queue)
    await queue.set_attributes(policy=policy(SourceArn="arn:aws:sns:us-east-1:1:else"))
    await topic.publish("x")
    assert await told(queue) == ["x"]


async def test_our_own_queue_can_deny_it(topic, queue, backend):
    one = await topic.subscribe(queue)
    await queue.set_attributes(policy=policy("Deny", SourceArn=topic.arn))
    await topic.publish("x")
    assert await told(queue) == []
    backend.beyond_aws("totals")
    await settled(topic)
    assert (await topic.subscription_stats(one.id)).failed == 1
    assert (await topic.stats()).outbox == 0


async def test_a_change_of_the_policy_holds_at_once(topic, queue, connect):
    publisher = connect().topic("news")
    await topic.subscribe(queue, raw_message_delivery=True)
    await publisher.publish("1")
    await queue.set_attributes(policy=policy("Deny"))
    await publisher.publish("2")
    await queue.set_attributes(policy=None)
    await publisher.publish("3")
    assert await texts(queue) == ["1", "3"]


# --- namespaces ---


async def test_each_namespace_has_topics_of_its_own(backend, client, topic, queue, namespace):
    backend.beyond_aws("namespaces")
    other = client.in_namespace(f"{namespace}.other")
    assert list(await other.list_topics()) == []
    theirs = await other.create_topic("news")
    their_queue = await other.create_queue("orders")
    await theirs.subscribe(their_queue)
    await topic.subscribe(queue)
    await theirs.publish("theirs")
    await topic.publish("ours")
    assert await told(queue) == ["ours"]
    assert await told(their_queue) == ["theirs"]


async def test_a_wipe_takes_topics_with_it(
    backend, client, topic, fifo_topic, queue, raw, namespace
):
    backend.beyond_aws("wipe")
    await topic.subscribe(queue)
    await topic.subscribe("work", "lambda")
    await topic.subscribe("a@example.com", "email")
    await topic.publish("x")
    await settled(topic)
    await client.wipe()
    assert list(await client.list_topics()) == []
    assert list(raw.scan_iter(match=f"{namespace}:*")) == []
    again = await client.create_topic("news")
    assert (await again.publish("x")).matched == 0


async def test_a_nested_wipe_takes_other_accounts_with_it(backend, client, other, topic):
    await other.create_topic("theirs")
    await client.wipe()
    assert list(await other.list_topics()) == ["theirs"]
    await client.wipe(nested=True)
    assert list(await other.list_topics()) == []
