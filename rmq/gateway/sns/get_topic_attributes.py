"""GetTopicAttributes: what a topic was told to be, and how many are subscribed."""

from __future__ import annotations

from contextlib import suppress

from rmq.errors import InvalidParameter
from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.attributes import attributes_out, moment
from rmq.gateway.sns.place import topic_of


async def get_topic_attributes(caller: Caller, given: Given) -> Answer:
    topic = topic_of(caller, given)
    info, stats = await topic.info(), await topic.stats()
    found = attributes_out(info) | {
        "SubscriptionsConfirmed": str(stats.subscriptions - stats.pending),
        "SubscriptionsPending": str(stats.pending),
        "SubscriptionsDeleted": "0",  # gone at once
    }
    if info.attributes.archive_retention is not None:
        with suppress(InvalidParameter):  # switched off meanwhile
            found["BeginningArchiveTime"] = moment(await topic.archive_begins())
    return {"Attributes": found}
