"""Keys: which partition key a line gets, and so which lines keep their order."""

from __future__ import annotations

import random
import re
from collections.abc import Callable
from pathlib import PurePath

from rmq.errors import InvalidParameter

LONGEST = 256
"""Characters of a partition key (PutRecord, Amazon Kinesis API Reference)."""

KeyRule = Callable[[bytes, str], str]
"""From a record and the path of its file to a partition key."""


def random_key(data: bytes, path: str) -> str:
    """Spread the load evenly; no order is kept."""
    return f"{random.getrandbits(64):016x}"


def file_name(data: bytes, path: str) -> str:
    """The last part of the path: the lines of a file stay in order."""
    return PurePath(path).name[:LONGEST]


def fixed(key: str) -> KeyRule:
    """One key for everything: all of it in order, in one shard. Raises InvalidParameter."""
    if not 1 <= len(key) <= LONGEST:
        raise InvalidParameter("key", key, f"1 to {LONGEST} characters")
    return lambda data, path: key


def matched(pattern: str) -> KeyRule:
    """What the first group of a regular expression finds in a record, or all that it finds where it
    has no group; a random key for a record where it finds nothing.

    Raises InvalidParameter for what is no regular expression.
    """
    find = compiled("key pattern", pattern).search

    def key(data: bytes, path: str) -> str:
        found = find(data)
        text = found.group(found.re.groups and 1) if found else None
        # A slice of text and not of bytes: a character must not be cut in two.
        return text.decode(errors="replace")[:LONGEST] if text else random_key(data, path)

    return key


def compiled(field: str, pattern: str) -> re.Pattern[bytes]:
    """A regular expression for the bytes of a line. Raises InvalidParameter."""
    try:
        return re.compile(pattern.encode())
    except (re.error, UnicodeEncodeError) as error:
        raise InvalidParameter(field, pattern, f"a regular expression ({error})") from None
