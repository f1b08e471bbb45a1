"""Changing: the attributes of a stream that stands. Plans.

The change is made in the stream's slot, and then told to each shard: those refuse puts that were
made ready by an older description. A shard that is not told, because its teller died, learns of it
from the next sweep.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rmq.core.limits import checked_tags, listed, text
from rmq.core.script import LOOKS, Plan
from rmq.errors import (
    InvalidChange,
    ShardDoesNotExist,
    StaleConfig,
    StreamDoesNotExist,
)
from rmq.streams import accounting, commands, sweeping
from rmq.streams.attributes import StreamAttributes, StreamInfo, all_stored, checked, metrics
from rmq.streams.registry import StreamRegistry, described, on_shards

TOLD = frozenset(
    ("retention_hours", "max_record_size", "encryption_type", "mode", "record_distribution")
)
"""What puts and reads depend on."""


def set_attributes(
    registry: StreamRegistry, name: str, given: Mapping[str, Any], if_version: str | None = None
) -> Plan[StreamInfo]:
    """Change attributes, all of them or none."""
    for _ in range(LOOKS):
        info = yield from described(registry, name)
        if if_version is not None and info.version != if_version:
            raise StaleConfig(f"stream {name!r} was changed by somebody else")
        attributes = checked(given, registry.limits, base=info.attributes, arn=info.arn)
        before = all_stored(info.attributes)
        changes = {
            field: value
            for field, value in all_stored(attributes).items()
            if value != before[field]
        }
        if not changes:
            # Perhaps somebody died who had changed it, but had not told the shards.
            yield from _tell(registry, info)
            return info
        yield from _check_account(registry, info, attributes)
        try:
            yield commands.set_attributes(
                registry.keys(name), info, _rations(registry, changes), changes
            )
        except StaleConfig:
            if if_version is not None:
                raise
            continue
        info = yield from described(registry, name)
        if TOLD & changes.keys():
            yield from _tell(registry, info)
        if "mode" in changes:
            yield accounting.count(registry, info)
            if attributes.mode == "ON_DEMAND":
                yield from sweeping.keep_shards(registry, info)
        if changes.get("warm_throughput_mib"):
            while (yield from sweeping.sweep(registry, name)).changes:
                pass
            info = yield from described(registry, name)
        return info
    raise StaleConfig(f"stream {name!r} changes faster than it can be used")


def _rations(registry: StreamRegistry, changes: Mapping[str, str]) -> dict[str, int | None]:
    """What may only be done so often (Amazon Kinesis: UpdateStreamMode, StartStreamEncryption)."""
    found: dict[str, int | None] = {}
    if "mode" in changes:
        found["mode_switches"] = registry.limits.max_mode_switches
    if "encryption_type" in changes or "kms_key_id" in changes:
        found["encryption_changes"] = registry.limits.max_encryption_changes
    return found


def _check_account(
    registry: StreamRegistry, info: StreamInfo, attributes: StreamAttributes
) -> Plan[None]:
    """Raise LimitExceeded where the account may not have one more stream on demand."""
    becomes = attributes.mode == "ON_DEMAND" and info.attributes.mode != "ON_DEMAND"
    if becomes:
        yield from accounting.check_on_demand(registry, info.name)
    warm = attributes.warm_throughput_mib
    if warm is not None and warm != info.attributes.warm_throughput_mib:
        yield from accounting.check_warm_throughput(registry, info.name)


def _tell(registry: StreamRegistry, info: StreamInfo) -> Plan[None]:
    """Let every shard know the stream's description."""
    try:
        yield from on_shards(
            [
                commands.inform(registry.shard_keys(info.name, number), info)
                for number in info.shards
            ]
        )
    except (ShardDoesNotExist, StaleConfig):
        # Expired, or the stream was removed meanwhile: nobody is left to be told.
        return


# --- retention ---


def increase_retention(registry: StreamRegistry, name: str, hours: int) -> Plan[StreamInfo]:
    """Keep records longer. Those that have expired do not come back."""
    info = yield from described(registry, name)
    there = info.attributes.retention_hours
    if type(hours) is int and hours < there:
        _check_hours(registry, hours)
        raise _wrong_way(name, hours, there, "shorter", "Decrease")
    return (yield from _set_retention(registry, name, hours))


def decrease_retention(registry: StreamRegistry, name: str, hours: int) -> Plan[StreamInfo]:
    """Keep records for less long. Older ones can not be read from now on."""
    info = yield from described(registry, name)
    there = info.attributes.retention_hours
    if type(hours) is int and hours > there:
        _check_hours(registry, hours)
        raise _wrong_way(name, hours, there, "longer", "Increase")
    return (yield from _set_retention(registry, name, hours))


def _set_retention(registry: StreamRegistry, name: str, hours: int) -> Plan[StreamInfo]:
    _check_hours(registry, hours)
    return (yield from set_attributes(registry, name, {"retention_hours": hours}))


def _check_hours(registry: StreamRegistry, hours: int) -> None:
    """Raises InvalidChange with the words of Amazon Kinesis."""
    low, high = registry.limits.min_stream_retention, registry.limits.max_stream_retention
    if isinstance(hours, bool) or not isinstance(hours, int):
        return  # said better by who checks attributes
    if low is not None and hours * 3600 < low.total_seconds():
        least = int(low.total_seconds() // 3600)
        raise InvalidChange(
            "retention_hours",
            hours,
            f"at least {least}",
            f"Minimum allowed retention period is {least} hours. Requested retention period "
            f"({hours} hours) is too short.",
        )
    if high is not None and hours * 3600 > high.total_seconds():
        most = int(high.total_seconds() // 3600)
        raise InvalidChange(
            "retention_hours",
            hours,
            f"at most {most}",
            f"Maximum allowed retention period is {most} hours. Requested retention period "
            f"({hours} hours) is too long.",
        )


def _wrong_way(name: str, hours: int, there: int, how: str, other: str) -> InvalidChange:
    return InvalidChange(
        "retention_hours",
        hours,
        f"not {how} than the {there} hours there are",
        f"Requested retention period ({hours} hours) for stream {name} can not be {how} than "
        f"existing retention period ({there} hours). Use {other}RetentionPeriod API.",
    )


# --- enhanced monitoring ---


def set_metrics(
    registry: StreamRegistry, name: str, given: Iterable[str], *, on: bool
) -> Plan[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Switch shard-level metrics on or off. Which there were before, and which there are now."""
    chosen = metrics(given)
    for _ in range(LOOKS):
        info = yield from described(registry, name)
        before = info.attributes.shard_level_metrics
        after = {*before, *chosen} if on else {*before} - {*chosen}
        try:
            info = yield from set_attributes(
                registry, name, {"shard_level_metrics": after}, info.version
            )
        except StaleConfig:
            continue
        return before, info.attributes.shard_level_metrics
    raise StaleConfig(f"stream {name!r} changes faster than it can be used")


# --- tags ---


def tag(
    registry: StreamRegistry, name: str, add: Mapping[str, str], remove: Iterable[str]
) -> Plan[dict[str, str]]:
    """Set and remove tags. Returns all of them."""
    gone = [text(one, "tag key", 1, 128) for one in listed(remove, "tag keys", "names")]
    labels = checked_tags(add, registry.limits)
    try:
        all_tags: dict[str, str] = yield commands.tag(
            registry.keys(name), name, registry.limits.max_tags, labels, gone
        )
    except StreamDoesNotExist:
        registry.drop(name)
        raise
    return all_tags
