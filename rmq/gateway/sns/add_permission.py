"""AddPermission: let other accounts do something with a topic. Kept and returned."""

from __future__ import annotations

from typing import Any

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.changes import change
from rmq.gateway.sns.place import topic_of
from rmq.security.topic_policy import add_permission as added
from rmq.topics.attributes import TopicInfo


async def add_permission(caller: Caller, given: Given) -> Answer:
    label, accounts, actions = given["Label"], given["AWSAccountId"], given["ActionName"]

    def make(info: TopicInfo) -> dict[str, Any]:
        return {"policy": added(info.attributes.policy, info.arn, label, accounts, actions)}

    await change(topic_of(caller, given), make)
    return None
