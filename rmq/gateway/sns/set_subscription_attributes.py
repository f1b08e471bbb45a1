"""SetSubscriptionAttributes: change one attribute of a subscription."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.errors import invalid
from rmq.gateway.sns.place import subscription_of
from rmq.gateway.sns.subscriptions import REPLAY, attributes_in, replay_in, set_replay


async def set_subscription_attributes(caller: Caller, given: Given) -> Answer:
    topic, id = subscription_of(caller, given)
    name, value = given["AttributeName"], given.get("AttributeValue", "")
    if name == REPLAY:
        await set_replay(topic, id, replay_in(value))
        return None
    made = attributes_in({name: value}, lambda name: invalid("AttributeName"))
    await topic.set_subscription(id, **made)
    return None
