"""GetQueueAttributes: what a queue was told to be, and how much is in it."""

from __future__ import annotations

from datetime import datetime

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.attributes import COUNTS, FIELD_OF, attributes_out
from rmq.gateway.sqs.errors import unknown_attribute
from rmq.gateway.sqs.place import arn_of, owner_of, queue_of

READ_ONLY = ("QueueArn", "CreatedTimestamp", "LastModifiedTimestamp", "FifoQueue", *COUNTS)


async def get_queue_attributes(caller: Caller, given: Given) -> Answer:
    queue, owner = queue_of(caller, given), owner_of(caller, given)
    names = set(given.get("AttributeNames", ()))
    for name in sorted(names - {"All"}):
        if name not in FIELD_OF and name not in READ_ONLY:
            raise unknown_attribute(name)
    info = await queue.info()
    if not names:
        return {}
    everything = "All" in names
    found = attributes_out(info.attributes, owner, is_fifo=info.is_fifo) | {
        "QueueArn": arn_of(owner, queue.name),
        "CreatedTimestamp": _seconds(info.created_at),
        "LastModifiedTimestamp": _seconds(info.modified_at),
    }
    if everything or names & COUNTS.keys():
        stats = await queue.stats()
        found |= {name: str(getattr(stats, field)) for name, field in COUNTS.items()}
    if not everything:
        found = {name: value for name, value in found.items() if name in names}
    return {"Attributes": found} if found else {}


def _seconds(at: datetime) -> str:
    return str(int(at.timestamp()))
