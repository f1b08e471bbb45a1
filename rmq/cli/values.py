"""Values: durations, times, tags and message attributes, as a person types them.

What is out of a limit is for the library to refuse, which names the limit; here only what can not
be read at all is refused.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

import typer

from rmq import MessageAttribute

_DURATION = re.compile(r"(-?\d+(?:\.\d+)?) ?(ms|s|m|h|d|)")
_UNIT_S = {"ms": 0.001, "": 1, "s": 1, "m": 60, "h": 3600, "d": 86400}


class WrongUsage(typer.BadParameter):
    """Options or arguments that make no sense together, or can not be read."""

    def format_message(self) -> str:
        return str(self.message)


def duration(text: str | timedelta) -> timedelta:
    """Read seconds, or 250ms, 90s, 15m, 12h, 4d. Raises typer.BadParameter."""
    if isinstance(text, timedelta):
        return text
    found = _DURATION.fullmatch(text.strip())
    if not found:
        raise typer.BadParameter(f"{text!r} is not a duration; write 90, 90s, 15m, 12h or 4d")
    try:
        return timedelta(seconds=float(found[1]) * _UNIT_S[found[2]])
    except OverflowError:
        raise typer.BadParameter(f"{text!r} is longer than any duration") from None


def moment(text: str | datetime) -> datetime:
    """Read a time in ISO 8601, in UTC unless it says otherwise, or how long ago it was: 90s, 15m,
    12h, 4d. Raises typer.BadParameter."""
    if isinstance(text, datetime):
        return text
    ago = _DURATION.fullmatch(text.strip())
    if ago and ago[2]:
        try:
            return datetime.now(UTC) - duration(text)
        except OverflowError:
            raise typer.BadParameter(f"{text!r} ago is before all times") from None
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise typer.BadParameter(
            f"{text!r} is not a time; write 2026-01-31T15:00:00Z, or how long ago: 90s, 15m, 12h"
        ) from None
    return found if found.tzinfo is not None else found.replace(tzinfo=UTC)


def tags(texts: Iterable[str]) -> dict[str, str]:
    """Read key=value, each. Raises WrongUsage."""
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise WrongUsage(f"{text!r} is not a tag; write key=value")
        if key in found:
            raise WrongUsage(f"the tag {key!r} is given twice; give it once")
        found[key] = value
    return found


def message_attributes(texts: Iterable[str]) -> dict[str, MessageAttribute]:
    """Read name=value (a String) or name:Type=value, each. Raises WrongUsage."""
    found = {}
    for text in texts:
        left, equals, value = text.partition("=")
        if not equals:
            raise WrongUsage(f"{text!r} is not an attribute; write name=value or name:Number=7")
        name, _, kind = left.partition(":")
        if name in found:
            raise WrongUsage(f"the attribute {name!r} is given twice; give it once")
        found[name] = message_attribute(kind or "String", value)
    return found


def message_attribute(kind: str, value: str) -> MessageAttribute:
    """An attribute of type *kind*; a Binary one is written in base64. Raises WrongUsage."""
    if kind.partition(".")[0] != "Binary":
        return MessageAttribute(kind, value)
    try:
        return MessageAttribute(kind, base64.b64decode(value, validate=True))
    except binascii.Error:
        raise WrongUsage(f"{value!r} is not base64, which Binary is written in") from None
