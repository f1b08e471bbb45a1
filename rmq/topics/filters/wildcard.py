r"""Wildcards: patterns in which * is any run of characters, \* a star and \\ a backslash.

Matched without backtracking: between the first and the last literal the leftmost place of each is
as good as any other. A regular expression would take the cube of the length with three stars.
"""

from __future__ import annotations


class BadPattern(ValueError):
    """Says what is wrong with a pattern."""


def literals(pattern: str) -> tuple[str, ...]:
    """What stands between the stars: one text more than there are stars.

    Raises BadPattern for two stars in a row, and for a backslash before anything but * and \\.
    """
    found, text = [], ""
    at = 0
    while at < len(pattern):
        character = pattern[at]
        if character == "*":
            if pattern[at + 1 : at + 2] == "*":
                raise BadPattern(f"Consecutive wildcard characters at pos {at}")
            found.append(text)
            text = ""
        elif character == "\\":
            at += 1
            if pattern[at : at + 1] not in ("*", "\\"):
                raise BadPattern(f"Invalid escape character at pos {at - 1}")
            text += pattern[at]
        else:
            text += character
        at += 1
    return (*found, text)


def fits(parts: tuple[str, ...], text: str) -> bool:
    """Whether *text* is these literals, with anything between them."""
    first, last = parts[0], parts[-1]
    if len(parts) == 1:
        return text == first
    end = len(text) - len(last)
    at = len(first)
    if at > end or not text.startswith(first) or not text.endswith(last):
        return False
    for part in parts[1:-1]:
        found = text.find(part, at, end)
        if found < 0:
            return False
        at = found + len(part)
    return True
