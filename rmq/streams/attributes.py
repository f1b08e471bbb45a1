"""Attributes: what a stream was told to be. Checked when made; stored as text, field by field.

Source of the rules: CreateStream, UpdateStreamMode, UpdateMaxRecordSize,
IncreaseStreamRetentionPeriod, StartStreamEncryption (Amazon Kinesis Data Streams API Reference).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from rmq.core.limits import Limits, text, whole
from rmq.core.place import Place
from rmq.errors import InvalidParameter
from rmq.streams.shard import ShardMap, shard_from_row, unpack_row

NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
HOUR = timedelta(hours=1)
KMS_KEY_CHARACTERS = 2048
MOST_RECORD = 512 * 1024 * 1024 - 65_536
"""Redis's own limit of one value."""

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
    given: Mapping[str, Any], limits: Limits, *, base: StreamAttributes = _DEFAULT
) -> StreamAttributes:
    """*base* with what is *given*, all within *limits*. Raises InvalidParameter."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name not in _FIELDS:
            raise InvalidParameter("attribute", name, f"one of {', '.join(_FIELDS)}")
        found[name] = _checked_one(name, value, limits)
    made = replace(base, **found)
    if made.record_distribution == "AUTO" and made.mode != "ON_DEMAND":
        raise InvalidParameter(
            "record_distribution", "AUTO", "USER_PARTITION_KEY on a provisioned stream"
        )
    return made


def _checked_one(name: str, value: Any, limits: Limits) -> Any:
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
    return None if value is None else text(value, name, 1, KMS_KEY_CHARACTERS)


def stored(attributes: Mapping[str, Any]) -> dict[str, str]:
    """Attributes as the config hash holds them. '' stands for none."""
    return {name: "" if value is None else str(value) for name, value in attributes.items()}


def from_text(config: Mapping[str, str]) -> StreamAttributes:
    """The attributes in a config hash; what is not there has its default."""
    found: dict[str, Any] = {name: config[name] for name in _FIELDS if config.get(name)}
    for name in ("retention_hours", "max_record_size"):
        if name in found:
            found[name] = int(found[name])
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
    attributes: StreamAttributes
    shards: ShardMap = field(repr=False)
    """All that have not expired."""
    next_shard: int
    """The number that the next new shard gets."""
    consumer_count: int
    """Registered consumers (enhanced fan-out)."""
    reshard: bytes | None = field(default=None, repr=False)
    """The reshard that is under way."""
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


def info_from_reply(
    name: str,
    place: Place,
    state: Mapping[str, str],
    reshard: bytes | None,
    config: Mapping[str, str],
    rows: Mapping[int, bytes],
    consumer_count: int,
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
        status="UPDATING" if status == "ACTIVE" and reshard else status,
        created_at=datetime.fromtimestamp(created_us // 1000 / 1000, UTC),
        attributes=from_text(config),
        shards=ShardMap(
            shard_from_row(number, unpack_row(packed), created_us)
            for number, packed in rows.items()
        ),
        next_shard=int(state["next"]),
        consumer_count=consumer_count,
        reshard=reshard,
    )
