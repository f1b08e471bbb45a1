"""Wrong: parameters made from a service model's shapes: right ones, and all the ways in which they
can be wrong. For the fuzz tests.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

from hypothesis import strategies as some

WRONG: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    1.5,
    10**30,
    "",
    "x",
    "\0",
    "é" * 3000,
    [],
    [None],
    [[]],
    ["x", 1],
    {},
    {"x": 1},
    {"": None},
    {"x": {}},
)


WRONG_TEXTS = ("", "x", "-1", "1.5", "9" * 50, "true", "\0", "\ud7ff\ue000", "é" * 3000, "<&>\r\n")


def example(shape: Any) -> Any:
    """A value of a shape, as full as it can be."""
    match shape.type_name:
        case "structure":
            return {name: example(one) for name, one in shape.members.items()}
        case "list":
            return [example(shape.member)]
        case "map":
            key = shape.key.enum[0] if getattr(shape.key, "enum", None) else "x"
            return {key: example(shape.value)}
        case "integer" | "long":
            return 0  # WaitTimeSeconds, too: nobody waits
        case "boolean":
            return True
        case "blob":
            return "AAEC"
        case "timestamp":
            return 1_700_000_000
        case _:
            return shape.enum[0] if shape.enum else "x"


def fits(shape: Any, value: Any) -> bool:
    """Whether a value of that JSON type may stand where the model has *shape*."""
    kinds = {"structure": dict, "map": dict, "list": list, "boolean": bool, "string": str}
    if shape.type_name in ("integer", "long"):
        return type(value) is int and abs(value) < 1 << 31
    if shape.type_name == "timestamp":
        return type(value) in (int, float) and abs(value) < 1 << 31
    if shape.type_name == "blob":
        return value == ""  # none of the other texts is base64
    return type(value) is kinds[shape.type_name]


def places(shape: Any, value: Any, path: tuple = ()) -> Iterator[tuple[tuple, Any]]:
    """Each place in an example, with its shape."""
    if path:
        yield path, shape
    if shape.type_name == "structure":
        for name, one in value.items():
            yield from places(shape.members[name], one, (*path, name))
    elif shape.type_name == "list":
        yield from places(shape.member, value[0], (*path, 0))
    elif shape.type_name == "map":
        (key,) = value
        yield from places(shape.value, value[key], (*path, key))


def replaced(example: Any, path: tuple, value: Any) -> Any:
    example = copy.deepcopy(example)
    node = example
    for part in path[:-1]:
        node = node[part]
    node[path[-1]] = value
    return example


def of(shape: Any) -> some.SearchStrategy[Any]:
    """Values of a shape."""
    match shape.type_name:
        case "structure":
            required = {name: of(shape.members[name]) for name in shape.required_members}
            rest = {name: of(one) for name, one in shape.members.items() if name not in required}
            return some.fixed_dictionaries(required, optional=rest)
        case "list":
            return some.lists(of(shape.member), max_size=3)
        case "map":
            return some.dictionaries(of(shape.key), of(shape.value), max_size=3)
        case "integer" | "long":
            return some.integers(-(1 << 31), (1 << 31) - 1) | some.integers(-1, 12)
        case "boolean":
            return some.booleans()
        case "blob":
            return some.sampled_from(["", "AAEC", "/+8=", "x"])
        case "timestamp":
            return some.sampled_from([0, 1.5, 1_700_000_000, 1e10, -1])
        case _:
            words = some.text(max_size=30)
            return some.sampled_from(shape.enum) | words if shape.enum else words


def forms(fields: dict[str, str]) -> Iterator[dict[str, str]]:
    """A form with each of its fields wrong in each way: its text, its name, or not there at all."""
    for name in fields.keys() - {"Action"}:
        parts = name.split(".")
        shorter = (".".join(parts[:end]) for end in range(1, len(parts)))
        wrong_names = (f"{name}.", f".{name}", f"{name}.1", f"{name}.x.y", name.replace("1", "0"))
        for text in WRONG_TEXTS:
            yield {**fields, name: text}
        for other in (*shorter, *wrong_names):
            yield {**fields, other: "x"}
        yield {one: two for one, two in fields.items() if one != name}
