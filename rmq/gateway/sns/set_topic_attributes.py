"""SetTopicAttributes: change one attribute."""

from __future__ import annotations

from typing import Any

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.attributes import attributes_in
from rmq.gateway.sns.changes import change
from rmq.gateway.sns.errors import invalid
from rmq.gateway.sns.place import topic_of
from rmq.topics.attributes import TopicInfo


async def set_topic_attributes(caller: Caller, given: Given) -> Answer:
    topic = topic_of(caller, given)
    made = attributes_in(
        {given["AttributeName"]: given.get("AttributeValue", "")},
        is_fifo=topic.is_fifo,
        unknown=lambda name: invalid("AttributeName"),
    )
    if "feedback" not in made:
        await topic.set_attributes(**made)
        return None

    def merged(info: TopicInfo) -> dict[str, Any]:
        both = {**info.attributes.feedback, **made["feedback"]}
        return {"feedback": {name: value for name, value in both.items() if value}}

    await change(topic, merged)
    return None
