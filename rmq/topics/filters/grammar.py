"""The grammar: from the text of a filter policy to a FilterPolicy, or to what is wrong with it.

    policy     { key: [ match, .. ], key: { nested }, "$or": [ { .. }, { .. } ] }
    match      "text"  12  true  false  null  { operation: operand }

Errors say where: `store[1].prefix`. Their `reason` is what Amazon SNS says, so far as it is known;
where it is not, in its manner. Names inside a reason are cut to be short and printable.
"""

from __future__ import annotations

import ipaddress
import json
import math
from collections import Counter
from collections.abc import Callable
from functools import lru_cache
from typing import Any, NoReturn

from rmq.errors import InvalidFilterPolicy, InvalidParameter, Words
from rmq.topics.filters import wildcard
from rmq.topics.filters.condition import (
    Absent,
    AnythingBut,
    AnythingButLike,
    Cidr,
    Condition,
    Equals,
    EqualsIgnoreCase,
    Exists,
    Numeric,
    Prefix,
    Suffix,
    Wildcard,
    folded,
)
from rmq.topics.filters.limits import DEEPEST, FilterLimits
from rmq.topics.filters.policy import (
    AllOf,
    AnyOf,
    Field,
    FilterPolicy,
    FilterPolicyScope,
    Inside,
    Part,
    Path,
    fields_of,
)
from rmq.topics.filters.value import UNIT, Token, scaled, shown_path

OR = "$or"
_COMPARISONS = ("=", "<", "<=", ">", ">=")
_OPERATIONS = ("prefix", "suffix", "equals-ignore-case", "wildcard", "anything-but", "numeric")
NOT_IN_OR = frozenset((*_OPERATIONS, "cidr", "exists", *_COMPARISONS))
"""An object with such a key makes $or an ordinary key: its values may be match values."""
INSIDE_ANYTHING_BUT = ("prefix", "suffix", "wildcard", "equals-ignore-case")
"""Operations that anything-but takes in place of values. Whether Amazon SNS takes suffix and
equals-ignore-case there is not certain; what they mean is."""
SCOPES = ("message_attributes", "message_body")
_BITS = 1000
"""Of a number in UNITs, where no other limit is set: about a float's range."""
_SHORT = 200
"""Characters of a path that is kept at hand."""
_LOWER, _UPPER = (">", ">="), ("<", "<=")

Place = tuple[str | int, ...]
"""Where in the policy: keys and positions from the top."""


def parse(
    policy: str | dict[str, Any] | None,
    scope: FilterPolicyScope = "message_attributes",
    limits: FilterLimits | None = None,
) -> FilterPolicy | None:
    """Make a FilterPolicy of JSON text, or of the same as a dict.

    *scope* says what it is held against. *limits* are Amazon SNS's unless given.
    None for None, "" and {}: a subscription without a policy, which is sent everything.

    Raises InvalidFilterPolicy, and InvalidParameter for another scope.
    """
    if scope not in SCOPES:
        raise InvalidParameter("filter_policy_scope", scope, " or ".join(SCOPES))
    if policy is None:
        return None
    limits = limits or FilterLimits()
    text = policy if isinstance(policy, str) else _as_text(policy)
    if not text.strip():
        return None
    try:
        size = len(text.encode())
    except UnicodeEncodeError:
        _refuse("Filter policy is not valid UTF-8", (), Words("other text"), _UTF8)
    if limits.max_bytes is not None and size > limits.max_bytes:
        _refuse(
            f"Filter policy can not be larger than {limits.max_bytes} bytes",
            (),
            Words(f"{size} bytes"),
            f"at most {limits.max_bytes} bytes",
        )
    found = _as_object(text)
    if not found:
        return None
    root = _Reader(scope, limits).all_of(found, (), (), 1)
    _check_complexity(root, limits)
    return FilterPolicy(text, scope, root)


def _as_text(policy: Any) -> str:
    if not isinstance(policy, dict):
        _refuse("Filter is not an object", (), Words(type(policy).__name__), _OBJECT)
    try:
        return json.dumps(policy, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError) as error:
        _refuse("Filter policy is not valid JSON", (), Words(f"not JSON ({error})"), _OBJECT)


def _as_object(text: str) -> dict[str, Any]:
    try:
        found = _decoder.decode(text)
    except _Duplicate as error:
        _refuse(
            f"Duplicate key {_word(error.name)}",
            (error.name,),
            Words("given twice"),
            "given once",
        )
    except RecursionError:
        _refuse("Filter policy is nested too deeply", (), Words("deeper than that"), _LEVELS)
    except ValueError as error:
        what = f"not JSON ({error})" if isinstance(error, json.JSONDecodeError) else "not JSON"
        _refuse("Filter policy is not valid JSON", (), Words(what), _OBJECT)
    if not isinstance(found, dict):
        _refuse("Filter is not an object", (), _kind(found), _OBJECT)
    return found


class _Duplicate(Exception):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.name = name


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = Counter(name for name, _ in pairs)
        raise _Duplicate(names.most_common(1)[0][0])
    return found


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_decoder = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_no_constant)


class _Reader:
    """Reads a tree of plain values. *place* is where it stands in the policy, *path* where it looks
    in a message: they differ inside $or."""

    def __init__(self, scope: FilterPolicyScope, limits: FilterLimits) -> None:
        self._nests = scope == "message_body"
        self._limits = limits
        self._operations: dict[str, Callable[[Any, Place], Condition]] = {
            "prefix": _prefix,
            "suffix": _suffix,
            "equals-ignore-case": _equals_ignore_case,
            "wildcard": self._wildcard,
            "anything-but": self._anything_but,
            "numeric": self._numeric,
            "cidr": _cidr,
            "exists": _exists,
        }

    def all_of(self, node: dict[str, Any], place: Place, path: Path, level: int) -> AllOf:
        if level > DEEPEST:
            _refuse("Filter policy is nested too deeply", place, Words("deeper than that"), _LEVELS)
        if not node:
            _refuse("Empty objects are not allowed", place, Words("{}"), "an object with keys")
        return AllOf(
            tuple(
                self._part(name, value, (*place, name), path, level) for name, value in node.items()
            )
        )

    def _part(self, name: str, value: Any, place: Place, path: Path, level: int) -> Part:
        if name == OR and _is_or(value):
            return AnyOf(
                tuple(
                    self.all_of(branch, (*place, number), path, level + 1)
                    for number, branch in enumerate(value)
                )
            )
        _check_text(name, place[:-1], "a key")
        path = _longer(path, name)
        if isinstance(value, dict):
            if not self._nests:
                _refuse(
                    "Filter policy scope MessageAttributes does not support nested filter policy",
                    place,
                    Words("an object"),
                    "an array; only policies for the message body nest",
                )
            return Inside(path, self.all_of(value, place, path, level + 1))
        if not isinstance(value, list):
            shape = "an object or an array" if self._nests else "an array"
            _refuse(f'"{_word(name)}" must be an object or an array', place, _kind(value), shape)
        if not value:
            _refuse("Empty arrays are not allowed", place, Words("[]"), "an array with elements")
        return Field(
            path,
            tuple(self._condition(one, (*place, number)) for number, one in enumerate(value)),
        )

    def _condition(self, value: Any, place: Place) -> Condition:
        if isinstance(value, str):
            return Equals(_check_text(value, place, "a match value"))
        if isinstance(value, bool):
            return _TRUE if value else _FALSE
        if value is None:
            return _NULL
        if isinstance(value, (int, float)):
            return Equals(self._number(value, place))
        if not isinstance(value, dict):
            _refuse(
                "Match value must be String, number, true, false, or null",
                place,
                _kind(value),
                "text, a number, true, false, null or an object with an operation",
            )
        name, operand = _only(value, place)
        operation = self._operations.get(name)
        if operation is None:
            _refuse(
                f"Unrecognized match type {_word(name)}",
                (*place, name),
                Words("no operation"),
                f"one of {', '.join(self._operations)}",
            )
        return operation(operand, (*place, name))

    def _wildcard(self, operand: Any, place: Place) -> Condition:
        pattern = _text_operand(operand, place, "wildcard")
        try:
            literals = wildcard.literals(pattern)
        except wildcard.BadPattern as error:
            _refuse(str(error), place, pattern, "a pattern of text, single *, \\* and \\\\")
        most = self._limits.max_stars
        if most is not None and len(literals) - 1 > most:
            _refuse(
                "Filter policy is too complex",
                place,
                Words(f"a pattern of {len(literals) - 1} stars"),
                f"a pattern of at most {most}",
            )
        return Wildcard(pattern, literals)

    def _anything_but(self, operand: Any, place: Place) -> Condition:
        if isinstance(operand, dict):
            name, inner = _only(operand, place)
            if name not in INSIDE_ANYTHING_BUT:
                _refuse(
                    f"Unsupported anything-but pattern: {_word(name)}",
                    (*place, name),
                    Words("no operation here"),
                    f"one of {', '.join(INSIDE_ANYTHING_BUT)}",
                )
            place = (*place, name)
            if inner == "":
                _refuse("Null prefix/suffix not allowed", place, inner, "text that is not empty")
            return AnythingButLike(self._operations[name](inner, place))
        if not isinstance(operand, list):
            return AnythingBut(frozenset((self._but(operand, place),)))
        if not operand:
            _refuse("Empty arrays are not allowed", place, Words("[]"), "an array with elements")
        values = [self._but(one, (*place, number)) for number, one in enumerate(operand)]
        if len({type(one) for one in values}) > 1:
            _refuse(
                "Inside anything but list, either all values are number or string",
                place,
                Words("a list of both"),
                "a list of text or a list of numbers",
            )
        return AnythingBut(frozenset(values))

    def _but(self, value: Any, place: Place) -> str | int:
        if isinstance(value, str):
            return _check_text(value, place, "a match value")
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            _refuse(
                "Inside anything but, values must be number or string",
                place,
                _kind(value),
                "text or a number",
            )
        return self._number(value, place)

    def _numeric(self, operand: Any, place: Place) -> Condition:
        if not isinstance(operand, list):
            _refuse("Value of numeric must be an array", place, _kind(operand), _NUMERIC)
        if not operand:
            _refuse("Empty arrays are not allowed", place, Words("[]"), _NUMERIC)
        if len(operand) not in (2, 4):
            what = Words(f"{len(operand)} elements")
            _refuse("Value of numeric must be one or two bounds", place, what, _NUMERIC)
        operator = self._operator(operand[0], (*place, 0), _COMPARISONS)
        bound = self._bound(operator, operand[1], (*place, 1))
        if len(operand) == 2:
            if operator == "=":
                return Equals(bound)
            if operator in _LOWER:
                return Numeric(bound + (operator == ">"), None, _operators(operator))
            return Numeric(None, bound - (operator == "<"), _operators(operator))
        self._operator(operator, (*place, 0), _LOWER)
        other = self._operator(operand[2], (*place, 2), _UPPER)
        top = self._bound(other, operand[3], (*place, 3))
        if bound >= top:
            _refuse(
                "Bottom must be less than top",
                place,
                Words(f"{_brief_number(operand[1])} to {_brief_number(operand[3])}"),
                "a lower bound and then a greater upper one",
            )
        low, high = bound + (operator == ">"), top - (other == "<")
        return Numeric(low, high, _operators(operator, other))

    def _operator(self, value: Any, place: Place, allowed: tuple[str, ...]) -> str:
        if not isinstance(value, str) or value not in allowed:
            shown = value if isinstance(value, str) else _kind(value)
            _refuse(
                f"Unrecognized numeric range operator: {_word(shown)}",
                place,
                shown,
                f"one of {' '.join(allowed)}",
            )
        return value

    def _bound(self, operator: str, value: Any, place: Place) -> int:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            _refuse(f"Value of {operator} must be numeric", place, _kind(value), "a number")
        return self._number(value, place)

    def _number(self, value: int | float, place: Place) -> int:
        most = self._limits.max_number
        found = scaled(value)
        if isinstance(found, Token) or found.bit_length() > _BITS:
            _refuse("Value is not a finite number", place, Words("too large"), "a finite number")
        if most is not None and abs(found) > most * UNIT:
            _refuse(
                f"Value must be between {-most:.1E} and {most:.1E}, inclusive",
                place,
                value,
                f"{-most:g} to {most:g}",
            )
        return found


def _prefix(operand: Any, place: Place) -> Condition:
    return Prefix(_text_operand(operand, place, "prefix"))


def _suffix(operand: Any, place: Place) -> Condition:
    return Suffix(_text_operand(operand, place, "suffix"))


def _equals_ignore_case(operand: Any, place: Place) -> Condition:
    text = _text_operand(operand, place, "equals-ignore-case")
    return EqualsIgnoreCase(text, folded(text))


def _cidr(operand: Any, place: Place) -> Condition:
    text = _text_operand(operand, place, "cidr")
    host, slash, bits = text.partition("/")
    try:
        if not slash or not bits.isdecimal() or not bits.isascii() or "%" in host or len(bits) > 3:
            raise ValueError("no prefix length")
        block = ipaddress.ip_network((host, int(bits)), strict=False)
    except ValueError:
        _refuse("Malformed CIDR, one '/' required", place, text, "an address, / and its bits")
    shift = block.max_prefixlen - block.prefixlen
    return Cidr(text, block.version, shift, int(block.network_address) >> shift)


def _exists(operand: Any, place: Place) -> Condition:
    if not isinstance(operand, bool):
        _refuse(
            "exists match pattern must be either true or false.",
            place,
            _kind(operand),
            "true or false",
        )
    return _EXISTS if operand else _ABSENT


def _is_or(value: Any) -> bool:
    """Whether the array under $or makes it the operator; otherwise it is a key like any other."""
    return (
        isinstance(value, list)
        and len(value) >= 2
        and all(isinstance(one, dict) and NOT_IN_OR.isdisjoint(one) for one in value)
    )


def _only(value: dict[str, Any], place: Place) -> tuple[str, Any]:
    if len(value) != 1:
        _refuse(
            "Only one key allowed in match expression"
            if value
            else "Empty objects are not allowed",
            place,
            Words(f"an object with {len(value)} keys" if value else "{}"),
            "an object with one operation",
        )
    return next(iter(value.items()))


def _text_operand(value: Any, place: Place, operation: str) -> str:
    if not isinstance(value, str):
        _refuse(f"{operation} match pattern must be a string", place, _kind(value), "text")
    return _check_text(value, place, "an operand")


def _check_text(text: str, place: Place, what: str) -> str:
    """Half a surrogate pair can be escaped in JSON, and then neither stored nor answered."""
    try:
        text.encode()
    except UnicodeEncodeError:
        _refuse("Filter policy is not valid UTF-8", place, Words(f"{what} of other text"), _UTF8)
    return text


def _check_complexity(root: AllOf, limits: FilterLimits) -> None:
    fields = list(fields_of(root))
    keys = len({field.path for field in fields})
    if limits.max_keys is not None and keys > limits.max_keys:
        _refuse(
            f"Filter policy can not have more than {limits.max_keys} keys",
            (),
            Words(f"of {keys} keys"),
            f"of at most {limits.max_keys}",
        )
    combinations = math.prod(len(field.conditions) * len(field.path) for field in fields)
    if limits.max_combinations is not None and combinations > limits.max_combinations:
        _refuse(
            "Filter policy is too complex",
            (),
            Words(f"of {_brief_number(combinations)} combinations"),
            f"of at most {limits.max_combinations}",
        )
    points = math.prod(filter(None, map(_wildcard_points, fields)))
    if limits.max_wildcard_points is not None and points > limits.max_wildcard_points:
        _refuse(
            "Filter policy is too complex",
            (),
            Words(f"of {_brief_number(points)} wildcard points"),
            f"of at most {limits.max_wildcard_points}",
        )


def _wildcard_points(field: Field) -> int:
    found = 0
    for condition in field.conditions:
        inner = condition.pattern if isinstance(condition, AnythingButLike) else condition
        if isinstance(inner, Wildcard):
            found += (0, 1, 3)[min(len(inner.literals) - 1, 2)]
    return found


def _refuse(reason: str, place: Place, value: object, limit: str) -> NoReturn:
    raise InvalidFilterPolicy(reason, shown_path(place), value, limit) from None


def _kind(value: Any) -> Words:
    """What a value is, in JSON's words."""
    if isinstance(value, str):
        return Words("text")
    if value is None or isinstance(value, bool):
        return Words(json.dumps(value))
    if isinstance(value, (int, float)):
        return Words("a number")
    return Words("an object" if isinstance(value, dict) else "an array")


def _word(text: str) -> str:
    """A name out of a policy, as a reason may quote it."""
    short = text if len(text) <= 40 else f"{text[:37]}..."
    return short if short.isprintable() else ascii(short)[1:-1]


def _brief_number(number: int | float) -> str:
    return f"{number:g}" if abs(number) < 1e300 else "too many"


def _longer(path: Path, name: str) -> Path:
    """A path, one object for all policies that look there: 100,000 of them would weigh as much as
    the rest. Long names are a stranger's, and are not kept."""
    short = sum(map(len, path)) + len(name) <= _SHORT
    return _shared(path, name) if short else (*path, name)


@lru_cache(maxsize=4096)
def _shared(path: Path, name: str) -> Path:
    return (*path, name)


@lru_cache
def _operators(*operators: str) -> tuple[str, ...]:
    return operators


_TRUE, _FALSE, _NULL = Equals(Token.TRUE), Equals(Token.FALSE), Equals(Token.NULL)
_EXISTS, _ABSENT = Exists(), Absent()
_OBJECT = "a JSON object"
_UTF8 = "text that UTF-8 can express"
_LEVELS = f"nested at most {DEEPEST} levels"
_NUMERIC = "an operator and a number, or a lower bound and an upper one"
