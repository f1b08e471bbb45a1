"""DeleteTopic: remove a topic with its subscriptions; one that is not there is removed already."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.place import topic_of


async def delete_topic(caller: Caller, given: Given) -> Answer:
    await topic_of(caller, given).delete_topic()
    return None
