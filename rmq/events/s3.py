"""S3 events: what an object store tells of its objects, in AWS's form, for a topic or a queue.

    uploads = s3.Forwarder(client, topic="uploads", events=["s3:ObjectCreated:*"], suffix=".jpg")
    await uploads.forward(body)

A store posts a body with one or more records. Each becomes a message of its own, as S3 sends them:
`{"Records": [..]}`. Records of stores that only speak S3 are made to look like S3's; S3's are
passed on as they are.

Source: Event message structure (Amazon S3 User Guide); MinIO's differences are listed in
docs/events.md.
"""

from __future__ import annotations

import re
import secrets
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote_plus, unquote_plus

import msgspec

from rmq.core.limits import listed, text
from rmq.errors import InvalidParameter, MissingParameter, RmqError, Words
from rmq.queues.attributes import queue_name
from rmq.topics.attributes import topic_name
from rmq.topics.message import Notification

if TYPE_CHECKING:
    from rmq.client.aio import AsyncClient

SUBJECT = "Amazon S3 Notification"
"""Of what goes to a topic."""
TEST = "s3:TestEvent"
MAX_BODY = 1 << 20
"""Bytes of a body. A record has some 1,000; a key 1,024 at the most."""
_PATTERN = re.compile(r"(s3:)?([A-Za-z]+|[A-Za-z]+:([A-Za-z]+|\*)|\*)")
_BUCKET = re.compile(r"[A-Za-z0-9._-]{1,255}")
_DELETED = ("ObjectRemoved:", "LifecycleExpiration:")
_UNRESERVED = "/-_.*"
"""Characters that S3 leaves as they are in a key."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened."""

    name: str
    """ObjectCreated:Put, .., without `s3:`; of the test event TEST."""
    bucket: str
    key: str
    """As the object is called: decoded. The test event has none."""
    body: bytes
    """The message: JSON."""

    @property
    def is_test(self) -> bool:
        return self.name == TEST


class Forwarder:
    """Brings S3 events to one topic or one queue."""

    def __init__(
        self,
        client: AsyncClient,
        *,
        topic: str | None = None,
        queue: str | None = None,
        events: Iterable[str] = (),
        prefix: str = "",
        suffix: str = "",
    ) -> None:
        """*topic* or *queue*: where to, by name; standard ones, as S3 takes them.
        *events*: only these, such as s3:ObjectCreated:* or ObjectRemoved:Delete; none is all.
        *prefix*, *suffix*: only of objects whose key (decoded) begins and ends so.
        The test event passes every filter.

        Raises InvalidParameter, MissingParameter.
        """
        if (topic is None) == (queue is None):
            raise MissingParameter("topic or queue", "say where to: exactly one of them")
        name = topic_name(topic) if topic is not None else queue_name(queue or "")
        if name.endswith(".fifo"):
            raise InvalidParameter(
                "topic" if topic else "queue", name, "a standard one; S3 sends to no FIFO"
            )
        self.client = client
        self._topic = None if topic is None else client.topic(topic)
        self._queue = None if queue is None else client.queue(queue)
        self._events = tuple(_pattern(one) for one in listed(events, "events", "patterns"))
        self._prefix = text(prefix, "prefix", 0, 1024)
        self._suffix = text(suffix, "suffix", 0, 1024)

    async def check(self) -> None:
        """Raise TopicDoesNotExist or QueueDoesNotExist where there is nothing to send to."""
        if self._topic is not None:
            await self._topic.info()
        elif self._queue is not None:
            await self._queue.info()

    async def forward(self, body: bytes | str) -> int:
        """Send what a store posted. When this returns, Redis has it. How many messages that were;
        what the filters leave out is none.

        Raises InvalidParameter (no S3 event), and whatever a publish or a send raises: what was
        sent before that is sent again when the store posts again.
        """
        found = [one for one in read(body, self.client.place.region) if self.passes(one)]
        await self._send([one.body for one in found])
        return len(found)

    async def send_test(self, bucket: str) -> None:
        """Send the event that S3 sends when a bucket is told to notify somebody."""
        if not isinstance(bucket, str) or not _BUCKET.fullmatch(bucket):
            raise InvalidParameter("bucket", bucket, "1 to 255 of A-Z a-z 0-9 . _ -")
        now = datetime.fromtimestamp(self.client.clock.now_ms() / 1000, UTC)
        told = {
            "Service": "Amazon S3",
            "Event": TEST,
            "Time": f"{now:%Y-%m-%dT%H:%M:%S}.{now.microsecond // 1000:03d}Z",
            "Bucket": bucket,
            "RequestId": secrets.token_hex(8).upper(),
            "HostId": secrets.token_urlsafe(48),
        }
        await self._send([msgspec.json.encode(told)])

    def passes(self, event: Event) -> bool:
        """Whether the filters let an event through."""
        if event.is_test:
            return True
        if self._events and not any(_matches(one, event.name) for one in self._events):
            return False
        return event.key.startswith(self._prefix) and event.key.endswith(self._suffix)

    async def _send(self, bodies: list[bytes]) -> None:
        if not bodies:
            return
        failed: dict[int, RmqError] = {}
        if self._topic is not None:
            messages = [Notification(body, SUBJECT) for body in bodies]
            failed = (await self._topic.publish_many(messages)).failed
        elif self._queue is not None:
            failed = (await self._queue.send_many(bodies)).failed
        for error in failed.values():
            raise error


def _pattern(given: str) -> str:
    """A pattern without `s3:`. Raises InvalidParameter."""
    if not isinstance(given, str) or not _PATTERN.fullmatch(given):
        raise InvalidParameter(
            "event", given, "such as s3:ObjectCreated:* or s3:ObjectRemoved:Delete"
        )
    return given.removeprefix("s3:")


def _matches(pattern: str, name: str) -> bool:
    return name.startswith(pattern[:-1]) if pattern.endswith("*") else name == pattern


# --- reading -------------------------------------------------------------------------------------


def read(body: bytes | str, region: str = "us-east-1") -> list[Event]:
    """The events in a body. *region* is for records that say none.

    Raises InvalidParameter, naming what is wrong: `Records[0].s3.object.key`.
    """
    told = _json(body)
    if told.get("Event") == TEST:
        bucket = told.get("Bucket")
        if not isinstance(bucket, str):
            raise _wrong("Bucket", bucket, "the name of a bucket")
        return [Event(TEST, bucket, "", msgspec.json.encode(told))]
    if "Records" not in told:
        if isinstance(told.get("Message"), str) and "TopicArn" in told:
            raise InvalidParameter(
                "body",
                Words("an envelope of SNS"),
                "the event alone; subscribe with raw message delivery",
            )
        raise InvalidParameter(
            "body", Words("a JSON object without Records"), "an S3 event, or its test event"
        )
    records = told["Records"]
    if not isinstance(records, list) or not records:
        raise _wrong("Records", records, "a list with at least one record")
    return [_event(one, f"Records[{number}]", region) for number, one in enumerate(records)]


def _json(body: bytes | str) -> dict[str, Any]:
    if len(body) > MAX_BODY:
        raise InvalidParameter("body", Words(f"{len(body)} bytes"), f"at most {MAX_BODY} bytes")
    try:
        told = msgspec.json.decode(body)
    except (msgspec.DecodeError, UnicodeError, RecursionError) as error:
        raise InvalidParameter("body", Words("no JSON"), f"an S3 event in JSON ({error})") from None
    if not isinstance(told, dict):
        raise InvalidParameter("body", Words("no JSON object"), "an S3 event in JSON")
    return told


def _event(record: Any, where: str, region: str) -> Event:
    if not isinstance(record, dict):
        raise _wrong(where, record, "an object")
    name = _text(record, where, "eventName").removeprefix("s3:")
    s3 = _object(record, where, "s3")
    bucket = _text(_object(s3, f"{where}.s3", "bucket"), f"{where}.s3.bucket", "name")
    thing = s3.get("object")
    key = ""
    # An event of a whole bucket (MinIO's s3:BucketCreated) has no object.
    if thing is not None or not name.startswith("Bucket"):
        key = _text(_object(s3, f"{where}.s3", "object"), f"{where}.s3.object", "key", low=0)
        key = unquote_plus(key)
    if record.get("eventSource") != "aws:s3":
        record = _as_aws(record, name, bucket, key, region)
    return Event(name, bucket, key, msgspec.json.encode({"Records": [record]}))


def _object(of: Mapping[str, Any], where: str, name: str) -> dict[str, Any]:
    found = of.get(name)
    if not isinstance(found, dict):
        raise _wrong(f"{where}.{name}", found, "an object")
    return found


def _text(of: Mapping[str, Any], where: str, name: str, low: int = 1) -> str:
    found = of.get(name)
    if not isinstance(found, str) or len(found) < low:
        raise _wrong(f"{where}.{name}", found, "text" if low == 0 else "text, and not empty")
    return found


def _wrong(where: str, found: Any, limit: str) -> InvalidParameter:
    if found is None:
        return MissingParameter(where, f"it must be {limit}")
    return InvalidParameter(where, Words(f"a JSON {_KINDS.get(type(found), 'value')}"), limit)


_KINDS = {dict: "object", list: "list", str: "text", int: "number", float: "number", bool: "truth"}


# --- other stores --------------------------------------------------------------------------------


def _as_aws(
    record: Mapping[str, Any], name: str, bucket: str, key: str, region: str
) -> dict[str, Any]:
    """A record of a store that speaks S3, as S3 would have written it; what only that store says is
    left out."""
    s3 = record["s3"]
    request, response = _dict(record, "requestParameters"), _dict(record, "responseElements")
    told: dict[str, Any] = {
        "s3SchemaVersion": s3.get("s3SchemaVersion") or "1.0",
        "configurationId": s3.get("configurationId") or "",
        "bucket": {
            "name": bucket,
            "ownerIdentity": _dict(s3["bucket"], "ownerIdentity"),
            "arn": s3["bucket"].get("arn") or f"arn:aws:s3:::{bucket}",
        },
    }
    thing = s3.get("object")
    if isinstance(thing, dict):
        fields = ["versionId", "sequencer"]
        if not name.startswith(_DELETED):
            fields = ["size", "eTag", *fields]
        told["object"] = {"key": quote_plus(key, safe=_UNRESERVED)} | _only(thing, fields)
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": record.get("awsRegion") or region,
        "eventTime": record.get("eventTime"),
        "eventName": name,
        "userIdentity": _dict(record, "userIdentity"),
        "requestParameters": _only(request, ("sourceIPAddress",)),
        "responseElements": _only(response, ("x-amz-request-id", "x-amz-id-2")),
        "s3": told,
    }


def _dict(of: Mapping[str, Any], name: str) -> dict[str, Any]:
    found = of.get(name)
    return found if isinstance(found, dict) else {}


def _only(of: Mapping[str, Any], names: Iterable[str]) -> dict[str, Any]:
    return {name: of[name] for name in names if of.get(name) not in (None, "")}
