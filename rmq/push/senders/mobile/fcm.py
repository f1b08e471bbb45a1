"""FCM: Android and web, by Firebase Cloud Messaging's HTTP v1 API.

The credential is the service account's key file (JSON). With it an access token is got, which is
good for an hour.
Source: Send messages using FCM HTTP v1 API (Firebase), OAuth 2.0 for server to server (Google).
"""

from __future__ import annotations

import time
from typing import Any

import httpx
import jwt
import msgspec

from rmq.push.job import Passing, Permanent
from rmq.push.senders.mobile.sender import AccessTokens, Message, Phone, outcome

SCOPE = "https://www.googleapis.com/auth/firebase.messaging"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
GONE = ("UNREGISTERED", "SENDER_ID_MISMATCH")
"""FCM: error codes that mean the token is of no use here."""


class _Account(msgspec.Struct):
    """A service account's key file, as much of it as is needed."""

    project_id: str
    client_email: str
    private_key: str
    token_uri: str


class Fcm:
    """Firebase Cloud Messaging."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._tokens = AccessTokens()

    async def push(self, client: httpx.AsyncClient, phone: Phone, message: Message) -> None:
        try:
            account = msgspec.json.decode(phone.credential, type=_Account)
        except msgspec.MsgspecError as error:
            raise Permanent(
                "the PlatformCredential of GCM must be a service account's key file (JSON)"
            ) from error
        token = await self._access(client, phone.credential, account)
        response = await client.post(
            f"{self._url}/v1/projects/{account.project_id}/messages:send",
            json=request(message, phone.token),
            headers={"Authorization": f"Bearer {token}"},
        )
        if response.status_code == 401:
            self._tokens.drop(phone.credential)
            raise Passing("FCM does not take our access token")
        said = _error_code(response)
        outcome(response, said, gone=said in GONE or _names_token(response, said))

    async def _access(self, client: httpx.AsyncClient, credential: str, account: _Account) -> str:
        async def ask() -> httpx.Response:
            now = int(time.time())
            claims = {
                "iss": account.client_email,
                "scope": SCOPE,
                "aud": account.token_uri,
                "iat": now,
                "exp": now + 3600,
            }
            try:
                assertion = jwt.encode(claims, account.private_key, algorithm="RS256")
            except (ValueError, TypeError, jwt.PyJWTError) as error:
                why = f"the service account's private_key can not be used: {error}"
                raise Permanent(why) from error
            asked = {"grant_type": GRANT, "assertion": assertion}
            return await client.post(account.token_uri, data=asked)

        return await self._tokens.get(credential, ask)


def request(message: Message, token: str) -> dict[str, Any]:
    """The body of FCM's request. What the message says itself may be v1's own (fcmV1Message, as
    SNS has it), or the older `data` and `notification`, which v1 knows as well."""
    if not message.is_payload:
        found: dict[str, Any] = {"data": {"default": message.text}}
    else:
        payload = message.payload
        own = payload.get("fcmV1Message")
        if isinstance(own, dict):
            found = dict(own.get("message") or {})
        else:
            found = {name: payload[name] for name in ("data", "notification") if name in payload}
            if "data" in found and isinstance(found["data"], dict):
                # v1 takes nothing but text there, and what is nested as JSON.
                found["data"] = {
                    name: one if isinstance(one, str) else msgspec.json.encode(one).decode()
                    for name, one in found["data"].items()
                }
            android = {name: payload[name] for name in ("priority",) if name in payload}
            if "collapse_key" in payload:
                android["collapse_key"] = payload["collapse_key"]
            if android:
                found["android"] = android
    android = dict(found.get("android") or {})
    android.setdefault("ttl", f"{int(message.time_to_live.total_seconds())}s")
    return {"message": {**found, "android": android, "token": token}}


def _error_code(response: httpx.Response) -> str:
    """FCM's own code in an answer that refuses, or else Google's."""
    if response.status_code < 300:
        return ""
    try:
        error = response.json()["error"]
        for detail in error.get("details", ()):
            if "errorCode" in detail:
                return str(detail["errorCode"])
        return str(error.get("status", ""))
    except (ValueError, KeyError, TypeError, AttributeError):
        return ""


def _names_token(response: httpx.Response, said: str) -> bool:
    """Whether an invalid argument is the token: FCM says so in a field violation."""
    return said == "INVALID_ARGUMENT" and "message.token" in response.text
