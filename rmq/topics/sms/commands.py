"""Commands: what can be asked about SMS in one round trip. Values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from rmq.core import script
from rmq.core.keys import SmsKeys
from rmq.core.limits import ms
from rmq.core.script import Call, text_of

SUBJECT = "SMS"
"""What errors of Redis's are about."""


@dataclass(frozen=True, slots=True)
class Look:
    """All that decides whether a number is sent an SMS, and how."""

    is_opted_out: bool
    record: bytes
    """In the sandbox; b"" for none."""
    attributes: dict[str, str]

    @property
    def is_in_sandbox(self) -> bool:
        """Whether the account is."""
        return self.attributes.get("in_sandbox") == "1"


def look(keys: SmsKeys, number: str) -> Call[Look]:
    def parse(reply: Sequence[Any]) -> Look:
        return Look(bool(int(reply[0])), bytes(reply[1]), _pairs(reply[2:]))

    return script.load("sms/look").call(
        SUBJECT,
        parse,
        attributes=keys.attributes,
        opted_out=keys.opted_out,
        sandbox=keys.sandbox,
        number=number,
    )


def read_attributes(keys: SmsKeys) -> Call[dict[str, str]]:
    return script.command("HGETALL", SUBJECT, _pairs, keys.attributes)


def set_attributes(keys: SmsKeys, changes: Mapping[str, str]) -> Call[None]:
    rest = [part for pair in changes.items() for part in pair]
    return script.command("HSET", SUBJECT, lambda reply: None, keys.attributes, *rest)


def is_opted_out(keys: SmsKeys, number: str) -> Call[bool]:
    return script.command("ZSCORE", number, lambda reply: reply is not None, keys.opted_out, number)


def opt_out(keys: SmsKeys, number: str) -> Call[bool]:
    return script.command("ZADD", number, bool, keys.opted_out, 0, number)


def opt_in(keys: SmsKeys, number: str, interval: timedelta | None) -> Call[bool]:
    return script.load("sms/opt_in").call(
        number,
        bool,
        opted_out=keys.opted_out,
        opted_in=keys.opted_in,
        number=number,
        interval_ms="" if interval is None else ms(interval),
    )


# --- records: numbers of the sandbox, and those that messages come from ---


@dataclass(frozen=True, slots=True)
class Records:
    """Where records of one kind are."""

    records: str
    names: str


def put_record(
    where: Records, name: str, before: bytes, after: bytes, limit: int | None
) -> Call[bool]:
    """Make or change a record. False: it is not *before* any more."""
    return script.load("sms/put_record").call(
        name,
        bool,
        records=where.records,
        names=where.names,
        name=name,
        before=before,
        after=after,
        limit="" if limit is None else limit,
    )


def read_record(where: Records, name: str) -> Call[bytes]:
    """A record; b"" for none."""
    return script.command(
        "HGET", name, lambda reply: b"" if reply is None else bytes(reply), where.records, name
    )


def delete_record(where: Records, name: str) -> Call[bool]:
    return script.load("sms/delete_record").call(
        name, bool, records=where.records, names=where.names, name=name
    )


def list_records(where: Records, after: str | None, limit: int) -> Call[list[tuple[str, bytes]]]:
    def parse(reply: Sequence[Any]) -> list[tuple[str, bytes]]:
        return [(text_of(reply[i]), bytes(reply[i + 1])) for i in range(0, len(reply), 2)]

    return script.load("sms/list_records").call(
        SUBJECT,
        parse,
        records=where.records,
        names=where.names,
        low="-" if after is None else f"({after}",
        limit=limit,
    )


def _pairs(reply: Any) -> dict[str, str]:
    """field, value, .. as a dict. redis-py may have made one already."""
    if isinstance(reply, dict):
        return {text_of(name): text_of(value) for name, value in reply.items()}
    return {text_of(reply[i]): text_of(reply[i + 1]) for i in range(0, len(reply), 2)}
