"""The sender: finds out whose phone it is, and lets the platform's plug-in send."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Hashable, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Protocol

import httpx
import msgspec

from rmq.core.codec import Header
from rmq.push.job import Job, Passing, Permanent
from rmq.push.settings import PushSettings
from rmq.topics.envelope import for_protocol

TIMEOUT_S = 15.0
EARLY_S = 300
"""So long before its end an access token is not used any more."""
TIME_TO_LIVE = timedelta(weeks=4)
"""Unless the message says (Amazon SNS: Using the Amazon SNS time to live message attribute)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Phone:
    """A platform endpoint, with what its platform application says of how to get there."""

    platform: str
    """GCM, APNS, APNS_SANDBOX or ADM."""
    token: str
    is_enabled: bool = True
    principal: str = ""
    """PlatformPrincipal of the application."""
    credential: str = field(default="", repr=False)
    """PlatformCredential."""
    attributes: Mapping[str, str] = field(default_factory=dict)
    """The application's others: ApplePlatformTeamID, .."""


class PhoneBook(Protocol):
    """Who knows the platform endpoints."""

    async def find(self, job: Job) -> Phone | None:
        """The phone that a job is for; None where there is none any more."""

    async def disable(self, job: Job, phone: Phone) -> None:
        """Its token is of no use."""

    async def given_up(self, job: Job, reason: str) -> None:
        """A message for it will never be delivered."""


class TokenRefused(Permanent):
    """The platform does not know the token any more."""


class Plugin(Protocol):
    """How one platform is spoken to."""

    async def push(self, client: httpx.AsyncClient, phone: Phone, message: Message) -> None:
        """Send one message. Raises TokenRefused, Permanent, Passing."""


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent to one phone."""

    text: str
    """For this platform."""
    is_payload: bool
    """The text is the platform's own JSON (MessageStructure=json), not words for a person."""
    time_to_live: timedelta
    attributes: Mapping[str, str]
    """AWS.SNS.MOBILE.*, by name."""

    @property
    def payload(self) -> dict[str, Any]:
        """The text as the platform's JSON object. Raises Permanent."""
        try:
            found = msgspec.json.decode(self.text)
        except msgspec.DecodeError as error:
            raise Permanent(f"the platform's message is not JSON: {error}") from error
        if not isinstance(found, dict):
            raise Permanent("the platform's message is no JSON object")
        return found


class AccessTokens:
    """Access tokens by whom they are for, each got once however many ask."""

    def __init__(self) -> None:
        self._found: dict[Hashable, tuple[str, float]] = {}
        """A token, and when it ends by the monotonic clock."""
        self._lock = asyncio.Lock()

    async def get(self, owner: Hashable, ask: Callable[[], Awaitable[httpx.Response]]) -> str:
        """The token that is good now; by *ask* if there is none (RFC 6749, section 5.1)."""
        async with self._lock:
            token, ends = self._found.get(owner, ("", 0.0))
            if time.monotonic() < ends:
                return token
            response = await ask()
            outcome(response, "to the request for an access token", gone=False)
            try:
                given = msgspec.json.decode(response.content, type=_Granted)
            except msgspec.MsgspecError as error:
                raise Passing(f"an access token that can not be read: {error}") from error
            ends = time.monotonic() + given.expires_in - EARLY_S
            self._found[owner] = given.access_token, ends
            return given.access_token

    def drop(self, owner: Hashable) -> None:
        """It was not taken."""
        self._found.pop(owner, None)


class _Granted(msgspec.Struct):
    access_token: str
    expires_in: int


class MobileSender:
    """Sends to platform endpoints."""

    def __init__(self, book: PhoneBook, settings: PushSettings, *, verify: Any = True) -> None:
        from rmq.push.senders.mobile.adm import Adm
        from rmq.push.senders.mobile.apns import Apns
        from rmq.push.senders.mobile.fcm import Fcm

        self._book = book
        self._client = httpx.AsyncClient(http2=True, timeout=TIMEOUT_S, verify=verify)
        self._plugins: dict[str, Plugin] = {
            "GCM": Fcm(settings.fcm_url),
            "APNS": Apns(settings.apns_url),
            "APNS_SANDBOX": Apns(settings.apns_sandbox_url),
            "ADM": Adm(settings.adm_url),
        }

    async def send(self, job: Job) -> None:
        phone = reachable(await self._book.find(job))
        plugin = self._plugins.get(phone.platform)
        if plugin is None:
            raise Permanent(f"platform {phone.platform} is not spoken any more")
        try:
            await plugin.push(self._client, phone, message_for(job.body, job.header, phone))
        except TokenRefused:
            await self._book.disable(job, phone)
            raise
        except (httpx.HTTPError, OSError) as error:
            raise Passing(f"{type(error).__name__}: {error}") from error

    async def given_up(self, job: Job, reason: str) -> None:
        await self._book.given_up(job, reason)

    async def close(self) -> None:
        await self._client.aclose()


def reachable(phone: Phone | None) -> Phone:
    """A phone that may be sent to. Raises Permanent."""
    if phone is None:
        raise Permanent("the platform endpoint does not exist any more")
    if not phone.is_enabled:
        raise Permanent("the platform endpoint is disabled")
    return phone


def message_for(body: bytes, header: Header, phone: Phone) -> Message:
    """What a phone gets of a published message."""
    text = for_protocol(body, header, phone.platform)
    is_payload = header.by_protocol and text != for_protocol(body, header, "default")
    attributes = {
        name: str(value)
        for name, (_, value) in header.attributes.items()
        if name.startswith("AWS.SNS.MOBILE.")
    }
    given = attributes.get(f"AWS.SNS.MOBILE.{phone.platform}.TTL", "")
    long = timedelta(seconds=int(given)) if given.isdigit() and len(given) < 9 else TIME_TO_LIVE
    return Message(text, is_payload, long, attributes)


def outcome(response: httpx.Response, said: str, *, gone: bool) -> None:
    """Raise what an answer of a platform stands for. *gone*: it says that the token is."""
    status = response.status_code
    if status < 300:
        return
    text = f"the platform answered {status} {said}".rstrip()
    if gone:
        raise TokenRefused(text)
    if status == 429 or status >= 500:
        given = response.headers.get("retry-after", "")
        wait = timedelta(seconds=int(given)) if given.isdigit() and len(given) < 6 else None
        raise Passing(text, wait)
    raise Permanent(text)
