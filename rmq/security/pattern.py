"""Pattern: a text of a policy as it is compared: `*` and `?`, variables, and the parts of an ARN.

    arn:aws:sqs:*:${aws:PrincipalAccount}:jobs-?
                ^ ^                            ^
              any a variable of the request    one character

Whoever may write a policy chooses the pattern and often the value too, so no pair of them may take
more time than their lengths multiplied.
Source: Amazon IAM User Guide, "Policy variables" and "Condition operators".
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from enum import Enum
from functools import partial

from rmq.errors import InvalidPolicy

Context = Mapping[str, Sequence[str]]
"""What is known of a request: names in lower case, and the values of each."""
Matches = Callable[[str, Context], bool]
"""Whether a value of a request, in its context, is what the policy says."""

ARN_PARTS = 6
_VARIABLE = re.compile(r"\$\{\s*([^${},']+?)\s*(?:,\s*'([^']*)'\s*)?\}")
_LITERALS = {"${*}": "*", "${?}": "?", "${$}": "$"}


class _Wild(Enum):
    ANY = "*"
    ONE = "?"


class _Variable:
    """A key of the request whose value stands here, with what stands here when it has none."""

    __slots__ = ("default", "key")

    def __init__(self, key: str, default: str | None) -> None:
        self.key = key.lower()
        self.default = default

    def value(self, context: Context) -> str | None:
        """The one value; a key with several has none that could stand in a text."""
        found = context.get(self.key, ())
        return found[0] if len(found) == 1 else self.default


_Resolved = list["str | _Wild"]
_Token = str | _Wild | _Variable


def literal(text: str, field: str, *, variables: bool, ignore_case: bool = False) -> Matches:
    """Equality: `*` and `?` are themselves."""
    make = _equal_but_for_case if ignore_case else _whole
    return _matches(_read(text, field, variables=variables, wild=False), make)


def glob(text: str, field: str, *, variables: bool) -> Matches:
    """`*` is any run of characters, `:` and `/` among them; `?` is one."""
    return _matches(_read(text, field, variables=variables, wild=True), _whole)


def arn(text: str, field: str, *, variables: bool) -> Matches:
    """An ARN, part by part: no `*` reaches over a `:`, but for those in the last part. `*` alone is
    any ARN.

    Raises InvalidPolicy for what has fewer than six parts, since it would match nothing: a Deny
    that is written so would be no Deny.
    """
    tokens = _read(text, field, variables=variables, wild=True)
    if not any(isinstance(token, _Variable) for token in tokens):
        resolved = [token for token in tokens if not isinstance(token, _Variable)]
        if resolved != [_Wild.ANY] and len(_split(resolved)) < ARN_PARTS:
            raise InvalidPolicy(field, text, "an ARN of six parts between colons, or *")
    return _matches(tokens, _by_parts)


# --- reading -------------------------------------------------------------------------------------


def _read(text: str, field: str, *, variables: bool, wild: bool) -> list[_Token]:
    tokens: list[_Token] = []
    at = 0
    while at < len(text):
        if variables and text.startswith("${", at):
            found = _LITERALS.get(text[at : at + 4])
            if found is not None:
                _append(tokens, found)
                at += 4
                continue
            variable = _VARIABLE.match(text, at)
            if variable is None:
                raise InvalidPolicy(
                    field, text, "a text whose variables are ${key} or ${key, 'default'}"
                )
            tokens.append(_Variable(variable[1], variable[2]))
            at = variable.end()
            continue
        if wild and text[at] in "*?":
            token = _Wild(text[at])
            if not (token is _Wild.ANY and tokens and tokens[-1] is _Wild.ANY):
                tokens.append(token)  # ** is *
        else:
            _append(tokens, text[at])
        at += 1
    return tokens


def _append(tokens: list[_Token], text: str) -> None:
    if tokens and isinstance(tokens[-1], str):
        tokens[-1] += text
    else:
        tokens.append(text)


# --- comparing -----------------------------------------------------------------------------------


def _matches(tokens: list[_Token], make: Callable[[_Resolved], Callable[[str], bool]]) -> Matches:
    static = [token for token in tokens if not isinstance(token, _Variable)]
    if len(static) == len(tokens):
        return partial(_static, make(static))
    return partial(_dynamic, tokens, make)


def _static(compare: Callable[[str], bool], value: str, context: Context) -> bool:
    return compare(value)


def _dynamic(
    tokens: list[_Token],
    make: Callable[[_Resolved], Callable[[str], bool]],
    value: str,
    context: Context,
) -> bool:
    resolved: _Resolved = []
    for token in tokens:
        if isinstance(token, _Variable):
            # What a request brings along is text: a `*` in a user's name is a star.
            text = token.value(context)
            if text is None:
                return False  # no text was said, and nothing is like it
            resolved.append(text)
        else:
            resolved.append(token)
    return make(resolved)(value)


def _whole(tokens: _Resolved) -> Callable[[str], bool]:
    if not any(isinstance(token, _Wild) for token in tokens):
        return "".join(token for token in tokens if isinstance(token, str)).__eq__
    if tokens == [_Wild.ANY]:
        return _anything
    return partial(_fits, _compiled(tokens))


def _anything(value: str) -> bool:
    return True


def _fits(expression: re.Pattern[str], value: str) -> bool:
    return expression.fullmatch(value) is not None


def _compiled(tokens: _Resolved) -> re.Pattern[str]:
    """A regular expression that never goes back.

    Between two stars the leftmost place is as good as any other, so once it is found it is kept: an
    atomic group. Without it a pattern of n stars takes the n-th power of the value's length.
    """
    runs: list[str] = [""]
    for token in tokens:
        if token is _Wild.ANY:
            runs.append("")
        else:
            runs[-1] += re.escape(token) if isinstance(token, str) else "."
    if len(runs) == 1:
        return re.compile(runs[0], re.DOTALL)
    first, *between, last = runs
    middle = "".join(f"(?>.*?{run})" for run in between if run)
    return re.compile(f"{first}{middle}.*{last}", re.DOTALL)


def _equal_but_for_case(tokens: _Resolved) -> Callable[[str], bool]:
    wanted = "".join(token for token in tokens if isinstance(token, str)).lower()
    return lambda value: value.lower() == wanted


def _by_parts(tokens: _Resolved) -> Callable[[str], bool]:
    if tokens == [_Wild.ANY]:
        return _anything
    parts = [_whole(part) for part in _split(tokens)]
    return partial(_fits_by_parts, parts)


def _fits_by_parts(parts: list[Callable[[str], bool]], value: str) -> bool:
    values = value.split(":", ARN_PARTS - 1)
    return len(values) == len(parts) and all(
        fits(one) for fits, one in zip(parts, values, strict=True)
    )


def _split(tokens: _Resolved) -> list[_Resolved]:
    """The parts of an ARN, at its first five colons."""
    parts: list[_Resolved] = [[]]
    for token in tokens:
        if not isinstance(token, str):
            parts[-1].append(token)
            continue
        head, *tail = token.split(":", ARN_PARTS - len(parts))
        if head:
            parts[-1].append(head)
        parts += [[one] if one else [] for one in tail]
    return parts
