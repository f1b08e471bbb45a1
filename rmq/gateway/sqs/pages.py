"""Pages: the two listing actions' MaxResults and NextToken.

A token names the last queue of the page before, and the question that it belongs to. There is one
only where MaxResults was given. Source: ListQueues (Amazon SQS API Reference).
"""

from __future__ import annotations

import base64
import binascii

import msgspec

from rmq.gateway.service import Given
from rmq.gateway.sqs.errors import invalid, invalid_value
from rmq.queues.lifecycle import Page

MOST = 1000


class _Token(msgspec.Struct, array_like=True):
    question: str
    after: str


def after_of(given: Given, question: str) -> tuple[int, str | None]:
    """How many to list, and behind which name. Raises AwsError."""
    limit = given.get("MaxResults", MOST)
    if not 1 <= limit <= MOST:
        raise invalid_value(limit, "MaxResults", f"Must be between 1 and {MOST}, if provided.")
    text = given.get("NextToken")
    if not text:
        return limit, None
    try:
        raw = base64.b64decode(text, altchars=b"-_", validate=True)
        token = msgspec.msgpack.decode(raw, type=_Token)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        raise invalid("Invalid or expired next token.") from None
    if token.question != question or not token.after.isascii():
        raise invalid("Invalid or expired next token.")
    return limit, token.after


def paged(page: Page, given: Given, question: str) -> dict[str, str]:
    """The answer's NextToken, where there is one."""
    if page.next_token is None or "MaxResults" not in given:
        return {}
    raw = msgspec.msgpack.encode(_Token(question, page.next_token))
    return {"NextToken": base64.urlsafe_b64encode(raw).decode()}
