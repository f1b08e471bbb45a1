"""APNs: Apple's devices, by HTTP/2 and a token that is signed with the developer's key.

The application's PlatformCredential is the key (.p8), its PlatformPrincipal the key's id;
ApplePlatformTeamID and ApplePlatformBundleID are attributes beside them.
Source: Sending notification requests to APNs, Establishing a token-based connection to APNs,
Handling notification responses from APNs (Apple Developer Documentation).
"""

from __future__ import annotations

import time
from typing import Any
from urllib.parse import quote

import httpx
import jwt

from rmq.push.job import Passing, Permanent
from rmq.push.senders.mobile.sender import Message, Phone, outcome

RENEW_S = 45 * 60
"""APNs takes a provider token for 20 to 60 minutes."""
GONE = ("BadDeviceToken", "DeviceTokenNotForTopic", "ExpiredToken", "Unregistered")
STALE = ("ExpiredProviderToken", "InvalidProviderToken")
PREFIX = "AWS.SNS.MOBILE.APNS."


class Apns:
    """Apple Push Notification service."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._tokens: dict[tuple[str, str, str], tuple[str, float]] = {}
        """By credential, key id and team: a provider token, and when it was made."""

    async def push(self, client: httpx.AsyncClient, phone: Phone, message: Message) -> None:
        team = phone.attributes.get("ApplePlatformTeamID", "")
        bundle = phone.attributes.get("ApplePlatformBundleID", "")
        if not (team and bundle and phone.principal):
            raise Permanent(
                "APNs needs ApplePlatformTeamID, ApplePlatformBundleID and, as PlatformPrincipal, "
                "the id of the signing key"
            )
        payload = message.payload if message.is_payload else {"aps": {"alert": message.text}}
        identity = (phone.credential, phone.principal, team)
        response = await client.post(
            f"{self._url}/3/device/{quote(phone.token, safe='')}",
            json=payload,
            headers={
                "authorization": f"bearer {self._token(identity)}",
                **_headers(message, bundle, payload),
            },
        )
        said = _reason(response)
        if said in STALE:
            made = self._tokens.pop(identity, ("", 0.0))[1]
            if said == "ExpiredProviderToken" or time.monotonic() - made > RENEW_S:
                raise Passing(f"APNs does not take our provider token: {said}")
        outcome(response, said, gone=response.status_code == 410 or said in GONE)

    def _token(self, identity: tuple[str, str, str]) -> str:
        token, made = self._tokens.get(identity, ("", 0.0))
        if token and time.monotonic() - made < RENEW_S:
            return token
        key, key_id, team = identity
        try:
            claims = {"iss": team, "iat": int(time.time())}
            token = jwt.encode(claims, key, algorithm="ES256", headers={"kid": key_id})
        except (ValueError, TypeError, jwt.PyJWTError) as error:
            raise Permanent(f"the PlatformCredential can not sign for APNs: {error}") from error
        self._tokens[identity] = token, time.monotonic()
        return token


def _headers(message: Message, bundle: str, payload: dict[str, Any]) -> dict[str, str]:
    given = message.attributes
    aps = payload.get("aps")
    in_background = isinstance(aps, dict) and "content-available" in aps and "alert" not in aps
    kind = given.get(f"{PREFIX}PUSH_TYPE") or ("background" if in_background else "alert")
    found = {
        "apns-topic": given.get(f"{PREFIX}TOPIC") or bundle,
        "apns-push-type": kind,
        "apns-expiration": str(int(time.time() + message.time_to_live.total_seconds())),
        "apns-priority": given.get(f"{PREFIX}PRIORITY") or ("5" if kind == "background" else "10"),
    }
    collapse = given.get(f"{PREFIX}COLLAPSE_ID")
    if collapse:
        found["apns-collapse-id"] = collapse
    return found


def _reason(response: httpx.Response) -> str:
    if response.status_code < 300:
        return ""
    try:
        return str(response.json()["reason"])
    except (ValueError, KeyError, TypeError):
        return ""
