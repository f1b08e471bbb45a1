"""Tails: what XREAD answers, in all the forms that clients make of it."""

from __future__ import annotations

import pytest
from redis.crc import key_slot

from rmq.core.executor.tail import entries_of, grouped

FOUND = {"log": [(b"5-1", b"r", b"one"), (b"7-2", b"c", b"")]}


@pytest.mark.parametrize(
    "reply",
    [
        [[b"log", [[b"5-1", [b"r", b"one"]], [b"7-2", [b"c", b""]]]]],
        {b"log": [[b"5-1", [b"r", b"one"]], [b"7-2", [b"c", b""]]]},
        [[b"log", [(b"5-1", {b"r": b"one"}), (b"7-2", {b"c": b""})]]],
        {b"log": [[(b"5-1", {b"r": b"one"}), (b"7-2", {b"c": b""})]]},
    ],
    ids=["RESP2", "RESP3", "RESP2 through redis-py", "RESP3 through redis-py"],
)
def test_entries_are_the_same_whoever_read_them(reply):
    assert entries_of(reply) == FOUND


@pytest.mark.parametrize("reply", [None, [], {}])
def test_no_answer_is_no_entries(reply):
    assert entries_of(reply) == {}


def test_on_a_cluster_a_command_names_keys_of_one_slot():
    cursors = {f"ns:{{s:orders/{n}}}:log": n for n in range(20)}
    groups = grouped(cursors, True)
    assert len(groups) > 1
    for slot, some in groups.items():
        assert {key_slot(key.encode()) for key in some} == {slot}
    assert {key: at for some in groups.values() for key, at in some.items()} == cursors
    assert list(grouped(cursors, False).values()) == [cursors]
