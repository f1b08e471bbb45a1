"""Principal: who asks, and whom a statement means.

A principal goes by several names, and a statement that has one of them means it:

    arn:aws:sts::111122223333:assumed-role/Ops/ann     a session of a role
      -> 111122223333                                  its account; the account's root ARN is that
      -> arn:aws:iam::111122223333:role/Ops            its role: it means all sessions
      -> itself                                        this session alone

Source: Amazon IAM User Guide, "Principal" and "NotPrincipal" elements.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from rmq.errors import InvalidParameter, InvalidPolicy

EVERYONE = "*"
NOT_FOUND = "Invalid parameter: Policy Error: PrincipalNotFound"
"""What Amazon SNS says to a principal that can not be."""

_ACCOUNT = re.compile(r"\d{12}", re.ASCII)
_ARN = re.compile(
    r"arn:aws[a-z-]*:(?P<kind>iam|sts)::(?P<account>\d{12}):(?P<who>"
    r"root|user/[^*?\s]+|role/[^*?\s]+|assumed-role/[^*?/\s]+/[^*?/\s]+|federated-user/[^*?\s]+)",
    re.ASCII,
)
_UNIQUE_ID = re.compile(r"A[A-Z]{3}[A-Z0-9]{8,124}", re.ASCII)
_SERVICE = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Principal:
    """Who makes a request. Made by `of_account`, `of_arn` and `of_service`; with nothing given it
    is anonymous.

    *arn* is the user's, role's or session's, or the account's root. *role_arn* is needed for a
    session of a role that has a path, which its own ARN leaves out. *user_id* is the unique id:
    AIDA…, or AROA…:session.
    """

    account: str = ""
    arn: str = ""
    service: str = ""
    role_arn: str = ""
    user_id: str = ""
    federated: str = ""
    canonical_user: str = ""
    names: frozenset[str] = field(init=False, repr=False, compare=False)
    """All that a statement may call it, but for `*`."""
    exemptions: tuple[frozenset[str], ...] = field(init=False, repr=False, compare=False)
    """Sets of names; NotPrincipal must have one of each to spare it from a Deny."""
    context: Mapping[str, tuple[str, ...]] = field(init=False, repr=False, compare=False)
    """What conditions may ask about it."""

    def __post_init__(self) -> None:
        sets = [
            frozenset(filter(None, names))
            for names in (
                (self.account,),
                (self.role_arn, self.user_id.partition(":")[0] if self.role_arn else ""),
                () if self.is_root else (self.arn, self.user_id),
                (self.service and f"Service:{self.service}",),
                (self.federated and f"Federated:{self.federated}",),
                (self.canonical_user and f"CanonicalUser:{self.canonical_user}",),
            )
        ]
        exemptions = tuple(filter(None, sets))
        object.__setattr__(self, "exemptions", exemptions)
        object.__setattr__(self, "names", frozenset().union(*exemptions))
        object.__setattr__(self, "context", self._context())

    @classmethod
    def of_account(cls, account: str) -> Principal:
        """The account itself, which is its root. Raises InvalidParameter."""
        if not _ACCOUNT.fullmatch(account):
            raise InvalidParameter("account", account, "12 digits")
        return cls(account=account, arn=f"arn:aws:iam::{account}:root")

    @classmethod
    def of_arn(cls, arn: str, *, role_arn: str = "", user_id: str = "") -> Principal:
        """A user, a role, a session or a root, by its ARN. Raises InvalidParameter."""
        found = _ARN.fullmatch(arn)
        if found is None:
            raise InvalidParameter(
                "principal", arn, "the ARN of a user, a role, a session of a role, or a root"
            )
        kind, _, name = found["who"].partition("/")
        if kind == "assumed-role" and not role_arn:
            partition = arn.split(":", 2)[1]
            role_arn = f"arn:{partition}:iam::{found['account']}:role/{name.partition('/')[0]}"
        return cls(account=found["account"], arn=arn, role_arn=role_arn, user_id=user_id)

    @classmethod
    def of_service(cls, service: str) -> Principal:
        """A service that acts for somebody: `sns.amazonaws.com`. Raises InvalidParameter."""
        if not _SERVICE.fullmatch(service):
            raise InvalidParameter("service", service, "a name as sns.amazonaws.com")
        return cls(service=service)

    @property
    def is_root(self) -> bool:
        return self.arn.endswith(":root")

    @property
    def is_anonymous(self) -> bool:
        return not self.names

    def __str__(self) -> str:
        return (
            self.arn
            or self.account
            or self.service
            or self.federated
            or self.canonical_user
            or "anonymous"
        )

    def _context(self) -> dict[str, tuple[str, ...]]:
        who = self.arn.rpartition(":")[2]
        kinds = {"root": "Account", "user": "User", "federated-user": "FederatedUser"}
        kind = kinds.get(who.partition("/")[0], "AssumedRole") if self.arn else ""
        found = {
            "aws:principalaccount": self.account,
            "aws:principalarn": self.role_arn or self.arn,
            "aws:principalisawsservice": "true" if self.service else "false",
            "aws:principalservicename": self.service,
            "aws:principaltype": "Anonymous" if self.is_anonymous else kind,
            "aws:userid": self.user_id or (self.account if self.is_root else ""),
            "aws:username": who.rpartition("/")[2] if who.startswith("user/") else "",
        }
        return {key: (value,) for key, value in found.items() if value}


ANONYMOUS = Principal()


@dataclass(frozen=True, slots=True)
class Principals:
    """Whom a statement's Principal or NotPrincipal means."""

    names: frozenset[str]
    is_not: bool = False
    """NotPrincipal: everyone but these."""

    def apply_to(self, principal: Principal, *, is_deny: bool) -> bool:
        """Whether the statement is about *principal*.

        NotPrincipal errs on the side of the owner. A Deny spares only whom it names in full: the
        account, the role and the session. An Allow leaves out whom it names in any way.
        """
        if not self.is_not:
            return EVERYONE in self.names or not self.names.isdisjoint(principal.names)
        if EVERYONE in self.names:
            return False
        if not is_deny:
            return self.names.isdisjoint(principal.names)
        return principal.is_anonymous or any(
            self.names.isdisjoint(names) for names in principal.exemptions
        )


def read(element: Any, where: str, *, is_not: bool) -> Principals:
    """A Principal or NotPrincipal element. Raises InvalidPolicy."""
    if element == EVERYONE:
        return Principals(frozenset({EVERYONE}), is_not)
    if not isinstance(element, Mapping) or not element:
        raise InvalidPolicy(where, element, "*, or an object of AWS, Service and the like")
    names: set[str] = set()
    for kind, values in element.items():
        if kind not in _KINDS:
            raise InvalidPolicy(
                f"{where}.{kind}", values, f"left out; there are {', '.join(_KINDS)}"
            )
        is_list = isinstance(values, list)
        if is_list and not values:
            raise InvalidPolicy(f"{where}.{kind}", values, "a name, or a list of one or more")
        for index, value in enumerate(values if is_list else [values]):
            at = f"{where}.{kind}[{index}]" if is_list else f"{where}.{kind}"
            names.add(_name(kind, value, at))
    return Principals(frozenset(names), is_not)


_KINDS = {
    "AWS": "*, an account of 12 digits, an ARN of a user, role or session without * and ?, "
    "or a unique id",
    "Service": "a service as sns.amazonaws.com",
    "Federated": "an identity provider without * and ?",
    "CanonicalUser": "a canonical user id",
}


def _name(kind: str, value: Any, where: str) -> str:
    if isinstance(value, str):
        if kind == "AWS":
            found = _aws_name(value)
            if found is not None:
                return found
        elif kind == "Service":
            if _SERVICE.fullmatch(value):
                return f"Service:{value}"
        elif value and not set("*? ") & set(value):
            return f"{kind}:{value}"
    raise InvalidPolicy(where, value, _KINDS[kind], NOT_FOUND)


def _aws_name(value: str) -> str | None:
    if value == EVERYONE or _ACCOUNT.fullmatch(value) or _UNIQUE_ID.fullmatch(value):
        return value
    found = _ARN.fullmatch(value)
    if found is None:
        return None
    return found["account"] if found["who"] == "root" else value
