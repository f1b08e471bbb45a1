"""Confirming: who is subscribed by others has to agree first, within two days."""

from __future__ import annotations

import json

import pytest

from rmq.errors import InvalidParameter, SubscriptionDoesNotExist
from tests.colours import bare
from tests.topics.crashes import publisher
from tests.topics.reading import told

DAY = 86_400


@pytest.fixture
async def pending(backend, topic):
    backend.beyond_aws("the token, which AWS tells nobody but the endpoint")
    return await topic.subscribe("https://example.com/hook", "https")


async def asked(client):
    """What was asked of endpoints so far: kind and endpoint of each request."""
    inner = bare(client)._topics.inner
    queue = type(bare(client.queue("any")))("direct", inner, bare(client)._executor)
    found = queue.peek(100)
    if not isinstance(found, list):
        found = await found
    targets = [json.loads(one._head.target) for one in found]
    return [(one.get("kind", "Notification"), one["endpoint"]) for one in targets]


async def test_who_has_to_confirm_gets_nothing_before(topic, pending):
    assert pending.confirmed is False
    assert (await topic.publish("x")).matched == 0
    assert (await topic.stats()).pending == 1


async def test_a_token_confirms(topic, pending):
    one = await topic.confirm_subscription(pending.token)
    assert (one.id, one.confirmed, one.authenticated) == (pending.id, True, True)
    assert (await topic.stats()).pending == 0
    assert (await topic.publish("x")).matched == 1
    assert (await topic.subscription_stats(one.id)).backlog == 1


async def test_confirming_again_changes_nothing(topic, pending):
    one = await topic.confirm_subscription(pending.token)
    again = await topic.confirm_subscription(pending.token)
    assert one == again


async def test_how_it_was_confirmed_is_kept(topic, pending):
    await topic.confirm_subscription(
        pending.token, authenticated=False, authenticate_on_unsubscribe=True
    )
    one = await topic.subscription(pending.id)
    assert (one.authenticated, one.authenticate_on_unsubscribe) == (False, True)


@pytest.mark.parametrize("token", ["", "x", "0" * 31, "0" * 256, "ab" * 200, None, 5])
async def test_another_token_confirms_nothing(topic, pending, token):
    with pytest.raises(InvalidParameter, match="token"):
        await topic.confirm_subscription(token)
    assert (await topic.subscription(pending.id)).confirmed is False


async def test_a_token_with_the_right_beginning_confirms_nothing(topic, pending):
    wrong = pending.token[:-1] + ("0" if pending.token[-1] != "0" else "1")
    with pytest.raises(InvalidParameter, match="token"):
        await topic.confirm_subscription(wrong)


async def test_a_token_is_good_for_two_days(topic, pending, clock):
    clock.move(2 * DAY - 0.001)
    assert (await topic.confirm_subscription(pending.token)).confirmed


async def test_after_two_days_the_subscription_is_gone(topic, pending, clock):
    clock.move(2 * DAY)
    with pytest.raises(InvalidParameter, match="token"):
        await topic.confirm_subscription(pending.token)
    with pytest.raises(SubscriptionDoesNotExist):
        await topic.subscription(pending.id)
    assert len(await topic.subscriptions()) == 0
    await topic.sweep()
    found = await topic.stats()
    assert (found.subscriptions, found.pending) == (0, 0)


async def test_a_publish_forgets_those_that_never_confirmed(topic, pending, clock):
    clock.move(2 * DAY)
    await topic.publish("x")
    assert (await topic.stats()).subscriptions == 0


async def test_an_endpoint_can_be_subscribed_anew_after_that(topic, pending, clock, connect):
    other = connect().topic("news")
    assert len(await other.subscriptions()) == 1
    clock.move(2 * DAY)
    again = await topic.subscribe(pending.endpoint, "https")
    assert again.id != pending.id
    assert [one.id for one in await other.subscriptions()] == [again.id]
    assert (await other.stats()).subscriptions == 1
    await topic.confirm_subscription(again.token)
    assert (await other.publish("x")).matched == 1


async def test_a_confirmed_one_stays_after_two_days(topic, pending, clock):
    await topic.confirm_subscription(pending.token)
    clock.move(3 * DAY)
    await topic.sweep()
    assert (await topic.subscription(pending.id)).confirmed
    assert (await topic.publish("x")).matched == 1


async def test_the_endpoint_is_asked_each_time(client, topic, pending):
    await topic.subscribe(pending.endpoint, "https")
    assert await asked(client) == [("SubscriptionConfirmation", pending.endpoint)] * 2
    await topic.confirm_subscription(pending.token)
    await topic.subscribe(pending.endpoint, "https")
    assert len(await asked(client)) == 2


async def test_a_farewell_offers_to_come_back(client, topic, pending):
    await topic.confirm_subscription(pending.token)
    assert await topic.unsubscribe(pending.id, farewell=True) is True
    assert (await asked(client))[-1] == ("UnsubscribeConfirmation", pending.endpoint)
    assert (await topic.publish("x")).matched == 0
    one = await topic.subscription(pending.id)
    assert one.confirmed is False
    assert one.token != pending.token
    with pytest.raises(InvalidParameter):
        await topic.confirm_subscription(pending.token)
    await topic.confirm_subscription(one.token)
    assert (await topic.publish("y")).matched == 1


async def test_there_is_no_farewell_for_who_never_agreed(client, topic, pending):
    """Or whoever pretends to be the topic could be made to write to them again and again."""
    assert await topic.unsubscribe(pending.id, farewell=True) is True
    assert await asked(client) == [("SubscriptionConfirmation", pending.endpoint)]
    assert len(await topic.subscriptions()) == 0


async def test_a_queue_gets_no_farewell(client, topic, queue):
    one = await topic.subscribe(queue)
    assert await topic.unsubscribe(one.id, farewell=True) is True
    assert len(await topic.subscriptions()) == 0


async def test_who_confirms_gets_nothing_of_what_a_publisher_left_before(backend, client, topic):
    """A message waits in the outbox; a queue of another account agrees; then somebody finishes."""
    backend.beyond_aws("a publisher that dies")
    other = client.in_account("111122223333", "us-east-1")
    policy = (
        '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*",'
        '"Action":"sqs:SendMessage","Resource":"*"}]}'
    )
    theirs = await other.create_queue("theirs", policy=policy)
    ours = await client.create_queue("ours")
    await topic.subscribe(ours)
    one = await topic.subscribe("arn:aws:sqs:us-east-1:111122223333:theirs", account="111122223333")
    assert one.confirmed is False
    await publisher(client, "before").through("topics.publish")
    await topic.confirm_subscription(one.token)
    await topic.publish("after")
    await topic.sweep()
    assert sorted(await told(ours)) == ["after", "before"]
    assert await told(theirs) == ["after"]
