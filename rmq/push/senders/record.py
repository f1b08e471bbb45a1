"""Record: for development. Messages are written down instead of sent: in files, or in Redis, where
the endpoint's pages show them.

The newest are kept, so many of each kind; they belong to the account whose topic they are from.
"""

from __future__ import annotations

import asyncio
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from rmq.core import script
from rmq.core.executor import AsyncExecutor
from rmq.core.keys import PushKeys
from rmq.core.script import Call
from rmq.push.job import Job
from rmq.topics.envelope import Confirmation, timestamp

if TYPE_CHECKING:
    from rmq.client.aio import AsyncClient

KEPT = 1000
"""Records of one kind, in Redis."""
KINDS = {
    "email": "email",
    "email-json": "email",
    "sms": "sms",
    "application": "mobile",
    "firehose": "firehose",
}
"""By protocol, under what it is kept."""


class Record(msgspec.Struct, omit_defaults=True, frozen=True, kw_only=True):
    """A message as it would have been sent."""

    at: str
    """When: ISO 8601."""
    protocol: str
    endpoint: str
    type: str
    """Notification, SubscriptionConfirmation or UnsubscribeConfirmation."""
    id: str
    text: str
    """For this endpoint."""
    payload: str
    """All that would be sent, as one text."""
    body: str = ""
    """As it was published, where that has a text for each protocol."""
    subject: str | None = None
    attributes: dict[str, dict[str, str]] = {}
    topic_arn: str = ""
    subscription_arn: str = ""


_encoder = msgspec.json.Encoder()
_decoder = msgspec.json.Decoder(Record)


def recorded_from(job: Job, at_ms: int) -> Record:
    """The record of a job."""
    message = job.message
    return Record(
        at=timestamp(at_ms),
        protocol=job.protocol,
        endpoint=job.endpoint,
        type=job.kind,
        id=message.id,
        text=message.text,
        payload=job.payload.decode(),
        body=job.body.decode() if job.header.by_protocol else "",
        subject=job.header.subject,
        attributes={} if isinstance(message, Confirmation) else message.attributes,
        topic_arn=message.topic_arn,
        subscription_arn=job.subscription_arn,
    )


class RedisRecorder:
    """Keeps records in Redis."""

    def __init__(self, executor: AsyncExecutor) -> None:
        self._executor = executor

    async def send(self, job: Job) -> None:
        record = _encoder.encode(recorded_from(job, self._executor.clock.now_ms()))
        key = recorded_key(job.registry.push, KINDS[job.protocol])
        await self._executor.call(write(key, record))

    async def close(self) -> None:
        pass


class FileRecorder:
    """Keeps records in files: `<folder>/<kind>/<time>-<message id>.json`. None is removed."""

    def __init__(self, folder: Path, executor: AsyncExecutor) -> None:
        self._folder = folder
        self._executor = executor

    async def send(self, job: Job) -> None:
        record = recorded_from(job, self._executor.clock.now_ms())
        folder = self._folder / KINDS[job.protocol]
        # A message goes to many endpoints, and what they are called may be no name of a file.
        endpoint = hashlib.blake2b(job.endpoint.encode(), digest_size=4).hexdigest()
        name = f"{record.at.replace(':', '')}-{record.id}-{endpoint}.json"
        await asyncio.to_thread(_write, folder, name, _encoder.encode(record))

    async def close(self) -> None:
        pass


def _write(folder: Path, name: str, record: bytes) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    # Under another name until it is whole: somebody may be reading the folder.
    part = folder / f".{name}"
    part.write_bytes(record)
    part.rename(folder / name)


def write(key: str, record: bytes) -> Call[None]:
    """Keep one record."""
    return script.load("topics/record").call(
        "push", lambda reply: None, recorded=key, record=record, most=KEPT
    )


def recorded_key(keys: PushKeys, kind: str) -> str:
    """The list that holds the records of one kind."""
    key: str = getattr(keys, f"recorded_{kind}")
    return key


async def recorded(client: AsyncClient, kind: str, *, limit: int = KEPT) -> list[Record]:
    """The newest records of a kind (email, sms, mobile, firehose) in the client's namespace, the
    oldest of them first."""
    key = recorded_key(PushKeys(client.namespace), kind)
    call = script.command("LRANGE", kind, list, key, 0, limit - 1)
    found = await client._executor.call(call)
    return [_decoder.decode(one) for one in reversed(found)]


async def forget(client: AsyncClient, kind: str, *, endpoint: str | None = None) -> None:
    """Remove all records of a kind, or those of one endpoint."""
    key, executor = recorded_key(PushKeys(client.namespace), kind), client._executor
    if endpoint is None:
        await executor.call(script.command("UNLINK", kind, lambda reply: None, key))
        return
    found = await executor.call(script.command("LRANGE", kind, list, key, 0, -1))
    for one in found:
        if _decoder.decode(one).endpoint == endpoint:
            await executor.call(script.command("LREM", kind, lambda reply: None, key, 1, one))
