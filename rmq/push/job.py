"""Job: one message on its way to one endpoint, and the two ways in which a delivery can fail.

A sender either returns, and the message is delivered, or raises one of the two:

    Passing      another try may help: the delivery policy says when
    Permanent    no try ever will: the message goes to the dead-letter queue, or is dropped
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Protocol, runtime_checkable

import msgspec

from rmq.core.codec import Header
from rmq.topics.delivery_policy import DeliveryPolicy
from rmq.topics.envelope import Confirmation, Rendered
from rmq.topics.registry import TopicRegistry


class Passing(Exception):
    """The endpoint could not take it now."""

    def __init__(self, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        """The endpoint asks to be left alone for so long."""


class Permanent(Exception):
    """The endpoint will never take it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One delivery, as a sender gets it."""

    registry: TopicRegistry
    """Whose message it is: the account and its namespace."""
    protocol: str
    endpoint: str
    """A URL, an address, a number, an ARN or the name of a function."""
    message: Rendered | Confirmation
    body: bytes
    """As it was published."""
    header: Header
    """What was published beside the body: subject and attributes."""
    subscription_arn: str = ""
    """'' for a message that has no subscription."""
    raw: bool = False
    """The message alone, without the envelope."""
    display_name: str = ""
    """Of the topic: beside the sender of e-mail."""
    policy: DeliveryPolicy
    attempt: int
    """1 for the first."""

    @property
    def kind(self) -> str:
        """The Type of the message."""
        return self.message.kind

    @property
    def payload(self) -> bytes:
        """What is delivered, and what a dead-letter queue gets: the text alone, the event of a
        function, or the envelope."""
        message = self.message
        if isinstance(message, Confirmation):
            return message.envelope()
        if self.raw:
            return message.text.encode()
        if self.protocol == "lambda":
            return msgspec.json.encode(message.lambda_event(self.subscription_arn))
        if self.protocol == "firehose":
            return message.firehose(self.subscription_arn)
        return message.envelope(self.subscription_arn)


class Sender(Protocol):
    """What takes messages to the endpoints of one or more protocols."""

    async def send(self, job: Job) -> None:
        """Deliver. Raises Passing, Permanent."""

    async def close(self) -> None:
        """Give back connections. Nothing is sent afterwards."""


@runtime_checkable
class Told(Protocol):
    """A sender that wants to know what was given up."""

    async def given_up(self, job: Job, reason: str) -> None:
        """A message will never be delivered."""
