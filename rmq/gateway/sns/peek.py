"""Peek: what users' tests ask of a well-known emulator: which messages would have gone to phones,
and by which token a subscription is confirmed.

    GET, DELETE  /_aws/sns/platform-endpoint-messages     endpointArn=.. for one endpoint's
    GET, DELETE  /_aws/sns/sms-messages                   phoneNumber=.. for one number's
    GET          /_aws/sns/subscription-tokens/<ARN of a subscription>
    accountId=.., region=..                               whose; else the endpoint's own

The messages are those that a dispatcher recorded (rmq.push.senders.record).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote

import msgspec

from rmq.client.aio import AsyncClient
from rmq.errors import SubscriptionDoesNotExist, TopicDoesNotExist
from rmq.gateway.caller import Accounts
from rmq.gateway.errors import AwsError
from rmq.gateway.http import Request, Response
from rmq.gateway.protocol.query import read_form
from rmq.gateway.sns.errors import invalid
from rmq.gateway.sns.place import read_subscription
from rmq.push.senders.record import Record, forget, recorded

PATH = "/_aws/sns/"
MOBILE = f"{PATH}platform-endpoint-messages"
SMS = f"{PATH}sms-messages"
TOKENS = f"{PATH}subscription-tokens"


async def peek(accounts: Accounts, request: Request) -> Response:
    """What is behind one of the paths. Raises AwsError."""
    if request.path.startswith(f"{TOKENS}/"):
        return await _token(accounts, unquote(request.path.removeprefix(f"{TOKENS}/")))
    asked = read_form(request.query)
    client = client_of(accounts, asked)
    if request.path == MOBILE:
        return await _messages(request, client, "mobile", asked.get("endpointArn"))
    if request.path == SMS:
        return await _messages(request, client, "sms", asked.get("phoneNumber"))
    return _json(404, {"error": f"there is nothing at {request.path[:100]}"})


def client_of(accounts: Accounts, asked: Mapping[str, str]) -> AsyncClient:
    """The client of the account and region that are asked for. Raises AwsError."""
    account, region = accounts.own
    account, region = asked.get("accountId") or account, asked.get("region") or region
    if not re.fullmatch("[0-9]{12}", account):
        raise invalid("accountId", "must be 12 digits")
    if not re.fullmatch("[a-z0-9-]{1,24}", region):
        raise invalid("region")
    return accounts.client(account, region)


async def _messages(
    request: Request, client: AsyncClient, kind: str, endpoint: str | None
) -> Response:
    if request.method == "DELETE":
        await forget(client, kind, endpoint=endpoint)
        return Response(204)
    if request.method not in ("GET", "HEAD"):
        return _json(405, {"error": f"use GET or DELETE, not {request.method}"})
    found: dict[str, list[dict[str, Any]]] = {} if endpoint is None else {endpoint: []}
    for one in await recorded(client, kind):
        if endpoint in (None, one.endpoint):
            found.setdefault(one.endpoint, []).append(_out(one, kind))
    name = "platform_endpoint_messages" if kind == "mobile" else "sms_messages"
    return _json(200, {name: found, "region": client.place.region})


def _out(one: Record, kind: str) -> dict[str, Any]:
    """A message by the emulator's names."""
    found: dict[str, Any] = {
        "PhoneNumber" if kind == "sms" else "TargetArn": one.endpoint,
        "TopicArn": one.topic_arn or None,
        "SubscriptionArn": one.subscription_arn or None,
        "MessageId": one.id,
        "Message": one.body or one.text,
        "MessageAttributes": one.attributes,
        "MessageStructure": "json" if one.body else None,
        "Subject": one.subject,
    }
    return found


async def _token(accounts: Accounts, arn: str) -> Response:
    try:
        topic, id = read_subscription(accounts, arn)
    except AwsError as error:
        return _json(400, {"error": error.message, "subscription_arn": arn})
    try:
        one = await topic.subscription(id)
    except (SubscriptionDoesNotExist, TopicDoesNotExist):
        one = None
    if one is None or not one.token:
        said = "The provided SubscriptionARN is not found"
        return _json(404, {"error": said, "subscription_arn": arn})
    return _json(200, {"subscription_token": one.token, "subscription_arn": arn})


def _json(status: int, value: Any) -> Response:
    return Response(status, msgspec.json.encode(value), "application/json")
