"""AwsError: a refusal, before a protocol has put it into its own words."""

from __future__ import annotations

from collections.abc import Mapping

CORAL = "com.amazon.coral.service"
"""Where AWS's servers keep the errors that no service model lists."""


class AwsError(Exception):
    """An error as AWS names it.

    *shape* is the name in the service model and in JSON's `__type`. *code* is the name in the
    query protocol, where it differs. *namespace* stands before the shape: `com.amazonaws.sqs`.
    *status* is the HTTP status; *query_status* the query protocol's, where it differs.
    *members* are what the error says beside its message.
    """

    def __init__(
        self,
        shape: str,
        message: str,
        *,
        code: str | None = None,
        status: int = 400,
        query_status: int | None = None,
        namespace: str = CORAL,
        members: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message)
        self.shape = shape
        self.message = message
        self.code = code or shape
        self.status = status
        self.query_status = query_status or status
        self.namespace = namespace
        self.members = members or {}

    @property
    def kind(self) -> str:
        """What JSON and CBOR call it; a service without a namespace has the bare name."""
        return f"{self.namespace}#{self.shape}" if self.namespace else self.shape

    @property
    def is_senders(self) -> bool:
        """Whether it is the client's fault."""
        return self.status < 500

    @property
    def side(self) -> str:
        """Sender or Receiver: whose fault it is, as the query protocol says it."""
        return "Sender" if self.is_senders else "Receiver"


def unknown_operation(what: str) -> AwsError:
    """The target or action is not one of the service's."""
    return AwsError(
        "UnknownOperationException",
        f"The action {what} is not valid for this endpoint.",
        code="InvalidAction",
    )


def malformed(why: str) -> AwsError:
    """The body can not be read at all."""
    return AwsError("SerializationException", why, code="MalformedInput")


def too_large(limit: int) -> AwsError:
    return AwsError(
        "RequestEntityTooLargeException",
        f"Request body is longer than {limit} bytes, the most that this endpoint reads.",
        code="RequestEntityTooLarge",
        status=413,
    )


def internal() -> AwsError:
    return AwsError(
        "InternalFailure",
        "The request could not be carried out because of an error of this endpoint; its log says "
        "more, under the request id.",
        status=500,
    )


def unavailable(why: str) -> AwsError:
    """Redis can not be reached, or refuses. SDKs try again."""
    return AwsError("ServiceUnavailable", why, status=503)
