"""Attributes: what a topic was told to be. Checked when made; stored as text, field by field.

Source of the rules: CreateTopic, SetTopicAttributes (Amazon SNS API Reference).
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from rmq.core.limits import Limits, duration, text, whole
from rmq.core.place import Place
from rmq.errors import InvalidParameter, Words
from rmq.queues.attributes import KMS_KEY_CHARACTERS, to_text
from rmq.security import topic_policy
from rmq.topics.delivery_policy import check_topic_delivery_policy

NAME = re.compile(r"[A-Za-z0-9_-]{1,256}")
FIFO_NAME = re.compile(r"(?=.{1,256}\Z)[A-Za-z0-9_-]+\.fifo")
DEFAULT_MESSAGE_SIZE = 262_144
"""Bytes of a message where a topic does not say (Amazon SNS: Publish)."""
LARGE = 262_144
"""Messages of more bytes than this go to few, and only to those that can take them (Amazon SNS:
MaximumMessageSize)."""
TAKES_LARGE = ("sqs", "firehose", "lambda")
DISPLAY_NAME_CHARACTERS = 100
DATA_PROTECTION_CHARACTERS = 30_720
ARCHIVE = (timedelta(days=1), timedelta(days=365))
"""Amazon SNS: Message archiving for FIFO topics."""
FEEDBACK = re.compile(
    r"(HTTP|Firehose|Lambda|Application|SQS)"
    r"(SuccessFeedbackRoleArn|SuccessFeedbackSampleRate|FailureFeedbackRoleArn)"
)

_JSON = ("policy", "delivery_policy", "data_protection_policy", "filter_policy")

FifoThroughputScope = Literal["topic", "message_group"]


def topic_name(name: str) -> str:
    """A valid topic name: 1 to 256 of A-Z a-z 0-9 _ -, and .fifo at the end of a FIFO topic's.

    Raises InvalidParameter. Source: CreateTopic (Amazon SNS API Reference).
    """
    pattern = FIFO_NAME if isinstance(name, str) and name.endswith(".fifo") else NAME
    if not isinstance(name, str) or not pattern.fullmatch(name):
        raise InvalidParameter(
            "topic name", name, "1 to 256 of A-Z a-z 0-9 _ - (a FIFO topic's ends in .fifo)"
        )
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicAttributes:
    """The attributes of one topic (Amazon SNS: topic attributes)."""

    display_name: str = ""
    """Up to 100 characters; shown as the sender of e-mail and SMS."""
    policy: str | None = None
    """Who may do what here: a JSON object as text, at most 30 KB. None is SNS's default policy.
    Kept and returned; the library asks nobody who they are, an endpoint in front of it may."""
    delivery_policy: str | None = None
    """How HTTP subscriptions are retried: JSON as text, see rmq.topics.delivery_policy."""
    kms_master_key_id: str | None = None
    """Kept and returned; 1 to 2,048 characters."""
    signature_version: int | None = None
    """1 (SHA1) or 2 (SHA256) of RSA. None: what is pushed is signed by 1; what goes to queues is
    signed only where the endpoint publishes."""
    tracing_config: str | None = None
    """PassThrough or Active; kept and returned, standard topics only."""
    maximum_message_size: int | None = None
    """Bytes of message and attributes together, 1,024 to 1,048,576. None is 262,144."""
    content_based_deduplication: bool = False
    """FIFO: the deduplication id is the SHA-256 of the message where none is given."""
    fifo_throughput_scope: FifoThroughputScope = "topic"
    """FIFO: within what a deduplication id is unique."""
    deduplication_window: timedelta = timedelta(minutes=5)
    """FIFO: how long a deduplication id is remembered. 5 min, unless that limit is lifted."""
    archive_retention: timedelta | None = None
    """FIFO: for how long messages are kept to be replayed, 1 to 365 days. None keeps none."""
    data_protection_policy: str | None = None
    """A JSON object as text, up to 30,720 characters; kept and returned."""
    feedback: Mapping[str, str] = field(default_factory=dict)
    """Delivery status logging as SNS has it (HTTPSuccessFeedbackRoleArn, ..); kept and returned."""

    @property
    def largest_message(self) -> int:
        """Bytes that a message may have here."""
        return self.maximum_message_size or DEFAULT_MESSAGE_SIZE


FIFO_ONLY = (
    "content_based_deduplication",
    "fifo_throughput_scope",
    "deduplication_window",
    "archive_retention",
)
_FIELDS = tuple(one.name for one in fields(TopicAttributes))
_DEFAULT = TopicAttributes()


def checked(
    given: Mapping[str, Any], limits: Limits, *, arn: str, base: TopicAttributes = _DEFAULT
) -> TopicAttributes:
    """*base* with what is *given* for the topic *arn*, all within *limits*.

    Raises InvalidParameter.
    """
    is_fifo = arn.endswith(".fifo")
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name not in _FIELDS:
            raise InvalidParameter("attribute", name, f"one of {', '.join(_FIELDS)}")
        if name in FIFO_ONLY and not is_fifo:
            raise InvalidParameter(name, value, "left out: it is for FIFO topics only")
        if name == "tracing_config" and is_fifo:
            raise InvalidParameter(name, value, "left out: it is for standard topics only")
        found[name] = _checked_one(name, value, limits, arn)
    return replace(base, **found)


def _checked_one(name: str, value: Any, limits: Limits, arn: str) -> Any:
    if name == "display_name":
        return text(value, name, 0, DISPLAY_NAME_CHARACTERS)
    if name == "content_based_deduplication":
        if not isinstance(value, bool):
            raise InvalidParameter(name, value, "True or False")
        return value
    if name == "fifo_throughput_scope":
        return _one_of(name, value, ("topic", "message_group"))
    if name == "feedback":
        return _checked_feedback(value)
    if name == "deduplication_window":
        only = limits.deduplication_window
        found = duration(value, name, timedelta(milliseconds=1), None)
        if only is not None and found != only:
            raise InvalidParameter(name, found, f"{only.total_seconds():g} s")
        return found
    if value is None:
        return None
    if name == "policy":
        topic_policy.check(text(value, name), arn)
        return value
    if name == "delivery_policy":
        return check_topic_delivery_policy(value)
    if name == "kms_master_key_id":
        return text(value, name, 1, KMS_KEY_CHARACTERS)
    if name == "signature_version":
        return _one_of(name, value, (1, 2))
    if name == "tracing_config":
        return _one_of(name, value, ("PassThrough", "Active"))
    if name == "maximum_message_size":
        return whole(value, name, limits.min_message_size or 1, limits.max_message_size)
    if name == "archive_retention":
        low, high = ARCHIVE if limits.archive_range else (timedelta(milliseconds=1), None)
        return duration(value, name, low, high)
    return _json_object(name, value, DATA_PROTECTION_CHARACTERS)


def says_the_same(name: str, one: Any, other: Any) -> bool:
    """Whether two values of an attribute, of a topic or a subscription, mean the same: JSON may be
    written with other spaces and in another order."""
    if one == other or name not in _JSON or one is None or other is None:
        return bool(one == other)
    try:
        # Not by ==, to which 1 and true are the same.
        one, other = (json.dumps(json.loads(text), sort_keys=True) for text in (one, other))
    except RecursionError:
        return False
    return bool(one == other)


def _one_of(name: str, value: Any, choices: tuple[Any, ...]) -> Any:
    if isinstance(value, bool) or value not in choices:
        raise InvalidParameter(name, value, f"one of {', '.join(map(str, choices))}")
    return value


def _checked_feedback(value: Any) -> dict[str, str]:
    if not isinstance(value, Mapping):
        raise InvalidParameter("feedback", Words(type(value).__name__), "a mapping")
    for name, one in value.items():
        if not isinstance(name, str) or not FEEDBACK.fullmatch(name):
            raise InvalidParameter(
                "feedback", name, "names such as HTTPSuccessFeedbackRoleArn, of SNS's 15"
            )
        text(one, f"feedback[{name!r}]", 0, 2048)
        if name.endswith("SampleRate") and not (one.isdigit() and int(one) <= 100):
            raise InvalidParameter(f"feedback[{name!r}]", one, "a number from 0 to 100")
    return dict(value)


def _json_object(name: str, value: Any, most: int) -> str:
    shape = f"a JSON object as text, at most {most} characters"
    if len(text(value, name)) > most:
        raise InvalidParameter(name, Words(f"{len(value)} characters"), shape)
    try:
        is_object = isinstance(msgspec.json.decode(value), dict)
    except (msgspec.DecodeError, RecursionError):
        is_object = False
    if not is_object:
        raise InvalidParameter(name, Words("something else"), shape)
    return str(value)


# --- as text, the way the config hash holds it --------------------------------------------------


def stored(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Attributes as the config hash holds them. '' stands for none."""
    plain = {name: value for name, value in attributes.items() if name != "feedback"}
    found = to_text(plain)
    if "feedback" in attributes:
        feedback = attributes["feedback"]
        found["feedback"] = msgspec.json.encode(feedback).decode() if feedback else ""
    return found


def from_text(config: Mapping[str, str]) -> TopicAttributes:
    """The attributes in a config hash; what is not there has its default."""
    found: dict[str, Any] = {}
    for name in _FIELDS:
        value = config.get(name)
        if not value:
            continue
        if name in ("deduplication_window", "archive_retention"):
            found[name] = timedelta(milliseconds=int(value))
        elif name == "content_based_deduplication":
            found[name] = value == "1"
        elif name in ("signature_version", "maximum_message_size"):
            found[name] = int(value)
        elif name == "feedback":
            found[name] = msgspec.json.decode(value, type=dict[str, str])
        else:
            found[name] = value
    return TopicAttributes(**found)


@dataclass(frozen=True, slots=True, kw_only=True)
class TopicInfo:
    """A topic as Redis describes it. Clients keep it; scripts refuse an outdated `version`."""

    name: str
    place: Place
    version: str
    """Incarnation and config number. Changes with every change of an attribute."""
    incarnation: bytes
    """8 random bytes, new for every topic that is created."""
    secret: bytes
    """Signs confirmation tokens."""
    created_at: datetime
    modified_at: datetime
    attributes: TopicAttributes
    archived_since: datetime | None = None
    """When the archive was switched on."""
    is_fifo: bool = field(init=False)
    arn: str = field(init=False)
    plain_size: int = field(init=False)
    """The largest message that may be published with nothing beside it; 0 on a FIFO topic."""

    def __post_init__(self) -> None:
        is_fifo = self.name.endswith(".fifo")
        object.__setattr__(self, "is_fifo", is_fifo)
        object.__setattr__(self, "arn", self.place.arn("sns", self.name))
        object.__setattr__(self, "plain_size", 0 if is_fifo else self.attributes.largest_message)


def info_from_text(name: str, place: Place, version: str, config: Mapping[str, str]) -> TopicInfo:
    """Build a TopicInfo from a version and a config hash."""

    def moment(field: str) -> datetime:
        return datetime.fromtimestamp(int(config[field]) / 1000, UTC)

    return TopicInfo(
        name=name,
        place=place,
        version=version,
        incarnation=bytes.fromhex(config["incarnation"]),
        secret=bytes.fromhex(config["secret"]),
        created_at=moment("created_ms"),
        modified_at=moment("modified_ms"),
        attributes=from_text(config),
        archived_since=moment("archived_ms") if config.get("archived_ms") else None,
    )
