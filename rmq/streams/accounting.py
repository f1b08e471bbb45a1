"""Accounting: what the streams of a namespace have together, and what they may have.

`{streams}:counts` holds of each stream how many shards are open and its mode. It is written behind
what it counts, so it may be old for a moment; every sweep of a stream puts it right.
Source: DescribeLimits, UpdateAccountSettings (Amazon Kinesis Data Streams API Reference).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal, NamedTuple

from rmq.core import script
from rmq.core.keys import StreamAccountKeys
from rmq.core.limits import flag, ms
from rmq.core.place import Place
from rmq.core.script import Call, Plan, text_of
from rmq.errors import InvalidChange, LimitExceeded, Words
from rmq.streams.attributes import StreamInfo
from rmq.streams.registry import StreamRegistry

LEAST_COMMITMENT = timedelta(hours=24)
"""For how long a commitment lasts at least."""

CommitmentStatus = Literal["ENABLED", "DISABLED", "ENABLED_UNTIL_EARLIEST_ALLOWED_END"]


class Count(NamedTuple):
    """What one stream has."""

    open_shards: int
    is_on_demand: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountLimits:
    """What an account has, and what it may have; None for any number."""

    open_shard_count: int
    shard_limit: int | None
    on_demand_stream_count: int
    on_demand_stream_limit: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Commitment:
    """An account's minimum throughput billing commitment (on-demand advantage). Nobody is billed;
    it unlocks warm throughput and more registered consumers, as it does at AWS."""

    status: CommitmentStatus
    started_at: datetime | None
    ended_at: datetime | None
    """Also when it will end, where it was disabled too early."""

    @property
    def is_enabled(self) -> bool:
        return self.status != "DISABLED"

    @property
    def earliest_allowed_end(self) -> datetime | None:
        return None if self.started_at is None else self.started_at + LEAST_COMMITMENT


def note_place(registry: StreamRegistry) -> Plan[None]:
    """Let who sweeps everywhere know that there are streams here."""
    if registry.namespace != registry.places.root:
        keys, place = StreamAccountKeys(registry.places.root), registry.place
        member = f"{place.account} {place.region}"
        yield script.command("SADD", "streams", lambda reply: None, keys.places, member)


def places(registry: StreamRegistry) -> Call[set[Place]]:
    """The accounts and regions that have streams, beside the root's."""

    def parse(reply: Any) -> set[Place]:
        return {Place(*text_of(one).split(" ")) for one in reply}

    keys = StreamAccountKeys(registry.places.root)
    return script.command("SMEMBERS", "streams", parse, keys.places)


def count(registry: StreamRegistry, info: StreamInfo) -> Call[None]:
    """Note what a stream has."""
    mode = "O" if info.attributes.mode == "ON_DEMAND" else "P"
    return script.command(
        "HSET",
        info.name,
        lambda reply: None,
        StreamAccountKeys(registry.namespace).counts,
        info.name,
        f"{info.open_shard_count} {mode}",
    )


def uncount(registry: StreamRegistry, name: str) -> Call[None]:
    """Note that a stream is gone."""
    keys = StreamAccountKeys(registry.namespace)
    return script.command("HDEL", name, lambda reply: None, keys.counts, name)


def counts(registry: StreamRegistry) -> Call[list[Count]]:
    """What each stream has."""

    def parse(reply: Sequence[Any]) -> list[Count]:
        found = [text_of(one).split() for one in reply]
        return [Count(int(shards), mode == "O") for shards, mode in found]

    return script.command("HVALS", "streams", parse, StreamAccountKeys(registry.namespace).counts)


def account_limits(registry: StreamRegistry) -> Plan[AccountLimits]:
    """What the account has, and what it may have."""
    found: list[Count] = yield counts(registry)
    return AccountLimits(
        open_shard_count=sum(one.open_shards for one in found),
        shard_limit=registry.limits.max_account_shards,
        on_demand_stream_count=sum(one.is_on_demand for one in found),
        on_demand_stream_limit=registry.limits.max_on_demand_streams,
    )


def check_shards(registry: StreamRegistry, name: str, more: int) -> Plan[None]:
    """Raise LimitExceeded where the account may not have so many more open shards."""
    most = registry.limits.max_account_shards
    if most is None or more <= 0:
        return
    found: list[Count] = yield counts(registry)
    there = sum(one.open_shards for one in found)
    if there + more > most:
        raise _exceeded(
            name, f"the account has {there} of {most} open shards, {more} more are too many"
        )


def check_on_demand(registry: StreamRegistry, name: str) -> Plan[None]:
    """Raise LimitExceeded where the account may not have one more stream on demand."""
    most = registry.limits.max_on_demand_streams
    if most is None:
        return
    found: list[Count] = yield counts(registry)
    if sum(one.is_on_demand for one in found) >= most:
        raise _exceeded(name, f"the account has {most} streams on demand, its limit")


def check_warm_throughput(registry: StreamRegistry, name: str) -> Plan[None]:
    """Raise InvalidChange where warm throughput needs a commitment that the account has not."""
    if not registry.limits.warm_commitment:
        return
    found: Commitment = yield commitment(registry)
    if not found.is_enabled:
        raise InvalidChange(
            "warm_throughput_mib",
            Words("given"),
            "left out: the account has no minimum throughput commitment",
            f"Stream {name} under account {registry.place.account} can not have warm throughput "
            "without MinimumThroughputBillingCommitment.",
        )


def _exceeded(name: str, reason: str) -> LimitExceeded:
    return LimitExceeded(f"stream {name!r}: {reason}", stream=name, reason=reason)


def commitment(registry: StreamRegistry, enabled: bool | None = None) -> Call[Commitment]:
    """The account's commitment; *enabled* changes it. Raises InvalidParameter."""
    if enabled is not None:
        flag(enabled, "commitment")

    def parse(reply: Sequence[Any]) -> Commitment:
        status, started, ended = map(text_of, reply)
        return Commitment(
            status=status,  # type: ignore[arg-type]
            started_at=_moment(started),
            ended_at=_moment(ended),
        )

    return script.load("streams/commit_account").call(
        "account",
        parse,
        account=StreamAccountKeys(registry.namespace).account,
        enabled="" if enabled is None else int(enabled),
        least_ms=ms(LEAST_COMMITMENT),
    )


def _moment(text: str) -> datetime | None:
    return datetime.fromtimestamp(int(text) / 1000, UTC) if text else None
