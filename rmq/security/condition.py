"""Condition: what else must be true of a request for a statement to apply.

    "Condition": {"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:orders"}, "Bool": {...}}
                   operator    key              value, or a list of them

Operators and keys must all hold; of the values one suffices, and with a negated operator none may
hold. Compiled once into tests, each of which looks at a request's context and nothing else.
Source: Amazon IAM User Guide, "Condition operators", "Multivalued context keys".
"""

from __future__ import annotations

import base64
import binascii
import operator
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Any

from rmq.errors import InvalidPolicy
from rmq.security import pattern
from rmq.security.pattern import Context, Matches

Test = Callable[[Context], bool]
Reader = Callable[[str, str, bool], Matches]
"""Makes a comparison of a policy's value; takes the field's name, and whether variables count."""

_LONGEST_NUMBER = 64
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d{1,4})?", re.ASCII)
_DATE = re.compile(
    r"(\d{4})(?:-(\d\d)(?:-(\d\d)(?:T(\d\d):(\d\d)(?::(\d\d)(\.\d+)?)?(Z|[+-]\d\d:?\d\d)?)?)?)?",
    re.ASCII | re.IGNORECASE,
)


def read(block: Any, field: str, *, variables: bool) -> tuple[Test, ...]:
    """The tests of a Condition block. Raises InvalidPolicy."""
    if not isinstance(block, Mapping):
        raise InvalidPolicy(field, block, "an object of operators")
    tests: list[Test] = []
    for name, keys in block.items():
        where = f"{field}.{name}"
        if not isinstance(keys, Mapping) or not keys:
            raise InvalidPolicy(where, keys, "an object of keys and values, with one key or more")
        for key, values in keys.items():
            if not key:
                raise InvalidPolicy(where, key, "an object whose keys have a name")
            tests.append(_test(name, key.lower(), values, f"{where}.{key}", where, variables))
    return tuple(tests)


def _test(name: str, key: str, values: Any, field: str, where: str, variables: bool) -> Test:
    quantifier, _, bare = name.rpartition(":")
    if_exists = bare.endswith("IfExists")
    bare = bare.removesuffix("IfExists")
    if bare == "Null" and not quantifier and not if_exists:
        return _null_test(key, values, field)
    if bare not in _OPERATORS or quantifier not in ("", "ForAnyValue", "ForAllValues"):
        raise InvalidPolicy(
            where, name, "a condition operator, such as StringEquals or ForAnyValue:ArnLike"
        )
    reader, is_negated = _OPERATORS[bare]
    one_of = [
        reader(text, at, variables and reader in _WITH_VARIABLES)
        for at, text in _texts(values, field)
    ]
    return partial(_hold, key, one_of, is_negated, quantifier, if_exists)


def _hold(
    key: str,
    one_of: list[Matches],
    is_negated: bool,
    quantifier: str,
    if_exists: bool,
    context: Context,
) -> bool:
    found = context.get(key)
    if not found:
        if if_exists or quantifier == "ForAllValues":
            return True
        return is_negated and not quantifier
    if quantifier == "ForAllValues":
        return all(_any(one_of, value, context) != is_negated for value in found)
    if quantifier == "ForAnyValue":
        return any(_any(one_of, value, context) != is_negated for value in found)
    return any(_any(one_of, value, context) for value in found) != is_negated


def _any(one_of: list[Matches], value: str, context: Context) -> bool:
    return any(matches(value, context) for matches in one_of)


def _null_test(key: str, values: Any, field: str) -> Test:
    wanted = {_truth(text, at) for at, text in _texts(values, field)}
    return lambda context: (not context.get(key)) in wanted


def _texts(values: Any, field: str) -> list[tuple[str, str]]:
    """The values as text, each with where it stands. JSON's numbers and booleans are taken too."""
    is_list = isinstance(values, list)
    if is_list and not values:
        raise InvalidPolicy(field, values, "a value, or a list of one or more")
    found = []
    for index, value in enumerate(values if is_list else [values]):
        at = f"{field}[{index}]" if is_list else field
        if isinstance(value, bool):
            value = "true" if value else "false"
        elif isinstance(value, (int, Decimal)):
            value = str(value)
        if not isinstance(value, str):
            raise InvalidPolicy(at, value, "text, a number or a boolean")
        found.append((at, value))
    return found


# --- kinds of values -----------------------------------------------------------------------------


def _string(text: str, field: str, variables: bool) -> Matches:
    return pattern.literal(text, field, variables=variables)


def _string_any_case(text: str, field: str, variables: bool) -> Matches:
    return pattern.literal(text, field, variables=variables, ignore_case=True)


def _like(text: str, field: str, variables: bool) -> Matches:
    return pattern.glob(text, field, variables=variables)


def _arn(text: str, field: str, variables: bool) -> Matches:
    return pattern.arn(text, field, variables=variables)


def _bool(text: str, field: str, variables: bool) -> Matches:
    wanted = "true" if _truth(text, field) else "false"
    return lambda value, context: value.lower() == wanted


def _truth(text: str, field: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise InvalidPolicy(field, text, "true or false")
    return text.lower() == "true"


def _binary(text: str, field: str, variables: bool) -> Matches:
    wanted = _decoded(text)
    if wanted is None:
        raise InvalidPolicy(field, text, "base64")
    return lambda value, context: _decoded(value) == wanted


def _decoded(text: str) -> bytes | None:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def _address(text: str, field: str, variables: bool) -> Matches:
    try:
        network = ip_network(text, strict=False)
    except ValueError:
        raise InvalidPolicy(field, text, "an IP address or a CIDR block") from None

    def matches(value: str, context: Context) -> bool:
        try:
            found: IPv4Address | IPv6Address = ip_address(value)
        except ValueError:
            return False
        # A dual-stack socket shows IPv4 callers so; they are in the IPv4 block all the same.
        if isinstance(found, IPv6Address) and found.ipv4_mapped is not None:
            found = found.ipv4_mapped
        return found in network

    return matches


def _numeric(compare: Callable[[Any, Any], bool]) -> Reader:
    def read(text: str, field: str, variables: bool) -> Matches:
        wanted = _number(text)
        if wanted is None:
            raise InvalidPolicy(field, text, f"a number of at most {_LONGEST_NUMBER} characters")
        return partial(_compared, _number, compare, wanted)

    return read


def _date(compare: Callable[[Any, Any], bool]) -> Reader:
    def read(text: str, field: str, variables: bool) -> Matches:
        wanted = _moment(text)
        if wanted is None:
            raise InvalidPolicy(
                field, text, "a date as 2024-12-31T23:59:59Z (ISO 8601), or seconds since 1970"
            )
        return partial(_compared, _moment, compare, wanted)

    return read


def _compared(
    parse: Callable[[str], Decimal | None],
    compare: Callable[[Any, Any], bool],
    wanted: Decimal,
    value: str,
    context: Context,
) -> bool:
    found = parse(value)
    return found is not None and compare(found, wanted)


def _number(text: str) -> Decimal | None:
    if len(text) > _LONGEST_NUMBER or not _NUMBER.fullmatch(text):
        return None
    return Decimal(text)


def _moment(text: str) -> Decimal | None:
    """Seconds since 1970. Four digits alone are a year; a date without a zone is in UTC."""
    found = _DATE.fullmatch(text)
    if found is None:
        return _number(text)
    year, month, day, hour, minute, second, fraction, zone = found.groups()
    offset_s = 0
    if zone and zone.upper() != "Z":
        offset_s = (int(zone[1:3]) * 60 + int(zone[-2:])) * (-60 if zone[0] == "-" else 60)
    try:
        start = datetime(
            int(year),
            int(month or 1),
            int(day or 1),
            int(hour or 0),
            int(minute or 0),
            int(second or 0),
            tzinfo=UTC,
        )
    except ValueError:
        return None
    whole = (start - _EPOCH).days * 86400 + (start - _EPOCH).seconds - offset_s
    return whole + Decimal(fraction[:_LONGEST_NUMBER] if fraction else 0)


_OPERATORS: dict[str, tuple[Reader, bool]] = {
    "StringEquals": (_string, False),
    "StringNotEquals": (_string, True),
    "StringEqualsIgnoreCase": (_string_any_case, False),
    "StringNotEqualsIgnoreCase": (_string_any_case, True),
    "StringLike": (_like, False),
    "StringNotLike": (_like, True),
    "NumericEquals": (_numeric(operator.eq), False),
    "NumericNotEquals": (_numeric(operator.eq), True),
    "NumericLessThan": (_numeric(operator.lt), False),
    "NumericLessThanEquals": (_numeric(operator.le), False),
    "NumericGreaterThan": (_numeric(operator.gt), False),
    "NumericGreaterThanEquals": (_numeric(operator.ge), False),
    "DateEquals": (_date(operator.eq), False),
    "DateNotEquals": (_date(operator.eq), True),
    "DateLessThan": (_date(operator.lt), False),
    "DateLessThanEquals": (_date(operator.le), False),
    "DateGreaterThan": (_date(operator.gt), False),
    "DateGreaterThanEquals": (_date(operator.ge), False),
    "Bool": (_bool, False),
    "BinaryEquals": (_binary, False),
    "IpAddress": (_address, False),
    "NotIpAddress": (_address, True),
    "ArnEquals": (_arn, False),
    "ArnLike": (_arn, False),
    "ArnNotEquals": (_arn, True),
    "ArnNotLike": (_arn, True),
}
"""Each operator: how its values are compared, and whether none of them may be like the request's.
ArnEquals is ArnLike."""

_WITH_VARIABLES = frozenset({_string, _string_any_case, _like, _arn})
