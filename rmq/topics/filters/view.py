"""The message as policies see it: two objects, attributes and body, each made once, and only when
it is asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import cached_property
from math import inf, isfinite
from typing import Any

import msgspec

from rmq.core.codec import MessageAttribute
from rmq.topics.filters.policy import FilterPolicyScope, Here
from rmq.topics.filters.value import Token

_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)
_WHOLE_DIGITS = 300
"""More digits than this are read as a float, which is then infinite: Python takes the square of
their number for long ones."""
_decode = msgspec.json.Decoder().decode


class MessageView:
    """What policies are held against. It keeps the message, so let go of it when it is sent."""

    def __init__(
        self, attributes: Mapping[str, MessageAttribute] | None, body: str | bytes
    ) -> None:
        """View a message.

        *attributes* are of type String, String.Array (a JSON array as text), Number or Binary, with
        an optional label (Number.float). Binary ones are ignored, as if they were not there.
        *body* is the text that is published; of a message with a text for each protocol, the one
        that is meant to be filtered. Nothing is raised for what can not be read: see `attributes`
        and `body`.
        """
        self._given = attributes or {}
        self._text = body

    @cached_property
    def attributes(self) -> Here | None:
        """Attributes as a JSON object; None if there are none, for then no policy matches.

        What is not of its type's form is Token.UNREADABLE.
        """
        found = {
            name: _value(one) for name, one in self._given.items() if not _is(one.type, "Binary")
        }
        return found or None

    @cached_property
    def body(self) -> Here | None:
        """The body's JSON object; None if it is none, for then no policy matches."""
        found = _object(self._text)
        return found if type(found) is dict else None

    @cached_property
    def has_unreadable_attributes(self) -> bool:
        """Whether a String.Array is no JSON array or a Number no number."""
        return Token.UNREADABLE in (self.attributes or {}).values()

    def scope(self, scope: FilterPolicyScope) -> Here | None:
        """The object that policies of this scope are held against."""
        return self.attributes if scope == "message_attributes" else self.body


def _is(type_: str, base: str) -> bool:
    return type_.startswith(base) and type_[len(base) : len(base) + 1] in ("", ".")


def _value(one: MessageAttribute) -> Any:
    text = one.value
    if one.type == "String" and isinstance(text, str):
        return text
    if isinstance(text, bytes):
        return Token.UNREADABLE
    if _is(one.type, "String.Array"):
        found = _object(text)
        return found if type(found) is list else Token.UNREADABLE
    if _is(one.type, "Number"):
        found = _number(text) if _NUMBER.fullmatch(text) else inf
        return found if isfinite(found) else Token.UNREADABLE
    return text


def _number(text: str) -> int | float:
    """float() alone would round whole numbers of more than 15 digits."""
    if len(text) <= _WHOLE_DIGITS and text.lstrip("+-").isdigit():
        return int(text)
    return float(text)


def _object(text: str | bytes) -> Any:
    """A JSON value; Token.UNREADABLE if it is none, or nests deeper than Python's stack."""
    try:
        return _decode(text)
    except (ValueError, RecursionError):
        pass
    # Numbers beyond a float's and lone halves of surrogate pairs are JSON all the same, and may
    # stand where no policy looks.
    try:
        plain = text.decode() if isinstance(text, bytes) else text
        return json.loads(plain, parse_int=_number, parse_constant=_no_constant)
    except (ValueError, RecursionError):
        return Token.UNREADABLE


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
