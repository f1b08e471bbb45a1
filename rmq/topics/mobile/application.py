"""Platform application: an app on one push platform, and the credentials to send to its devices.

Source of the rules: CreatePlatformApplication, SetPlatformApplicationAttributes (Amazon SNS API
Reference).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any, NamedTuple

import msgspec

from rmq.core.limits import text, whole
from rmq.core.place import Place, read_arn
from rmq.errors import InvalidParameter, MissingParameter, Words
from rmq.topics.attributes import topic_name

APPLE = (
    "APNS",
    "APNS_SANDBOX",
    "APNS_VOIP",
    "APNS_VOIP_SANDBOX",
    "MACOS",
    "MACOS_SANDBOX",
)
PLATFORMS = ("ADM", *APPLE, "BAIDU", "GCM", "MPNS", "WNS")
"""GCM is Firebase Cloud Messaging. SNS's page of today names ADM, APNS, APNS_SANDBOX and GCM; it
takes the others as it always did."""
WITHOUT_PRINCIPAL = ("GCM", "MPNS")
WITHOUT_CREDENTIAL = ("MPNS",)
"""MPNS takes messages of unknown senders too."""
CREDENTIAL_CHARACTERS = 20_480
"""Ours: a certificate or a service account in JSON has some 3,000."""
NAME = re.compile(r"[A-Za-z0-9_.-]{1,256}")
EVENTS = (
    "event_endpoint_created",
    "event_endpoint_deleted",
    "event_endpoint_updated",
    "event_delivery_failure",
)


class ApplicationName(NamedTuple):
    """What names an application within its account."""

    platform: str
    name: str

    @property
    def resource(self) -> str:
        """The end of its ARN."""
        return f"app/{self.platform}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApplicationAttributes:
    """The attributes of a platform application, but for its credential, which nobody is told."""

    principal: str | None = None
    """PlatformPrincipal: ADM's client id, Apple's certificate or signing key id; none for GCM."""
    enabled: bool = True
    """Whether messages to its endpoints are taken."""
    event_endpoint_created: str | None = None
    """ARN of a topic of this account and region that is told of each new endpoint."""
    event_endpoint_deleted: str | None = None
    """The same, of each that is removed."""
    event_endpoint_updated: str | None = None
    """The same, of each that is changed."""
    event_delivery_failure: str | None = None
    """The same, where a message published to one endpoint will never be delivered."""
    apple_platform_team_id: str | None = None
    """Needed to send with a signing key."""
    apple_platform_bundle_id: str | None = None
    """Needed to send with a signing key: the app's identifier."""
    success_feedback_role_arn: str | None = None
    """Kept and returned, as the next two."""
    failure_feedback_role_arn: str | None = None
    success_feedback_sample_rate: int | None = None
    """Per cent, 0 to 100."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PlatformApplication:
    """A platform application as Redis has it, without its credential."""

    platform: str
    """One of PLATFORMS."""
    name: str
    place: Place
    attributes: ApplicationAttributes
    authentication_method: str | None
    """How it shows who it is: `token` or `certificate` (Apple), `token` or `key` (GCM); None
    elsewhere."""
    created_at: datetime
    modified_at: datetime

    @property
    def arn(self) -> str:
        """`arn:aws:sns:<region>:<account>:app/<platform>/<name>`."""
        return self.place.arn("sns", ApplicationName(self.platform, self.name).resource)


def application_name(platform: str, name: str) -> ApplicationName:
    """A valid name. Raises InvalidParameter."""
    if platform not in PLATFORMS:
        raise InvalidParameter("platform", platform, f"one of {', '.join(PLATFORMS)}")
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InvalidParameter("application name", name, "1 to 256 of A-Z a-z 0-9 _ . -")
    return ApplicationName(platform, name)


def read_application(place: Place, given: str) -> ApplicationName:
    """The name in an ARN of this place, or in `platform/name`. Raises InvalidParameter."""
    shape = f"GCM/shop, or {place.arn('sns', 'app/GCM/shop')}"
    platform, slash, name = local_part("application", given, place, "app/", shape).partition("/")
    if not slash:
        raise InvalidParameter("application", given, shape)
    return application_name(platform, name)


def local_part(field: str, given: str, place: Place, kind: str, shape: str) -> str:
    """What follows *kind* in an ARN of this place; what is no ARN is that already.

    Raises InvalidParameter.
    """
    if not isinstance(given, str):
        raise InvalidParameter(field, Words(type(given).__name__), shape)
    if not given.startswith("arn:"):
        return given
    arn = read_arn(field, given)
    if arn.service != "sns" or not arn.resource.startswith(kind):
        raise InvalidParameter(field, given, shape)
    if arn.place != place:
        raise InvalidParameter(
            field,
            given,
            f"of account {place.account} in {place.region}; another's is its client's "
            "(client.in_account)",
        )
    return arn.resource[len(kind) :]


_FIELDS = tuple(one.name for one in fields(ApplicationAttributes))
_DEFAULT = ApplicationAttributes()


def checked(name: ApplicationName, place: Place, given: Mapping[str, Any]) -> dict[str, str]:
    """Attributes, and the credential, as the config holds them: '' for none.

    Raises InvalidParameter.
    """
    found = {}
    for field, value in given.items():
        if field != "credential" and field not in _FIELDS:
            raise InvalidParameter("attribute", field, f"one of credential, {', '.join(_FIELDS)}")
        found[field] = _checked_one(name, place, field, value)
    return found


def check_whole(name: ApplicationName, config: Mapping[str, str]) -> None:
    """Raise MissingParameter where a new application has not what its platform asks for."""
    if not config.get("credential") and name.platform not in WITHOUT_CREDENTIAL:
        raise MissingParameter("credential", f"{name.platform} takes messages from known senders")
    if not config.get("principal") and name.platform not in WITHOUT_PRINCIPAL:
        raise MissingParameter("principal", f"{name.platform} asks for it beside the credential")


def _checked_one(name: ApplicationName, place: Place, field: str, value: Any) -> str:
    if field == "enabled":
        if not isinstance(value, bool):
            raise InvalidParameter(field, value, "True or False")
        return str(int(value))
    if field in ("principal", "credential"):
        optional = WITHOUT_PRINCIPAL if field == "principal" else WITHOUT_CREDENTIAL
        if value is None and name.platform in optional:
            return ""
        if not isinstance(value, str) or not 0 < len(value) <= CREDENTIAL_CHARACTERS:
            # Never the value: it may be most of a secret.
            said = f"{len(value)} characters" if isinstance(value, str) else type(value).__name__
            raise InvalidParameter(
                field, Words(said), f"1 to {CREDENTIAL_CHARACTERS} characters of text"
            )
        return text(value, field) if field == "principal" else _secret(value)
    if value is None:
        return ""
    if field in EVENTS:
        return _topic(place, field, value)
    if field == "success_feedback_sample_rate":
        return str(whole(value, field, 0, 100))
    return text(value, field, 1, 2048)


def _secret(value: str) -> str:
    try:
        value.encode()
    except UnicodeEncodeError:
        raise InvalidParameter(
            "credential", Words("text with a lone surrogate"), "text that UTF-8 can express"
        ) from None
    return value


def _topic(place: Place, field: str, value: str) -> str:
    shape = f"the ARN of a topic, {place.arn('sns', '<name>')}"
    if not isinstance(value, str) or not value.startswith("arn:"):
        raise InvalidParameter(field, value, shape)
    arn = read_arn(field, value)
    if arn.service != "sns" or arn.place != place:
        raise InvalidParameter(field, value, shape)
    return place.arn("sns", topic_name(arn.resource))


# --- as the config hash holds it -----------------------------------------------------------------


def from_config(
    name: ApplicationName, place: Place, config: Mapping[str, str]
) -> PlatformApplication:
    """The application in a config hash."""
    given: dict[str, Any] = {
        field: config[field] for field in _FIELDS if config.get(field) and field != "enabled"
    }
    if "success_feedback_sample_rate" in given:
        given["success_feedback_sample_rate"] = int(given["success_feedback_sample_rate"])
    return PlatformApplication(
        platform=name.platform,
        name=name.name,
        place=place,
        attributes=ApplicationAttributes(enabled=is_enabled(config), **given),
        authentication_method=_authentication(name.platform, config),
        created_at=_moment(config["created_ms"]),
        modified_at=_moment(config["modified_ms"]),
    )


def is_enabled(config: Mapping[str, str]) -> bool:
    return config.get("enabled") != "0"


def differing(config: Mapping[str, str], wanted: Mapping[str, str]) -> Iterable[str]:
    """The fields that stand otherwise in a config than they are *wanted*."""
    for field, value in wanted.items():
        default = "1" if field == "enabled" else ""
        if config.get(field, default) != value:
            yield field


def _moment(ms: str) -> datetime:
    return datetime.fromtimestamp(int(ms) / 1000, UTC)


def _authentication(platform: str, config: Mapping[str, str]) -> str | None:
    if platform in APPLE:
        return "certificate" if "-BEGIN CERT" in config.get("principal", "") else "token"
    if platform == "GCM":
        return "token" if _is_object(config.get("credential", "")) else "key"
    return None


def _is_object(words: str) -> bool:
    try:
        return isinstance(msgspec.json.decode(words), dict)
    except (msgspec.DecodeError, RecursionError):
        return False
