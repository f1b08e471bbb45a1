"""The index of a fair queue, held against what it is made from: log, leases and delays."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

from rmq.core.keys import QueueKeys

LEASED = 2048
"""A lease below it is none: a receive count, kept for a message that is back in its group."""


def check_index(redis: Any, keys: QueueKeys) -> None:
    """Recompute who waits and who is in flight, and compare."""
    fair_from = redis.hget(keys.state, "fair_from")
    if fair_from is None or not redis.exists(keys.log):
        assert not any(redis.exists(key) for key in (keys.order, keys.groups, keys.loads))
        return
    cursor = int(redis.hget(keys.state, "cursor"))
    leases = {
        int(seq): int(score) for seq, score in redis.zrange(keys.inflight, 0, -1, withscores=True)
    }
    delayed = {int(seq) for seq in redis.zrange(keys.delayed, 0, -1)}
    order = defaultdict(list)
    for member in redis.zrange(keys.order, 0, -1):
        order[member[:-17]].append(int(member[-16:]))

    loads: dict[bytes, int] = defaultdict(int)
    waiting, unread = defaultdict(list), set()
    for id, fields in redis.xrange(keys.log):
        seq, group = int(id.partition(b"-")[0]), fields.get(b"g", b"")
        if leases.get(seq, 0) >= LEASED:
            loads[group] += bool(group)
        elif cursor < seq < int(fair_from) and seq not in order[b""]:
            unread.add(seq)
        elif seq not in delayed:
            waiting[group].append(seq)
    assert {group: seqs for group, seqs in order.items() if seqs} == waiting, "who waits"
    assert not unread & set(leases)

    heads = {group: seqs[0] for group, seqs in waiting.items()}
    turns = {b"%016d" % head + group: loads[group] for group, head in heads.items()}
    assert dict(redis.zrange(keys.groups, 0, -1, withscores=True)) == turns, "whose turn it is"
    busy = {group for group, load in loads.items() if load}
    stored = {
        group: b"%d %s" % (loads[group], b"%016d" % heads[group] if group in heads else b"")
        for group in busy | set(heads)
    }
    assert redis.hgetall(keys.loads) == stored, "how many are in flight"
