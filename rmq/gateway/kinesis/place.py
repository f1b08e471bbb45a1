"""Place: where a stream or something of it is, by name or by ARN.

arn:aws:kinesis:<region>:<account>:stream/<stream>
arn:aws:kinesis:<region>:<account>:stream/<stream>/consumer/<consumer>:<created, s>
arn:aws:kinesis:<region>:<account>:queue/<id>
arn:aws:kinesis:<region>:<account>:channel/<id>

An ARN says where its stream is, whoever asks; a name means the caller's own.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from rmq.core.place import Arn, Place, read_arn
from rmq.errors import InvalidParameter
from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.errors import invalid, no_stream, not_valid
from rmq.gateway.service import Given
from rmq.streams.aio import AsyncStream
from rmq.streams.attributes import StreamInfo
from rmq.streams.sequence import read_shard_id

_RESOURCE = re.compile(
    r"(?P<kind>stream|queue|channel)/(?P<name>[a-zA-Z0-9_.-]{1,128})"
    r"(?:/consumer/(?P<consumer>[a-zA-Z0-9_.-]{1,128}):(?P<created>[0-9]{1,12}))?"
)


class Resource(NamedTuple):
    """What an ARN of Kinesis names."""

    kind: str
    """stream, consumer, queue or channel."""
    place: Place
    name: str
    """Of the stream; the id of a queue or channel."""
    consumer: str = ""
    created_s: int = 0
    """When the consumer was registered."""


def stream_of(caller: Caller, given: Given) -> AsyncStream:
    """The stream that StreamName, StreamARN or both name. Raises AwsError."""
    name, arn = given.get("StreamName"), given.get("StreamARN")
    if arn is None:
        if name is None:
            raise invalid("Either StreamName or StreamARN should be provided.")
        return caller.client.stream(name)
    found = resource(arn, "StreamARN", "stream")
    if name is not None and name != found.name:
        raise invalid(f"StreamName {name} and the stream of StreamARN {arn} are not the same.")
    return caller.accounts.client(*found.place).stream(found.name)


def resource(arn: str, parameter: str, *kinds: str) -> Resource:
    """What an ARN names, if that is one of some kinds. Raises AwsError."""
    found = _read(arn)
    if found is None or (kinds and found.kind not in kinds):
        raise invalid(f"{parameter} {arn[:200]} is not the ARN of a {' or a '.join(kinds)}.")
    return found


@lru_cache(maxsize=4096)
def _read(text: str) -> Resource | None:
    try:
        arn: Arn = read_arn("arn", text)
    except InvalidParameter:
        return None
    found = _RESOURCE.fullmatch(arn.resource)
    if found is None or arn.service != "kinesis":
        return None
    kind, name, consumer = found["kind"], found["name"], found["consumer"]
    if consumer is None:
        return Resource(kind, arn.place, name)
    if kind != "stream":
        return None
    return Resource("consumer", arn.place, name, consumer, int(found["created"]))


def one_stream(given: Given) -> str:
    """The StreamARN of a list that has to have one entry. Raises AwsError."""
    listed = given["StreamConfigurationList"]
    if len(listed) != 1:
        raise not_valid(
            f"StreamConfigurationList has {len(listed)} members; it must contain exactly one."
        )
    return str(listed[0]["StreamARN"])


def place_of(caller: Caller, given: Given) -> Place:
    """Where the stream of a request is. Raises AwsError."""
    arn = given.get("StreamARN")
    if arn is None:
        return Place(caller.account, caller.region)
    return resource(arn, "StreamARN", "stream").place


def shard_number(text: str) -> int:
    """The number in a shard's name. Raises AwsError."""
    found = read_shard_id(text)
    if found is None:
        raise invalid(f"{text} is not the name of a shard, such as shardId-000000000000.")
    return found


async def check_on_demand(caller: Caller, arn: str) -> AsyncStream:
    """The stream that an ARN names, if it is on demand. Raises AwsError, StreamDoesNotExist."""
    stream = stream_of(caller, {"StreamARN": arn})
    info = await stream.info()
    if info.attributes.mode != "ON_DEMAND":
        raise not_valid(
            f"Stream {info.name} under account {info.place.account} is not in On-Demand mode, "
            "which this operation needs."
        )
    return stream


def consumer_of(caller: Caller, given: Given) -> tuple[AsyncStream, str]:
    """The stream and the name or ARN of the registered consumer that a request names: by its ARN,
    by the stream's ARN and its name, or by all of them where they agree. Raises AwsError."""
    arn, name = given.get("ConsumerARN"), given.get("ConsumerName")
    if arn is None:
        if name is None or "StreamARN" not in given:
            raise invalid("Either ConsumerARN or both StreamARN and ConsumerName must be provided.")
        return stream_of(caller, given), name
    found = resource(arn, "ConsumerARN", "consumer")
    stream = caller.accounts.client(*found.place).stream(found.name)
    if name not in (None, found.consumer) or given.get("StreamARN") not in (None, stream.arn):
        raise invalid(f"ConsumerARN {arn} conflicts with the StreamARN or ConsumerName provided.")
    return stream, arn


def check_created(given: Given, info: StreamInfo) -> None:
    """Raise AwsError where a stream is meant that was made at another time."""
    at = given.get("StreamCreationTimestamp")
    if at is not None and abs((at - info.created_at).total_seconds()) >= 1:
        raise no_stream(info.name, info.place.account)
