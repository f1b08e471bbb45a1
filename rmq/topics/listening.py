"""Listening: hearing what is published, live, over Redis Pub/Sub. Nothing is kept for anybody.

Publishers use the channel only while somebody said that they listen, so that a topic which nobody
listens to pays one comparison.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec

from rmq.core.codec import MessageAttribute
from rmq.core.script import Call, Plan
from rmq.errors import BrokenEnvelope
from rmq.queues.message import message_id, sequence_number
from rmq.topics import commands
from rmq.topics.attributes import TopicInfo
from rmq.topics.filters.grammar import parse
from rmq.topics.filters.policy import FilterPolicy, FilterPolicyScope
from rmq.topics.outgoing import Item, unpack_batch, unpacked
from rmq.topics.registry import TopicRegistry, known
from rmq.topics.subscribing import filter_limits

KEEP_MS = 60_000
"""For how long a listener is believed to be there after it last said so."""


class Heard:
    """A message as a listener hears it."""

    __slots__ = ("_info", "_item")

    def __init__(self, info: TopicInfo, item: Item) -> None:
        self._info = info
        self._item = item

    @property
    def id(self) -> str:
        """The message id: a UUID."""
        return message_id(self._info.incarnation, self._item.seq)

    @property
    def body(self) -> bytes:
        return self._item.body

    @property
    def text(self) -> str:
        """The message as text."""
        return self._item.body.decode()

    def json(self, type: Any = Any) -> Any:
        """The message read as JSON, into *type* where one is given. Raises msgspec.DecodeError."""
        return msgspec.json.decode(self._item.body, type=type)

    @property
    def subject(self) -> str | None:
        return self._item.header.subject

    @property
    def attributes(self) -> dict[str, MessageAttribute]:
        """The message attributes, by name."""
        return self._item.attributes

    @property
    def message_group_id(self) -> str | None:
        return self._item.group or None

    @property
    def published_at(self) -> datetime:
        return datetime.fromtimestamp(self._item.seq / 1_000_000, UTC)

    @property
    def sequence_number(self) -> str | None:
        """FIFO only."""
        return sequence_number(self._item.seq) if self._info.is_fifo else None

    def __repr__(self) -> str:
        return f"<heard {self.id} on {self._info.name!r}>"


@dataclass(frozen=True, slots=True)
class Hearing:
    """One listener's place."""

    info: TopicInfo
    channel: str
    policy: FilterPolicy | None
    stay: Call[None]
    """To be said every now and then by who stays."""
    stay_s: float = KEEP_MS / 3000
    """How often."""

    def hear(self, payload: bytes) -> list[Heard]:
        """The messages in what came over the channel, but for those that the filter refuses."""
        seq, _, packed = payload.partition(b" ")
        try:
            if self.info.is_fifo:
                group, _, packed = packed.partition(b" ")
                items = [unpacked(int(seq), packed, group.decode())]
            else:
                items = unpack_batch(int(seq), packed)
        except (BrokenEnvelope, ValueError):
            return []
        policy = self.policy
        return [
            Heard(self.info, item)
            for item in items
            if policy is None or policy.matches(item.view())
        ]


def tune_in(
    registry: TopicRegistry,
    name: str,
    filter_policy: Mapping[str, Any] | str | None,
    scope: FilterPolicyScope,
) -> Plan[Hearing]:
    """Prepare a listener's place; it says itself that it is there, once it is."""
    given = dict(filter_policy) if isinstance(filter_policy, Mapping) else filter_policy
    policy = parse(given, scope, filter_limits(registry.limits))
    keys = registry.keys(name)
    stay = commands.listen(keys, name, KEEP_MS)
    info = yield from known(registry, name)
    return Hearing(info, keys.live, policy, stay)
