"""Place: an account in a region. Whose things are in which namespace, and the ARNs that name them.

    arn : partition : service : region : account : resource

A client's own account in its own region is the namespace that it was made for. Every other pair
lives beside it: `<namespace>.<account>.<region>`.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from rmq.errors import InvalidParameter

_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z0-9-]{1,24}")
ARN_PARTS = 6


class Place(NamedTuple):
    """An account in a region."""

    account: str
    """12 digits."""
    region: str

    @classmethod
    def checked(cls, account: str, region: str) -> Place:
        """One that is given from outside. Raises InvalidParameter."""
        check_account(account)
        if not isinstance(region, str) or not _REGION.fullmatch(region):
            raise InvalidParameter("region", region, "1 to 24 of a-z 0-9 -")
        return cls(account, region)

    def arn(self, service: str, resource: str) -> str:
        """The ARN of something that is here."""
        return f"arn:{partition(self.region)}:{service}:{self.region}:{self.account}:{resource}"


class Arn(NamedTuple):
    """An ARN in its parts."""

    service: str
    place: Place
    resource: str


def check_account(account: str) -> None:
    """Raises InvalidParameter."""
    if not isinstance(account, str) or not _ACCOUNT.fullmatch(account):
        raise InvalidParameter("account", account, "12 digits")


def partition(region: str) -> str:
    """The partition of AWS that a region belongs to."""
    if region.startswith("cn-"):
        return "aws-cn"
    return "aws-us-gov" if region.startswith("us-gov-") else "aws"


def read_arn(field: str, value: str) -> Arn:
    """Cut an ARN in its parts. Raises InvalidParameter naming *field*."""
    if not isinstance(value, str):
        raise InvalidParameter(field, value, f"an ARN of at least {ARN_PARTS} elements")
    return _read(field, value)


@lru_cache(maxsize=4096)
def _read(field: str, value: str) -> Arn:
    # Kept: a fan-out reads those of its queues with every publish.
    parts = value.split(":", ARN_PARTS - 1)
    if len(parts) < ARN_PARTS or parts[0] != "arn":
        raise InvalidParameter(field, value, f"an ARN of at least {ARN_PARTS} elements")
    _, kind, service, region, account, resource = parts
    if not kind.startswith("aws") or not _ACCOUNT.fullmatch(account):
        raise InvalidParameter(field, value, "an ARN with an account of 12 digits")
    if not _REGION.fullmatch(region) or not service or not resource:
        raise InvalidParameter(field, value, "an ARN that names service, region and resource")
    return Arn(service, Place(account, region), resource)


class Places:
    """Which namespace each place has, as seen from one of them."""

    __slots__ = ("_root", "namespace", "own")

    def __init__(self, namespace: str, own: Place, root: tuple[str, Place] | None = None) -> None:
        self.namespace = namespace
        """Of the own place."""
        self.own = own
        self._root = root or (namespace, own)

    @property
    def root(self) -> str:
        """The namespace beside which the others are."""
        return self._root[0]

    def namespace_of(self, place: Place) -> str:
        """The namespace of a place."""
        namespace, own = self._root
        if place == own:
            return namespace
        return f"{namespace}.{place.account}.{place.region}"

    def beside(self, place: Place) -> Places:
        """The same, as seen from another place."""
        return Places(self.namespace_of(place), place, self._root)
