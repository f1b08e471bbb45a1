"""Strict: what an answer has that the service model does not allow, and what it lacks.

A botocore client overlooks what it does not know; here every deviation is named. Two looks:

    faults    a JSON value against its shape: types, required members, unknown members, enums
    unread    an XML document against what a parser made of it: elements that nobody read
"""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from xml.etree import ElementTree

INT32 = 1 << 31
INT64 = 1 << 63


def faults(shape: Any, value: Any, at: str = "answer") -> Iterator[str]:
    """What is wrong with a JSON *value* where the model has *shape*; nothing, if it is right."""
    check = {"structure": _structure, "list": _list, "map": _map}.get(shape.type_name, _scalar)
    yield from check(shape, value, at)


def _structure(shape: Any, value: Any, at: str) -> Iterator[str]:
    if type(value) is not dict:
        yield f"{at} is {value!r}, not an object"
        return
    for name in shape.required_members:
        if name not in value:
            yield f"{at}.{name} is required and not there"
    for name, one in value.items():
        if name in shape.members:
            yield from faults(shape.members[name], one, f"{at}.{name}")
        else:
            yield f"{at}.{name} is not in the model"


def _list(shape: Any, value: Any, at: str) -> Iterator[str]:
    if type(value) is not list:
        yield f"{at} is {value!r}, not a list"
        return
    for place, one in enumerate(value):
        yield from faults(shape.member, one, f"{at}[{place}]")


def _map(shape: Any, value: Any, at: str) -> Iterator[str]:
    if type(value) is not dict:
        yield f"{at} is {value!r}, not an object"
        return
    for name, one in value.items():
        yield from faults(shape.key, name, f"the key {name!r} of {at}")
        yield from faults(shape.value, one, f"{at}[{name!r}]")


def _scalar(shape: Any, value: Any, at: str) -> Iterator[str]:
    if not _TYPES[shape.type_name](value):
        yield f"{at} is {value!r}, not a {shape.type_name}"
    elif shape.type_name == "string" and shape.enum and value not in shape.enum:
        yield f"{at} is {value!r}, not one of {shape.enum}"


def _is_base64(value: Any) -> bool:
    try:
        return type(value) is str and base64.b64decode(value, validate=True) is not None
    except binascii.Error:
        return False


_TYPES = {
    "string": lambda value: type(value) is str,
    "boolean": lambda value: type(value) is bool,
    "integer": lambda value: type(value) is int and -INT32 <= value < INT32,
    "long": lambda value: type(value) is int and -INT64 <= value < INT64,
    "blob": _is_base64,
    "timestamp": lambda value: type(value) in (int, float) and value >= 0,
}


def unread(result: ElementTree.Element, value: Any) -> list[str]:
    """The texts in a result's elements that are not in the parsed *value*.

    Names do not come into it: an element of a wrong name was not read, so its text is left over.
    """
    texts = Counter(one.text or "" for one in result.iter() if len(one) == 0 and one is not result)
    return sorted((texts - Counter(_leaves(value))).elements())


def _leaves(value: Any) -> Iterator[str]:
    if value in ([], {}):
        yield ""  # an element without any inside
    elif isinstance(value, dict):
        for name, one in value.items():
            yield str(name)  # a map's key is an element's text, too
            yield from _leaves(one)
    elif isinstance(value, list):
        for one in value:
            yield from _leaves(one)
    elif isinstance(value, bytes):
        yield base64.b64encode(value).decode()
    elif isinstance(value, datetime):
        yield value.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    elif isinstance(value, bool):
        yield "true" if value else "false"
    else:
        yield str(value)


def members(shape: Any, value: Any) -> Iterator[tuple[str, str]]:
    """The members of structures that *value* has, as (shape, member)."""
    if shape.type_name == "structure":
        for name, one in value.items():
            yield shape.name, name
            yield from members(shape.members[name], one)
    elif shape.type_name == "list":
        for one in value:
            yield from members(shape.member, one)
    elif shape.type_name == "map":
        for one in value.values():
            yield from members(shape.value, one)


def all_members(shape: Any) -> Iterator[tuple[str, str]]:
    """All members that a value of *shape* could have, as (shape, member)."""
    if shape.type_name == "structure":
        for name, one in shape.members.items():
            yield shape.name, name
            yield from all_members(one)
    elif shape.type_name in ("list", "map"):
        yield from all_members(shape.member if shape.type_name == "list" else shape.value)
