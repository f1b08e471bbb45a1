"""Policy: what the owner of a queue or topic says about who may do what with it.

    text ── parse ──> Policy ── evaluate(request) ──> Decision     what the policy says
                        └─────── decide(policy, request, owner)    and what that means, by whose
                                                                   queue or topic it is

A document is read whole or refused whole: there is no policy of which half is judged by. What is
read is compiled; a request is then a few set look-ups and comparisons.
Source: Amazon IAM User Guide, "Policy evaluation logic", "IAM JSON policy elements reference".
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from enum import Enum
from functools import lru_cache
from typing import Any

from rmq.errors import InvalidPolicy, Words
from rmq.security import condition, pattern, principal
from rmq.security.condition import Test
from rmq.security.pattern import Matches
from rmq.security.principal import Principal, Principals

MOST_BYTES = 30 * 1024
"""The longest policy that any service here takes (Amazon SNS: 30 KB; Amazon SQS: 8 KB)."""
PARSED_KEPT = 1_024
"""Policies kept compiled."""
OUT_OF_SCOPE = "Invalid parameter: Policy statement action out of service scope!"
"""What Amazon SNS says to an action that is not one of a topic's."""

_VERSIONS = ("2012-10-17", "2008-10-17")
_ACTION = re.compile(r"\*|[A-Za-z0-9*?-]+:[A-Za-z0-9*?]+", re.ASCII)
_ROOT = "policy"


@dataclass(frozen=True, slots=True)
class Request:
    """Who wants to do what with which resource, and what else is known of it.

    *action* is `sqs:SendMessage`, in any case; *resource* an ARN. *context* holds the keys that
    conditions ask about, in any case, each with one value or several: `aws:SourceArn`,
    `aws:SourceAccount`, `aws:SecureTransport`, `aws:SourceIp`, `aws:CurrentTime`, `aws:EpochTime`,
    `sns:Protocol` ... What follows from the principal, such as `aws:PrincipalArn`, is added.
    """

    principal: Principal
    action: str
    resource: str
    context: Mapping[str, str | Iterable[str]] = field(default_factory=dict)
    keys: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)
    """All of it, by names in lower case."""

    def __post_init__(self) -> None:
        keys = dict(self.principal.context)
        for name, value in self.context.items():
            keys[name.lower()] = (value,) if isinstance(value, str) else tuple(value)
        object.__setattr__(self, "keys", keys)


class Verdict(Enum):
    ALLOW = "allow"
    EXPLICIT_DENY = "explicit deny"
    IMPLICIT_DENY = "implicit deny"


@dataclass(frozen=True, slots=True)
class Decision:
    """What came out of it, and which statement decided."""

    verdict: Verdict
    request: Request
    index: int | None = None
    """The statement's place in the policy, from 0; None where no statement decided."""
    sid: str | None = None
    """The statement's Sid, if it has one."""

    @property
    def is_allowed(self) -> bool:
        return self.verdict is Verdict.ALLOW

    @property
    def because(self) -> str:
        """How AWS ends the message of a denial."""
        if self.verdict is Verdict.EXPLICIT_DENY:
            return "with an explicit deny in a resource-based policy"
        return f"because no resource-based policy allows the {self.request.action} action"

    @property
    def statement(self) -> str:
        """The statement that decided, for people; empty where there was none."""
        if self.index is None:
            return ""
        return f"statement {self.sid!r}" if self.sid else f"Statement[{self.index}]"

    def __str__(self) -> str:
        request = self.request
        who = f"{request.principal} may{'' if self.is_allowed else ' not'}"
        if self.index is not None:
            why = f"{self.statement} of the policy says so"
        elif self.is_allowed:
            why = "the caller is of the owner's account, and no statement denies it"
        else:
            why = "no statement of a policy allows it"
        return f"{who} {request.action} on {request.resource}: {why}"


@dataclass(frozen=True, slots=True)
class Statement:
    """One statement, compiled. `actions` and `resources` are as they are written."""

    index: int
    sid: str | None
    is_deny: bool
    principals: Principals
    actions: tuple[str, ...]
    is_not_action: bool
    resources: tuple[str, ...]
    is_not_resource: bool
    _actions: tuple[Matches, ...]
    _resources: tuple[Matches, ...]
    _tests: tuple[Test, ...]

    def applies(self, request: Request, action: str) -> bool:
        """Whether all of it is about *request*, whose *action* is given in lower case."""
        keys = request.keys
        return (
            any(matches(action, keys) for matches in self._actions) != self.is_not_action
            and self.principals.apply_to(request.principal, is_deny=self.is_deny)
            and any(matches(request.resource, keys) for matches in self._resources)
            != self.is_not_resource
            and all(test(keys) for test in self._tests)
        )


@dataclass(frozen=True, slots=True)
class Policy:
    """A policy, read and compiled. Made by `parse`; equal texts give the same one."""

    version: str
    id: str | None
    statements: tuple[Statement, ...]
    _denials_first: tuple[Statement, ...]

    def evaluate(self, request: Request) -> Decision:
        """What the policy says: any Deny that applies wins over every Allow."""
        action = request.action.lower()
        for statement in self._denials_first:
            if statement.applies(request, action):
                verdict = Verdict.EXPLICIT_DENY if statement.is_deny else Verdict.ALLOW
                return Decision(verdict, request, statement.index, statement.sid)
        return Decision(Verdict.IMPLICIT_DENY, request)


def decide(policy: Policy | None, request: Request, owner: str) -> Decision:
    """Whether *request* may be carried out on a resource of the account *owner*.

    The owner's own account may do all that the policy does not deny: who has its keys has them
    for everything. Others, services and anonymous callers may do what the policy allows.
    """
    said = Decision(Verdict.IMPLICIT_DENY, request) if policy is None else policy.evaluate(request)
    if said.verdict is Verdict.IMPLICIT_DENY and owner and request.principal.account == owner:
        return Decision(Verdict.ALLOW, request)
    return said


@lru_cache(maxsize=PARSED_KEPT)
def parse(text: str) -> Policy:
    """The policy that *text* is, compiled; what was parsed a while ago is at hand.

    Raises InvalidPolicy, which names the field, its value and what it must be.
    """
    document = _object(read(text), _ROOT, {"Version", "Id", "Statement"})
    version = document.get("Version", "2008-10-17")
    if version not in _VERSIONS:
        raise InvalidPolicy(f"{_ROOT}.Version", version, " or ".join(_VERSIONS))
    given = document.get("Statement")
    if isinstance(given, dict):
        given = [given]
    if not isinstance(given, list) or not given:
        raise InvalidPolicy(
            f"{_ROOT}.Statement", _shown(given), "a statement, or a list of one or more"
        )
    variables = version == _VERSIONS[0]  # before that, ${...} was a text as any other
    statements = tuple(
        _statement(one, index, f"{_ROOT}.Statement[{index}]", variables)
        for index, one in enumerate(given)
    )
    return Policy(
        version=version,
        id=_text_or_none(document.get("Id"), f"{_ROOT}.Id"),
        statements=statements,
        _denials_first=tuple(sorted(statements, key=lambda one: not one.is_deny)),
    )


def read(text: str) -> Any:
    """The JSON of a policy's text. Raises InvalidPolicy.

    A name that stands twice in an object is refused: others would judge by the one that we skip.
    """
    if not isinstance(text, str):
        raise InvalidPolicy(_ROOT, Words(type(text).__name__), "text")
    size = len(text.encode(errors="surrogatepass"))
    if size > MOST_BYTES:
        raise InvalidPolicy(_ROOT, Words(f"{size} bytes"), f"at most {MOST_BYTES} bytes")
    try:
        return json.loads(
            text, object_pairs_hook=_once, parse_float=Decimal, parse_constant=_no_constant
        )
    except InvalidPolicy:
        raise
    except (ValueError, ArithmeticError, RecursionError) as error:
        raise InvalidPolicy(_ROOT, Words("something else"), "a JSON object as text") from error


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise InvalidPolicy(_ROOT, name, "an object in which each name stands once")
        found[name] = value
    return found


def _no_constant(name: str) -> Any:
    raise InvalidPolicy(_ROOT, name, "JSON, which has no such number")


def _statement(given: Any, index: int, where: str, variables: bool) -> Statement:
    one = _object(given, where, _ELEMENTS)
    effect = one.get("Effect")
    if effect not in ("Allow", "Deny"):
        raise InvalidPolicy(f"{where}.Effect", _shown(effect), "Allow or Deny")
    who, is_not_principal, at = _either(one, "Principal", where)
    principals = principal.read(who, at, is_not=is_not_principal)
    actions, is_not_action, at = _either(one, "Action", where)
    actions = _texts(actions, at)
    for action in actions:
        if not _ACTION.fullmatch(action):
            raise InvalidPolicy(at, action, "* or service:Name", OUT_OF_SCOPE)
    resources, is_not_resource, at = _either(one, "Resource", where)
    resources = _texts(resources, at)
    for resource in resources:
        if resource != "*" and not resource.startswith("arn:"):
            raise InvalidPolicy(at, resource, "* or an ARN")
    return Statement(
        index=index,
        sid=_text_or_none(one.get("Sid"), f"{where}.Sid"),
        is_deny=effect == "Deny",
        principals=principals,
        actions=actions,
        is_not_action=is_not_action,
        resources=resources,
        is_not_resource=is_not_resource,
        _actions=tuple(pattern.glob(action.lower(), where, variables=False) for action in actions),
        _resources=tuple(pattern.glob(resource, at, variables=variables) for resource in resources),
        _tests=condition.read(one.get("Condition", {}), f"{where}.Condition", variables=variables),
    )


_ELEMENTS = {
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
}


def _object(given: Any, where: str, names: set[str]) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise InvalidPolicy(where, _shown(given), "an object")
    for name in given:
        if name not in names:
            # A misspelt Condition that was skipped would be an Allow for everybody.
            raise InvalidPolicy(f"{where}.{name}", _shown(given[name]), "left out; it is unknown")
    return given


def _either(one: dict[str, Any], name: str, where: str) -> tuple[Any, bool, str]:
    """The element or its complement: its value, whether it is the complement, and where it is."""
    is_not = f"Not{name}" in one
    if is_not == (name in one):
        shown = Words("given twice") if is_not else Words("missing")
        raise InvalidPolicy(f"{where}.{name}", shown, f"one of {name} and Not{name}")
    found = f"Not{name}" if is_not else name
    return one[found], is_not, f"{where}.{found}"


def _texts(given: Any, where: str) -> tuple[str, ...]:
    found = given if isinstance(given, list) else [given]
    if not found or not all(isinstance(one, str) for one in found):
        raise InvalidPolicy(where, _shown(given), "text, or a list of one or more")
    return tuple(found)


def _text_or_none(given: Any, where: str) -> str | None:
    if given is not None and not isinstance(given, str):
        raise InvalidPolicy(where, _shown(given), "text")
    return given


def _shown(given: Any) -> object:
    """A value as an error may show it: an object or a list is only called so."""
    if given is None:
        return Words("missing")
    if isinstance(given, dict):
        return Words("an object")
    if isinstance(given, list):
        return Words("a list") if given else Words("an empty list")
    return given
