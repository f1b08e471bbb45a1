"""Origination: the numbers that an account's messages come from. A provider gives them; here they
are only noted, so that they can be listed.

Source: ListOriginationNumbers (Amazon SNS API Reference).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import msgspec

from rmq.core.keys import SmsKeys
from rmq.core.limits import listed, text, whole
from rmq.core.paging import PageOf, cut
from rmq.core.script import LOOKS, Plan
from rmq.errors import InvalidParameter, StaleConfig
from rmq.topics.registry import TopicRegistry
from rmq.topics.sms import commands
from rmq.topics.sms.commands import Records

PAGE = 30
ROUTES = ("Transactional", "Promotional", "Premium")
CAPABILITIES = ("SMS", "MMS", "VOICE")
_NUMBER = re.compile(r"\+?[0-9]{3,15}")
"""A short code has 3 digits or more."""
_COUNTRY = re.compile(r"[A-Z]{2}")

Route = Literal["Transactional", "Promotional", "Premium"]


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginationNumber:
    """A number that messages come from."""

    number: str
    """As it was given: a long number, or a short code."""
    country: str
    """Two letters of ISO 3166-1: US."""
    route: Route
    capabilities: tuple[str, ...]
    """Of SMS, MMS, VOICE."""
    status: str
    """As the provider has it: ACTIVE, PENDING, .."""
    created_at: datetime


class _Stored(msgspec.Struct, frozen=True):
    """A record, as the hash has it under its number: JSON."""

    country: str
    route: Route
    capabilities: tuple[str, ...]
    status: str
    created_ms: int


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Stored).decode


def _where(registry: TopicRegistry) -> Records:
    keys = SmsKeys(registry.namespace)
    return Records(keys.origination, keys.origination_names)


def add(
    registry: TopicRegistry,
    number: str,
    country: str,
    route: Route,
    capabilities: Iterable[str],
    status: str,
) -> Plan[OriginationNumber]:
    """Note a number, or what has changed of it."""
    _check_number("number", number)
    if not isinstance(country, str) or not _COUNTRY.fullmatch(country):
        raise InvalidParameter("country", country, "two letters of ISO 3166-1, such as US")
    if route not in ROUTES:
        raise InvalidParameter("route", route, f"one of {', '.join(ROUTES)}")
    able = tuple(listed(capabilities, "capabilities", "names"))
    for one in able:
        if one not in CAPABILITIES:
            raise InvalidParameter("capabilities", one, f"of {', '.join(CAPABILITIES)}")
    text(status, "status", 1, 64)
    for _ in range(LOOKS):
        stored = yield commands.read_record(_where(registry), number)
        created = _decode(stored).created_ms if stored else registry.clock.now_ms()
        after = _Stored(country, route, able, status, created)
        if (yield commands.put_record(_where(registry), number, stored, _encode(after), None)):
            return _shown(number, after)
    raise StaleConfig(f"{number} changes faster than it can be set")


def remove(registry: TopicRegistry, number: str) -> Plan[bool]:
    """Forget a number. False when it was not noted."""
    _check_number("number", number)
    found: bool = yield commands.delete_record(_where(registry), number)
    return found


def page(registry: TopicRegistry, limit: int, token: str | None) -> Plan[PageOf[OriginationNumber]]:
    """Some numbers, in order."""
    whole(limit, "limit", 1, PAGE)
    if token is not None:
        _check_number("token", token)
    found = yield commands.list_records(_where(registry), token, limit + 1)
    return cut([(number, _shown(number, _decode(one))) for number, one in found], limit)


def _check_number(field: str, given: str) -> None:
    if not isinstance(given, str) or not _NUMBER.fullmatch(given):
        raise InvalidParameter(field, given, "a phone number, or a short code")


def _shown(number: str, one: _Stored) -> OriginationNumber:
    return OriginationNumber(
        number=number,
        country=one.country,
        route=one.route,
        capabilities=one.capabilities,
        status=one.status,
        created_at=datetime.fromtimestamp(one.created_ms / 1000, UTC),
    )
