"""GetSubscriptionAttributes: who gets what, how, and which of it."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.place import subscription_of
from rmq.gateway.sns.subscriptions import attributes_out


async def get_subscription_attributes(caller: Caller, given: Given) -> Answer:
    topic, id = subscription_of(caller, given)
    one = await topic.subscription(id)
    policy, status = None, None
    if one.protocol in ("http", "https"):
        policy = (await topic.info()).attributes.delivery_policy
    if one.replay is not None:
        status = await topic.replay_status(id)
    return {"Attributes": attributes_out(one, policy, status)}
