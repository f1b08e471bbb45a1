"""Subscribe: let an endpoint have what is published on a topic."""

from __future__ import annotations

from typing import Any

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.attributes import unknown_attribute
from rmq.gateway.sns.errors import ENDPOINTS, invalid
from rmq.gateway.sns.place import topic_of
from rmq.gateway.sns.subscriptions import REPLAY, attributes_in, replay_in, set_replay

PENDING = "pending confirmation"
"""The answer in place of an ARN, unless that is asked for (ReturnSubscriptionArn)."""
BY_ARN = ("sqs", "lambda")
"""Here their endpoints are ARNs; the library takes names of queues and of functions too."""


async def subscribe(caller: Caller, given: Given) -> Answer:
    topic, protocol = topic_of(caller, given), given["Protocol"]
    endpoint = given.get("Endpoint", "")
    if protocol in BY_ARN and not endpoint.startswith("arn:"):
        raise invalid(ENDPOINTS[protocol])
    attributes = dict(given.get("Attributes", {}))
    replay = replay_in(attributes.pop(REPLAY)) if REPLAY in attributes else None
    made: dict[str, Any] = attributes_in(attributes, unknown_attribute)
    one = await topic.subscribe(endpoint, protocol, account=caller.account, **made)
    if replay is not None:
        await set_replay(topic, one.id, replay)
    if one.confirmed or given.get("ReturnSubscriptionArn"):
        return {"SubscriptionArn": one.arn}
    return {"SubscriptionArn": PENDING}
