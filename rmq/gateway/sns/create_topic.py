"""CreateTopic: make a topic, or find that it stands with the same attributes and tags."""

from __future__ import annotations

from rmq.errors import InvalidParameter
from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.attributes import attributes_in, boolean_in, unknown_attribute
from rmq.gateway.sns.errors import invalid
from rmq.gateway.sns.tags import tags_in
from rmq.topics.attributes import topic_name

FIFO_NAME = (
    "Fifo Topic names must end with .fifo and must be made up of only uppercase and lowercase "
    "ASCII letters, numbers, underscores, and hyphens, and must be between 1 and 256 characters "
    "long."
)


async def create_topic(caller: Caller, given: Given) -> Answer:
    name, attributes = given["Name"], dict(given.get("Attributes", {}))
    is_fifo = _is_fifo(name, attributes.pop("FifoTopic", None))
    made = attributes_in(attributes, is_fifo=is_fifo, unknown=unknown_attribute)
    if "DataProtectionPolicy" in given:
        made["data_protection_policy"] = given["DataProtectionPolicy"] or None
    tags = tags_in(given["Tags"]) if "Tags" in given else None
    topic = await caller.client.create_topic(name, tags=tags, **made)
    return {"TopicArn": topic.arn}


def _is_fifo(name: str, said: str | None) -> bool:
    """Name and attribute must agree. Raises AwsError."""
    wanted = said is not None and boolean_in("FifoTopic", said)
    try:
        topic_name(name)
    except InvalidParameter:
        raise invalid(FIFO_NAME if wanted else "Topic Name") from None
    if wanted and not name.endswith(".fifo"):
        raise invalid(FIFO_NAME)
    if not wanted and name.endswith(".fifo"):
        raise invalid("Topic Name")
    return wanted
