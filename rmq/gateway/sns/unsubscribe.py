"""Unsubscribe: end a subscription; one that is not there has ended already. The link in
notifications (UnsubscribeURL) is this action, unsigned: then the endpoint is told, and may come
back."""

from __future__ import annotations

from contextlib import suppress

from rmq.errors import SubscriptionDoesNotExist, TopicDoesNotExist
from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.errors import not_authorized
from rmq.gateway.sns.place import arn_in, subscription_of


async def unsubscribe(caller: Caller, given: Given) -> Answer:
    topic, id = subscription_of(caller, given)
    try:
        one = await topic.subscription(id)
    except (SubscriptionDoesNotExist, TopicDoesNotExist):
        return None
    owners = (one.account, arn_in(caller, given, "SubscriptionArn").place.account)
    by_owner = caller.is_signed and caller.account in owners
    if one.authenticate_on_unsubscribe and not by_owner:
        raise not_authorized(caller, "Unsubscribe", one.arn)
    with suppress(TopicDoesNotExist):  # removed meanwhile
        await topic.unsubscribe(id, farewell=not by_owner)
    return None
