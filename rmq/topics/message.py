"""Messages: what is published on a topic: what may be in it, and what the publisher is told.

Source of the rules: Publish (Amazon SNS API Reference), Message attributes (Amazon SNS).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import msgspec

from rmq.core.codec import MessageAttribute
from rmq.queues.message import message_id, sequence_number
from rmq.topics.attributes import TopicInfo


@dataclass(slots=True)
class Notification:
    """One message to be published, with all that may go with it."""

    message: str | bytes
    """Text, or the bytes of text in UTF-8. At least one character."""
    subject: str | None = None
    """Up to 100 characters without line breaks and control characters."""
    attributes: Mapping[str, MessageAttribute | str | bytes | int | float | list[object]] | None = (
        None
    )
    """Any number. A str stands for String, an int or float for Number, bytes for Binary, a list
    for String.Array."""
    by_protocol: bool = False
    """The message is a JSON object with a text for each protocol, and one for `default`
    (MessageStructure=json)."""
    message_group_id: str | None = None
    """Needed on a FIFO topic; on a standard one it goes to standard queues (fair queues)."""
    deduplication_id: str | None = None
    """FIFO only. 1 to 128 characters."""


class Published(msgspec.Struct, eq=False):
    """What a publisher is answered with. Names are worked out when asked for."""

    _info: TopicInfo
    _seq: int
    matched: int = 0
    """How many subscriptions it is for."""
    is_duplicate: bool = False
    """FIFO only: it was published before; id and number are the first one's."""

    @property
    def id(self) -> str:
        """The message id: a UUID."""
        return message_id(self._info.incarnation, self._seq)

    @property
    def published_at(self) -> datetime:
        """When, by the clock of Redis."""
        return datetime.fromtimestamp(self._seq // 1000 / 1000, UTC)

    @property
    def sequence_number(self) -> str | None:
        """FIFO only: 20 digits, growing."""
        return sequence_number(self._seq) if self._info.is_fifo else None

    def __repr__(self) -> str:
        return f"<published {self.id} on {self._info.name!r} for {self.matched}>"
