"""Jobs: what is sent for a message of an inner queue, and to whom, signed where it has to be."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from rmq.core.codec import Header
from rmq.errors import BrokenEnvelope
from rmq.push.job import Job
from rmq.push.subjects import Subject
from rmq.queues.message import ReceivedMessage
from rmq.topics import signing
from rmq.topics.delivery_policy import effective
from rmq.topics.envelope import Confirmation, Rendered, Signature
from rmq.topics.inner import Target
from rmq.topics.registry import TopicRegistry

if TYPE_CHECKING:
    from rmq.push.dispatcher import Dispatcher

SIGNED = ("http", "https", "email-json", "sqs")
"""Protocols whose envelopes are signed always; a function's event is where the topic says so."""


class Waiting(ReceivedMessage):
    """A message of an inner queue, under lease."""

    __slots__ = ()

    @property
    def header(self) -> Header:
        """All but the body. Raises BrokenEnvelope."""
        return self._head

    @property
    def published_ms(self) -> int:
        """When its topic, or its sender, took it."""
        return self.header.sent_ms or self._seq // 1000


class Jobs:
    """Makes jobs of one namespace's messages."""

    def __init__(self, dispatcher: Dispatcher, registry: TopicRegistry) -> None:
        self._dispatcher = dispatcher
        self._registry = registry
        self._executor = dispatcher.client._executor

    async def make(self, subject: Subject | None, message: Waiting) -> Job:
        """The job of a message, signed. Raises BrokenEnvelope, ServerError."""
        attempt = message.receipt.receive_count
        if subject is None:
            return await self._direct(message, attempt)
        one, topic = subject.subscription, subject.topic
        raw = one.attributes.raw_message_delivery
        rendered = self._rendered(message, topic.arn, one.protocol)
        version = topic.attributes.signature_version
        if one.protocol in SIGNED and not raw:
            version = version or 1
        elif one.protocol != "lambda":
            version = None
        if version is not None:
            rendered.signature = await self._signature(rendered, version, one.protocol)
        return Job(
            registry=self._registry,
            protocol=one.protocol,
            endpoint=one.endpoint,
            message=rendered,
            body=message.body,
            header=message.header,
            subscription_arn=one.arn,
            raw=raw,
            display_name=topic.attributes.display_name,
            policy=subject.policy,
            attempt=attempt,
        )

    async def _direct(self, message: Waiting, attempt: int) -> Job:
        """The job of a message without a subscription: it says itself where it goes."""
        header = message.header
        if header.target is None:
            raise BrokenEnvelope("it has neither a subscription nor a target")
        target = msgspec.json.decode(header.target, type=Target)
        made: Rendered | Confirmation
        if target.kind == "Notification":
            made = self._rendered(message, target.topic_arn, target.protocol)
        else:
            made = Confirmation(
                target.kind,
                target.topic_arn,
                target.subscription_arn,
                message.id,
                message.published_ms,
                target.token,
                self._registry.endpoint_url,
            )
        if target.protocol in SIGNED:
            made.signature = await self._signature(made, target.signature_version, target.protocol)
        return Job(
            registry=self._registry,
            protocol=target.protocol,
            endpoint=target.endpoint,
            message=made,
            body=message.body,
            header=header,
            subscription_arn=target.subscription_arn,
            policy=effective(None, target.delivery_policy or None, target.protocol),
            attempt=attempt,
        )

    def _rendered(self, message: Waiting, topic_arn: str, protocol: str) -> Rendered:
        return Rendered(
            topic_arn,
            message.id,
            message.published_ms,
            message.body,
            message.header,
            protocol,
            self._registry.endpoint_url,
        )

    async def _signature(
        self, message: Rendered | Confirmation, version: int, protocol: str
    ) -> Signature:
        """The signature of a message. Of what goes to many it is made once; its text may be
        another one for each protocol."""

        async def make() -> Signature:
            await self._dispatcher.signing_key()
            await self._executor.run(signing.sign(self._registry, [(message, version)]))
            assert message.signature is not None
            return message.signature

        key = (message.id, message.kind, message.topic_arn, version, protocol)
        return await self._dispatcher.signatures.get(key, make)
