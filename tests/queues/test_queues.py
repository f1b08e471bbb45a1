"""The queue itself: made, found, listed, changed, tagged, purged, deleted."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from rmq import QueueAttributes, RedriveAllowPolicy, RedrivePolicy
from rmq.errors import InvalidParameter, InvalidReceipt, QueueDoesNotExist, QueueExists

VALUES = {
    "visibility_timeout": timedelta(seconds=7),
    "delay": timedelta(seconds=3),
    "message_retention_period": timedelta(hours=1),
    "maximum_message_size": 2048,
    "receive_message_wait_time": timedelta(seconds=2),
    "redrive_policy": RedrivePolicy(dead_letter_queue="dead", max_receive_count=5),
    "redrive_allow_policy": RedriveAllowPolicy(permission="by_queue", source_queues=("a", "b")),
    "policy": '{"Version": "2012-10-17",\n "Statement": [{"Sid": "grüße"}]}',
    "kms_master_key_id": "alias/aws/sqs",
    "kms_data_key_reuse_period": timedelta(hours=24),
    "sqs_managed_sse_enabled": False,
}
FIFO_VALUES = VALUES | {
    "redrive_policy": RedrivePolicy(dead_letter_queue="dead.fifo", max_receive_count=5),
    "content_based_deduplication": True,
    "deduplication_scope": "message_group",
    "fifo_throughput_limit": "per_queue",
    "deduplication_window": timedelta(minutes=5),
}


# --- create -------------------------------------------------------------------------------------


async def test_a_new_queue_has_the_defaults_of_sqs(client, clock):
    queue = await client.create_queue("orders")
    info = await queue.info()

    assert info.name == "orders"
    assert info.created_at == info.modified_at
    assert abs(info.created_at - clock.now()) < timedelta(milliseconds=1)
    assert info.attributes == QueueAttributes(
        visibility_timeout=timedelta(seconds=30),
        delay=timedelta(0),
        message_retention_period=timedelta(days=4),
        maximum_message_size=1_048_576,
        receive_message_wait_time=timedelta(0),
    )


async def test_a_queue_is_made_with_the_attributes_given(client):
    await client.create_queue("dead")
    queue = await client.create_queue("orders", **VALUES)
    assert (await queue.info()).attributes == replace(QueueAttributes(), **VALUES)


async def test_a_fifo_queue_is_made_with_the_attributes_given(client):
    await client.create_queue("dead.fifo")
    queue = await client.create_queue("orders.fifo", **FIFO_VALUES)
    assert queue.is_fifo
    assert (await queue.info()).attributes == replace(QueueAttributes(), **FIFO_VALUES)


async def test_durations_may_be_seconds_and_policies_mappings(client):
    await client.create_queue("dead")
    queue = await client.create_queue(
        "orders",
        visibility_timeout=1.5,
        delay=2,
        redrive_policy={"dead_letter_queue": "dead", "max_receive_count": 3},
        redrive_allow_policy={"permission": "deny_all"},
    )
    found = (await queue.info()).attributes

    assert found.visibility_timeout == timedelta(seconds=1.5)
    assert found.delay == timedelta(seconds=2)
    assert found.redrive_policy == RedrivePolicy(dead_letter_queue="dead", max_receive_count=3)
    assert found.redrive_allow_policy == RedriveAllowPolicy(permission="deny_all")


async def test_creating_a_queue_again_returns_it_with_what_it_holds(client, queue):
    await queue.send(b"kept")
    before = await queue.info()

    again = await client.create_queue("orders")

    assert await again.info() == before
    assert [one.body for one in await again.receive()] == [b"kept"]


async def test_creating_again_compares_only_the_attributes_given(client):
    await client.create_queue("orders", visibility_timeout=7, delay=3)
    await client.create_queue("orders", visibility_timeout=7)
    await client.create_queue("orders")


@pytest.mark.parametrize("attribute", VALUES)
async def test_creating_again_with_another_value_names_the_attribute_that_differs(
    client, attribute
):
    await client.create_queue("dead")
    queue = await client.create_queue("orders")
    before = await queue.info()

    with pytest.raises(QueueExists, match=attribute) as caught:
        await client.create_queue("orders", **{attribute: VALUES[attribute]})

    assert (caught.value.queue, caught.value.attribute) == ("orders", attribute)
    assert await queue.info() == before


async def test_two_clients_that_create_a_queue_make_one(connect):
    one, other = connect(), connect()
    first = await one.create_queue("orders")
    second = await other.create_queue("orders")
    await first.send(b"hello")
    assert [one.body for one in await second.receive()] == [b"hello"]


@pytest.mark.parametrize("name", ["a", "A-z_09", "x" * 80, "a.fifo", "x" * 75 + ".fifo"])
async def test_valid_names(client, name):
    queue = await client.create_queue(name)
    assert (queue.name, queue.is_fifo) == (name, name.endswith(".fifo"))
    assert list(await client.list_queues()) == [name]


async def test_names_are_case_sensitive(client):
    await client.create_queue("Orders")
    with pytest.raises(QueueDoesNotExist):
        await client.get_queue("orders")


# --- get and list -------------------------------------------------------------------------------


async def test_a_queue_is_found_by_its_name(client, queue):
    assert (await client.get_queue("orders")).name == "orders"


async def test_a_queue_that_is_not_there_is_an_error_that_names_it(client):
    with pytest.raises(QueueDoesNotExist, match="orders") as caught:
        await client.get_queue("orders")
    assert caught.value.queue == "orders"


async def test_queues_are_listed_in_order_by_prefix(client):
    for name in ("b", "a", "ab", "aa.fifo", "B"):
        await client.create_queue(name)

    assert list(await client.list_queues()) == ["B", "a", "aa.fifo", "ab", "b"]
    assert list(await client.list_queues("a")) == ["a", "aa.fifo", "ab"]
    assert list(await client.list_queues("ab")) == ["ab"]
    assert list(await client.list_queues("x")) == []


async def test_a_list_comes_in_pages(client):
    names = [f"q{i:02}" for i in range(7)]
    for name in [*names, "other"]:
        await client.create_queue(name)

    pages, token = [], None
    while True:
        page = await client.list_queues("q", limit=3, token=token)
        pages.append(list(page))
        token = page.next_token
        if token is None:
            break

    assert pages == [names[:3], names[3:6], names[6:]]


async def test_a_full_last_page_says_that_it_is_the_last(client):
    for name in ("a", "b"):
        await client.create_queue(name)
    page = await client.list_queues(limit=2)
    assert (list(page), page.next_token) == (["a", "b"], None)


async def test_a_token_of_another_list_brings_no_names_without_the_prefix(client):
    for name in ("a", "b", "c1", "c2"):
        await client.create_queue(name)
    assert list(await client.list_queues("c", token="a")) == ["c1", "c2"]


async def test_all_queues_can_be_iterated(client):
    for name in ("a", "b", "c"):
        await client.create_queue(name)
    assert [queue.name async for queue in client.all_queues()] == ["a", "b", "c"]
    assert [queue.name async for queue in client.all_queues("b")] == ["b"]


async def test_namespaces_are_apart(connect, queue):
    other = connect(namespace="another-" + queue.name)
    assert list(await other.list_queues()) == []
    with pytest.raises(QueueDoesNotExist):
        await other.queue("orders").send(b"hello")


# --- attributes ---------------------------------------------------------------------------------


@pytest.mark.parametrize("attribute", VALUES)
async def test_each_attribute_can_be_set_alone(client, queue, attribute):
    await client.create_queue("dead")
    before = (await queue.info()).attributes

    returned = await queue.set_attributes(**{attribute: VALUES[attribute]})

    assert returned == await queue.info()
    assert returned.attributes == replace(before, **{attribute: VALUES[attribute]})


@pytest.mark.parametrize("attribute", FIFO_VALUES)
async def test_each_attribute_of_a_fifo_queue_can_be_set_alone(client, attribute):
    await client.create_queue("dead.fifo")
    queue = await client.create_queue("orders.fifo")
    before = (await queue.info()).attributes

    await queue.set_attributes(**{attribute: FIFO_VALUES[attribute]})

    assert (await queue.info()).attributes == replace(before, **{attribute: FIFO_VALUES[attribute]})


async def test_attributes_are_set_all_or_none(queue):
    before = await queue.info()
    with pytest.raises(InvalidParameter, match="delay"):
        await queue.set_attributes(visibility_timeout=5, delay=901)
    assert await queue.info() == before


async def test_all_or_none_also_where_two_attributes_do_not_fit_together(fifo):
    before = await fifo.info()
    with pytest.raises(InvalidParameter, match="fifo_throughput_limit"):
        await fifo.set_attributes(delay=5, fifo_throughput_limit="per_message_group_id")
    assert await fifo.info() == before


async def test_high_throughput_needs_deduplication_by_group(fifo):
    await fifo.set_attributes(
        deduplication_scope="message_group", fifo_throughput_limit="per_message_group_id"
    )
    with pytest.raises(InvalidParameter, match="fifo_throughput_limit"):
        await fifo.set_attributes(deduplication_scope="queue")


async def test_a_change_shows_in_the_time_of_modification_only(queue, clock):
    before = await queue.info()
    clock.move(60)
    after = await queue.set_attributes(delay=1)
    assert after.created_at == before.created_at
    assert after.modified_at - before.modified_at == timedelta(seconds=60)


async def test_a_change_by_one_client_holds_at_once_for_another(queue, connect, clock):
    other = connect().queue("orders")
    await other.send(b"warm")
    await queue.set_attributes(maximum_message_size=1024, visibility_timeout=3)

    with pytest.raises(InvalidParameter, match="message size"):
        await other.send(b"x" * 1025)
    await other.receive()
    clock.move(3)
    assert len(await other.receive()) == 1


async def test_policies_can_be_taken_away(client, queue):
    await client.create_queue("dead")
    await queue.set_attributes(
        redrive_policy={"dead_letter_queue": "dead"},
        redrive_allow_policy={"permission": "deny_all"},
    )
    await queue.set_attributes(redrive_policy=None, redrive_allow_policy=None)

    found = (await queue.info()).attributes
    assert (found.redrive_policy, found.redrive_allow_policy) == (None, None)


async def test_a_policy_and_a_key_can_be_taken_away(queue):
    longest = '{"a": "%s"}' % ("x" * 8183)
    await queue.set_attributes(policy=longest, kms_master_key_id="k" * 2048)
    found = (await queue.info()).attributes
    assert (found.policy, found.kms_master_key_id) == (longest, "k" * 2048)

    await queue.set_attributes(policy=None, kms_master_key_id=None)

    assert (await queue.info()).attributes == QueueAttributes()


async def test_a_key_of_ones_own_and_managed_encryption_exclude_each_other(client, queue):
    both = {"kms_master_key_id": "k", "sqs_managed_sse_enabled": True}
    before = await queue.info()

    with pytest.raises(InvalidParameter, match="sqs_managed_sse_enabled"):
        await queue.set_attributes(**both)
    with pytest.raises(InvalidParameter, match="sqs_managed_sse_enabled"):
        await client.create_queue("other", **both)

    assert await queue.info() == before
    await queue.set_attributes(kms_master_key_id="k", sqs_managed_sse_enabled=False)
    await queue.set_attributes(kms_master_key_id=None, sqs_managed_sse_enabled=True)


async def test_a_queue_made_before_there_were_these_attributes_has_their_defaults(
    client, raw, namespace
):
    queue = await client.create_queue("orders", policy="{}", sqs_managed_sse_enabled=False)
    raw.hdel(
        f"{namespace}:{{q:orders}}:config",
        *("policy", "kms_master_key_id", "kms_data_key_reuse_period", "sqs_managed_sse_enabled"),
    )
    assert (await queue.info()).attributes == QueueAttributes()


async def test_setting_nothing_changes_nothing(queue):
    before = await queue.info()
    assert await queue.set_attributes() == before


# --- tags ---------------------------------------------------------------------------------------


async def test_tags_are_set_overwritten_and_removed(queue):
    assert await queue.tags() == {}
    assert await queue.tag({"team": "a", "cost": ""}) == {"team": "a", "cost": ""}
    assert await queue.tag({"team": "b"}) == {"team": "b", "cost": ""}
    assert await queue.untag(["cost", "never set"]) == {"team": "b"}
    assert await queue.tags() == {"team": "b"}


async def test_tags_may_be_given_at_creation(client):
    queue = await client.create_queue("orders", tags={"team": "a"})
    assert await queue.tags() == {"team": "a"}


async def test_a_queue_has_at_most_50_tags(queue):
    await queue.tag({f"k{i}": "v" for i in range(50)})
    await queue.tag({"k0": "overwriting is no new one"})

    with pytest.raises(InvalidParameter, match="tags"):
        await queue.tag({"one more": "v"})

    tags = await queue.tags()
    assert len(tags) == 50
    assert tags["k0"] == "overwriting is no new one"


async def test_51_tags_at_creation_make_no_queue(client):
    with pytest.raises(InvalidParameter, match="tags"):
        await client.create_queue("orders", tags={f"k{i}": "v" for i in range(51)})
    assert list(await client.list_queues()) == []


async def test_tags_may_be_as_long_as_sqs_has_them(queue):
    longest = {"k" * 128: "v" * 256, "ä" * 128: "ü" * 256}
    assert await queue.tag(longest) == longest


# --- purge and delete ---------------------------------------------------------------------------


async def test_a_purge_drops_what_is_visible_delayed_and_in_flight(backend, queue, clock):
    await queue.send_many([b"in flight", b"visible"])
    await queue.send(b"delayed", delay=60)
    held = (await queue.receive())[0]

    assert await queue.purge() == 3

    found = await queue.stats()
    assert (found.visible, found.in_flight, found.delayed) == (0, 0, 0)
    if backend.has_totals:
        assert found.oldest_sent_at is None
    clock.move(100)
    assert await queue.receive(10) == []
    assert await held.delete() is False


async def test_a_purged_queue_goes_on_working(queue):
    await queue.send(b"before")
    await queue.purge()
    await queue.send(b"after")
    assert [one.body for one in await queue.receive(10)] == [b"after"]


async def test_a_purged_fifo_queue_frees_its_groups_and_goes_on_counting(fifo):
    first = await fifo.send(b"a", message_group_id="g")
    await fifo.send(b"b", message_group_id="g")
    await fifo.receive()
    assert await fifo.purge() == 2

    second = await fifo.send(b"c", message_group_id="g")
    assert second.sequence_number > first.sequence_number
    assert [one.body for one in await fifo.receive(10)] == [b"c"]


async def test_purging_an_empty_queue_drops_nothing(queue):
    assert await queue.purge() == 0


async def test_a_deleted_queue_is_gone_with_all_it_held(client, queue, raw, namespace):
    await queue.send_many([b"a", b"b"])
    await queue.receive()
    await queue.tag({"a": "b"})

    await client.delete_queue("orders")

    assert list(await client.list_queues()) == []
    with pytest.raises(QueueDoesNotExist):
        await queue.receive()
    assert list(raw.scan_iter(f"{namespace}:*")) == []


async def test_a_queue_can_be_made_anew_and_starts_empty(backend, client, queue):
    await queue.send(b"old")
    await queue.delete_queue()

    again = await client.create_queue("orders", delay=1)

    found = await again.stats()
    assert found.messages == 0
    if backend.has_totals:
        assert found.sent == 0
    assert (await again.info()).attributes.delay == timedelta(seconds=1)
    assert await again.tags() == {}


async def test_a_client_with_an_old_picture_of_a_queue_made_anew_uses_the_new_one(
    client, queue, connect
):
    other = connect().queue("orders")
    await other.send(b"old")
    await queue.delete_queue()
    await client.create_queue("orders")

    await other.send(b"new")

    assert [one.body for one in await queue.receive(10)] == [b"new"]


@pytest.mark.parametrize("name", ["orders", "orders.fifo"])
async def test_a_handle_of_the_queue_that_stood_there_before_is_refused(client, clock, name):
    group = {"message_group_id": "g", "deduplication_id": "d"} if "fifo" in name else {}
    queue = await client.create_queue(name)
    await queue.send(b"old", **group)
    old = (await queue.receive())[0]
    await queue.delete_queue()
    await client.create_queue(name)
    await queue.send(b"new", **group)
    await queue.receive()

    with pytest.raises(InvalidReceipt):
        await queue.delete(old.receipt_handle)
    with pytest.raises(InvalidReceipt):
        await old.delete()
    assert (await queue.stats()).in_flight == 1


async def test_deleting_a_queue_leaves_the_others(client, queue):
    other = await client.create_queue("order")
    await other.send(b"kept")
    await client.delete_queue("orders")
    assert [one.body for one in await other.receive()] == [b"kept"]
