"""RemovePermission: take back what AddPermission gave."""

from __future__ import annotations

from typing import Any

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.changes import change
from rmq.gateway.sns.place import topic_of
from rmq.security.topic_policy import remove_permission as removed
from rmq.topics.attributes import TopicInfo


async def remove_permission(caller: Caller, given: Given) -> Answer:
    label = given["Label"]

    def make(info: TopicInfo) -> dict[str, Any]:
        return {"policy": removed(info.attributes.policy, info.arn, label)}

    await change(topic_of(caller, given), make)
    return None
