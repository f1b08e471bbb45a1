"""Administration: what can be asked about the queue itself in one round trip. Values, all of them.

What takes several trips is in lifecycle.py.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

from rmq.core import script
from rmq.core.compression import MOST_SAMPLES, SAMPLED, SAMPLES, SMALL
from rmq.core.keys import QueueKeys, queue_index
from rmq.core.limits import ms
from rmq.core.script import Call, text_of
from rmq.queues.attributes import QueueInfo, info_from_text


def create(
    keys: QueueKeys,
    name: str,
    version: str,
    config: dict[str, str],
    tags: dict[str, str],
    reuse_delay: timedelta | None,
) -> Call[dict[str, str] | None]:
    """Make a queue. The result is None, or the config of the one that stands there."""
    rest = [part for pair in config.items() for part in pair]
    rest += [part for pair in tags.items() for part in pair]
    return script.load("queues/create").call(
        name,
        lambda reply: None if reply == 1 else _pairs(reply),
        state=keys.state,
        config=keys.config,
        tags=keys.tags,
        tombstone=keys.tombstone,
        version=version,
        reuse_ms=_ms_or_none(reuse_delay),
        n=len(config),
        rest=rest,
    )


def describe(keys: QueueKeys, name: str) -> Call[QueueInfo]:
    """Everything a client must know of a queue before it can use it."""

    def parse(reply: Sequence[Any]) -> QueueInfo:
        return info_from_text(name, text_of(reply[0]), _pairs(reply[1:]))

    return script.load("queues/describe").call(name, parse, state=keys.state, config=keys.config)


def set_attributes(keys: QueueKeys, info: QueueInfo, changes: dict[str, str]) -> Call[None]:
    return script.load("queues/set_attributes").call(
        info.name,
        lambda reply: None,
        state=keys.state,
        config=keys.config,
        wake=keys.wake,
        version=info.version,
        next=info.next_version,
        rest=[part for pair in changes.items() for part in pair],
    )


def sample(keys: QueueKeys, info: QueueInfo) -> Call[list[bytes]]:
    """Envelopes of the newest messages, of which a dictionary may be made."""
    return script.load("queues/sample").call(
        info.name,
        list,
        state=keys.state,
        log=keys.log,
        version=info.version,
        most=MOST_SAMPLES,
        enough=SAMPLES,
        enough_bytes=SAMPLED,
        small=SMALL,
    )


def set_dictionary(keys: QueueKeys, info: QueueInfo, dictionary: bytes) -> Call[bool]:
    """Give the queue its next dictionary, and its description another version with it. False where
    messages need as many earlier ones as it may have; it keeps the last one then."""
    return script.load("queues/set_dictionary").call(
        info.name,
        lambda reply: reply == 1,
        state=keys.state,
        config=keys.config,
        log=keys.log,
        version=info.version,
        next=info.next_version,
        number=len(info.dictionaries) + 1,
        dictionary=base64.b64encode(dictionary).decode(),
    )


def redelay(
    keys: QueueKeys, info: QueueInfo, delay: timedelta, offset: int, limit: int
) -> Call[tuple[int, int]]:
    return script.load("queues/redelay").call(
        info.name,
        lambda reply: (int(reply[0]), int(reply[1])),
        state=keys.state,
        order=keys.order,
        groups=keys.groups,
        inflight=keys.inflight,
        wake=keys.wake,
        version=info.version,
        delay_ms=ms(delay),
        offset=offset,
        limit=limit,
    )


def mark_delayed(keys: QueueKeys, info: QueueInfo, after: int, limit: int) -> Call[int]:
    """Count what is here already as delayed. The result is where to go on; 0 at the end."""
    return script.load("queues/mark_delayed").call(
        info.name,
        int,
        state=keys.state,
        log=keys.log,
        inflight=keys.inflight,
        delayed=keys.delayed,
        version=info.version,
        delay_ms=info.delay_ms,
        after=after,
        limit=limit,
    )


def purge(keys: QueueKeys, info: QueueInfo, interval: timedelta | None, token: str) -> Call[int]:
    """Drop every message. The result is how many there were. *token* (hex) names this purge."""
    return script.load("queues/purge").call(
        info.name,
        int,
        state=keys.state,
        outbox=keys.outbox,
        version=info.version,
        interval_ms=_ms_or_none(interval),
        token=token,
        rest_keys=[
            keys.log,
            keys.inflight,
            keys.delayed,
            keys.first,
            keys.order,
            keys.groups,
            keys.loads,
            keys.dedup,
            keys.moved,
            keys.attempts,
            keys.attempt_times,
            keys.trials,
        ],
    )


def delete_queue(keys: QueueKeys, name: str, reuse_delay: timedelta | None) -> Call[None]:
    call = script.load("queues/delete_queue").call(
        name,
        lambda reply: None,
        state=keys.state,
        tombstone=keys.tombstone,
        rest_keys=keys.all()[1:],
        keep_ms=_ms_or_none(reuse_delay),
    )
    call.repeated = "RMQ_QUEUE_DOES_NOT_EXIST"
    return call


def tag(
    keys: QueueKeys, name: str, limit: int | None, add: dict[str, str], remove: Sequence[str]
) -> Call[dict[str, str]]:
    """Set and remove tags. The result is all tags. Adding none reads them."""
    return script.load("queues/tag").call(
        name,
        _pairs,
        state=keys.state,
        tags=keys.tags,
        limit="" if limit is None else limit,
        n=len(remove),
        rest=[*remove, *(part for pair in add.items() for part in pair)],
    )


def index_add(namespace: str, name: str) -> Call[None]:
    return script.command("ZADD", name, lambda reply: None, queue_index(namespace), 0, name)


def index_remove(namespace: str, name: str) -> Call[None]:
    return script.command("ZREM", name, lambda reply: None, queue_index(namespace), name)


def add_source(keys: QueueKeys, target: QueueInfo, source: str) -> Call[None]:
    return script.load("queues/add_source").call(
        target.name,
        lambda reply: None,
        state=keys.state,
        sources=keys.sources,
        version=target.version,
        source=source,
    )


def remove_source(keys: QueueKeys, target: str, source: str) -> Call[None]:
    return script.command("ZREM", target, lambda reply: None, keys.sources, source)


def _ms_or_none(value: timedelta | None) -> int | str:
    """A limit as scripts take it; '' where there is none, or nothing of it."""
    return (ms(value) if value is not None else 0) or ""


def _pairs(reply: Sequence[Any]) -> dict[str, str]:
    """field, value, .. as a dict. redis-py may have made one already."""
    if isinstance(reply, dict):
        return {text_of(name): text_of(value) for name, value in reply.items()}
    return {text_of(reply[i]): text_of(reply[i + 1]) for i in range(0, len(reply), 2)}
