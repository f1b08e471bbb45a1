"""Platform endpoint: one installation of an app on one device, named by its token.

Source of the rules: CreatePlatformEndpoint, SetEndpointAttributes (Amazon SNS API Reference).
"""

from __future__ import annotations

import hashlib
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from rmq.core.limits import Limits, text
from rmq.core.place import Place
from rmq.errors import InvalidParameter, Words
from rmq.topics.mobile.application import (
    APPLE,
    ApplicationName,
    application_name,
    local_part,
)
from rmq.topics.subscription import ID

TOKEN_CHARACTERS = 4096
"""Ours: FCM's have some 160, ADM's some 700."""
_APPLE_TOKEN = re.compile(r"[0-9a-fA-F]{1,400}")


class EndpointName(NamedTuple):
    """What names an endpoint within its account."""

    application: ApplicationName
    id: str
    """A UUID."""

    @property
    def resource(self) -> str:
        """The end of its ARN."""
        return f"endpoint/{self.application.platform}/{self.application.name}/{self.id}"

    @property
    def key(self) -> bytes:
        """The id as Redis has it: 16 bytes."""
        return uuid.UUID(self.id).bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformEndpoint:
    """An endpoint, as Redis has it."""

    name: EndpointName
    place: Place
    token: str
    """The platform's name for the installation. Apple's are kept in lower case."""
    enabled: bool = True
    """Whether it may be sent to. A sender that learns that the token is dead switches it off."""
    custom_user_data: str = ""
    """The app's own, up to 2,048 bytes."""
    created_ms: int
    modified_ms: int

    @property
    def id(self) -> str:
        """A UUID."""
        return self.name.id

    @property
    def platform(self) -> str:
        """GCM, APNS, .."""
        return self.name.application.platform

    @property
    def application_arn(self) -> str:
        return self.place.arn("sns", self.name.application.resource)

    @property
    def arn(self) -> str:
        """`arn:aws:sns:<region>:<account>:endpoint/<platform>/<application>/<id>`."""
        return self.place.arn("sns", self.name.resource)

    @property
    def created_at(self) -> datetime:
        return datetime.fromtimestamp(self.created_ms / 1000, UTC)

    @property
    def modified_at(self) -> datetime:
        return datetime.fromtimestamp(self.modified_ms / 1000, UTC)


def read_endpoint(place: Place, given: str) -> EndpointName:
    """The name in an ARN of this place, or in `platform/application/id`.

    Raises InvalidParameter.
    """
    shape = f"GCM/shop/<id>, or {place.arn('sns', 'endpoint/GCM/shop/<id>')}"
    parts = local_part("endpoint", given, place, "endpoint/", shape).split("/")
    if len(parts) != 3 or not ID.fullmatch(parts[2]):
        raise InvalidParameter("endpoint", given, shape)
    return EndpointName(application_name(parts[0], parts[1]), parts[2])


def changed(one: PlatformEndpoint, changes: Mapping[str, Any], limits: Limits) -> PlatformEndpoint:
    """*one* with *changes* of token, enabled, custom_user_data. Raises InvalidParameter."""
    found: dict[str, Any] = {}
    for field, value in changes.items():
        if field == "token":
            found[field] = token(one.platform, value)
        elif field == "enabled":
            if not isinstance(value, bool):
                raise InvalidParameter(field, value, "True or False")
            found[field] = value
        elif field == "custom_user_data":
            found[field] = user_data(value, limits)
        else:
            raise InvalidParameter("attribute", field, "token, enabled or custom_user_data")
    return replace(one, **found)


def token(platform: str, value: str) -> str:
    """A token as its platform has them. Raises InvalidParameter."""
    if platform in APPLE:
        if not isinstance(value, str) or not _APPLE_TOKEN.fullmatch(value):
            raise InvalidParameter("token", value, "1 to 400 hexadecimal digits, as Apple's are")
        return value.lower()
    return text(value, "token", 1, TOKEN_CHARACTERS)


def user_data(value: str | None, limits: Limits) -> str:
    """custom_user_data; None is ''. Raises InvalidParameter."""
    if value is None:
        return ""
    size, most = len(text(value, "custom_user_data", 0).encode()), limits.max_user_data
    if most is not None and size > most:
        raise InvalidParameter(
            "custom_user_data", Words(f"{size} bytes"), f"at most {most} bytes in UTF-8"
        )
    return value


def digest(words: str) -> bytes:
    """What stands for a token where it is looked up: 16 bytes of BLAKE2."""
    return hashlib.blake2b(words.encode(), digest_size=16).digest()


# --- as Redis holds it ---------------------------------------------------------------------------


class _Stored(msgspec.Struct, array_like=True, frozen=True):
    """MessagePack, without names: a million of them shall fit."""

    token: str
    enabled: bool
    custom_user_data: str
    created_ms: int
    modified_ms: int


_encode = msgspec.msgpack.Encoder().encode
_decode = msgspec.msgpack.Decoder(_Stored).decode


def packed(one: PlatformEndpoint) -> bytes:
    """An endpoint as the hash holds it, under its id."""
    return _encode(
        _Stored(one.token, one.enabled, one.custom_user_data, one.created_ms, one.modified_ms)
    )


def unpacked(name: EndpointName, place: Place, stored: bytes) -> PlatformEndpoint:
    """Back from that."""
    one = _decode(stored)
    return PlatformEndpoint(
        name=name,
        place=place,
        token=one.token,
        enabled=one.enabled,
        custom_user_data=one.custom_user_data,
        created_ms=one.created_ms,
        modified_ms=one.modified_ms,
    )
