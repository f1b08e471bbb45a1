"""Limits: how far each parameter may go. Amazon SQS's by default, each liftable by its name.

Source: Amazon SQS quotas (Developer Guide) and the SQS API Reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import timedelta
from typing import Any, TypeVar

from rmq.errors import ConfigurationError, InvalidParameter, Words, brief

T = TypeVar("T")

MAX_SCRIPT_MESSAGES = 1000
"""The most that a script call receives at all."""
SCRIPT_MESSAGES = {False: 100, True: 25}
"""The most that one script call carries on a standard and (True) on a FIFO queue, whose messages
cost more; what is more goes in several calls. About 1 ms of server time."""
GROUP_COST = 2
"""A message with a group on a standard queue (fair queues) costs as much as so many without."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """None lifts a limit. `Limits(max_delay=None)` is SQS with any delay."""

    max_delay: timedelta | None = timedelta(minutes=15)
    max_visibility_timeout: timedelta | None = timedelta(hours=12)
    """Also the most that a message may stay invisible in all since one receive."""
    max_wait: timedelta | None = timedelta(seconds=20)
    max_receive: int | None = 10
    """Messages in one receive."""
    min_retention: timedelta | None = timedelta(minutes=1)
    max_retention: timedelta | None = timedelta(days=14)
    min_message_size: int | None = 1024
    """Lower end of what maximum_message_size may be set to, in bytes."""
    max_message_size: int | None = 1_048_576
    """Upper end of what maximum_message_size may be set to, in bytes; Redis's own is 512 MB."""
    max_message_attributes: int | None = 10
    max_in_flight: int | None = 120_000
    min_purge_interval: timedelta | None = None
    """How soon a queue may be purged again; Amazon SQS: 60 s. None also in Limits.aws(), because
    nothing here needs it."""
    name_reuse_delay: timedelta | None = None
    """How soon the name of a deleted queue may be used again; Amazon SQS: 60 s. None also in
    Limits.aws(). It is kept by who deletes and asked by who creates, so both must have it."""
    max_tags: int | None = 50
    max_receive_count: int | None = 1000
    """Of a redrive policy. 2046 is the most that is counted."""
    max_redrive_rate: int | None = 500
    """Messages a second."""
    max_redrive_sources: int | None = 10
    """Queues that a redrive allow policy may name."""
    deduplication_window: timedelta | None = timedelta(minutes=5)
    """The one value it may have; None allows any."""
    max_id_length: int | None = 128
    """Of group, deduplication and receive attempt ids."""
    text_characters: bool | None = True
    """Allow only the characters of XML 1.0 in text."""
    nonempty_body: bool | None = True
    max_subscriptions: int | None = 12_500_000
    """Of a standard topic (Amazon SNS quotas, as all from here on)."""
    max_fifo_subscriptions: int | None = 100
    """Of a FIFO topic."""
    max_pending_subscriptions: int | None = 5_000
    """Of a topic, that wait for their confirmation."""
    max_filter_policies: int | None = 200
    """Of a topic."""
    max_filter_keys: int | None = 5
    max_filter_combinations: int | None = 150
    max_filter_bytes: int | None = 262_144
    """Of one filter policy."""
    max_subject: int | None = 100
    """Characters of a notification's subject."""
    max_large_subscriptions: int | None = 100
    """Of a topic that takes messages of more than 262,144 bytes."""
    archive_range: bool | None = True
    """Archives are kept for 1 to 365 days."""
    max_user_data: int | None = 2048
    """Bytes of a platform endpoint's custom_user_data."""
    max_sms_characters: int | None = 1600
    max_sandbox_numbers: int | None = 10
    opt_in_interval: timedelta | None = timedelta(days=30)
    """How soon a phone number may be opted in again."""
    max_shards: int | None = 10_000
    """Of one stream (Amazon Kinesis Data Streams, as all from here on)."""
    min_stream_retention: timedelta | None = timedelta(hours=24)
    max_stream_retention: timedelta | None = timedelta(hours=8760)
    min_record_size: int | None = 1_048_576
    """Lower end of what a stream's max_record_size may be set to, in bytes."""
    max_record_size: int | None = 10_485_760
    """Upper end of it."""
    max_partition_key: int | None = 256
    """Characters."""
    max_put_records: int | None = 500
    """Records in one PutRecords at the endpoint; put_many takes any number."""
    max_put_bytes: int | None = 10_485_760
    """Data and partition keys together in one PutRecords at the endpoint."""
    max_get_records: int | None = 10_000
    """Records in one get."""
    max_get_bytes: int | None = 10_485_760
    """Data and partition keys together in one get."""
    iterator_lifetime: timedelta | None = timedelta(minutes=5)
    shard_write_bytes: int | None = None
    """Bytes a second that a shard of a provisioned stream takes; 1,048,576 in Limits.aws()."""
    shard_write_records: int | None = None
    """Records a second that a shard of a provisioned stream takes; 1,000 in Limits.aws()."""
    max_account_shards: int | None = 20_000
    """Open shards of all streams together."""
    max_on_demand_streams: int | None = 50
    max_on_demand_shards: int | None = 200
    """Of one stream on demand: 200 MiB/s."""
    max_warm_throughput: int | None = 10_240
    """MiB a second for which a stream on demand may be kept ready."""
    warm_commitment: bool | None = None
    """Warm throughput needs the account's commitment. None, and True in Limits.aws()."""
    max_shard_count_updates: int | None = 10
    """Of one stream, in any 24 hours; as the next two."""
    max_mode_switches: int | None = 2
    max_encryption_changes: int | None = 25
    shard_count_steps: bool | None = True
    """One update_shard_count at most doubles the open shards, or halves them."""
    max_registered_consumers: int | None = 20
    """Of one stream."""
    max_advantage_consumers: int | None = 50
    """The same of a stream on demand in an account with a commitment."""
    max_policy_bytes: int | None = 20_480
    """Of a stream's or a registered consumer's policy."""
    shard_reads: int | None = None
    """Gets a second of a shard; Amazon Kinesis: 5. None also in Limits.aws()."""
    shard_read_bytes: int | None = None
    """Bytes a second that a shard gives; Amazon Kinesis: 2,097,152. None also in Limits.aws()."""
    subscription_bytes: int | None = None
    """Bytes a second that one SubscribeToShard of the endpoint sends; 2,097,152 in Limits.aws()."""

    @classmethod
    def aws(cls, **changed: Any) -> Limits:
        """AWS's limits, but for those *changed* by name. More than the defaults are only the rates
        at which shards of provisioned streams take records, and subscriptions are sent them."""
        beyond = {
            "shard_write_bytes": 1_048_576,
            "shard_write_records": 1000,
            "subscription_bytes": 2_097_152,
            "warm_commitment": True,
        }
        return _made(cls, beyond, changed)

    @classmethod
    def none(cls, **kept: Any) -> Limits:
        """No limits but Redis's own, but for those *kept* by name."""
        return _made(cls, {field.name: None for field in fields(cls)}, kept)


def _made(kind: type[Limits], base: dict[str, Any], changed: dict[str, Any]) -> Limits:
    known = {field.name for field in fields(kind)}
    for name in changed:
        if name not in known:
            raise ConfigurationError(
                f"there is no limit {name!r}; there are {', '.join(sorted(known))}"
            )
    return kind(**(base | changed))


def seconds(value: timedelta | float, field: str) -> timedelta:
    """A duration given as timedelta or in seconds. Raises InvalidParameter."""
    if isinstance(value, timedelta):
        return value
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise InvalidParameter(field, value, "a timedelta or a number of seconds")
    try:
        return timedelta(seconds=value)
    except (OverflowError, ValueError):
        raise InvalidParameter(field, value, "a finite number of seconds") from None


def duration(
    value: timedelta | float, field: str, low: timedelta | None, high: timedelta | None
) -> timedelta:
    """A duration within its limits. Raises InvalidParameter."""
    found = seconds(value, field)
    low = low or timedelta(0)
    if found < low or (high is not None and found > high) or found > _FAR:
        raise InvalidParameter(field, found, f"{brief(low)} to {brief(high or _FAR)}")
    return found


def whole(value: int, field: str, low: int, high: int | None) -> int:
    """A whole number within its limits. Raises InvalidParameter."""
    if isinstance(value, bool) or not isinstance(value, int):
        raise InvalidParameter(field, value, "a whole number")
    if value < low or (high is not None and value > high):
        limit = f"{low} to {high}" if high is not None else f"{low} or more"
        raise InvalidParameter(field, value, limit)
    return value


def flag(value: bool, field: str) -> bool:
    """A truth value, and not one that only counts as one. Raises InvalidParameter."""
    if not isinstance(value, bool):
        raise InvalidParameter(field, value, "True or False")
    return value


def text(value: object, field: str, low: int = 1, high: int | None = None) -> str:
    """Text of so many characters that UTF-8 can express. Raises InvalidParameter."""
    most = f"{low} to {high} characters" if high is not None else f"at least {low} characters"
    if not isinstance(value, str) or len(value) < low or (high is not None and len(value) > high):
        raise InvalidParameter(field, value, f"{most} of text")
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidParameter(field, ascii(value), "text that UTF-8 can express") from None
    return value


def listed(value: Iterable[T], field: str, of: str) -> list[T]:
    """Several of something, but not one text by mistake. Raises InvalidParameter."""
    if isinstance(value, (str, bytes, bytearray)) or not isinstance(value, Iterable):
        raise InvalidParameter(field, Words(type(value).__name__), f"a list of {of}")
    return list(value)


def ms(value: timedelta) -> int:
    """A duration in whole milliseconds."""
    return value // _MS


def checked_tags(tags: Mapping[str, str], limits: Limits) -> dict[str, str]:
    """Valid tags: keys of 1 to 128 characters, values of 0 to 256. Raises InvalidParameter."""
    if not isinstance(tags, Mapping):
        raise InvalidParameter("tags", Words(type(tags).__name__), "a mapping from name to value")
    if limits.max_tags is not None and len(tags) > limits.max_tags:
        raise InvalidParameter(
            "tags", Words(f"{len(tags)} tags"), f"at most {limits.max_tags} of them"
        )
    return {
        text(key, "tag key", 1, 128): text(value, f"tags[{key!r}]", 0, 256)
        for key, value in tags.items()
    }


_MS = timedelta(milliseconds=1)
_FAR = timedelta(days=365 * 50)
