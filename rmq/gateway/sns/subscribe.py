"""Subscribe: let an endpoint have what is published on a topic."""

from __future__ import annotations

import re
from typing import Any

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.attributes import unknown_attribute
from rmq.gateway.sns.errors import invalid
from rmq.gateway.sns.place import topic_of
from rmq.gateway.sns.subscriptions import REPLAY, attributes_in, replay_in, set_replay
from rmq.topics.subscription import PROTOCOLS

PENDING = "pending confirmation"
"""The answer in place of an ARN, unless that is asked for (ReturnSubscriptionArn)."""
_ARN = r"arn:aws[a-z-]*:{}:[a-z0-9-]+:[0-9]{{12}}:.+"
_ENDPOINTS = {
    "http": (r"http://\S+", "Endpoint must match the specified protocol"),
    "https": (r"https://\S+", "Endpoint must match the specified protocol"),
    "email": (r"[^\s@]+@[^\s@]+", "Email address"),
    "email-json": (r"[^\s@]+@[^\s@]+", "Email address"),
    "sms": (r"\+?[0-9][0-9 ().-]*", "Invalid SMS endpoint"),
    "sqs": (_ARN.format("sqs"), "SQS endpoint ARN"),
    "lambda": (_ARN.format("lambda"), "Lambda endpoint ARN"),
    "firehose": (_ARN.format("firehose"), "Firehose endpoint ARN"),
    "application": (_ARN.format("sns"), "Application endpoint arn invalid"),
}
"""What an endpoint of each protocol looks like here, and what SNS says of one that does not. The
library takes more: names of queues and of functions."""


async def subscribe(caller: Caller, given: Given) -> Answer:
    topic, protocol = topic_of(caller, given), given["Protocol"]
    if protocol not in PROTOCOLS:
        raise invalid(f"Amazon SNS does not support this protocol string: {protocol[:100]}")
    endpoint = given.get("Endpoint", "")
    pattern, refusal = _ENDPOINTS[protocol]
    if not re.fullmatch(pattern, endpoint):
        raise invalid(refusal)
    attributes = dict(given.get("Attributes", {}))
    replay = replay_in(attributes.pop(REPLAY)) if REPLAY in attributes else None
    made: dict[str, Any] = attributes_in(attributes, unknown_attribute)
    one = await topic.subscribe(endpoint, protocol, account=caller.account, **made)
    if replay is not None:
        await set_replay(topic, one.id, replay)
    if one.confirmed or given.get("ReturnSubscriptionArn"):
        return {"SubscriptionArn": one.arn}
    return {"SubscriptionArn": PENDING}
