"""ADM: Amazon's devices, by Amazon Device Messaging.

The application's PlatformPrincipal is the client id, its PlatformCredential the client secret. With
them an access token is got, which is good for an hour.
Source: Request an access token, Send a message via Amazon Device Messaging (Amazon Developer).
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import httpx
import msgspec

from rmq.push.job import Passing
from rmq.push.senders.mobile.sender import AccessTokens, Message, Phone, outcome

LONGEST_S = 2_678_400
"""ADM keeps a message for at most 31 days."""
GONE = ("InvalidRegistrationId", "Unregistered")
KINDS = {
    "X-Amzn-Type-Version": "com.amazon.device.messaging.ADMMessage@1.0",
    "X-Amzn-Accept-Type": "com.amazon.device.messaging.ADMSendResult@1.0",
}


class Adm:
    """Amazon Device Messaging."""

    def __init__(self, url: str) -> None:
        self._url = url.rstrip("/")
        self._tokens = AccessTokens()

    async def push(self, client: httpx.AsyncClient, phone: Phone, message: Message) -> None:
        identity = (phone.principal, phone.credential)
        payload: dict[str, Any] = {"data": {"default": message.text}}
        if message.is_payload:
            payload = message.payload
        data = payload.get("data")
        if isinstance(data, dict):
            # ADM takes nothing but text there.
            payload["data"] = {
                name: one if isinstance(one, str) else msgspec.json.encode(one).decode()
                for name, one in data.items()
            }
        payload.setdefault("expiresAfter", min(_seconds(message), LONGEST_S))
        response = await client.post(
            f"{self._url}/messaging/registrations/{quote(phone.token, safe='')}/messages",
            json=payload,
            headers={"Authorization": f"Bearer {await self._access(client, identity)}", **KINDS},
        )
        if response.status_code == 401:
            self._tokens.drop(identity)
            raise Passing("ADM does not take our access token")
        said = _reason(response)
        outcome(response, said, gone=said in GONE)

    async def _access(self, client: httpx.AsyncClient, identity: tuple[str, str]) -> str:
        asked = {
            "grant_type": "client_credentials",
            "scope": "messaging:push",
            "client_id": identity[0],
            "client_secret": identity[1],
        }
        return await self._tokens.get(
            identity, lambda: client.post(f"{self._url}/auth/o2/token", data=asked)
        )


def _seconds(message: Message) -> int:
    return max(int(message.time_to_live.total_seconds()), 1)


def _reason(response: httpx.Response) -> str:
    if response.status_code < 300:
        return ""
    try:
        return str(response.json()["reason"])
    except (ValueError, KeyError, TypeError):
        return ""
