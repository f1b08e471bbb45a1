"""Peek: /_aws/sqs/messages, a queue's messages in the form of ReceiveMessage, without a receive.

    GET /_aws/sqs/messages?QueueUrl=...              or with the queue in the path:
    GET /_aws/sqs/messages/<region>/<account>/<name>
    ShowInvisible=true, ShowDelayed=true             also what is in flight, also what is delayed

XML, or JSON where the Accept header asks for it. A client of AWS's may also be pointed at that
address; its ReceiveMessage is then answered in its own protocol.
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import unquote

import msgspec

from rmq.errors import QueueDoesNotExist
from rmq.gateway.caller import Accounts, Caller, caller_of
from rmq.gateway.credential import credential_of
from rmq.gateway.http import Request, Response
from rmq.gateway.protocol import json
from rmq.gateway.service import Given
from rmq.gateway.sqs.errors import missing, no_such_queue
from rmq.gateway.sqs.messages import Selection, all_out
from rmq.gateway.sqs.place import owner_of, queue_of
from rmq.gateway.wire import JSON_TYPES, content_type_of, form_of

PATH = "/_aws/sqs/messages"
HANDLE = "SQS/BACKDOOR/ACCESS"
"""What stands for a receipt handle: a message that was looked at has none."""
MOST = 1000
"""Messages in one answer."""
EVERYTHING: Given = {"AttributeNames": ["All"], "MessageAttributeNames": ["All"]}


async def peek(accounts: Accounts, request: Request) -> Response:
    """The messages of one queue, in the order of sending. Raises AwsError."""
    form = form_of(request)
    given: Given = dict(form)
    by_sdk = "x-amz-target" in request.headers
    if by_sdk:
        given |= json.read(lambda value, problems: value, request.body, [])
    if request.path != PATH:
        parts = [unquote(one) for one in request.path.removeprefix(PATH).split("/") if one]
        given["QueueUrl"] = "/queue/" + "/".join(parts) if len(parts) == 3 else request.path
    if not isinstance(given.get("QueueUrl"), str):
        raise missing("QueueUrl")
    credential = credential_of(request.headers, form, request.host)
    caller = caller_of(request, credential, accounts, asyncio.Event())
    found = await _messages(caller, given)
    if by_sdk:
        body = json.write({"Messages": found} if found else {})
        return Response(200, body, content_type_of(request) or JSON_TYPES[0])
    if "json" in request.headers.get("accept", ""):
        return Response(200, msgspec.json.encode(_as_xml_in_json(found)), "application/json")
    return _xml(request, found)


async def _messages(caller: Caller, given: Given) -> list[dict[str, Any]]:
    queue, owner = queue_of(caller, given), owner_of(caller, given)
    wanted = Selection(EVERYTHING)
    states = {"visible"}
    if _is_true(given.get("ShowInvisible")):
        states.add("in flight")
    if _is_true(given.get("ShowDelayed")):
        states.add("delayed")
    try:
        messages = await queue.peek(MOST)
    except QueueDoesNotExist:
        raise no_such_queue() from None
    shown = (one for one in messages if one.state in states)
    return all_out(owner, shown, wanted, lambda one: HANDLE)


def _is_true(value: object) -> bool:
    return str(value).lower() in ("true", "1")


def _xml(request: Request, found: list[dict[str, Any]]) -> Response:
    from rmq.gateway.sqs import SERVICE
    from rmq.gateway.wire import QueryWire

    wire = QueryWire(SERVICE, request, {})
    return wire.answer(SERVICE.table["ReceiveMessage"], {"Messages": found} if found else {})


def _as_xml_in_json(found: list[dict[str, Any]]) -> dict[str, Any]:
    """The XML's own structure, member for member."""
    messages = []
    for one in found:
        attributes = one.pop("Attributes", {})
        one["Attribute"] = [{"Name": name, "Value": value} for name, value in attributes.items()]
        if "MessageAttributes" in one:
            pairs = one.pop("MessageAttributes").items()
            one["MessageAttribute"] = [{"Name": name, "Value": value} for name, value in pairs]
        messages.append(one)
    return {"ReceiveMessageResponse": {"ReceiveMessageResult": {"Message": messages}}}
