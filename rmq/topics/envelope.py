"""Envelopes: what a subscriber gets of a message, in the form that its protocol has.

Nearly all of an envelope is the same for all subscribers. It is written once for each message; only
the address to unsubscribe at is put in for each:

    { "Type" : "Notification", .. "UnsubscribeURL" : "..SubscriptionArn=  | arn |  ", .. }

Source of the forms: Parsing Amazon SNS message formats, HTTP/HTTPS headers, Fanout to Lambda
functions (Amazon SNS Developer Guide).
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from rmq.core.codec import PLAIN_ENVELOPE, Header
from rmq.errors import BrokenEnvelope
from rmq.queues.message import message_id

DEFAULT_SUBJECT = "AWS Notification Message"
"""Of e-mail without one."""
USER_AGENT = "Amazon Simple Notification Service Agent"
CONFIRM = "You have chosen to {deed}\nTo {way}, visit the SubscribeURL included in this message."
DEEDS = {
    "SubscriptionConfirmation": ("subscribe to the topic {arn}.", "confirm the subscription"),
    "UnsubscribeConfirmation": (
        "deactivate subscription {arn}.",
        "cancel this operation and restore the subscription",
    ),
}
"""By the Type of the message, what it says was chosen, and what its link is for."""

ID_BITS = 48
"""Of a seq, so much stands at the end of an id, behind its last hyphen."""
ID_MASK = (1 << ID_BITS) - 1

_START = b'{\n  "Type" : "Notification",\n  "MessageId" : "'
_PACKED_START = PLAIN_ENVELOPE + _START
_END = b'"\n}'

_encode = msgspec.json.Encoder().encode


@dataclass(frozen=True, slots=True)
class Signature:
    """What says who a message is from."""

    version: int
    """1 or 2."""
    text: str
    """Base64."""
    certificate_url: str


def for_protocol(body: bytes, header: Header, protocol: str) -> str:
    """The text for subscribers of *protocol* (or of a platform: APNS, GCM, ..): where the message
    has a text for each (MessageStructure=json) that one, or else its `default`."""
    text = body.decode()
    if not header.by_protocol:
        return text
    texts = msgspec.json.decode(text)
    for name in (protocol, "default"):
        if isinstance(texts, dict) and isinstance(texts.get(name), str):
            return str(texts[name])
    raise BrokenEnvelope("a message with a text for each protocol has none for `default`")


def timestamp(at_ms: int) -> str:
    """ISO 8601 in UTC, with milliseconds."""
    return f"{_second(at_ms // 1000)}.{at_ms % 1000:03d}Z"


@lru_cache(maxsize=16)
def _second(at_s: int) -> str:
    return f"{datetime.fromtimestamp(at_s, UTC):%Y-%m-%dT%H:%M:%S}"


def unsubscribe_url(endpoint_url: str, subscription_arn: str) -> str:
    """The link by which a subscription ends."""
    return f"{_root(endpoint_url)}/?Action=Unsubscribe&SubscriptionArn={subscription_arn}"


def subscribe_url(endpoint_url: str, topic_arn: str, token: str) -> str:
    """The link that confirms a subscription."""
    return f"{_root(endpoint_url)}/?Action=ConfirmSubscription&TopicArn={topic_arn}&Token={token}"


def certificate_url(endpoint_url: str, name: str) -> str:
    """Where the certificate of the signing key is: SigningCertURL."""
    return f"{_root(endpoint_url)}/{name}"


def headers(
    kind: str,
    id: str,
    topic_arn: str,
    *,
    subscription_arn: str = "",
    raw: bool = False,
    content_type: str,
) -> dict[str, str]:
    """What is sent over HTTP beside the body. *kind* is the message's Type; a request to confirm
    names no subscription."""
    found = {
        "x-amz-sns-message-type": kind,
        "x-amz-sns-message-id": id,
        "x-amz-sns-topic-arn": topic_arn,
    }
    if subscription_arn and kind != "SubscriptionConfirmation":
        found["x-amz-sns-subscription-arn"] = subscription_arn
    if raw:
        found["x-amz-sns-rawdelivery"] = "true"
    found["Content-Type"] = content_type
    found["User-Agent"] = USER_AGENT
    found["Connection"] = "Keep-Alive"
    return found


class Rendered:
    """One message, ready for all its subscribers of one protocol."""

    kind = "Notification"

    __slots__ = (
        "_attributes",
        "_endpoint_url",
        "_rendered",
        "header",
        "id",
        "published_ms",
        "replayed",
        "sequence_number",
        "signature",
        "text",
        "topic_arn",
    )

    def __init__(
        self,
        topic_arn: str,
        id: str,
        published_ms: int,
        body: bytes,
        header: Header,
        protocol: str,
        endpoint_url: str,
        *,
        sequence_number: str | None = None,
        replayed: bool = False,
        signature: Signature | None = None,
    ) -> None:
        self.topic_arn = topic_arn
        self.id = id
        self.published_ms = published_ms
        self.text = for_protocol(body, header, protocol)
        """What subscribers of this protocol are told; a raw delivery is nothing but this."""
        self.header = header
        self.sequence_number = sequence_number
        """FIFO topics."""
        self.replayed = replayed
        """Whether it comes from the archive."""
        self.signature = signature
        """Set it before the first envelope is asked for; see `signed`."""
        self._endpoint_url = endpoint_url
        self._rendered: tuple[bytes, bytes] | None = None
        self._attributes: dict[str, dict[str, str]] | None = None

    @property
    def signed(self) -> dict[str, str]:
        """The fields that a signature covers, for rmq.security.signature."""
        found = {
            "Type": self.kind,
            "Message": self.text,
            "MessageId": self.id,
            "Timestamp": timestamp(self.published_ms),
            "TopicArn": self.topic_arn,
        }
        if self.header.subject is not None:
            found["Subject"] = self.header.subject
        return found

    @property
    def attributes(self) -> dict[str, dict[str, str]]:
        """Message attributes as envelopes have them: name to Type and Value, Binary in base64."""
        if self._attributes is None:
            self._attributes = {
                name: {
                    "Type": kind,
                    "Value": base64.b64encode(value).decode()
                    if isinstance(value, bytes)
                    else value,
                }
                for name, (kind, value) in self.header.attributes.items()
            }
        return self._attributes

    def envelope(self, subscription_arn: str) -> bytes:
        """The JSON for sqs, http, https and email-json, laid out as SNS does."""
        before, after = self._rendered or self._render()
        return b"%b%b%b" % (before, subscription_arn.encode(), after)

    def firehose(self, subscription_arn: str) -> bytes:
        """One line of JSON, unsigned."""
        fields = self._fields() | self._unsubscribe(subscription_arn)
        if self.header.attributes:
            fields["MessageAttributes"] = self.attributes
        return _encode(fields) + b"\n"

    def lambda_event(self, subscription_arn: str) -> dict[str, Any]:
        """The event that a function is called with. Lists and numbers among the attributes are
        String there, and what is not signed has empty signature fields."""
        signature = self.signature or Signature(1, "", "")
        attributes = {
            name: one if one["Type"].startswith("Binary") else one | {"Type": "String"}
            for name, one in self.attributes.items()
        }
        told = {
            "Type": self.kind,
            "MessageId": self.id,
            "TopicArn": self.topic_arn,
            "Subject": self.header.subject,
            "Message": self.text,
            "Timestamp": timestamp(self.published_ms),
            "SignatureVersion": str(signature.version),
            "Signature": signature.text,
            "SigningCertUrl": signature.certificate_url,
            "UnsubscribeUrl": unsubscribe_url(self._endpoint_url, subscription_arn),
            "MessageAttributes": attributes,
        }
        record = {
            "EventSource": "aws:sns",
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription_arn,
            "Sns": told,
        }
        return {"Records": [record]}

    def email(self, subscription_arn: str) -> tuple[str, str]:
        """Subject and body of a message to a person."""
        link = unsubscribe_url(self._endpoint_url, subscription_arn)
        footer = f"\n\n--\nTo stop receiving notifications from this topic, visit\n{link}\n"
        return self.header.subject or DEFAULT_SUBJECT, self.text + footer

    def _fields(self) -> dict[str, Any]:
        """All that comes before the signature."""
        found: dict[str, Any] = {"Type": self.kind, "MessageId": self.id}
        if self.sequence_number is not None:
            found["SequenceNumber"] = self.sequence_number
        found["TopicArn"] = self.topic_arn
        if self.header.subject is not None:
            found["Subject"] = self.header.subject
        found["Message"] = self.text
        found["Timestamp"] = timestamp(self.published_ms)
        if self.replayed:
            found["Replayed"] = "true"
        return found

    def _unsubscribe(self, subscription_arn: str) -> dict[str, str]:
        return {"UnsubscribeURL": unsubscribe_url(self._endpoint_url, subscription_arn)}

    def _render(self) -> tuple[bytes, bytes]:
        """What comes before and after a subscription's ARN. Written by hand, not by way of a dict:
        it is made for every message that goes to a queue."""
        parts = [_START, self.id.encode()]
        if self.sequence_number is not None:
            parts += (b'",\n  "SequenceNumber" : "', self.sequence_number.encode())
        parts += (b'",\n  "TopicArn" : "', self.topic_arn.encode())
        if self.header.subject is not None:
            parts += (b'",\n  "Subject" : ', _encode(self.header.subject)[:-1])
        parts += (b'",\n  "Message" : ', _encode(self.text)[:-1])
        parts += (b'",\n  "Timestamp" : "', timestamp(self.published_ms).encode())
        if self.replayed:
            parts.append(b'",\n  "Replayed" : "true')
        if self.signature is not None:
            for name, value in _signature_fields(self.signature).items():
                parts += (b'",\n  "', name.encode(), b'" : ', _encode(value)[:-1])
        parts += (b'",\n  "UnsubscribeURL" : ', _unsubscribe_start(self._endpoint_url))
        after = _END
        if self.header.attributes:
            ones = b",\n".join(
                b"    %b : %b" % (_encode(name), _encode(one))
                for name, one in self.attributes.items()
            )
            after = b'",\n  "MessageAttributes" : {\n%b\n  }\n}' % ones
        self._rendered = b"".join(parts), after
        return self._rendered


def packed_starts(
    topic_arn: str, incarnation: bytes, endpoint_url: str, messages: Iterable[tuple[int, bytes]]
) -> list[bytes]:
    """Messages that are nothing but a text, each beside its seq: their envelopes as a queue holds
    them, up to the subscription's ARN; `plain_end` is the rest.

    Rendered makes the same of one by itself. Here what they share is written once.
    """
    between, last = _frame(topic_arn, endpoint_url)
    found: list[bytes] = []
    block, until = -1, -1
    for seq, body in messages:
        if seq >= until:
            at_ms = seq // 1000
            until = at_ms * 1000 + 1000
            after = b',\n  "Timestamp" : "%b%b' % (timestamp(at_ms).encode(), last)
        if seq >> ID_BITS != block:
            block = seq >> ID_BITS
            before = _PACKED_START + message_id(incarnation, seq)[: -ID_BITS // 4].encode()
        text = _encode(body.decode())
        found.append(b"%b%012x%b%b%b" % (before, seq & ID_MASK, between, text, after))
    return found


def plain_end(subscription_arn: str) -> bytes:
    """How the envelope of a message ends that is nothing but a text."""
    return subscription_arn.encode() + _END


@lru_cache(maxsize=256)
def _frame(topic_arn: str, endpoint_url: str) -> tuple[bytes, bytes]:
    """What stands between id and text, and between time and subscription."""
    return (
        b'",\n  "TopicArn" : "%b",\n  "Message" : ' % topic_arn.encode(),
        b'",\n  "UnsubscribeURL" : %b' % _unsubscribe_start(endpoint_url),
    )


@lru_cache(maxsize=64)
def _unsubscribe_start(endpoint_url: str) -> bytes:
    """The link by which a subscription ends, up to its ARN, as JSON."""
    return _encode(unsubscribe_url(endpoint_url, ""))[:-1]


class Confirmation:
    """What asks somebody to confirm a subscription, or tells them that it has ended.

    *kind* is SubscriptionConfirmation or UnsubscribeConfirmation.
    """

    __slots__ = ("_subject_arn", "id", "kind", "sent_ms", "signature", "token", "topic_arn", "url")

    def __init__(
        self,
        kind: str,
        topic_arn: str,
        subscription_arn: str,
        id: str,
        sent_ms: int,
        token: str,
        endpoint_url: str,
        *,
        signature: Signature | None = None,
    ) -> None:
        self.kind = kind
        self.topic_arn = topic_arn
        self.id = id
        self.sent_ms = sent_ms
        self.token = token
        self.url = subscribe_url(endpoint_url, topic_arn, token)
        """Whoever visits it agrees."""
        self.signature = signature
        self._subject_arn = topic_arn if kind == "SubscriptionConfirmation" else subscription_arn

    @property
    def text(self) -> str:
        """What a person is told."""
        deed, way = DEEDS[self.kind]
        return CONFIRM.format(deed=deed.format(arn=self._subject_arn), way=way)

    @property
    def signed(self) -> dict[str, str]:
        """The fields that a signature covers, for rmq.security.signature; all but the signature's
        own, in the order of the envelope."""
        return {
            "Type": self.kind,
            "MessageId": self.id,
            "Token": self.token,
            "TopicArn": self.topic_arn,
            "Message": self.text,
            "SubscribeURL": self.url,
            "Timestamp": timestamp(self.sent_ms),
        }

    def envelope(self) -> bytes:
        """The JSON for sqs, http, https and email-json."""
        signature: Mapping[str, str] = (
            {} if self.signature is None else _signature_fields(self.signature)
        )
        return _lines(self.signed | dict(signature)) + b"\n}"

    def email(self) -> tuple[str, str]:
        """Subject and body of a message to a person."""
        deed, way = DEEDS[self.kind]
        what = "Subscription" if self.kind == "SubscriptionConfirmation" else "Unsubscribe"
        said = f"You have chosen to {deed.format(arn=self._subject_arn)}"
        return f"AWS Notification - {what} Confirmation", f"{said}\n\nTo {way}, visit\n{self.url}\n"


def _signature_fields(signature: Signature) -> dict[str, str]:
    return {
        "SignatureVersion": str(signature.version),
        "Signature": signature.text,
        "SigningCertURL": signature.certificate_url,
    }


def _lines(fields: Mapping[str, str]) -> bytes:
    """Texts as JSON, a line each, without the end."""
    return b"{\n" + b",\n".join(
        b"  %b : %b" % (_encode(name), _encode(value)) for name, value in fields.items()
    )


def _root(endpoint_url: str) -> str:
    return endpoint_url.rstrip("/")
