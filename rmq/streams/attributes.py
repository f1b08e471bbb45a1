"""Attributes: what a stream was told to be. Checked when made; stored as text, field by field.

Source of the rules: CreateStream, UpdateStreamMode, UpdateMaxRecordSize,
IncreaseStreamRetentionPeriod, StartStreamEncryption (Amazon Kinesis Data Streams API Reference).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from rmq.core.limits import Limits, listed, text, whole
from rmq.core.place import Place
from rmq.errors import InvalidParameter, MissingParameter
from rmq.security import stream_policy
from rmq.streams.shard import ShardMap, shard_from_row, unpack_row

NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
HOUR = timedelta(hours=1)
KMS_KEY_CHARACTERS = 2048
MOST_RECORD = 512 * 1024 * 1024 - 65_536
"""Redis's own limit of one value."""

METRICS = (
    "IncomingBytes",
    "IncomingRecords",
    "OutgoingBytes",
    "OutgoingRecords",
    "WriteProvisionedThroughputExceeded",
    "ReadProvisionedThroughputExceeded",
    "IteratorAgeMilliseconds",
)
"""Amazon Kinesis: EnableEnhancedMonitoring. ALL stands for all of them."""

Mode = Literal["PROVISIONED", "ON_DEMAND"]
EncryptionType = Literal["NONE", "KMS"]
Distribution = Literal["USER_PARTITION_KEY", "AUTO"]
Status = Literal["CREATING", "ACTIVE", "UPDATING", "DELETING"]


def stream_name(name: str) -> str:
    """A valid stream name: 1 to 128 of A-Z a-z 0-9 _ . -.

    Raises InvalidParameter. Source: CreateStream.
    """
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InvalidParameter("stream name", name, "1 to 128 of A-Z a-z 0-9 _ . -")
    return name


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamAttributes:
    """The attributes of one stream."""

    mode: Mode = "PROVISIONED"
    """PROVISIONED: with as many shards as it was told. ON_DEMAND: they follow the load."""
    retention_hours: int = 24
    """For how long records are kept: 24 to 8,760."""
    max_record_size: int = 1_048_576
    """Bytes of a record's data and partition key together: 1,048,576 to 10,485,760."""
    encryption_type: EncryptionType = "NONE"
    """KMS: kept, and told with each record. Redis's own disk is what has to be encrypted."""
    kms_key_id: str | None = None
    """1 to 2,048 characters; with KMS only."""
    record_distribution: Distribution = "USER_PARTITION_KEY"
    """AUTO, on demand only: the stream chooses each record's shard."""
    warm_throughput_mib: int | None = None
    """On demand only: MiB a second that the stream is kept ready for, 0 to 10,240."""
    shard_level_metrics: tuple[str, ...] = ()
    """Kept and returned: of METRICS, or ALL for all of them."""
    policy: str | None = None
    """Who may do what here: a JSON object as text, at most 20 KB. Kept and returned; the library
    asks nobody who they are, an endpoint in front of it may."""

    @property
    def retention(self) -> timedelta:
        return self.retention_hours * HOUR

    @property
    def retention_ms(self) -> int:
        return self.retention_hours * 3_600_000

    @property
    def is_encrypted(self) -> bool:
        return self.encryption_type == "KMS"


_FIELDS = tuple(one.name for one in fields(StreamAttributes))
_DEFAULT = StreamAttributes()
_CHOICES = {
    "mode": ("PROVISIONED", "ON_DEMAND"),
    "encryption_type": ("NONE", "KMS"),
    "record_distribution": ("USER_PARTITION_KEY", "AUTO"),
}


def checked(
    given: Mapping[str, Any], limits: Limits, *, arn: str, base: StreamAttributes = _DEFAULT
) -> StreamAttributes:
    """*base* with what is *given* for the stream *arn*, all within *limits*.

    Raises InvalidParameter.
    """
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name not in _FIELDS:
            raise InvalidParameter("attribute", name, f"one of {', '.join(_FIELDS)}")
        found[name] = _checked_one(name, value, limits, arn)
    if found.get("encryption_type") == "NONE":
        found.setdefault("kms_key_id", None)
    made = replace(base, **found)
    if made.is_encrypted and made.kms_key_id is None:
        raise MissingParameter("kms_key_id", "encryption_type KMS needs it")
    if made.kms_key_id is not None and not made.is_encrypted:
        raise InvalidParameter("kms_key_id", made.kms_key_id, "left out without KMS")
    if made.mode != "ON_DEMAND" and base.mode == "ON_DEMAND":
        # What only a stream on demand has ends with that.
        made = replace(
            made,
            record_distribution=found.get("record_distribution", "USER_PARTITION_KEY"),
            warm_throughput_mib=found.get("warm_throughput_mib"),
        )
    if made.warm_throughput_mib is not None and made.mode != "ON_DEMAND":
        raise InvalidParameter(
            "warm_throughput_mib", made.warm_throughput_mib, "left out on a provisioned stream"
        )
    if made.record_distribution == "AUTO" and made.mode != "ON_DEMAND":
        raise InvalidParameter(
            "record_distribution", "AUTO", "USER_PARTITION_KEY on a provisioned stream"
        )
    return made


def _checked_one(name: str, value: Any, limits: Limits, arn: str) -> Any:
    if name in _CHOICES:
        if value not in _CHOICES[name]:
            raise InvalidParameter(name, value, f"one of {', '.join(_CHOICES[name])}")
        return value
    if name == "retention_hours":
        low, high = limits.min_stream_retention, limits.max_stream_retention
        return whole(
            value, name, 1 if low is None else low // HOUR, None if high is None else high // HOUR
        )
    if name == "max_record_size":
        high_bytes = limits.max_record_size
        return whole(
            value, name, limits.min_record_size or 1, min(high_bytes or MOST_RECORD, MOST_RECORD)
        )
    if name == "shard_level_metrics":
        return metrics(value)
    if value is None:
        return None
    if name == "warm_throughput_mib":
        return whole(value, name, 0, limits.max_warm_throughput)
    if name == "policy":
        stream_policy.check(text(value, name), arn, limits.max_policy_bytes)
        return value
    return text(value, name, 1, KMS_KEY_CHARACTERS)


def metrics(given: Iterable[str]) -> tuple[str, ...]:
    """Names of shard-level metrics, each once and in the order of METRICS. Raises
    InvalidParameter."""
    found = listed(given, "shard_level_metrics", "names")
    for name in found:
        if name != "ALL" and name not in METRICS:
            raise InvalidParameter(
                "shard_level_metrics", name, f"one of {', '.join((*METRICS, 'ALL'))}"
            )
    return tuple(name for name in METRICS if name in found or "ALL" in found)


def all_stored(attributes: StreamAttributes) -> dict[str, str]:
    """All attributes as the config hash would hold them."""
    return stored({name: getattr(attributes, name) for name in _FIELDS})


def stored(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Attributes as the config hash holds them. '' stands for none."""
    return {name: _stored_one(value) for name, value in attributes.items()}


def _stored_one(value: Any) -> str:
    if value is None:
        return ""
    return " ".join(value) if isinstance(value, tuple) else str(value)


def from_text(config: Mapping[str, str]) -> StreamAttributes:
    """The attributes in a config hash; what is not there has its default."""
    found: dict[str, Any] = {name: config[name] for name in _FIELDS if config.get(name)}
    for name in ("retention_hours", "max_record_size", "warm_throughput_mib"):
        if name in found:
            found[name] = int(found[name])
    if "shard_level_metrics" in found:
        found["shard_level_metrics"] = tuple(found["shard_level_metrics"].split())
    return StreamAttributes(**found)


@dataclass(frozen=True, slots=True, kw_only=True)
class StreamInfo:
    """A stream as Redis describes it. Clients keep it; shards refuse what an outdated one says."""

    name: str
    place: Place
    version: str
    """Incarnation and number. Changes with every change of an attribute and of the shards."""
    number: int
    """The number alone: shards know it too."""
    incarnation: bytes
    """8 random bytes, new for every stream that is created."""
    secret: bytes = field(repr=False)
    """Signs iterators."""
    status: Status
    created_at: datetime
    created_us: int
    """The same since 1970, exactly."""
    attributes: StreamAttributes
    shards: ShardMap = field(repr=False)
    """All that have not expired."""
    next_shard: int
    """The number that the next new shard gets."""
    consumer_count: int
    """Registered consumers (enhanced fan-out)."""
    queue_count: int = 0
    """Queues on the stream; it can not be deleted while there are any."""
    channel_count: int = 0
    """Channels, likewise."""
    reshard: bytes | None = field(default=None, repr=False)
    """The reshard that is under way."""
    target_shard_count: int | None = None
    """How many shards the stream is on its way to; None when it has those it is to have."""
    arn: str = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "arn", self.place.arn("kinesis", f"stream/{self.name}"))

    @property
    def incarnation_text(self) -> str:
        """As scripts have it."""
        return self.incarnation.hex()

    @property
    def open_shard_count(self) -> int:
        return len(self.shards.open)

    def horizon(self, now_ms: int) -> datetime:
        """The trim horizon: what arrived before it can not be read any more."""
        oldest = datetime.fromtimestamp((now_ms - self.attributes.retention_ms) / 1000, UTC)
        return max(oldest, self.created_at)


def info_from_reply(
    name: str,
    place: Place,
    state: Mapping[str, str],
    reshard: bytes | None,
    config: Mapping[str, str],
    rows: Mapping[int, bytes],
    **counts: int,
) -> StreamInfo:
    """Build a StreamInfo from what `streams.describe` answers."""
    created_us = int(state["created_us"])
    incarnation, _, number = state["version"].partition(":")
    status: Any = state["status"]
    return StreamInfo(
        name=name,
        place=place,
        version=state["version"],
        number=int(number),
        incarnation=bytes.fromhex(incarnation),
        secret=bytes.fromhex(config["secret"]),
        status="UPDATING" if status == "ACTIVE" and (reshard or "target" in state) else status,
        created_at=datetime.fromtimestamp(created_us // 1000 / 1000, UTC),
        created_us=created_us,
        attributes=from_text(config),
        shards=ShardMap(
            shard_from_row(number, unpack_row(packed), created_us)
            for number, packed in rows.items()
        ),
        next_shard=int(state["next"]),
        reshard=reshard,
        target_shard_count=int(state["target"]) if "target" in state else None,
        **counts,
    )
