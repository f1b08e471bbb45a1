"""Subscription: who gets what is published on a topic, how, and which of it.

Source of the rules: Subscribe, SetSubscriptionAttributes (Amazon SNS API Reference).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from rmq.core.place import Place

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

FilterPolicyScope = Literal["message_attributes", "message_body"]
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
    number: int = 1
    """Counts a subscription's replays: the queue must not take them for repeats."""
    stopped: bool = False


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
    place: Place = Place("000000000000", "us-east-1")
    """The topic's."""
    attributes: SubscriptionAttributes = field(default_factory=SubscriptionAttributes)
    confirmed: bool = True
    token: str = ""
    """What confirms it. Kept after that: a repeated confirmation is answered alike."""
    token_ms: int = 0
    """When the token was made."""
    authenticated: bool = True
    """Whether the confirmation was signed (ConfirmationWasAuthenticated)."""
    authenticate_on_unsubscribe: bool = False
    created_ms: int = 0
    since: int = 0
    """The topic's seq when it was made: only later messages are for it."""
    replay: Replay | None = None
    counted: tuple[int, int, int] = (0, 0, 0)
    """The topic's totals when its filter last changed: published, bodies that are no JSON object,
    without attributes. What it was not given since then was filtered out."""
    filtered: dict[str, int] = field(default_factory=dict)
    """What was filtered out before that, by kind."""

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


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Subscription)


def pack_subscription(one: Subscription) -> bytes:
    """A subscription as the hash holds it."""
    return _encoder.encode(one)


def unpack_subscription(packed: bytes) -> Subscription:
    """Back from that."""
    return _decoder.decode(packed)


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
