"""CreateQueue: make a queue, or find that it stands with the same attributes."""

from __future__ import annotations

from rmq.errors import InvalidParameter, TooManyTags
from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.attributes import attributes_in, refused
from rmq.gateway.sqs.errors import (
    FIFO_NAME,
    STANDARD_NAME,
    invalid,
    invalid_attribute,
    unknown_attribute,
)
from rmq.gateway.sqs.place import Owner, url_of
from rmq.queues.attributes import queue_name


async def create_queue(caller: Caller, given: Given) -> Answer:
    name, attributes = given["QueueName"], dict(given.get("Attributes", {}))
    is_fifo = _is_fifo(name, attributes.pop("FifoQueue", None))
    client = caller.client
    owner = Owner(caller.account, caller.region)
    made = attributes_in(attributes, owner, client.limits, is_fifo=is_fifo)
    try:
        await client.create_queue(name, tags=given.get("tags"), **made)
    except TooManyTags:
        raise
    except InvalidParameter as error:
        if error.field.startswith("tag"):
            raise
        raise refused(error, attributes) from error
    return {"QueueUrl": url_of(caller, name)}


def _is_fifo(name: str, said: str | None) -> bool:
    """Name and attribute must agree. Raises AwsError."""
    wanted = (said or "").lower() == "true"
    if said is not None and said.lower() not in ("true", "false"):
        raise invalid_attribute("FifoQueue")
    try:
        queue_name(name)
    except InvalidParameter:
        raise invalid(FIFO_NAME if wanted else STANDARD_NAME) from None
    if wanted and not name.endswith(".fifo"):
        raise invalid(FIFO_NAME)
    if not wanted and name.endswith(".fifo"):
        raise invalid(STANDARD_NAME)
    if said is not None and not wanted:
        raise unknown_attribute("FifoQueue")
    return wanted
