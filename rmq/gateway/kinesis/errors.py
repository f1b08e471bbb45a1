"""Errors of Kinesis: their statuses, and how ours become theirs.

Kinesis calls an error by its bare name. Source: Errors of each action, and Common Errors (Amazon
Kinesis Data Streams API Reference).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
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


def expired_token() -> AwsError:
    return error(
        "ExpiredNextTokenException",
        "NextToken has expired: it was issued more than 300 seconds ago.",
    )


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


# --- from ours to theirs -------------------------------------------------------------------------


def account_of(caller: Caller, given: Given) -> str:
    """The account of what a request is about."""
    for name in ("StreamARN", "ConsumerARN", "ResourceARN", "QueueARN", "ChannelARN"):
        parts = str(given.get(name, "")).split(":")
        if len(parts) > 4:
            return parts[4]
    return caller.account


def translate(error_: ours.RmqError, caller: Caller, given: Given) -> AwsError:
    """An error of the library as Kinesis says it."""
    account = account_of(caller, given)
    match error_:
        case ours.StreamDoesNotExist():
            return no_stream(error_.stream, account)
        case ours.StreamExists():
            return in_use(f"Stream {error_.stream} under account {account} already exists.")
        case ours.StreamInUse():
            what, says, more = error_.reason.partition("it ")
            reason = f": {error_.reason}" if what or not says else f" {more}"
            return in_use(f"Stream {error_.stream} under account {account}{reason}.")
        case ours.ShardDoesNotExist():
            return _no_shard(error_, account, given)
        case ours.InvalidIterator():
            return invalid("Invalid ShardIterator.")
        case ours.ExpiredIterator():
            return _expired(error_)
        case ours.RateExceeded():
            return rate_exceeded(error_, account)
        case ours.NotProvisioned():
            return not_valid(
                f"Request is invalid. Stream {error_.stream} under account {account} is in "
                "On-Demand mode."
            )
        case ours.ConsumerDoesNotExist():
            name = error_.consumer.rpartition("/consumer/")[2]
            return not_found(
                f"Consumer {name} for stream {error_.stream} under account {account} not found."
            )
        case ours.ConsumerExists():
            return in_use(
                f"Consumer {error_.consumer} for stream {error_.stream} under account {account} "
                "already exists."
            )
        case ours.LimitExceeded():
            return too_many(str(error_))
        case ours.ExpiredToken():
            return expired_token()
        case ours.InvalidChange():
            return invalid(error_.aws_message)
        case ours.StreamQueueDoesNotExist():
            return not_found(f"Queue {given.get('QueueARN', error_.queue)} not found.")
        case ours.StreamQueueExists():
            return in_use(f"Queue {error_.queue} under account {account} already exists.")
        case ours.InvalidParameter():
            return _invalid_parameter(error_, account, given)
        case ours.OutOfMemory():
            return unavailable("The store behind this endpoint is full; delete something first.")
        case ours.ServerError():
            return unavailable("The store behind this endpoint does not answer.")
    return invalid(str(error_))


def unavailable(why: str) -> AwsError:
    """Redis can not be reached, or refuses. SDKs try again."""
    return error("ServiceUnavailable", why, 503)


def rate_exceeded(error_: ours.RateExceeded, account: str) -> AwsError:
    return error(
        "ProvisionedThroughputExceededException",
        f"Rate exceeded for shard {error_.shard} in stream {error_.stream} under account "
        f"{account}.",
    )


def _no_shard(error_: ours.ShardDoesNotExist, account: str, given: Given) -> AwsError:
    shard, where = error_.shard, f"in stream {error_.stream} under account {account}"
    if "ShardIteratorType" in given or "StartingPosition" in given:
        return not_found(f"Shard {shard} {where} does not exist")
    return not_found(f"Could not find shard {shard} {where}.")


def _expired(error_: ours.ExpiredIterator) -> AwsError:
    return error(
        "ExpiredIteratorException",
        f"Iterator expired. The iterator was created at time {_at(error_.issued_ms)} while right "
        f"now it is {_at(error_.now_ms)} which is further in the future than the tolerated delay "
        "of 300000 milliseconds.",
    )


def _at(at_ms: int) -> str:
    """A moment as Java writes it."""
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%a %b %d %H:%M:%S UTC %Y")


def _invalid_parameter(error_: ours.InvalidParameter, account: str, given: Given) -> AwsError:
    """A parameter that the library refused, by its name there."""
    make = _FIELDS.get(error_.field)
    if make is None or isinstance(error_, ours.MissingParameter):
        return invalid(str(error_))
    return make(error_, account, given)


QUOTES = "'\""
Make = Callable[[ours.InvalidParameter, str, Given], AwsError]


def _sequence_number(error_: ours.InvalidParameter, account: str, given: Given) -> AwsError:
    start = given.get("StartingPosition", {})
    number = given.get("StartingSequenceNumber", start.get("SequenceNumber"))
    action = "SubscribeToShard" if start else "GetShardIterator"
    return invalid(
        f"StartingSequenceNumber {number} used in {action} on shard {given.get('ShardId')} in "
        f"stream {_stream_name(given)} under account {account} is invalid because it did not come "
        "from this stream."
    )


def _for_ordering(error_: ours.InvalidParameter, account: str, given: Given) -> AwsError:
    return invalid(
        f"ExclusiveMinimumSequenceNumber {given.get('SequenceNumberForOrdering')} used in "
        f"PutRecord on stream {_stream_name(given)} under account {account} is invalid."
    )


def _timestamp(error_: ours.InvalidParameter, account: str, given: Given) -> AwsError:
    if "ShardFilter" in given:
        return invalid(str(error_))
    return invalid(
        "The timestampInMillis parameter cannot be greater than the currentTimestampInMillis. "
        f"{error_}"
    )


def _shard_id(error_: ours.InvalidParameter, account: str, given: Given) -> AwsError:
    """A name that no shard can have is that of none."""
    if "ShardFilter" in given:
        return invalid(str(error_))
    if error_.limit.startswith("an open shard"):
        return in_use(
            f"Shard {error_.value.strip(QUOTES)} in stream {_stream_name(given)} under account "
            f"{account} has already been merged or split, and thus is not eligible for merging or "
            "splitting."
        )
    value = error_.value.strip(QUOTES)
    missing = ours.ShardDoesNotExist(str(error_), stream=_stream_name(given), shard=value)
    return _no_shard(missing, account, given)


def _shard_count(error_: ours.InvalidParameter, account: str, given: Given) -> AwsError:
    """More shards than a stream may have are a quota of the account where a stream is made."""
    return (too_many if "ShardCount" in given else invalid)(str(error_))


def _stream_name(given: Given) -> str:
    name = given.get("StreamName")
    if name is None:
        name = str(given.get("StreamARN", given.get("ConsumerARN", ""))).split("/")[1:2]
        name = name[0] if name else "?"
    return str(name)


_FIELDS: dict[str, Make] = {
    "sequence_number": _sequence_number,
    "sequence_number_for_ordering": _for_ordering,
    "timestamp": _timestamp,
    "adjacent_shard_id": _shard_id,
    "shard_count": _shard_count,
    "shard_id": _shard_id,
    "token": lambda error_, account, given: invalid("NextToken is invalid."),
}
"""By the library's names of parameters."""
