"""Values: what stands at a path of a message, in the one form that conditions compare.

A *leaf* is a text, a number, true, false or null. Arrays are looked through, to any depth: a
condition holds if it holds for any leaf in them. Objects are no leaves. So a path has a list of
leaves, which is empty where the key is absent, and also where it holds [], {} or an object.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from decimal import Decimal
from enum import Enum
from math import isfinite
from typing import Any

UNIT = 100_000
"""Numbers are compared with 5 decimals (Numeric value matching, Amazon SNS Developer Guide), so a
number is a whole number of these: exact, hashable, and `> 1` is `>= 1.00001`."""
_ROUNDED_BELOW = 1e15
"""A float above this has no fifth decimal to round."""


class Token(Enum):
    """Leaves that are neither text nor numbers."""

    TRUE = "true"
    FALSE = "false"
    NULL = "null"
    UNREADABLE = "unreadable"
    """A String.Array that is no JSON array, a Number that is no number. No condition holds for it,
    and the key is not absent either."""


Leaf = str | int | Token
"""Text; a number in UNITs; a token."""

ABSENT: tuple[Any, ...] = ()
"""What stands where a message has no such key: an array of nothing."""
_NOTHING: tuple[dict[str, Any], ...] = ({},)
_CONSTANTS = {True: Token.TRUE, False: Token.FALSE}


def leaves(value: Any) -> Sequence[Leaf]:
    """The leaves of a JSON value, in order."""
    kind = type(value)
    if kind is str:
        return (value,)
    if kind is not list:
        return () if kind is dict or value is ABSENT else (_leaf(value),)
    found: list[Leaf] = []
    # Not recursive: a message's arrays may nest deeper than Python's stack.
    left = value[::-1]
    while left:
        one = left.pop()
        kind = type(one)
        if kind is list:
            left.extend(reversed(one))
        elif kind is not dict:
            found.append(one if kind is str else _leaf(one))
    return found


def _leaf(value: Any) -> Leaf:
    kind = type(value)
    if kind is int or kind is float:
        return scaled(value)
    if kind is bool:
        return _CONSTANTS[value]
    if value is None:
        return Token.NULL
    return value if kind is str else Token.UNREADABLE


def scaled(number: int | float) -> int | Token:
    """A number in UNITs, rounded to the nearest. Infinities are unreadable."""
    if type(number) is int:
        return number * UNIT
    if not isfinite(number):
        return Token.UNREADABLE
    if abs(number) < _ROUNDED_BELOW:
        return round(number * UNIT)
    return int(number) * UNIT


def objects(value: Any) -> Sequence[dict[str, Any]]:
    """The objects that a nested policy may be about: the value, or those in its arrays, in order.

    Where there is none, one that is empty: what is absent above is absent below.
    """
    if type(value) is dict:
        return (value,)
    if type(value) is not list:
        return _NOTHING
    found: list[dict[str, Any]] = []
    left = value[::-1]
    while left:
        one = left.pop()
        if type(one) is dict:
            found.append(one)
        elif type(one) is list:
            left.extend(reversed(one))
    return found or _NOTHING


def shown(leaf: Leaf) -> str:
    """A leaf as JSON has it."""
    if isinstance(leaf, Token):
        return leaf.value
    if isinstance(leaf, str):
        return json.dumps(leaf, ensure_ascii=not leaf.isprintable())
    # Exact to the last of any number of digits, as a quotient of floats is not.
    sign, digits = "-" if leaf < 0 else "", abs(leaf)
    if digits < UNIT * 10**15:
        return f"{sign}{Decimal(digits) / UNIT:f}"
    return f"{sign}{float(digits) / UNIT:g}" if digits < 10**300 else f"{sign}a very large number"


def shown_path(path: Sequence[str | int]) -> str:
    """Where something stands: store.address[0]["a.b"]. At most some 200 characters."""
    text = ""
    for step in path:
        if isinstance(step, int):
            text += f"[{step}]"
        elif step and step.replace("-", "_").replace("$", "_").isidentifier():
            text += f".{step}" if text else step
        else:
            text += f"[{json.dumps(step, ensure_ascii=not step.isprintable())}]"
    return text if len(text) <= 200 else f"{text[:100]}…{text[-90:]}"
