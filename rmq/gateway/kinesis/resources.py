"""Resources: what has tags and policies: streams, registered consumers, queues and channels.

Source: TagResource, PutResourcePolicy (Amazon Kinesis Data Streams API Reference).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from msgspec.structs import replace

from rmq.core.limits import Limits, checked_tags
from rmq.errors import TooManyTags, Words
from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.channels import Channel, channels, no_channel
from rmq.gateway.kinesis.errors import invalid, not_found
from rmq.gateway.kinesis.place import resource
from rmq.gateway.kinesis.queues import queues_of
from rmq.gateway.service import Given
from rmq.outlets.catalog import Catalog
from rmq.outlets.queues import StreamQueue
from rmq.security import stream_policy
from rmq.streams.aio import AsyncStream


class Tagged(Protocol):
    """Something with tags and a policy."""

    async def tag(self, add: Mapping[str, str], remove: Iterable[str]) -> dict[str, str]:
        """Set and remove tags. All there are then."""
        ...

    async def policy(self) -> str | None: ...

    async def set_policy(self, policy: str | None) -> None: ...


def resource_in(caller: Caller, given: Given) -> Tagged:
    """What ResourceARN names. Raises AwsError."""
    arn = given["ResourceARN"]
    found = resource(arn, "ResourceARN")
    client = caller.accounts.client(*found.place)
    if found.kind == "stream":
        return _Stream(client.stream(found.name))
    if found.kind == "consumer":
        return _Consumer(client.stream(found.name), arn)
    if found.kind == "queue":
        return _Listed(queues_of(caller, found.place).catalog, found.name, arn, client.limits)
    return _Listed(channels(caller, found.place), found.name, arn, client.limits)


def check_tags(tags: Mapping[str, str]) -> None:
    """Raises AwsError."""
    for key in tags:
        if key.lower().startswith("aws:"):
            raise invalid(f"Tag key {key[:128]} must not begin with aws:, which is reserved.")


def shown_tags(tags: Mapping[str, str]) -> list[dict[str, Any]]:
    return [{"Key": key, "Value": tags[key]} for key in sorted(tags)]


class _Stream:
    def __init__(self, stream: AsyncStream) -> None:
        self._stream = stream

    async def tag(self, add: Mapping[str, str], remove: Iterable[str]) -> dict[str, str]:
        keys = list(remove)
        if keys:
            return await self._stream.untag(keys)
        return await self._stream.tag(add) if add else await self._stream.tags()

    async def policy(self) -> str | None:
        return (await self._stream.info()).attributes.policy

    async def set_policy(self, policy: str | None) -> None:
        await self._stream.set_attributes(policy=policy)


class _Consumer:
    def __init__(self, stream: AsyncStream, arn: str) -> None:
        self._stream = stream
        self._arn = arn

    async def tag(self, add: Mapping[str, str], remove: Iterable[str]) -> dict[str, str]:
        return await self._stream.tag_consumer(self._arn, add, remove=remove)

    async def policy(self) -> str | None:
        return (await self._stream.registered_consumer(self._arn)).policy

    async def set_policy(self, policy: str | None) -> None:
        await self._stream.set_consumer_policy(self._arn, policy)


class _Listed:
    """A queue or a channel: a document of a catalog."""

    def __init__(
        self,
        catalog: Catalog[StreamQueue] | Catalog[Channel],
        id: str,
        arn: str,
        limits: Limits,
    ) -> None:
        self._catalog: Catalog[Any] = catalog
        self._id = id
        self._arn = arn
        self._limits = limits

    async def tag(self, add: Mapping[str, str], remove: Iterable[str]) -> dict[str, str]:
        gone, most = set(remove), self._limits.max_tags
        labels = checked_tags(add, self._limits)

        def change(one: Any) -> Any:
            tags = {key: value for key, value in one.tags.items() if key not in gone} | labels
            if most is not None and len(tags) > most and labels:
                raise TooManyTags("tags", Words(f"{len(tags)} tags"), f"at most {most} of them")
            return replace(one, tags=tags)

        return dict(change(await self._changed(change)).tags)

    async def policy(self) -> str | None:
        found = await self._catalog.find(self._id)
        if found is None:
            raise self._gone()
        return str(found.policy)

    async def set_policy(self, policy: str | None) -> None:
        if policy is not None:
            stream_policy.check(policy, self._arn, self._limits.max_policy_bytes)
        await self._changed(lambda one: replace(one, policy=policy or ""))

    async def _changed(self, change: Any) -> Any:
        before = await self._catalog.change(self._id, change)
        if before is None:
            raise self._gone()
        return before

    def _gone(self) -> Exception:
        if ":channel/" in self._arn:
            return no_channel(self._arn)
        return not_found(f"Queue {self._arn} not found.")
