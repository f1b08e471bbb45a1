"""Tokens: an answer's NextToken. It holds where to go on, and the question that it belongs to, so
that one of another question is refused instead of answered with something that looks right."""

from __future__ import annotations

import base64
import binascii

import msgspec


class _Token(msgspec.Struct, array_like=True):
    question: str
    after: str


def write_token(question: str, after: str) -> str:
    """A token; only its own question goes on with it."""
    raw = msgspec.msgpack.encode(_Token(question, after))
    return base64.urlsafe_b64encode(raw).decode()


def read_token(question: str, text: str) -> str | None:
    """Where to go on; None for what is no token of this question."""
    try:
        raw = base64.b64decode(text, altchars=b"-_", validate=True)
        token = msgspec.msgpack.decode(raw, type=_Token)
    except (binascii.Error, ValueError, msgspec.MsgspecError):
        return None
    return token.after if token.question == question and token.after.isascii() else None
