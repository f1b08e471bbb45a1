"""The query protocol: a form in, XML out. What SDKs speak with SNS, and older ones with SQS.

A form's dotted names are a tree: `Entry.1.Id=a&Entry.2.Id=b`. Lists count from 1; gaps are closed
up, in numeric order. Source: AWS Query protocol (Smithy documentation).
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

from rmq.gateway.errors import AwsError, malformed
from rmq.gateway.protocol import json
from rmq.gateway.protocol.shapes import Problems, Reader, Scalars, WrongType

CONTENT_TYPE = "text/xml"
MAX_FIELDS = 10_000
"""Pairs in one form; a batch of ten with all it may hold has some 600."""
MAX_DEPTH = 16
"""Dots in one name; the deepest that a model has is 7."""

Form = dict[str, str]
Tree = dict[str, Any]
"""A node's own value, if it has one, is under ''."""


def read_form(text: str) -> Form:
    """The pairs of a form or of a URL's query. Raises AwsError."""
    try:
        pairs = parse_qsl(text, keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS)
    except UnicodeDecodeError:
        raise malformed("The form is not UTF-8.") from None
    except ValueError:
        raise malformed(f"The form has more than {MAX_FIELDS} fields.") from None
    return dict(pairs)


def grown(form: Form) -> Tree:
    """The tree that the names of a form describe. Raises AwsError."""
    tree: Tree = {}
    for name, value in form.items():
        parts = name.split(".")
        if len(parts) > MAX_DEPTH:
            raise malformed(f"The parameter {name[:80]} has more than {MAX_DEPTH} parts.")
        if "" in parts:
            continue  # nothing in a model is called so, and '' is where a node's own value is
        node = tree
        for part in parts:
            node = node.setdefault(part, {})
        node[""] = value
    return tree


# --- reading: a tree becomes dicts, lists and text, by the shapes; shapes.reader does the rest ---

Nest = Callable[[Tree], Any]


def nester(shape: Any, memo: dict[str, Nest] | None = None) -> Nest:
    """A function from a node of the tree to the value of *shape*, with text for its scalars."""
    memo = {} if memo is None else memo
    place = _place(shape)
    if place in memo:
        return memo[place]
    memo[place] = lambda node: memo[place](node)  # shapes may contain themselves
    make = {"structure": _nest_structure, "list": _nest_list, "map": _nest_map}
    memo[place] = make[shape.type_name](shape, memo) if shape.type_name in make else _nest_scalar
    return memo[place]


def _place(shape: Any) -> str:
    """What tells shapes apart: one shape may be flat as one member and not as another."""
    return f"{shape.name} flat" if _is_flat(shape) else str(shape.name)


def _nest_scalar(node: Tree) -> Any:
    return node.get("")


def wire_name(name: str, member: Any) -> str:
    """What a structure's member is called on the wire."""
    if _is_flat(member) and member.type_name == "list":
        own = member.member.serialization.get("name")
        if own:
            return str(own)
    return str(member.serialization.get("name", name))


def _is_flat(shape: Any) -> bool:
    return bool(shape.serialization.get("flattened"))


def _nest_structure(shape: Any, memo: dict[str, Nest]) -> Nest:
    members = [
        (name, wire_name(name, member), nester(member, memo))
        for name, member in shape.members.items()
    ]

    def nest(node: Tree) -> dict[str, Any]:
        # botocore writes an empty list under the model's own name, whatever the wire's is.
        return {
            name: make(node.get(wire) or node[name])
            for name, wire, make in members
            if wire in node or name in node
        }

    return nest


def _numbered(node: Tree) -> list[Tree]:
    return [node[at] for at in sorted((one for one in node if one.isdecimal()), key=int)]


def _nest_list(shape: Any, memo: dict[str, Nest]) -> Nest:
    member, flat = nester(shape.member, memo), _is_flat(shape)
    name = shape.member.serialization.get("name", "member")

    def nest(node: Tree) -> list[Any]:
        return [member(one) for one in _numbered(node if flat else node.get(name, {}))]

    return nest


def _nest_map(shape: Any, memo: dict[str, Nest]) -> Nest:
    member, flat = nester(shape.value, memo), _is_flat(shape)
    key = shape.key.serialization.get("name", "key")
    value = shape.value.serialization.get("name", "value")
    # A structure of which no member was given is not on the wire, and what it needs is missing.
    is_structure = shape.value.type_name == "structure"

    def nest(node: Tree) -> dict[str, Any]:
        return {
            one.get(key, {}).get("", ""): member(one.get(value, {}))
            for one in _numbered(node if flat else node.get("entry", {}))
            if is_structure or value in one
        }

    return nest


def _integer(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text):
        raise WrongType(text, "an integer")
    return json.integer(int(text))


def _long(text: str) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,19}", text):
        raise WrongType(text, "an integer")
    return json.long(int(text))


def _float(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        raise WrongType(text, "a number") from None


def _boolean(text: str) -> bool:
    if text not in ("true", "false"):
        raise WrongType(text, "a boolean")
    return text == "true"


def _blob(text: str) -> bytes:
    try:
        # A form's + means a space; clients that forget to escape it meant a +.
        return base64.b64decode(text.replace(" ", "+"), validate=True)
    except (binascii.Error, ValueError):
        raise WrongType(text, "a blob") from None


def _timestamp(text: str) -> datetime:
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise WrongType(text, "a timestamp") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


SCALARS: Scalars = {
    "string": str,
    "character": str,
    "boolean": _boolean,
    "integer": _integer,
    "long": _long,
    "float": _float,
    "double": _float,
    "blob": _blob,
    "timestamp": _timestamp,
}


def read(nest: Nest, read_input: Reader, form: Form, problems: Problems) -> dict[str, Any]:
    """The parameters in a form. Raises AwsError."""
    try:
        found: dict[str, Any] = read_input(nest(grown(form)), problems)
    except WrongType as error:
        value = str(error).partition(" can not be")[0][:80]
        kind = str(error).rpartition(" to ")[2]
        raise AwsError(
            "InvalidParameterValueException",
            f"Value {value} for parameter {error.where} is invalid. Reason: Must be {kind}.",
            code="InvalidParameterValue",
        ) from None
    return found


# --- writing -------------------------------------------------------------------------------------

Write = Callable[[list[str], str, Any], None]


def writer(shape: Any, memo: dict[str, Write] | None = None) -> Write:
    """A function that appends an element of some name that holds a value of *shape*."""
    memo = {} if memo is None else memo
    place = _place(shape)
    if place in memo:
        return memo[place]
    memo[place] = lambda out, name, value: memo[place](out, name, value)
    make = {"structure": _write_structure, "list": _write_list, "map": _write_map}
    memo[place] = make[shape.type_name](shape, memo) if shape.type_name in make else _write_scalar
    return memo[place]


def _write_scalar(out: list[str], name: str, value: Any) -> None:
    out.append(f"<{name}>{_text(value)}</{name}>")


def _write_structure(shape: Any, memo: dict[str, Write]) -> Write:
    members = {
        name: (wire_name(name, member), writer(member, memo))
        for name, member in shape.members.items()
    }

    def write(out: list[str], name: str, value: Mapping[str, Any]) -> None:
        out.append(f"<{name}>")
        for member, one in value.items():
            wire, write_member = members[member]
            write_member(out, wire, one)
        out.append(f"</{name}>")

    return write


def _write_list(shape: Any, memo: dict[str, Write]) -> Write:
    member, flat = writer(shape.member, memo), _is_flat(shape)
    inner = shape.member.serialization.get("name", "member")

    def write(out: list[str], name: str, value: list[Any]) -> None:
        if not flat:
            out.append(f"<{name}>")
        for one in value:
            member(out, name if flat else inner, one)
        if not flat:
            out.append(f"</{name}>")

    return write


def _write_map(shape: Any, memo: dict[str, Write]) -> Write:
    member, flat = writer(shape.value, memo), _is_flat(shape)
    key = shape.key.serialization.get("name", "key")
    inner = shape.value.serialization.get("name", "value")

    def write(out: list[str], name: str, value: Mapping[str, Any]) -> None:
        entry = name if flat else "entry"
        if not flat:
            out.append(f"<{name}>")
        for one, held in value.items():
            out.append(f"<{entry}>")
            _write_scalar(out, key, one)
            member(out, inner, held)
            out.append(f"</{entry}>")
        if not flat:
            out.append(f"</{name}>")

    return write


_FORBIDDEN = re.compile("[^\x09\x0a\x0d\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def _text(value: Any) -> str:
    if type(value) is bytes:
        return base64.b64encode(value).decode()
    if type(value) is bool:
        return "true" if value else "false"
    if type(value) is datetime:
        return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    # An XML parser reads a bare carriage return as a line feed, and refuses control characters.
    return _FORBIDDEN.sub("\ufffd", escape(str(value), {"\r": "&#13;"}))


def write(
    action: str,
    wrapper: str | None,
    write_output: Write | None,
    namespace: str,
    output: Mapping[str, Any] | None,
    request_id: str,
) -> bytes:
    """An answer. Without *wrapper* the operation has no result."""
    out = ['<?xml version="1.0"?>\n', f'<{action}Response xmlns="{namespace}">']
    if wrapper is not None:
        if write_output is not None and output is not None:
            write_output(out, wrapper, output)
        else:
            out.append(f"<{wrapper}/>")
    out.append(f"<ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata>")
    out.append(f"</{action}Response>")
    return "".join(out).encode()


def write_error(error: AwsError, namespace: str, detail: str, request_id: str) -> bytes:
    """The body of a refusal. *detail* is what the service puts behind the message."""
    members = "".join(f"<{name}>{_text(one)}</{name}>" for name, one in error.members.items())
    return (
        f'<?xml version="1.0"?>\n<ErrorResponse xmlns="{namespace}"><Error>'
        f"<Type>{error.side}</Type><Code>{_text(error.code)}</Code>"
        f"<Message>{_text(error.message)}</Message>{members}{detail}</Error>"
        f"<RequestId>{request_id}</RequestId></ErrorResponse>"
    ).encode()
