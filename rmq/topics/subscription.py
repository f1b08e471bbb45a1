"""Subscription: who gets what is published on a topic, how, and which of it.

Source of the rules: Subscribe, SetSubscriptionAttributes (Amazon SNS API Reference).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

import msgspec

from rmq.core.place import Place
from rmq.topics.filters.policy import FilterPolicyScope

TOKEN_LIFE = timedelta(days=2)
"""How long a subscription waits for its confirmation (Amazon SNS: ConfirmSubscription)."""
PROTOCOLS = (
    "sqs",
    "http",
    "https",
    "email",
    "email-json",
    "sms",
    "lambda",
    "application",
    "firehose",
)
"""What Subscribe takes. Live listeners (`topic.listen`) are no subscriptions: nothing is kept."""
CONFIRMED_BY_ENDPOINT = ("http", "https", "email", "email-json")
"""Whoever is subscribed by these has to agree first."""
RAW = ("sqs", "http", "https", "firehose")
"""Protocols with raw message delivery."""
PUSHED = tuple(one for one in PROTOCOLS if one != "sqs")
"""Protocols whose messages wait in an inner queue for a dispatcher."""
ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")

ReplayStatus = Literal["Pending", "In progress", "Completed", "Failed"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SubscriptionAttributes:
    """The attributes of one subscription (Amazon SNS: subscription attributes)."""

    raw_message_delivery: bool = False
    """Deliver the message alone, without the envelope. Protocols sqs, http, https, firehose."""
    filter_policy: str | None = None
    """Which messages: JSON as text, see docs/design/filters.md. None takes all."""
    filter_policy_scope: FilterPolicyScope = "message_attributes"
    dead_letter_queue: str | None = None
    """ARN of the queue for what can not be delivered; of the topic's account and region."""
    delivery_policy: str | None = None
    """How HTTP is retried: JSON as text, see rmq.topics.delivery_policy. Protocols http, https."""
    subscription_role_arn: str | None = None
    """Needed for firehose; kept and returned."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """Messages of the archive on their way to one subscription again (FIFO topics)."""

    start: datetime
    end: datetime | None = None
    """None goes on with what is published from now on."""
    stopped: bool = False

    @property
    def end_seq(self) -> int | None:
        """The last seq that it gives; None where it has no end, or was stopped."""
        if self.end is None or self.stopped:
            return None
        return int(self.end.timestamp() * 1_000_000) + 999


class Mark(NamedTuple):
    """Where a topic stood."""

    since: int = 0
    """Its seq when the subscription was made and confirmed: only later messages are for it."""
    published: int = 0
    """This and the next two: the topic's totals when the filter last changed. What a subscription
    was not given since then was filtered out."""
    invalid: int = 0
    """Messages that are no JSON object."""
    bare: int = 0
    """Messages without attributes."""
    line: int = 0
    """FIFO: the number of the change that last set its cursor; see Line in rmq.queues.arriving."""
    until: int = 0
    """FIFO: the topic's seq then. What it gets up to there is replayed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Subscription:
    """One subscription, as Redis has it."""

    id: str
    """A UUID."""
    topic: str
    """The topic's name."""
    protocol: str
    """One of PROTOCOLS."""
    endpoint: str
    """An ARN (sqs, lambda, application, firehose), a URL, an address or a number."""
    account: str
    """Who made it: 12 digits."""
    place: Place
    """The topic's."""
    attributes: SubscriptionAttributes = field(default_factory=SubscriptionAttributes)
    confirmed: bool = True
    token: str = field(default="", repr=False)
    """What confirms it. Kept after that: a repeated confirmation is answered alike."""
    token_ms: int = 0
    """When the token was made."""
    authenticated: bool = True
    """Whether the confirmation was signed (ConfirmationWasAuthenticated)."""
    authenticate_on_unsubscribe: bool = False
    created_ms: int = 0
    replay: Replay | None = None
    filtered: dict[str, int] = field(default_factory=dict)
    """What was filtered out before its filter last changed, by kind."""
    mark: Mark = field(default_factory=Mark)
    """Kept by the script, in front of the rest."""

    @property
    def arn(self) -> str:
        """`<topic ARN>:<id>`."""
        return f"{self.place.arn('sns', self.topic)}:{self.id}"

    @property
    def topic_arn(self) -> str:
        return self.place.arn("sns", self.topic)

    @property
    def created_at(self) -> datetime:
        return datetime.fromtimestamp(self.created_ms / 1000, UTC)

    @property
    def is_pushed(self) -> bool:
        """Whether a dispatcher delivers it (everything but queues)."""
        return self.protocol != "sqs"

    @property
    def field(self) -> str:
        """Under what its topic finds it by what it is for."""
        return f"{self.protocol} {self.endpoint}"


class _Stored(msgspec.Struct, omit_defaults=True, frozen=True, kw_only=True):
    """A subscription without what its place in Redis says: topic, place and id."""

    protocol: str
    endpoint: str
    account: str
    attributes: SubscriptionAttributes
    confirmed: bool = True
    token: str = ""
    token_ms: int = 0
    authenticated: bool = True
    authenticate_on_unsubscribe: bool = False
    created_ms: int = 0
    replay: Replay | None = None
    filtered: dict[str, int] = {}


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(_Stored)
_FIELDS = _Stored.__struct_fields__


def pack_subscription(one: Subscription) -> bytes:
    """A subscription as the script takes it; the script puts the mark in front."""
    return _encoder.encode(_Stored(**{name: getattr(one, name) for name in _FIELDS}))


def unpack_subscription(stored: bytes, id: str, topic: str, place: Place) -> Subscription:
    """A subscription from what the hash holds."""
    *mark, packed = stored.split(b" ", len(Mark._fields))
    found = _decoder.decode(packed)
    return Subscription(
        id=id,
        topic=topic,
        place=place,
        mark=Mark(*map(int, mark)),
        **{name: getattr(found, name) for name in _FIELDS},
    )


@dataclass(frozen=True, slots=True)
class Subscriptions:
    """A page of them. Iterate it."""

    found: tuple[Subscription, ...]
    next_token: str | None
    """Give this to the next call to go on; None at the end."""

    def __iter__(self) -> Any:
        return iter(self.found)

    def __len__(self) -> int:
        return len(self.found)
