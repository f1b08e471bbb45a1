"""Failures: from an error to an exit status and to one line that says what to do.

Nothing here prints. A user's mistake never becomes a traceback; a bug of ours always does.
"""

from __future__ import annotations

import re

from rmq.errors import (
    ArchiveActive,
    CallerError,
    ConfigurationError,
    ConnectionLost,
    ConsumerDoesNotExist,
    ConsumerExists,
    EndpointDoesNotExist,
    EndpointExists,
    GroupDoesNotExist,
    GroupInUse,
    InvalidParameter,
    InvalidReceipt,
    MessageDoesNotExist,
    NotProvisioned,
    PlatformApplicationDoesNotExist,
    PlatformApplicationExists,
    QueueDoesNotExist,
    QueueExists,
    RedriveEnded,
    RedriveNotFound,
    RedriveRunning,
    RmqError,
    SandboxNumberDoesNotExist,
    ScheduleDoesNotExist,
    ShardDoesNotExist,
    StaleReceipt,
    StreamDoesNotExist,
    StreamExists,
    StreamInUse,
    SubscriptionDoesNotExist,
    SubscriptionExists,
    TooManyFilterPolicies,
    TooManySubscriptions,
    TopicDoesNotExist,
    TopicExists,
    WorkerDoesNotExist,
)

DONE, REFUSED, USAGE, NOT_FOUND, SERVER, INTERRUPTED = 0, 1, 2, 3, 4, 130

STATUSES = {
    DONE: "done",
    REFUSED: "something was refused, or some of many failed; rmq demo: a promise was broken",
    USAGE: "wrong usage, parameter or configuration",
    NOT_FOUND: "no such queue, topic, stream, subscription, message, shard, reader, task, worker "
    "or schedule",
    SERVER: "Redis can not be reached, or refuses (out of memory)",
    INTERRUPTED: "interrupted (Ctrl-C)",
}
"""What each exit status means, as `rmq --help` shows it."""

_STATUS_OF: tuple[tuple[type[RmqError], int], ...] = (
    (QueueDoesNotExist, NOT_FOUND),
    (TopicDoesNotExist, NOT_FOUND),
    (SubscriptionDoesNotExist, NOT_FOUND),
    (StreamDoesNotExist, NOT_FOUND),
    (ShardDoesNotExist, NOT_FOUND),
    (ConsumerDoesNotExist, NOT_FOUND),
    (GroupDoesNotExist, NOT_FOUND),
    (PlatformApplicationDoesNotExist, NOT_FOUND),
    (EndpointDoesNotExist, NOT_FOUND),
    (SandboxNumberDoesNotExist, NOT_FOUND),
    (MessageDoesNotExist, NOT_FOUND),
    (RedriveNotFound, NOT_FOUND),
    (ScheduleDoesNotExist, NOT_FOUND),
    (WorkerDoesNotExist, NOT_FOUND),
    (InvalidParameter, USAGE),
    (InvalidReceipt, USAGE),
    (ConfigurationError, USAGE),
    (QueueExists, USAGE),
    (TopicExists, USAGE),
    (SubscriptionExists, USAGE),
    (StreamExists, USAGE),
    (ConsumerExists, USAGE),
    (PlatformApplicationExists, USAGE),
    (EndpointExists, USAGE),
    (CallerError, REFUSED),
    (RmqError, SERVER),
)
"""The first class that fits decides."""

_NEXT_STEP: tuple[tuple[type[RmqError], str], ...] = (
    (ConnectionLost, "is Redis running there? Say where with --url or RMQ_URL"),
    (InvalidReceipt, "take it from: rmq queue receive NAME --json"),
    (StaleReceipt, "receive the message again"),
    (RedriveRunning, "see rmq queue redrive NAME --list, and --cancel ID"),
    (RedriveEnded, "see rmq queue redrive NAME --list"),
    (RedriveNotFound, "see rmq queue redrive NAME --list"),
    (SubscriptionExists, "see rmq topic set NAME --subscription ENDPOINT"),
    (ArchiveActive, "rmq topic set NAME --no-archive does it"),
    (StreamExists, "see rmq stream show NAME"),
    (
        StreamInUse,
        "see rmq stream show NAME; rm --force removes registered consumers with it",
    ),
    (ShardDoesNotExist, "see rmq stream show NAME"),
    (NotProvisioned, "rmq stream set NAME --mode PROVISIONED gives it fixed shards"),
    (ConsumerDoesNotExist, "see rmq stream consumers NAME"),
    (ConsumerExists, "see rmq stream consumers NAME"),
    (GroupDoesNotExist, "see rmq stream groups NAME"),
    (GroupInUse, "--force removes it all the same"),
    (TooManySubscriptions, "see rmq topic subscriptions NAME"),
    (TooManyFilterPolicies, "see rmq topic subscriptions NAME"),
)

_CREDENTIALS = re.compile(r"//[^/@\s']*@")


def status_of(error: RmqError) -> int:
    """The exit status that stands for *error*."""
    return next(status for kind, status in _STATUS_OF if isinstance(error, kind))


def sentence(error: RmqError) -> str:
    """One line: what went wrong and, where the error itself does not say, what to do."""
    text = one_line(str(error)) or error.code
    for kind, step in _NEXT_STEP:
        if isinstance(error, kind):
            return f"{text}; {step}"
    return text


def one_line(text: str) -> str:
    """*text* without line breaks, and without the password that a URL may carry."""
    return _CREDENTIALS.sub("//***@", " ".join(text.split()))
