"""Registered consumers: who reads a stream by enhanced fan-out. Plans.

A consumer's ARN ends in the second in which it was registered, so one that was registered anew
under the same name is another one.

    arn:aws:kinesis:us-east-1:000000000000:stream/orders/consumer/billing:1700000000

Source: RegisterStreamConsumer, DescribeStreamConsumer (Amazon Kinesis Data Streams API Reference).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Literal

import msgspec

from rmq.core.limits import checked_tags, listed, text, whole
from rmq.core.paging import PageOf
from rmq.core.script import LOOKS, Plan
from rmq.errors import ConsumerDoesNotExist, InvalidParameter, StaleConfig, TooManyTags, Words
from rmq.security import stream_policy
from rmq.streams import accounting, commands, page_token
from rmq.streams.attributes import StreamInfo
from rmq.streams.page_token import PageToken
from rmq.streams.registry import StreamRegistry, described, known

NAME = re.compile(r"[A-Za-z0-9_.-]{1,128}")
_ARN = re.compile(r"(?P<stream>arn:.+:stream/[^/]+)/consumer/(?P<name>[^/:]+):(?P<created>[0-9]+)")


class _Rest(msgspec.Struct, array_like=True, frozen=True):
    """What is stored of a consumer beside the moment it was registered at."""

    tags: dict[str, str] = {}
    policy: str = ""


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Rest).decode


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisteredConsumer:
    """A registered consumer of a stream."""

    name: str
    stream_arn: str
    created_ms: int
    status: Literal["ACTIVE"] = "ACTIVE"
    tags: Mapping[str, str]
    policy: str | None
    """Who may do what with it: JSON as text; kept and returned."""
    arn: str = field(init=False)

    def __post_init__(self) -> None:
        arn = f"{self.stream_arn}/consumer/{self.name}:{self.created_ms // 1000}"
        object.__setattr__(self, "arn", arn)

    @property
    def created_at(self) -> datetime:
        return datetime.fromtimestamp(self.created_ms / 1000, UTC)


def register(
    registry: StreamRegistry, name: str, consumer: str, tags: Mapping[str, str] | None
) -> Plan[RegisteredConsumer]:
    """Register a consumer."""
    if not isinstance(consumer, str) or not NAME.fullmatch(consumer):
        raise InvalidParameter("consumer name", consumer, "1 to 128 of A-Z a-z 0-9 _ . -")
    labels = checked_tags(tags or {}, registry.limits)
    for _ in range(LOOKS):
        info = yield from known(registry, name)
        most = yield from _most(registry, info)
        try:
            stored = yield commands.register(
                registry.keys(name), info, consumer, _encode(_Rest(labels)), most
            )
        except StaleConfig:
            registry.forget(name)
            continue
        if stored is None:
            return (yield from describe(registry, name, consumer))
        return _consumer(info, consumer, stored)
    raise _too_fast(name)


def _most(registry: StreamRegistry, info: StreamInfo) -> Plan[int | None]:
    """How many registered consumers the stream may have."""
    most, more = registry.limits.max_registered_consumers, registry.limits.max_advantage_consumers
    if most is None or info.attributes.mode != "ON_DEMAND":
        return most
    found = yield accounting.commitment(registry)
    return more if found.is_enabled else most


def describe(registry: StreamRegistry, name: str, given: str) -> Plan[RegisteredConsumer]:
    """A consumer by its name or its ARN. Raises ConsumerDoesNotExist."""
    info = yield from known(registry, name)
    return (yield from _find(registry, info, given))[0]


def _find(
    registry: StreamRegistry, info: StreamInfo, given: str
) -> Plan[tuple[RegisteredConsumer, bytes]]:
    """A consumer and what is stored of it."""
    consumer = name_of(given, info.arn)
    stored: bytes | None = yield commands.read_consumer(
        registry.keys(info.name), info.name, consumer
    )
    found = None if stored is None else _consumer(info, consumer, stored)
    if found is None or stored is None or (given != consumer and given != found.arn):
        # Of a stream that is not there we say that.
        yield from described(registry, info.name)
        raise ConsumerDoesNotExist(
            f"stream {info.name!r} has no registered consumer {given!r}; register it first",
            stream=info.name,
            consumer=given,
        )
    return found, stored


def name_of(given: str, stream_arn: str) -> str:
    """The name in a name or an ARN of a consumer of a stream. Raises InvalidParameter."""
    if isinstance(given, str) and given.startswith("arn:"):
        parts = _ARN.fullmatch(given)
        if parts is None or parts["stream"] != stream_arn:
            raise InvalidParameter("consumer", given, f"an ARN {stream_arn}/consumer/NAME:CREATED")
        given = parts["name"]
    if not isinstance(given, str) or not NAME.fullmatch(given):
        raise InvalidParameter("consumer name", given, "1 to 128 of A-Z a-z 0-9 _ . -")
    return given


def deregister(registry: StreamRegistry, name: str, given: str) -> Plan[None]:
    """Remove a consumer. Who reads as it finds that it is gone."""
    yield from _change(registry, name, given, lambda one: None)


def set_policy(
    registry: StreamRegistry, name: str, given: str, policy: str | None
) -> Plan[RegisteredConsumer]:
    """Set a consumer's policy; None takes it away."""

    def change(one: RegisteredConsumer) -> _Rest:
        if policy is not None:
            most = registry.limits.max_policy_bytes
            stream_policy.check(text(policy, "policy"), one.arn, most)
        return _Rest(dict(one.tags), policy or "")

    return (yield from _change(registry, name, given, change))


def tag(
    registry: StreamRegistry,
    name: str,
    given: str,
    add: Mapping[str, str],
    remove: Iterable[str],
) -> Plan[dict[str, str]]:
    """Set and remove a consumer's tags. Returns all of them."""
    gone = [text(one, "tag key", 1, 128) for one in listed(remove, "tag keys", "names")]
    labels = checked_tags(add, registry.limits)
    most = registry.limits.max_tags

    def change(one: RegisteredConsumer) -> _Rest:
        tags = {key: value for key, value in one.tags.items() if key not in gone} | labels
        if most is not None and len(tags) > most and labels:
            raise TooManyTags("tags", Words(f"{len(tags)} tags"), f"at most {most} of them")
        return _Rest(tags, one.policy or "")

    return dict((yield from _change(registry, name, given, change)).tags)


def _change(
    registry: StreamRegistry,
    name: str,
    given: str,
    make: Callable[[RegisteredConsumer], _Rest | None],
) -> Plan[RegisteredConsumer]:
    """Change a consumer to what *make* makes of it; None removes it."""
    for _ in range(LOOKS):
        info = yield from known(registry, name)
        one, stored = yield from _find(registry, info, given)
        rest = make(one)
        after = b"" if rest is None else str(one.created_ms).encode() + b" " + _encode(rest)
        if after == stored:
            return one
        try:
            yield commands.set_consumer(registry.keys(name), info, one.name, stored, after)
        except StaleConfig:
            continue
        return one if rest is None else _consumer(info, one.name, after)
    raise _too_fast(name)


def consumers(
    registry: StreamRegistry, name: str, limit: int, token: str | None
) -> Plan[PageOf[RegisteredConsumer]]:
    """All registered consumers by name, page by page."""
    whole(limit, "limit", 1, 10_000)
    info = yield from described(registry, name)
    now_ms = registry.clock.now_ms()
    after = "" if token is None else page_token.read(token, "consumers", info, now_ms).after
    stored: dict[str, bytes] = yield commands.read_consumers(registry.keys(name), name)
    rest = sorted(one for one in stored if one > after)
    following = None
    if len(rest) > limit:
        following = PageToken.of("consumers", info, rest[limit - 1], now_ms).text()
    return PageOf(tuple(_consumer(info, one, stored[one]) for one in rest[:limit]), following)


def _consumer(info: StreamInfo, name: str, stored: bytes) -> RegisteredConsumer:
    created_ms, _, packed = stored.partition(b" ")
    rest = _decode(packed)
    return RegisteredConsumer(
        name=name,
        stream_arn=info.arn,
        created_ms=int(created_ms),
        tags=rest.tags,
        policy=rest.policy or None,
    )


def _too_fast(name: str) -> StaleConfig:
    return StaleConfig(f"stream {name!r} changes faster than it can be used")
