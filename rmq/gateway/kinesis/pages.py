"""Pages: NextToken of the listing actions. A token holds the question, so that whoever goes on need
not ask it again, where the next page begins, and until when that may be asked for.

Source: ListShards, ListStreamConsumers (Amazon Kinesis Data Streams API Reference): 300 seconds.
"""

from __future__ import annotations

from typing import Any, TypeVar

import msgspec

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.errors import expired_token, invalid
from rmq.gateway.service import Given
from rmq.gateway.tokens import read_token, write_token

T = TypeVar("T")

LIFE_MS = 300_000


class _Mark(msgspec.Struct, array_like=True):
    made_ms: int
    after: str
    asked: dict[str, Any]


def token_of(caller: Caller, question: str, after: str, asked: dict[str, Any] | None = None) -> str:
    """A token for the page behind *after*; *asked* is what the next call need not say again."""
    mark = _Mark(caller.client.clock.now_ms(), after, asked or {})
    return write_token(question, msgspec.json.encode(mark).decode())


def after_of(caller: Caller, given: Given, question: str) -> tuple[str | None, dict[str, Any]]:
    """Where to go on, and what was asked; None for the first page. Raises AwsError."""
    text = given.get("NextToken")
    if text is None:
        return None, {}
    found = read_token(question, text)
    try:
        mark = msgspec.json.decode(found or "", type=_Mark)
    except (msgspec.MsgspecError, UnicodeError):
        raise invalid("NextToken is invalid.") from None
    if caller.client.clock.now_ms() - mark.made_ms > LIFE_MS:
        raise expired_token()
    return mark.after, mark.asked


def most(given: Given, member: str, ceiling: int = 100) -> int:
    """How many a page may hold: what was asked for, up to a ceiling, which is also the default."""
    return min(int(given.get(member, ceiling)), ceiling)
