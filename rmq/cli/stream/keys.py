"""Keys: the options by which records from lines get their partition keys."""

from __future__ import annotations

from typing import Annotated

import typer

from rmq.cli.values import WrongUsage
from rmq.streams.tailing.keys import KeyRule, file_name, fixed, matched, random_key

Key = Annotated[
    str | None,
    typer.Option(
        "--key", "-k", metavar="TEXT", help="The partition key. Default: a random one for each."
    ),
]
KeyPattern = Annotated[
    str | None,
    typer.Option(
        metavar="REGEX", help="The partition key is what its first group finds in the record."
    ),
]


def key_rule(key: str | None, pattern: str | None, *, by_file: bool = False) -> KeyRule:
    """The rule that the options make. Raises WrongUsage, InvalidParameter."""
    if (key is not None) + (pattern is not None) + by_file > 1:
        raise WrongUsage("there is one partition key: --key, or --key-pattern, or --key-file")
    if pattern is not None:
        return matched(pattern)
    if key is not None:
        return fixed(key)
    return file_name if by_file else random_key
