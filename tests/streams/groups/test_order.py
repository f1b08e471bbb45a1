"""Order: which records may be handled now, and how far all are done."""

from __future__ import annotations

import random

import pytest

from rmq.streams.groups.checkpoint import BEGINNING, Checkpoint
from rmq.streams.groups.order import Order


def order_of(keys, start=BEGINNING):
    """Records at positions 1, 2, .. with these keys."""
    order = Order(start)
    for position, key in enumerate(keys, 1):
        order.add(position, key, Checkpoint(position + 1), 10)
    return order


def records(items):
    return [item.record for item in items]


def test_the_oldest_come_first_and_in_order():
    order = order_of("abcab")
    assert records(order.take(3)) == [1, 2, 3]


def test_records_of_one_key_wait_for_those_before_them():
    order = order_of("aab")
    first = order.take(1)
    assert records(order.take(5)) == [3]
    assert order.take(5) == []
    assert not order.has_ready
    order.done(first)
    assert records(order.take(5)) == [2]


def test_those_of_one_key_may_go_together():
    order = order_of("abaab")
    assert records(order.take(4)) == [1, 2, 3, 4]
    assert order.take(4) == [], "both keys are at work"


def test_what_comes_later_of_a_key_at_work_waits_too():
    order = order_of("a")
    first = order.take(1)
    order.add(2, "a", Checkpoint(3), 10)
    assert order.take(1) == []
    order.done(first)
    assert records(order.take(1)) == [2]


def test_the_checkpoint_does_not_pass_what_is_not_done():
    order = order_of("abc")
    one, two, three = order.take(1), order.take(1), order.take(1)
    assert order.done(three) is False
    assert order.done(two) is False
    assert order.checkpoint == BEGINNING
    assert order.done(one) is True
    assert order.checkpoint == Checkpoint(4)
    assert order.is_done


def test_what_was_read_without_a_record_in_it_is_passed_once_the_others_are_done():
    order = order_of("a")
    order.pass_to(Checkpoint(9))
    assert order.checkpoint == BEGINNING
    order.done(order.take(1))
    assert order.checkpoint == Checkpoint(9)
    order.pass_to(Checkpoint(12))
    assert order.checkpoint == Checkpoint(12)
    order.pass_to(Checkpoint(11))
    assert order.checkpoint == Checkpoint(12)


def test_bytes_and_records_are_counted_while_they_wait():
    order = order_of("aab")
    assert (order.waiting, order.bytes) == (3, 30)
    order.take(2)
    assert (order.waiting, order.bytes) == (1, 10)


@pytest.mark.parametrize("seed", range(20))
def test_any_number_of_hands_keep_order_and_lose_nothing(seed):
    chance = random.Random(seed)
    keys = [chance.choice("abcdef") for _ in range(300)]
    order = Order(BEGINNING)
    added, under_way, handled, last = 0, [], [], {}
    while added < len(keys) or not order.is_done:
        what = chance.random()
        if what < 0.3 and added < len(keys):
            order.add(added + 1, keys[added], Checkpoint(added + 2), 1)
            added += 1
        elif what < 0.7:
            items = order.take(chance.randint(1, 4))
            busy = {item.key for batch in under_way for item in batch}
            assert not busy & {item.key for item in items}
            assert records(items) == sorted(records(items))
            if items:
                under_way.append(items)
        elif under_way:
            items = under_way.pop(chance.randrange(len(under_way)))
            for item in items:
                assert item.record > last.get(item.key, 0)
                last[item.key] = item.record
            handled += records(items)
            order.done(items)
        behind = set(range(1, order.checkpoint.position)) - set(handled)
        assert not behind, "the checkpoint passed what is not done"
    assert sorted(handled) == list(range(1, 301))
    assert order.checkpoint == Checkpoint(301)
    assert (order.waiting, order.bytes) == (0, 0)
