"""Dead letters of consumers: records that their handler failed on, as messages of a queue.

    {"stream": "orders", "group": "billing", "shard_id": .., "sequence_number": ..,
     "sub_sequence_number": 0, "partition_key": .., "approximate_arrival_timestamp": .. (ISO 8601),
     "attempts": 5, "error": "ValueError: no such customer", "data": .. (Base64)}

Streams know no queues: the client hands them this.
"""

from __future__ import annotations

import base64
from typing import Any

import msgspec

from rmq.streams.groups.options import DeadLetter

ERROR_CHARACTERS = 1000
"""Of what the handler raised."""


class DeadLetterQueue:
    """A queue that takes dead letters."""

    def __init__(self, client: Any, name: str) -> None:
        """Of an AsyncClient."""
        self._queue = client.queue(name)
        self._most = 0

    async def prepare(self) -> None:
        """See that the queue is there. Raises QueueDoesNotExist."""
        info = await self._queue.info()
        self._most = info.attributes.maximum_message_size

    async def __call__(self, letter: DeadLetter) -> None:
        """Send one. What is too large for the queue goes without its data, which the stream has
        under its sequence number for as long as it keeps it."""
        record = letter.record
        # What is raised may quote anything, also what is no text.
        error = f"{type(letter.error).__name__}: {letter.error}"[:ERROR_CHARACTERS]
        written = {
            "stream": letter.stream,
            "group": letter.group,
            "shard_id": record.shard_id,
            "sequence_number": record.sequence_number,
            "sub_sequence_number": record.sub_sequence_number,
            "partition_key": record.partition_key,
            "approximate_arrival_timestamp": record.approximate_arrival_timestamp.isoformat(),
            "attempts": letter.attempts,
            "error": error.encode("utf-8", "replace").decode(),
        }
        body = msgspec.json.encode(written | {"data": base64.b64encode(record.data).decode()})
        if len(body) > self._most:
            body = msgspec.json.encode(written | {"data_bytes": len(record.data)})
        given: dict[str, Any] = {}
        if self._queue.name.endswith(".fifo"):
            # A shard's own order; what is sent again after a crash is there once.
            given["message_group_id"] = record.shard_id
            given["deduplication_id"] = (
                f"{letter.group}-{record.sequence_number}-{record.sub_sequence_number}"[-128:]
            )
        await self._queue.send(body, **given)
