"""Shapes: from a service model to functions that check and convert what a client sent.

A model is walked once, when the gateway starts; what runs for a request is a tree of closures.
What the model itself demands (a member that must be there, a length, a range, an enum) is noted as
a Problem; the service says which error that is. What is not even of the right type ends the walk.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Problems = list["Problem"]
Reader = Callable[[Any, Problems], Any]
Scalars = Mapping[str, Callable[[Any], Any]]
"""For each scalar type of a model, what turns a protocol's value into ours; raises WrongType."""


@dataclass(slots=True)
class Problem:
    """A constraint of the model that a request does not keep."""

    kind: str
    """required, length, range, pattern or enum."""
    path: tuple[str | int, ...]
    """Where: member names, and positions in lists from 1."""
    value: Any
    constraint: str
    """In AWS's words: Member must not be null."""
    shape: str
    """The name of the shape in the model."""


class WrongType(Exception):
    """A value is of a type that the model does not allow there."""

    def __init__(self, has: str, wants: str) -> None:
        super().__init__(f"{has} can not be converted to {wants}")
        self.path: list[str | int] = []

    @property
    def where(self) -> str:
        return ".".join(map(str, self.path))


def reader(shape: Any, scalars: Scalars, memo: dict[str, Reader] | None = None) -> Reader:
    """A function that reads a value of *shape* and notes problems."""
    memo = {} if memo is None else memo
    if shape.name in memo:
        return memo[shape.name]

    def later(value: Any, problems: Problems) -> Any:  # shapes may contain themselves
        return memo[shape.name](value, problems)

    memo[shape.name] = later
    make = {"structure": _structure, "list": _list, "map": _map}.get(shape.type_name)
    made = make(shape, scalars, memo) if make else _scalar(shape, scalars)
    memo[shape.name] = made
    return made


def _structure(shape: Any, scalars: Scalars, memo: dict[str, Reader]) -> Reader:
    members = {name: reader(member, scalars, memo) for name, member in shape.members.items()}
    required = tuple(shape.required_members)
    shape_of = {name: member.name for name, member in shape.members.items()}

    def read(value: Any, problems: Problems) -> dict[str, Any]:
        if type(value) is not dict:
            raise WrongType(kind_of(value), "a structure")
        found: dict[str, Any] = {}
        for name, one in value.items():
            member = members.get(name)
            if one is None or member is None:
                continue
            before = len(problems)
            try:
                found[name] = member(one, problems)
            except WrongType as error:
                error.path.insert(0, name)
                raise
            if len(problems) > before:
                _under(name, problems[before:])
        for name in required:
            if name not in found:
                problems.append(
                    Problem("required", (name,), None, "Member must not be null", shape_of[name])
                )
        return found

    return read


def _under(step: str | int, problems: Problems) -> None:
    """Problems of a member become those of what it is a member of."""
    for problem in problems:
        problem.path = (step, *problem.path)


def _list(shape: Any, scalars: Scalars, memo: dict[str, Reader]) -> Reader:
    member = reader(shape.member, scalars, memo)
    bounds = _bounds(shape)

    def read(value: Any, problems: Problems) -> list[Any]:
        if type(value) is not list:
            raise WrongType(kind_of(value), "a list")
        found = []
        for place, one in enumerate(value, 1):
            if one is None:
                continue
            before = len(problems)
            try:
                found.append(member(one, problems))
            except WrongType as error:
                error.path.insert(0, place)
                raise
            if len(problems) > before:
                _under(place, problems[before:])
        bounds(found, len(found), problems)
        return found

    return read


def _map(shape: Any, scalars: Scalars, memo: dict[str, Reader]) -> Reader:
    key, member = reader(shape.key, scalars, memo), reader(shape.value, scalars, memo)
    bounds = _bounds(shape)

    def read(value: Any, problems: Problems) -> dict[str, Any]:
        if type(value) is not dict:
            raise WrongType(kind_of(value), "a map")
        found = {}
        for name, one in value.items():
            if one is None:
                continue
            before = len(problems)
            try:
                found[key(name, problems)] = member(one, problems)
            except WrongType as error:
                error.path.insert(0, str(name))
                raise
            if len(problems) > before:
                _under(name, problems[before:])
        bounds(found, len(found), problems)
        return found

    return read


def _scalar(shape: Any, scalars: Scalars) -> Reader:
    convert = scalars[shape.type_name]
    checks: list[Callable[[Any, Problems], None]] = []
    if shape.type_name in ("string", "blob"):
        measured = _bounds(shape)
        if _limits(shape) != (None, None):
            checks.append(lambda value, problems: measured(value, len(value), problems))
        if pattern := shape.metadata.get("pattern"):
            checks.append(_matches(shape, pattern))
        if shape.type_name == "string" and shape.enum:
            checks.append(_is_one_of(shape))
    elif _limits(shape) != (None, None):
        within = _bounds(shape, kind="range")
        checks.append(lambda value, problems: within(value, value, problems))
    if not checks:
        return lambda value, problems: convert(value)

    def read(value: Any, problems: Problems) -> Any:
        found = convert(value)
        for check in checks:
            check(found, problems)
        return found

    return read


def _limits(shape: Any) -> tuple[Any, Any]:
    return shape.metadata.get("min"), shape.metadata.get("max")


def _bounds(shape: Any, kind: str = "length") -> Callable[[Any, Any, Problems], None]:
    low, high = _limits(shape)
    has = "value" if kind == "range" else "length"

    def check(value: Any, size: Any, problems: Problems) -> None:
        if low is not None and size < low:
            words = f"Member must have {has} greater than or equal to {low}"
            problems.append(Problem(kind, (), value, words, shape.name))
        if high is not None and size > high:
            words = f"Member must have {has} less than or equal to {high}"
            problems.append(Problem(kind, (), value, words, shape.name))

    return check


def _matches(shape: Any, pattern: str) -> Callable[[Any, Problems], None]:
    # The models' patterns are Java's; the few that Python can not read are left to the service.
    try:
        compiled = re.compile(pattern, re.ASCII)
    except re.error:
        return lambda value, problems: None

    def check(value: Any, problems: Problems) -> None:
        if not compiled.fullmatch(value):
            words = f"Member must satisfy regular expression pattern: {pattern}"
            problems.append(Problem("pattern", (), value, words, shape.name))

    return check


def _is_one_of(shape: Any) -> Callable[[Any, Problems], None]:
    allowed = frozenset(shape.enum)

    def check(value: Any, problems: Problems) -> None:
        if value not in allowed:
            words = f"Member must satisfy enum value set: [{', '.join(sorted(allowed))}]"
            problems.append(Problem("enum", (), value, words, shape.name))

    return check


def kind_of(value: Any) -> str:
    """What a value is, in the words of AWS's JSON parser."""
    return {
        dict: "START_OBJECT",
        list: "START_ARRAY",
        str: "STRING_VALUE",
        bool: "TRUE_VALUE" if value is True else "FALSE_VALUE",
        int: "NUMBER_VALUE",
        float: "NUMBER_VALUE",
        bytes: "BYTE_STRING",
    }.get(type(value), type(value).__name__)
