"""Errors of Kinesis: their statuses, and how ours become theirs.

Kinesis calls an error by its bare name. Source: Errors of each action, and Common Errors (Amazon
Kinesis Data Streams API Reference).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from rmq import errors as ours
from rmq.gateway.caller import Caller
from rmq.gateway.errors import AwsError
from rmq.gateway.protocol.shapes import Problem
from rmq.gateway.service import Given

STATUS = {
    "AccessDeniedException": 400,
    "DryRunOperationException": 400,
    "ExpiredIteratorException": 400,
    "ExpiredNextTokenException": 400,
    "InternalFailureException": 500,
    "InvalidArgumentException": 400,
    "KMSAccessDeniedException": 400,
    "KMSDisabledException": 400,
    "KMSInvalidStateException": 400,
    "KMSNotFoundException": 400,
    "KMSOptInRequired": 400,
    "KMSThrottlingException": 400,
    "LimitExceededException": 400,
    "ProvisionedThroughputExceededException": 400,
    "ResourceInUseException": 400,
    "ResourceNotFoundException": 400,
    "ThrottlingException": 400,
    "ValidationException": 400,
}
"""Each error of the model, and its HTTP status."""


def error(shape: str, message: str, status: int | None = None) -> AwsError:
    """An error of the model, or one that it leaves out."""
    return AwsError(shape, message, status=status or STATUS.get(shape, 400), namespace="")


def invalid(message: str) -> AwsError:
    """An argument that breaks a rule."""
    return error("InvalidArgumentException", message)


def not_valid(message: str) -> AwsError:
    """A request that breaks a rule of its form, or one of the stream's capacity mode."""
    return error("ValidationException", message)


def not_found(message: str) -> AwsError:
    return error("ResourceNotFoundException", message)


def in_use(message: str) -> AwsError:
    return error("ResourceInUseException", message)


def too_many(message: str) -> AwsError:
    return error("LimitExceededException", message)


def no_stream(name: str, account: str) -> AwsError:
    return not_found(f"Stream {name} under account {account} not found.")


def dry_run() -> AwsError:
    return error(
        "DryRunOperationException", "The request would have succeeded, but DryRun was set."
    )


# --- by the model --------------------------------------------------------------------------------


def refuse(problems: list[Problem], operation: str) -> AwsError:
    """What is wrong by the model, all of it."""
    return not_valid(detected(*(said(one.value, one.path, one.constraint) for one in problems)))


def detected(*wrong: str) -> str:
    """The message of a validation that found all this."""
    count = len(wrong)
    errors = f"{count} validation error{'s' if count > 1 else ''} detected"
    return f"{errors}: {'; '.join(wrong[:10])}"


def said(value: Any, path: tuple[str | int, ...], constraint: str) -> str:
    """A value, where it is, and what it must keep."""
    return f"Value {_shown(value)} at '{_named(path)}' failed to satisfy constraint: {constraint}"


def _shown(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, (list, dict)):
        return f"'[{len(value)} members]'"
    if isinstance(value, bytes):
        return f"'[{len(value)} bytes]'"
    text = str(value)
    return f"'{text if len(text) <= 200 else text[:180] + '…'}'"


def _named(path: tuple[str | int, ...]) -> str:
    """A member as AWS's validation calls it: `records.1.member.partitionKey`."""
    parts: list[str] = []
    for place, one in enumerate(path):
        if isinstance(one, int):
            parts += (str(one), "member")
        elif place and path[place - 1] == "Tags":
            parts.append(one)  # the key of a map: the client's own
        else:
            parts.append(one[:1].lower() + one[1:])
    return ".".join(parts)
