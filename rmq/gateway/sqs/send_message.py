"""SendMessage: one message into a queue."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.messages import foreign_sender, outgoing, sent_out
from rmq.gateway.sqs.place import queue_of


async def send_message(caller: Caller, given: Given) -> Answer:
    queue = queue_of(caller, given)
    message = outgoing(given, queue.is_fifo, foreign_sender(caller, given))
    sent = await queue.send(
        message.body,
        attributes=message.attributes,
        delay=message.delay,
        message_group_id=message.message_group_id,
        deduplication_id=message.deduplication_id,
        trace_header=message.trace_header,
        sender_id=message.sender_id,
    )
    return sent_out(sent, message)
