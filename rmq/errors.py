"""What can go wrong, as one tree: whose fault it is, then what a caller would do about it.

    RmqError
    ├── CallerError                  your request; repeating it will not help
    │   ├── InvalidParameter         a field, its value and its limit
    │   │   ├── MissingParameter     needed here, and not given
    │   │   ├── InvalidFilterPolicy  and where in the policy
    │   │   ├── InvalidPolicy        an access policy, or a change to one
    │   │   ├── InvalidChange        a stream can not become that from what it is
    │   │   └── TooManyTags
    │   ├── QueueDoesNotExist
    │   ├── QueueExists              made before, with another value of one attribute
    │   ├── QueueDeletedRecently     the name is not free yet
    │   ├── PurgeInProgress          purged a moment ago
    │   ├── InvalidReceipt           not one of this queue's
    │   ├── StaleReceipt             the lease has ended; someone else may hold the message
    │   ├── MessageNotInFlight       visible again: there is no lease to change
    │   ├── MessageDoesNotExist      deleted, expired or purged
    │   ├── OverLimit                too many messages in flight
    │   ├── BrokenEnvelope           stored bytes that are not a message of ours
    │   ├── RedriveRunning, RedriveNotFound, RedriveEnded
    │   ├── TopicDoesNotExist
    │   ├── TopicExists              made before, with another value of one attribute
    │   ├── ArchiveActive            a topic that keeps an archive is not deleted
    │   ├── SubscriptionDoesNotExist
    │   ├── SubscriptionExists       made before, with another value of one attribute
    │   ├── TooManySubscriptions, TooManyFilterPolicies
    │   ├── PlatformApplicationDoesNotExist, EndpointDoesNotExist
    │   ├── PlatformApplicationExists, EndpointExists    made before, with another attribute
    │   ├── PlatformApplicationDisabled, EndpointDisabled
    │   ├── OptedOut, OptedInRecently    a phone number that takes no SMS; too soon to ask it again
    │   ├── SandboxNumberDoesNotExist, TooManySandboxNumbers
    │   ├── VerificationFailed, TooManyPasswords    of a number of the SMS sandbox
    │   ├── StreamDoesNotExist, ShardDoesNotExist
    │   ├── StreamExists             one of that name stands
    │   ├── StreamInUse              not in this state, or not while it has consumers or queues
    │   ├── InvalidIterator, ExpiredIterator
    │   ├── RateExceeded             more than a shard takes or gives in a second
    │   ├── NotProvisioned           a stream on demand reshards by itself
    │   ├── ConsumerDoesNotExist, ConsumerExists    of the registered consumers of a stream
    │   ├── LimitExceeded            as many of them as there may be, or as often as it may be done
    │   ├── ExpiredToken             the list has to be begun anew
    │   ├── StreamQueueDoesNotExist, StreamQueueExists    a queue on a stream
    │   ├── GroupDoesNotExist, GroupInUse    a consumer group; its workers are at work
    │   ├── LeaseLost                a shard's lease has another owner
    │   ├── RecordFailed             a consumer's handler fails on one record
    │   ├── ScheduleDoesNotExist, WorkerDoesNotExist
    │   ├── SchedulerLeaseLost       ours to handle: another scheduler fires by now
    │   ├── TaskFailed, TaskCancelled, ResultTimeout    of a task whose result was waited for
    │   ├── AddressRefused           an address that this machine may not be made to call
    │   └── ConfigurationError       a URL, a setting or a server that we can not work with
    └── ServerError                  Redis or the way to it
        ├── ConnectionLost           no answer within the deadline
        ├── OutOfMemory              maxmemory is reached; receive and delete still work
        ├── StaleConfig              ours to handle: a cached description was out of date
        └── ShardClosed              ours to handle: its children take the records

Every error pickles, names things and never carries a payload.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar


class RmqError(Exception):
    """The root. `code` is stable and fit for machines; `str()` is for people."""

    code: ClassVar[str] = "RMQ_ERROR"
    _by_code: ClassVar[dict[str, type[RmqError]]] = {}

    def __init_subclass__(cls, *, code: str | None = None, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if code is not None:
            cls.code = code
            RmqError._by_code[code] = cls

    def __init__(self, message: str = "", **fields: Any) -> None:
        super().__init__(message)
        self.__dict__.update(fields)

    def __reduce__(self) -> tuple[Any, ...]:
        return (_rebuild, (type(self), self.args, dict(self.__dict__)))

    @classmethod
    def from_reply(cls, reply: str, subject: str) -> RmqError:
        """Make the error that a script's refusal `RMQ_CODE detail` stands for.

        *subject* is what the call was about, usually a queue's name.
        """
        code, _, detail = reply.partition(" ")
        kind = cls._by_code.get(code, ServerError)
        return kind._refused(subject, detail)

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(f"{subject}: {cls.code} {detail}".rstrip())


def _rebuild(kind: type[RmqError], args: tuple[Any, ...], fields: dict[str, Any]) -> RmqError:
    error = kind.__new__(kind, *args)
    error.args = args
    error.__dict__.update(fields)
    return error


class CallerError(RmqError, code="RMQ_CALLER_ERROR"):
    """The request can not be carried out as it is."""


class InvalidParameter(CallerError, code="RMQ_INVALID_PARAMETER"):
    """A parameter is out of its limits or of the wrong type."""

    def __init__(self, field: str, value: object, limit: str) -> None:
        super().__init__(f"{field} is {brief(value)}; it must be {limit}")
        self.field = field
        self.value = brief(value)
        self.limit = limit


class MissingParameter(InvalidParameter, code="RMQ_MISSING_PARAMETER"):
    """A parameter that is needed here was not given."""

    def __init__(self, field: str, why: str) -> None:
        CallerError.__init__(self, f"{field} is missing; {why}")
        self.field = field
        self.value = "missing"
        self.limit = why


class InvalidFilterPolicy(InvalidParameter, code="RMQ_INVALID_FILTER_POLICY"):
    """A subscription's filter policy can not be read, or is too complex.

    `reason` is what Amazon SNS says of it, and `place` where it is: `store[1].prefix`, or "" for
    the policy as a whole.
    """

    def __init__(self, reason: str, place: str, value: object, limit: str) -> None:
        at = f" at {place}" if place else ""
        CallerError.__init__(self, f"filter_policy{at} is {brief(value)}; it must be {limit}")
        self.field = "filter_policy"
        self.value = brief(value)
        self.limit = limit
        self.reason = reason
        self.place = place


class InvalidPolicy(InvalidParameter, code="RMQ_INVALID_POLICY"):
    """An access policy, or a change to one, breaks a rule; nothing was judged by it or kept.

    `aws_message` is what Amazon SNS says to it.
    """

    def __init__(
        self,
        field: str,
        value: object,
        limit: str,
        aws_message: str = "Invalid parameter: Policy Error: null",
    ) -> None:
        # Names in a policy are its author's, and may be as long as the policy.
        super().__init__(field if len(field) <= 200 else f"{field[:180]}…", value, limit)
        self.aws_message = aws_message

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(f"policy of {subject}", Words(detail), "one that can be kept")


class TooManyTags(InvalidParameter, code="RMQ_TOO_MANY_TAGS"):
    """A queue may have 50 tags (Amazon SQS: Cost allocation tags)."""

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls("tags", Words(f"{detail} tags"), "at most 50 of them")


class QueueDoesNotExist(CallerError, code="RMQ_QUEUE_DOES_NOT_EXIST"):
    """There is no queue of that name in this namespace."""

    queue: str

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(
            f"queue {subject!r} does not exist; create it first (rmq queue create {subject})",
            queue=subject,
        )


class QueueExists(CallerError, code="RMQ_QUEUE_EXISTS"):
    """A queue of that name stands, with another value of `attribute`."""

    queue: str
    attribute: str


class QueueDeletedRecently(CallerError, code="RMQ_QUEUE_DELETED_RECENTLY"):
    """A queue of that name was deleted a moment ago; `retry_after` says when the name is free."""

    queue: str
    retry_after: timedelta

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        left = _ms_left(detail)
        return cls(
            f"queue {subject!r} was deleted a moment ago; its name is free in {brief(left)}",
            queue=subject,
            retry_after=left,
        )


class PurgeInProgress(CallerError, code="RMQ_PURGE_IN_PROGRESS"):
    """The queue was purged a moment ago; `retry_after` says when it may be purged again."""

    queue: str
    retry_after: timedelta

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        left = _ms_left(detail)
        return cls(
            f"queue {subject!r} was purged a moment ago; it may be purged again in {brief(left)}",
            queue=subject,
            retry_after=left,
        )


class InvalidReceipt(CallerError, code="RMQ_INVALID_RECEIPT"):
    """The receipt handle is malformed, or another queue's."""


class StaleReceipt(CallerError, code="RMQ_STALE_RECEIPT"):
    """The lease behind this receipt has ended; someone else may hold the message."""


class MessageNotInFlight(CallerError, code="RMQ_NOT_IN_FLIGHT"):
    """The message is visible: nobody holds a lease that could be changed."""


class MessageDoesNotExist(CallerError, code="RMQ_MESSAGE_DOES_NOT_EXIST"):
    """The message was deleted, has expired, or was purged."""


class OverLimit(CallerError, code="RMQ_OVER_LIMIT"):
    """As many messages are in flight as the queue may have; delete some first."""


class BrokenEnvelope(CallerError, code="RMQ_BROKEN_ENVELOPE"):
    """What is stored is not a message of ours, or was cut."""


class RedriveRunning(CallerError, code="RMQ_TASK_RUNNING"):
    """One redrive task at a time moves messages out of a dead-letter queue."""

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(
            f"a redrive of {subject!r} is already running (task {detail}); wait for it or cancel it"
        )


class RedriveNotFound(CallerError, code="RMQ_TASK_NOT_FOUND"):
    """There is no such redrive task."""

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(f"queue {subject!r} has no redrive task {detail!r}")


class RedriveEnded(CallerError, code="RMQ_TASK_ENDED"):
    """Only a running redrive task can be cancelled."""

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(f"the redrive task of {subject!r} is {detail}; only a running one is cancelled")


class TopicDoesNotExist(CallerError, code="RMQ_TOPIC_DOES_NOT_EXIST"):
    """There is no topic of that name in this namespace."""

    topic: str

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(
            f"topic {subject!r} does not exist; create it first (rmq topic create {subject})",
            topic=subject,
        )


class TopicExists(CallerError, code="RMQ_TOPIC_EXISTS"):
    """A topic of that name stands, with another value of `attribute` ("tags" for its tags)."""

    topic: str
    attribute: str


class ArchiveActive(CallerError, code="RMQ_ARCHIVE_ACTIVE"):
    """The topic keeps an archive; set archive_retention to None before deleting it."""

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(
            f"topic {subject!r} keeps an archive, which deleting would lose; set its "
            "archive_retention to None first"
        )


class SubscriptionDoesNotExist(CallerError, code="RMQ_SUBSCRIPTION_DOES_NOT_EXIST"):
    """The topic has no such subscription."""

    topic: str
    subscription: str


class SubscriptionExists(CallerError, code="RMQ_SUBSCRIPTION_EXISTS"):
    """The endpoint is subscribed, with another value of `attribute`."""

    topic: str
    attribute: str


class TooManySubscriptions(CallerError, code="RMQ_TOO_MANY_SUBSCRIPTIONS"):
    """The topic has as many subscriptions, or as many unconfirmed ones, as it may have."""

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(f"topic {subject!r} has {detail}, its limit; end some first")


class TooManyFilterPolicies(CallerError, code="RMQ_TOO_MANY_FILTER_POLICIES"):
    """The topic has as many filter policies as it may have."""

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(f"topic {subject!r} has {detail} filter policies, its limit; remove some first")


class AddressRefused(CallerError, code="RMQ_ADDRESS_REFUSED"):
    """Nobody outside may make this machine call that address; `host` and `address` name it."""

    host: str
    address: str
    """The address that is refused; of a host that is no name and no address, the host."""


# --- phones: mobile push and SMS ----------------------------------------------------------------


class PlatformApplicationDoesNotExist(CallerError, code="RMQ_PLATFORM_APPLICATION_DOES_NOT_EXIST"):
    """There is no such platform application here."""

    application: str
    """Its ARN."""

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(
            f"platform application {subject} does not exist; rmq mobile list shows those there are",
            application=subject,
        )


class PlatformApplicationExists(CallerError, code="RMQ_PLATFORM_APPLICATION_EXISTS"):
    """A platform application of that name stands, with another value of `attribute`."""

    application: str
    attribute: str


class PlatformApplicationDisabled(CallerError, code="RMQ_PLATFORM_APPLICATION_DISABLED"):
    """The platform application was switched off; set `enabled` to send again."""

    application: str


class EndpointDoesNotExist(CallerError, code="RMQ_ENDPOINT_DOES_NOT_EXIST"):
    """There is no such platform endpoint, or no more."""

    endpoint: str
    """Its ARN."""


class EndpointExists(CallerError, code="RMQ_ENDPOINT_EXISTS"):
    """The token has an endpoint, `endpoint`, with another value of `attribute`."""

    endpoint: str
    """The ARN of the one that has the token."""
    attribute: str


class EndpointDisabled(CallerError, code="RMQ_ENDPOINT_DISABLED"):
    """The endpoint was switched off, by its owner or because its token is of no use any more."""

    endpoint: str


class OptedOut(CallerError, code="RMQ_OPTED_OUT"):
    """The number does not want SMS."""

    number: str


class OptedInRecently(CallerError, code="RMQ_OPTED_IN_RECENTLY"):
    """A number may be opted in once in 30 days; `retry_after` says when again."""

    number: str
    retry_after: timedelta

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        left = _ms_left(detail)
        return cls(
            f"{subject} was opted in before; it may be opted in again in {brief(left)}",
            number=subject,
            retry_after=left,
        )


class SandboxNumberDoesNotExist(CallerError, code="RMQ_SANDBOX_NUMBER_DOES_NOT_EXIST"):
    """The number is not in the SMS sandbox."""

    number: str


class TooManySandboxNumbers(CallerError, code="RMQ_TOO_MANY_SANDBOX_NUMBERS"):
    """The SMS sandbox has as many numbers as it may have; remove one first."""

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(f"the SMS sandbox has {detail} numbers, its limit; remove one first")


class VerificationFailed(CallerError, code="RMQ_VERIFICATION_FAILED"):
    """The one-time password is wrong, has expired, or was tried too often."""

    number: str


class TooManyPasswords(CallerError, code="RMQ_TOO_MANY_PASSWORDS"):
    """A number gets a few one-time passwords a day; `retry_after` says when the next one."""

    number: str
    retry_after: timedelta


# --- streams --------------------------------------------------------------------------------------


class StreamDoesNotExist(CallerError, code="RMQ_STREAM_DOES_NOT_EXIST"):
    """There is no stream of that name in this namespace."""

    stream: str

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(
            f"stream {subject!r} does not exist; create it first (rmq stream create {subject})",
            stream=subject,
        )


class StreamExists(CallerError, code="RMQ_STREAM_EXISTS"):
    """A stream of that name stands."""

    stream: str

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(f"stream {subject!r} exists already", stream=subject)


class StreamInUse(CallerError, code="RMQ_STREAM_IN_USE"):
    """The stream is not in a state in which that can be done; `reason` says what is in the way."""

    stream: str
    reason: str

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(f"stream {subject!r} is in use: {detail}", stream=subject, reason=detail)


class ShardDoesNotExist(CallerError, code="RMQ_SHARD_DOES_NOT_EXIST"):
    """The stream has no such shard, or no more: it was closed longer ago than records are kept."""

    stream: str
    shard: str

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(
            f"stream {subject!r} has no shard {detail}; list its shards",
            stream=subject,
            shard=detail,
        )


class InvalidIterator(CallerError, code="RMQ_INVALID_ITERATOR"):
    """A shard iterator is malformed, or another stream's."""


class ExpiredIterator(CallerError, code="RMQ_EXPIRED_ITERATOR"):
    """A shard iterator is older than 5 minutes; `issued_ms` and `now_ms` are since 1970."""

    issued_ms: int
    now_ms: int

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(
            f"stream {subject!r}: the shard iterator has expired; get a new one",
            now_ms=int(detail) if detail.isdigit() else 0,
        )


class RateExceeded(CallerError, code="RMQ_RATE_EXCEEDED"):
    """A shard takes or gives no more just now; try again in a moment."""

    stream: str
    shard: str


class InvalidChange(InvalidParameter, code="RMQ_INVALID_CHANGE"):
    """A stream can not become that from what it is; nothing was changed.

    `aws_message` is what Amazon Kinesis says to it.
    """

    def __init__(self, field: str, value: object, limit: str, aws_message: str) -> None:
        super().__init__(field, value, limit)
        self.aws_message = aws_message


class NotProvisioned(CallerError, code="RMQ_NOT_PROVISIONED"):
    """The stream is on demand: it splits and merges its shards by itself."""

    stream: str


class ConsumerDoesNotExist(CallerError, code="RMQ_CONSUMER_DOES_NOT_EXIST"):
    """The stream has no such registered consumer, or no more."""

    stream: str
    consumer: str

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(
            f"stream {subject!r} has no registered consumer {detail!r}; register it first",
            stream=subject,
            consumer=detail,
        )


class ConsumerExists(CallerError, code="RMQ_CONSUMER_EXISTS"):
    """The stream has a registered consumer of that name."""

    stream: str
    consumer: str

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(
            f"stream {subject!r} has a registered consumer {detail!r} already",
            stream=subject,
            consumer=detail,
        )


class LimitExceeded(CallerError, code="RMQ_LIMIT_EXCEEDED"):
    """There are as many as there may be, or it was done as often as it may be; `reason` says of
    what. Limits by their names: rmq.Limits."""

    stream: str
    reason: str

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(f"stream {subject!r}: {detail}", stream=subject, reason=detail)


class ExpiredToken(CallerError, code="RMQ_EXPIRED_TOKEN"):
    """A next_token is older than 300 seconds: begin the list anew."""


class StreamQueueDoesNotExist(CallerError, code="RMQ_STREAM_QUEUE_DOES_NOT_EXIST"):
    """There is no queue on a stream with that id in this namespace."""

    queue: str


class StreamQueueExists(CallerError, code="RMQ_STREAM_QUEUE_EXISTS"):
    """A queue on a stream has that name."""

    queue: str


# --- consumer groups of streams -----------------------------------------------------------------


class GroupDoesNotExist(CallerError, code="RMQ_GROUP_DOES_NOT_EXIST"):
    """The stream has no such consumer group: nobody has consumed by that name yet, or it was
    deleted."""

    group: str
    """`stream/group`."""

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(
            f"consumer group {subject!r} does not exist; the first worker of a group makes it",
            group=subject,
        )


class GroupInUse(CallerError, code="RMQ_GROUP_IN_USE"):
    """Workers of the group are at work; stop them first, or force it."""

    group: str
    """`stream/group`."""

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(
            f"consumer group {subject!r} has {detail} workers at work; stop them first, or "
            "force it",
            group=subject,
        )


class LeaseLost(CallerError, code="RMQ_LEASE_LOST"):
    """The shard has another owner by now: what it did since then is not ours to note."""

    group: str
    """`stream/group`."""
    shard_id: str


class RecordFailed(CallerError, code="RMQ_RECORD_FAILED"):
    """A consumer's handler failed on a record again and again, and nothing says what to do with it:
    the worker has stopped in front of it. The handler's own error is the cause."""

    group: str
    """`stream/group`."""
    shard_id: str
    sequence_number: str
    sub_sequence_number: int


# --- workers -----------------------------------------------------------------------------------


class ScheduleDoesNotExist(CallerError, code="RMQ_SCHEDULE_DOES_NOT_EXIST"):
    """The app has no schedule of that name."""

    schedule: str

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(
            f"schedule {detail!r} does not exist in app {subject!r}; rmq schedule list shows those "
            "there are",
            schedule=detail,
        )


class SchedulerLeaseLost(CallerError, code="RMQ_SCHEDULER_LEASE_LOST"):
    """Ours to handle: another scheduler holds the lease by now."""


class WorkerDoesNotExist(CallerError, code="RMQ_WORKER_DOES_NOT_EXIST"):
    """No live worker has that id."""

    worker: str

    @classmethod
    def _refused(cls, subject: str, detail: str) -> RmqError:
        return cls(
            f"worker {detail!r} does not live in app {subject!r}; rmq worker list shows those that "
            "do",
            worker=detail,
        )


class ResultTimeout(CallerError, code="RMQ_RESULT_TIMEOUT"):
    """A task had not ended when the wait for its result did."""

    task: str


class TaskFailed(CallerError, code="RMQ_TASK_FAILED"):
    """The task whose result was asked for failed for good; `error` says why."""

    task: str
    error: str


class TaskCancelled(CallerError, code="RMQ_TASK_CANCELLED"):
    """The task whose result was asked for was cancelled."""

    task: str


class ConfigurationError(CallerError, code="RMQ_CONFIGURATION"):
    """A URL, a setting or a server that we can not work with."""


class ServerError(RmqError, code="RMQ_SERVER_ERROR"):
    """Redis refused or could not be reached."""


class ConnectionLost(ServerError, code="RMQ_CONNECTION_LOST"):
    """Redis did not answer within the deadline; the request may have been carried out."""


class OutOfMemory(ServerError, code="RMQ_OUT_OF_MEMORY"):
    """Redis is at its maxmemory. Nothing was stored; receive and delete free memory."""


class StaleConfig(ServerError, code="RMQ_STALE_CONFIG"):
    """The queue's description changed under us. Plans refresh it and try again; a caller meets it
    only where it asked for a change of one version."""


class ShardClosed(ServerError, code="RMQ_SHARD_CLOSED"):
    """The shard takes no more records. Plans look for its children and go on there."""


def _ms_left(detail: str) -> timedelta:
    """What a script says is left of an interval, in ms."""
    return timedelta(milliseconds=int(detail) if detail.isdigit() else 0)


class Words(str):
    """A description of a value, shown as it is: 11 attributes, empty, 2048 bytes."""

    __slots__ = ()


def brief(value: object) -> str:
    """A value as an error may show it: short, and never a payload."""
    if isinstance(value, Words):
        return str(value)
    if isinstance(value, timedelta):
        return f"{value.total_seconds():.10g} s"
    if isinstance(value, (bytes, bytearray, memoryview)):
        return f"{len(value)} bytes"
    text = value if isinstance(value, str) else str(value)
    shown = repr(text) if isinstance(value, str) else text
    return shown if len(text) <= 100 else f"{text[:80]!r}… ({len(text)} characters)"
