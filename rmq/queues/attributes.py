"""Attributes: what a queue was told to be. Checked when made; stored as text, field by field."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import msgspec

from rmq.core.compression import DICTIONARIES, Deflate, deflate
from rmq.core.limits import Limits, duration, ms, seconds, text, whole
from rmq.errors import InvalidParameter, Words

NAME = re.compile(r"[A-Za-z0-9_-]{1,80}")
FIFO_NAME = re.compile(r"(?=.{1,80}\Z)[A-Za-z0-9_-]+\.fifo")
COUNTED_RECEIVES = 2046
"""A lease counts receives up to 2047, so a limit must lie below."""
POLICY_BYTES = 8192
"""Amazon SQS: Policy quotas."""
KMS_KEY_CHARACTERS = 2048
"""AWS KMS: KeyId."""
KMS_REUSE = (timedelta(minutes=1), timedelta(hours=24))
"""Amazon SQS: KmsDataKeyReusePeriodSeconds."""

DeduplicationScope = Literal["queue", "message_group"]
FifoThroughputLimit = Literal["per_queue", "per_message_group_id"]
Compression = Literal["none", "deflate"]
RedrivePermission = Literal["allow_all", "deny_all", "by_queue"]


def queue_name(name: str) -> str:
    """A valid queue name: 1 to 80 of A-Z a-z 0-9 _ -, and .fifo at the end of a FIFO queue's.

    Raises InvalidParameter. Source: CreateQueue (Amazon SQS API Reference).
    """
    pattern = FIFO_NAME if isinstance(name, str) and name.endswith(".fifo") else NAME
    if not isinstance(name, str) or not pattern.fullmatch(name):
        raise InvalidParameter(
            "queue name", name, "1 to 80 of A-Z a-z 0-9 _ - (a FIFO queue's ends in .fifo)"
        )
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class RedrivePolicy:
    """Where a message goes that was received too often without being deleted."""

    dead_letter_queue: str
    """The name of the dead-letter queue, of the same type as this one."""
    max_receive_count: int = 10
    """1 to 1,000: how often a message is handed out before it is moved."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RedriveAllowPolicy:
    """Which queues may use this one as their dead-letter queue."""

    permission: RedrivePermission = "allow_all"
    source_queues: tuple[str, ...] = ()
    """Up to 10 names; with by_queue only."""

    def allows(self, source: str) -> bool:
        """Whether *source* may send its dead letters here."""
        if self.permission == "by_queue":
            return source in self.source_queues
        return self.permission == "allow_all"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueAttributes:
    """The attributes of one queue (Amazon SQS: queue parameters). Durations are timedeltas."""

    visibility_timeout: timedelta = timedelta(seconds=30)
    """How long a received message stays invisible. 0 s to 12 h; zero hands it out again at once."""
    delay: timedelta = timedelta(0)
    """How long a sent message stays invisible at first. 0 s to 15 min."""
    message_retention_period: timedelta = timedelta(days=4)
    """How long a message is kept. 1 min to 14 days."""
    maximum_message_size: int = 1_048_576
    """Bytes of body and attributes together. 1,024 to 1,048,576."""
    receive_message_wait_time: timedelta = timedelta(0)
    """How long a receive waits for a first message unless it says otherwise. 0 to 20 s."""
    redrive_policy: RedrivePolicy | None = None
    redrive_allow_policy: RedriveAllowPolicy | None = None
    """None allows every queue."""
    content_based_deduplication: bool = False
    """FIFO: the deduplication id is the SHA-256 of the body where none is given."""
    deduplication_scope: DeduplicationScope = "queue"
    """FIFO: within what a deduplication id is unique."""
    fifo_throughput_limit: FifoThroughputLimit = "per_queue"
    """FIFO: kept and returned; rmq itself sets no quota. per_message_group_id needs the scope
    message_group."""
    deduplication_window: timedelta = timedelta(minutes=5)
    """FIFO: how long a deduplication id is remembered. 5 min, unless that limit is lifted."""
    policy: str | None = None
    """Who may do what here: a JSON object as text, at most 8,192 bytes. Kept and returned as it was
    given; the library asks nobody who they are, an endpoint in front of it may."""
    kms_master_key_id: str | None = None
    """The key that encrypts: an id, alias or ARN, 1 to 2,048 characters. This and the next two are
    kept and returned; rmq itself encrypts nothing by them."""
    kms_data_key_reuse_period: timedelta = timedelta(minutes=5)
    """1 min to 24 h."""
    sqs_managed_sse_enabled: bool = True
    """May not be switched on in the same breath as a kms_master_key_id."""
    compression: Compression = "none"
    """`deflate` keeps messages smaller in memory, small ones by a dictionary of what the queue's
    messages have in common. Not of SQS; every client of the queue has to be of a release that knows
    it."""


FIFO_ONLY = (
    "content_based_deduplication",
    "deduplication_scope",
    "fifo_throughput_limit",
    "deduplication_window",
)
_FIELDS = tuple(one.name for one in fields(QueueAttributes))
_DEFAULT = QueueAttributes()
_DURATIONS = tuple(name for name in _FIELDS if isinstance(getattr(_DEFAULT, name), timedelta))
_FLAGS = tuple(name for name in _FIELDS if isinstance(getattr(_DEFAULT, name), bool))
_CHOICES = {
    "deduplication_scope": ("queue", "message_group"),
    "fifo_throughput_limit": ("per_queue", "per_message_group_id"),
    "compression": ("none", "deflate"),
}


def checked(
    given: Mapping[str, Any], limits: Limits, *, is_fifo: bool, base: QueueAttributes = _DEFAULT
) -> QueueAttributes:
    """*base* with what is *given*, all within *limits*. Raises InvalidParameter."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name not in _FIELDS:
            raise InvalidParameter("attribute", name, f"one of {', '.join(_FIELDS)}")
        if name in FIFO_ONLY and not is_fifo:
            raise InvalidParameter(name, value, "left out: it is for FIFO queues only")
        found[name] = _checked_one(name, value, limits)
    made = replace(base, **found)
    if (
        made.fifo_throughput_limit == "per_message_group_id"
        and made.deduplication_scope != "message_group"
    ):
        raise InvalidParameter(
            "fifo_throughput_limit",
            made.fifo_throughput_limit,
            "per_queue unless deduplication_scope is message_group",
        )
    if found.get("kms_master_key_id") and found.get("sqs_managed_sse_enabled"):
        raise InvalidParameter(
            "sqs_managed_sse_enabled", True, "False or left out beside a kms_master_key_id"
        )
    return made


def _checked_one(name: str, value: Any, limits: Limits) -> Any:
    if name in _DURATIONS:
        return _checked_duration(name, value, limits)
    if name == "maximum_message_size":
        return whole(value, name, limits.min_message_size or 1, limits.max_message_size)
    if name in _FLAGS:
        if not isinstance(value, bool):
            raise InvalidParameter(name, value, "True or False")
        return value
    if name in _CHOICES:
        return choice(name, value)
    if name == "redrive_policy":
        return _checked_redrive(value, limits)
    if name == "redrive_allow_policy":
        return _checked_allow(value, limits)
    if value is None:
        return None
    if name == "policy":
        return _checked_policy(value)
    return text(value, name, 1, KMS_KEY_CHARACTERS)


def choice(name: str, value: Any) -> Any:
    """One of the values of an attribute that has but a few. Raises InvalidParameter."""
    if value not in _CHOICES[name]:
        raise InvalidParameter(name, value, f"one of {', '.join(_CHOICES[name])}")
    return value


def _checked_duration(name: str, value: Any, limits: Limits) -> timedelta:
    if name == "visibility_timeout":
        return duration(value, name, None, limits.max_visibility_timeout)
    if name == "delay":
        return duration(value, name, None, limits.max_delay)
    if name == "message_retention_period":
        low = limits.min_retention or timedelta(milliseconds=1)
        return duration(value, name, low, limits.max_retention)
    if name == "receive_message_wait_time":
        return duration(value, name, None, limits.max_wait)
    if name == "kms_data_key_reuse_period":
        return duration(value, name, *KMS_REUSE)
    only = limits.deduplication_window
    if only is not None and seconds(value, name) != only:
        raise InvalidParameter(name, value, f"{only.total_seconds():g} s")
    return duration(value, name, timedelta(milliseconds=1), None)


def _checked_redrive(value: Any, limits: Limits) -> RedrivePolicy | None:
    if value is None:
        return None
    if isinstance(value, Mapping):
        unknown = set(value) - {"dead_letter_queue", "max_receive_count"}
        if unknown or "dead_letter_queue" not in value:
            raise InvalidParameter(
                "redrive_policy", dict(value), "dead_letter_queue and max_receive_count"
            )
        value = RedrivePolicy(**value)
    if not isinstance(value, RedrivePolicy):
        raise InvalidParameter("redrive_policy", value, "a RedrivePolicy")
    queue_name(value.dead_letter_queue)
    high = min(limits.max_receive_count or COUNTED_RECEIVES, COUNTED_RECEIVES)
    whole(value.max_receive_count, "redrive_policy.max_receive_count", 1, high)
    return value


def _checked_allow(value: Any, limits: Limits) -> RedriveAllowPolicy | None:
    if value is None:
        return None
    name = "redrive_allow_policy"
    if isinstance(value, Mapping):
        if set(value) - {"permission", "source_queues"}:
            raise InvalidParameter(name, dict(value), "permission and source_queues")
        value = RedriveAllowPolicy(
            permission=value.get("permission", "allow_all"),
            source_queues=_names(value.get("source_queues", ())),
        )
    if not isinstance(value, RedriveAllowPolicy):
        raise InvalidParameter(name, value, "a RedriveAllowPolicy")
    if value.permission not in ("allow_all", "deny_all", "by_queue"):
        raise InvalidParameter(
            f"{name}.permission", value.permission, "allow_all, deny_all or by_queue"
        )
    value = replace(value, source_queues=_names(value.source_queues))
    assert isinstance(value, RedriveAllowPolicy)
    if value.source_queues and value.permission != "by_queue":
        raise InvalidParameter(
            f"{name}.source_queues", value.source_queues, "empty unless by_queue"
        )
    if value.permission == "by_queue" and not value.source_queues:
        raise InvalidParameter(
            f"{name}.source_queues", Words("empty"), "1 or more names with by_queue"
        )
    high = limits.max_redrive_sources
    if high is not None and len(value.source_queues) > high:
        raise InvalidParameter(
            f"{name}.source_queues", Words(f"{len(value.source_queues)} names"), f"at most {high}"
        )
    return value


def _checked_policy(value: Any) -> str:
    shape = f"a JSON object as text, at most {POLICY_BYTES} bytes"
    size = len(text(value, "policy").encode())
    if size > POLICY_BYTES:
        raise InvalidParameter("policy", Words(f"{size} bytes"), shape)
    try:
        is_object = isinstance(msgspec.json.decode(value), dict)
    except (msgspec.DecodeError, RecursionError):
        is_object = False
    if not is_object:
        raise InvalidParameter("policy", Words("something else"), shape)
    return str(value)


def _names(value: Any) -> tuple[str, ...]:
    if isinstance(value, str) or not isinstance(value, Iterable):
        raise InvalidParameter("redrive_allow_policy.source_queues", value, "a list of queue names")
    return tuple(queue_name(name) for name in value)


# --- as text, the way the config hash holds it --------------------------------------------------


def to_text(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Attributes as the config hash holds them. '' stands for none."""
    return {name: _text(value) for name, value in attributes.items()}


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, timedelta):
        return str(ms(value))
    if isinstance(value, bool):
        return "1" if value else "0"
    if isinstance(value, (RedrivePolicy, RedriveAllowPolicy)):
        return msgspec.json.encode(value).decode()
    return str(value)


def from_text(config: Mapping[str, str]) -> QueueAttributes:
    """The attributes in a config hash; what is not there has its default."""
    found: dict[str, Any] = {}
    for name in _FIELDS:
        text = config.get(name)
        if text is None or text == "":
            continue
        default = getattr(_DEFAULT, name)
        if isinstance(default, timedelta):
            found[name] = timedelta(milliseconds=int(text))
        elif isinstance(default, bool):
            found[name] = text == "1"
        elif isinstance(default, int):
            found[name] = int(text)
        elif name == "redrive_policy":
            found[name] = msgspec.json.decode(text, type=RedrivePolicy)
        elif name == "redrive_allow_policy":
            found[name] = msgspec.json.decode(text, type=RedriveAllowPolicy)
        else:
            found[name] = text
    return QueueAttributes(**found)


@dataclass(frozen=True, slots=True, kw_only=True)
class QueueInfo:
    """A queue as Redis describes it. Clients keep it; scripts refuse an outdated `version`."""

    name: str
    version: str
    """Incarnation and config number. Changes with every change of an attribute."""
    incarnation: bytes
    """8 random bytes, new for every queue that is created."""
    secret: bytes
    """Signs receipt handles."""
    created_at: datetime
    modified_at: datetime
    attributes: QueueAttributes
    dictionaries: tuple[bytes, ...] = field(default=(), repr=False)
    """What its small messages are compressed by; the last one is in use, the others are for what
    was sent before it. Empty bytes stand for one that no message needs any more."""
    relearns: bool = False
    """Whether another one is to be made."""
    is_fifo: bool = field(init=False)
    compresses: bool = field(init=False)
    learns: bool = field(init=False)
    """Whether a dictionary is still to be made, or another one."""
    delay_ms: int = field(init=False)
    visibility_ms: int = field(init=False)
    wait_ms: int = field(init=False)
    retention_ms: int = field(init=False)
    plain_size: int = field(init=False)
    """The largest body that may be sent with nothing beside it; 0 on a FIFO queue."""

    def __post_init__(self) -> None:
        # Every call needs some of these, and a division of timedeltas takes its time.
        attributes, is_fifo = self.attributes, self.name.endswith(".fifo")
        compresses, known = attributes.compression != "none", len(self.dictionaries)
        for name, value in (
            ("is_fifo", is_fifo),
            ("compresses", compresses),
            ("learns", compresses and (not known or (self.relearns and known < DICTIONARIES))),
            ("delay_ms", ms(attributes.delay)),
            ("visibility_ms", ms(attributes.visibility_timeout)),
            ("wait_ms", ms(attributes.receive_message_wait_time)),
            ("retention_ms", ms(attributes.message_retention_period)),
            ("plain_size", 0 if is_fifo else attributes.maximum_message_size),
        ):
            object.__setattr__(self, name, value)

    @property
    def fifo_delay(self) -> int | str:
        """The delay in ms as scripts take it that serve both types: '' on a standard queue."""
        return self.delay_ms if self.is_fifo else ""

    @property
    def deflate(self) -> Deflate:
        """What compresses its messages, where it *compresses*."""
        return deflate(len(self.dictionaries), self.dictionary)

    @property
    def dictionary(self) -> bytes:
        """The one in use; empty until there were messages enough to make one of."""
        return self.dictionaries[-1] if self.dictionaries else b""

    @property
    def next_version(self) -> str:
        """Its version after a change of its description."""
        incarnation, _, number = self.version.partition(":")
        return f"{incarnation}:{int(number) + 1}"


def info_from_text(name: str, version: str, config: Mapping[str, str]) -> QueueInfo:
    """Build a QueueInfo from a version and a config hash."""

    def moment(field: str) -> datetime:
        return datetime.fromtimestamp(int(config[field]) / 1000, UTC)

    return QueueInfo(
        name=name,
        version=version,
        incarnation=bytes.fromhex(config["incarnation"]),
        secret=bytes.fromhex(config["secret"]),
        created_at=moment("created_ms"),
        modified_at=moment("modified_ms"),
        attributes=from_text(config),
        dictionaries=_dictionaries(config),
        relearns="relearn" in config,
    )


def _dictionaries(config: Mapping[str, str]) -> tuple[bytes, ...]:
    """Fields `dictionary:1` and so on: from which seq on it is in use, and base64."""
    texts = [config.get(f"dictionary:{number}", "") for number in range(1, DICTIONARIES + 1)]
    while texts and not texts[-1]:
        texts.pop()
    return tuple(base64.b64decode(text.rpartition(" ")[2]) for text in texts)
