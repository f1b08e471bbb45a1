"""boto3: an SQS client behind the face of rmq.AsyncClient, so that one test body runs over both.

What the library says beyond AWS's answer is looked up where that can be done: whether a delete
removed something (it is there before and not after), whether a send was a duplicate (its id was
given before), how many a purge dropped. The rest is Untold, or NotInAws at once.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections.abc import AsyncIterator, Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import botocore.exceptions
import botocore.parsers

from rmq import (
    AsyncClient,
    AsyncMessage,
    AsyncQueue,
    BatchResult,
    MessageAttribute,
    Outgoing,
    PeekedMessage,
    QueueStats,
)
from rmq.core.limits import listed
from rmq.errors import CallerError, InvalidParameter, QueueDoesNotExist, RedriveNotFound, RmqError
from rmq.queues.attributes import queue_name
from tests import boto_streams as streams
from tests import boto_topics as topics
from tests import boto_words as words
from tests.boto_doors import HttpDoor, InProcessDoor, NotInAws, UnderWay
from tests.boto_words import Info, Untold
from tests.colours import in_thread

BOTO = ("boto3-http", "boto3-inprocess")
"""The names of the two backends."""

BATCH = 10
BATCH_BYTES = 1_048_576
PEEKED = 1000
"""Messages in one answer of a peek."""
PEEK = "/_aws/sqs/messages"
RUNNING = ("RUNNING", "CANCELLING")

_sent: set[str] = set()
"""The message ids that sends were answered with. They are unique, so one set serves all tests."""
_received: dict[str, str] = {}
"""Of which message a receipt handle is."""


class _Face:
    """What the library's twin has and this has not is NotInAws."""

    _twins: tuple[type, ...]

    def __getattr__(self, name: str) -> Any:
        if name in ("_registry", "_streams"):
            raise NotInAws("a plan carried out by hand")
        if not name.startswith("_") and any(hasattr(one, name) for one in self._twins):
            raise NotInAws(f"{self._twins[0].__name__.removeprefix('Async').lower()}.{name}")
        raise AttributeError(name)


class Page(list[str]):
    """Names of queues, and where the next page begins."""

    next_token: str | None = None


class BotoClient(streams.Streams, topics.Topics, _Face):
    """One boto3 client of each service: the queues and topics of one account."""

    _twins = (AsyncClient,)

    def __init__(self, door: HttpDoor | InProcessDoor) -> None:
        self.account = door.account
        self.base_url = door.sqs.meta.endpoint_url
        self.post = door.post
        self._door = door
        self._sqs = door.sqs
        self._sns = door.sns
        self._kinesis = door.kinesis
        self.deleted: set[tuple[str, str]] = set()
        """Queue and id of the messages that a delete is known to have removed."""

    @property
    def _executor(self) -> Any:
        return self._door.executor

    async def call(self, operation: str, queue: str, **parameters: Any) -> dict[str, Any]:
        """Carry out an operation of SQS. Raises the library's errors."""
        shape = self._sqs.meta.service_model.operation_model(operation).input_shape
        suspect = _suspect(parameters, shape)
        method = getattr(self._sqs, botocore.xform_name(operation))
        try:
            call = asyncio.ensure_future(in_thread(method, **parameters))
            if operation == "ReceiveMessage" and isinstance(self._executor, UnderWay):
                return await self._executor.answer(call)
            return await call
        except botocore.exceptions.ClientError as error:
            said = error.response["Error"]
            found = words.error_of(said["Code"], said["Message"], queue, suspect)
            if found is None:
                raise
            raise found from error
        except (TypeError, ValueError):
            if suspect:
                raise NotInAws(f"a value that boto3 can not write: {suspect}") from None
            raise

    async def ask_sns(self, operation: str, topic: str, **parameters: Any) -> dict[str, Any]:
        """Carry out an operation of SNS. Raises the library's errors."""
        shape = self._sns.meta.service_model.operation_model(operation).input_shape
        if suspect := _suspect(parameters, shape):
            raise NotInAws(f"a value that boto3 can not write: {suspect}")
        method = getattr(self._sns, botocore.xform_name(operation))
        try:
            found = await in_thread(method, **parameters)
        except botocore.exceptions.ClientError as error:
            said = error.response["Error"]
            made = topics.error_of(said["Code"], said["Message"], topic)
            if made is None:
                raise
            raise made from error
        found.pop("ResponseMetadata")
        return dict(found)

    async def ask_kinesis(self, operation: str, stream: str, **parameters: Any) -> dict[str, Any]:
        """Carry out an operation of Kinesis. Raises the library's errors."""
        shape = self._kinesis.meta.service_model.operation_model(operation).input_shape
        if suspect := _suspect(parameters, shape):
            raise NotInAws(f"a value that boto3 can not write: {suspect}")
        method = getattr(self._kinesis, botocore.xform_name(operation))
        try:
            found = await in_thread(method, **parameters)
        except botocore.exceptions.ClientError as error:
            said = error.response["Error"]
            message = said["Message"].replace(self.account, "000000000000")  # as the library's
            raise streams.error_of(said["Code"], message, stream) from error
        found.pop("ResponseMetadata")
        return dict(found)

    # --- queues ---

    def url(self, name: Any) -> str:
        return f"{self.base_url}/{self.account}/{name}"

    def queue(self, name: Any) -> BotoQueue:
        return BotoQueue(self, name, self.url(name))

    async def create_queue(self, name: Any, *, tags: Any = None, **attributes: Any) -> BotoQueue:
        is_fifo = isinstance(name, str) and name.endswith(".fifo")
        made = words.attributes_in(attributes, self.account, is_fifo=is_fifo)
        if is_fifo:
            made["FifoQueue"] = "true"
        given: dict[str, Any] = {"Attributes": made} if made else {}
        if tags is not None:
            given["tags"] = tags
        found = await self.call("CreateQueue", name, QueueName=name, **given)
        _seen(attributes)
        assert found["QueueUrl"] == self.url(name)
        return BotoQueue(self, name, found["QueueUrl"])

    async def get_queue(self, name: Any) -> BotoQueue:
        found = await self.call("GetQueueUrl", name, QueueName=name)
        return BotoQueue(self, name, found["QueueUrl"])

    async def list_queues(self, prefix: Any = "", *, limit: Any = 1000, token: Any = None) -> Page:
        given = {} if prefix == "" else {"QueueNamePrefix": prefix}
        return await self.page("ListQueues", "QueueUrls", "", limit, token, **given)

    async def page(
        self, operation: str, member: str, queue: str, limit: Any, token: Any, **given: Any
    ) -> Page:
        if token is not None:
            if isinstance(token, str) and len(token) == 1 and token.isascii():
                raise NotInAws("a token that nobody gave us: there, none means anything")
            given["NextToken"] = token
        found = await self.call(operation, queue, MaxResults=limit, **given)
        page = Page(url.rpartition("/")[2] for url in found.get(member, ()))
        page.next_token = found.get("NextToken")
        return page

    async def all_queues(self, prefix: str = "") -> AsyncIterator[BotoQueue]:
        token = None
        while True:
            page = await self.list_queues(prefix, token=token)
            for name in page:
                yield self.queue(name)
            token = page.next_token
            if token is None:
                return

    async def delete_queue(self, name: Any) -> None:
        await self.queue(name).delete_queue()

    async def close(self) -> None:
        await in_thread(self._door.close)


class BotoQueue(_Face):
    """One queue, by its URL."""

    _twins = (AsyncQueue,)

    def __init__(self, client: BotoClient, name: Any, url: str) -> None:
        self.name = name
        self.is_fifo = str(name).endswith(".fifo")
        self._client = client
        self._url = url
        self.arn = self._arn = words.arn(client.account, name)
        self._looks = _Shared(self._look)

    async def _call(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return await self._client.call(operation, self.name, QueueUrl=self._url, **parameters)

    # --- sending ---

    async def send(self, body: Any, **extras: Any) -> Sent:
        entry = words.entry(Outgoing(body, **extras))
        if self.is_fifo and entry.get("DelaySeconds") == 0:
            raise NotInAws("a delay of 0 for one FIFO message: SQS lets it pass")
        return _sent_as(await self._call("SendMessage", **entry), entry)

    async def send_many(self, messages: Any) -> BatchResult[Any]:
        if not isinstance(messages, Iterable) or isinstance(messages, (str, bytes)):
            raise NotInAws("a batch that is no list: boto3 can not write it")
        entries = [words.entry(one) for one in messages]
        if any(not isinstance(one["MessageBody"], str) for one in entries):
            raise NotInAws("a body of the wrong type, alone: the whole batch is malformed")
        results: list[Any] = []
        for batch in _batches(entries):
            results += await self._batch(
                "SendMessageBatch", batch, lambda entry, found: _sent_as(found, entry)
            )
        return BatchResult(tuple(results))

    async def _batch(
        self,
        operation: str,
        entries: Sequence[dict[str, Any]],
        made: Callable[[dict[str, Any], dict[str, Any]], Any],
    ) -> list[Any]:
        """A batch of up to ten; what is *made* of each, or its error."""
        given = [{"Id": str(place), **one} for place, one in enumerate(entries)]
        answer = await self._call(operation, Entries=given)
        results: list[Any] = [None] * len(entries)
        for one in answer.get("Successful", ()):
            results[int(one["Id"])] = made(entries[int(one["Id"])], one)
        for one in answer.get("Failed", ()):
            error = words.error_of(one["Code"], one["Message"], self.name)
            assert error is not None, one
            assert one["SenderFault"] is True
            results[int(one["Id"])] = error
        assert all(one is not None for one in results), "an entry without an answer"
        return results

    # --- receiving ---

    async def receive(
        self,
        max_messages: Any = 1,
        *,
        visibility_timeout: Any = None,
        wait: Any = None,
        receive_request_attempt_id: Any = None,
    ) -> list[BotoMessage]:
        given = {
            "VisibilityTimeout": words.seconds(visibility_timeout),
            "WaitTimeSeconds": words.seconds(wait),
            "ReceiveRequestAttemptId": receive_request_attempt_id,
        }
        found = await self._call(
            "ReceiveMessage",
            MessageAttributeNames=["All"],
            MessageSystemAttributeNames=["All"],
            MaxNumberOfMessages=max_messages,
            **{name: value for name, value in given.items() if value is not None},
        )
        messages = [BotoMessage(self, one) for one in found.get("Messages", ())]
        _received.update((one.receipt_handle, one.id) for one in messages)
        return messages

    async def messages(
        self, *, max_messages: int = 1, visibility_timeout: Any = None, wait: Any = 20
    ) -> AsyncIterator[BotoMessage]:
        while True:
            for message in await self.receive(
                max_messages, visibility_timeout=visibility_timeout, wait=wait
            ):
                yield message

    def __aiter__(self) -> AsyncIterator[BotoMessage]:
        return self.messages()

    # --- what was received ---

    async def delete(self, message: Any) -> bool:
        handle = _handle(message)
        before = await self._there()
        await self._call("DeleteMessage", ReceiptHandle=handle)
        return self._removed(handle, before, await self._there())

    async def delete_many(self, messages: Any) -> BatchResult[Any]:
        handles = [_handle(one) for one in listed(messages, "messages", "messages or handles")]
        before, results = await self._there(), []
        for batch in _tens([{"ReceiptHandle": one} for one in handles]):
            results += await self._batch("DeleteMessageBatch", batch, lambda *_: True)
        after = await self._there()
        return BatchResult(
            tuple(
                result if isinstance(result, RmqError) else self._removed(handle, before, after)
                for handle, result in zip(handles, results, strict=True)
            )
        )

    async def change_visibility(self, message: Any, timeout: Any) -> Any:
        await self._call(
            "ChangeMessageVisibility",
            ReceiptHandle=_handle(message),
            VisibilityTimeout=words.seconds(timeout),
        )
        return ENDS

    async def change_visibility_many(self, changes: Any) -> BatchResult[Any]:
        given = [
            {"ReceiptHandle": _handle(one), "VisibilityTimeout": words.seconds(timeout)}
            for one, timeout in _pairs(changes)
        ]
        results: list[Any] = []
        for batch in _tens(given):
            results += await self._batch("ChangeMessageVisibilityBatch", batch, lambda *_: ENDS)
        return BatchResult(tuple(results))

    # --- looking ---

    async def peek(self, limit: Any = 10, *, after: Any = None) -> list[BotoMessage]:
        if after is not None or type(limit) is not int or not 1 <= limit <= PEEKED:
            raise NotInAws("a look that goes on where another ended")
        visible = {one["MessageId"] for one in await self._peek()}
        held = {one["MessageId"] for one in await self._peek(ShowInvisible=True)}
        found = []
        for one in await self._look():
            state = "in flight" if one["MessageId"] in held else "delayed"
            state = "visible" if one["MessageId"] in visible else state
            found.append(BotoMessage(self, one, state))
        return found[:limit]

    async def _look(self) -> list[dict[str, Any]]:
        return await self._peek(ShowInvisible=True, ShowDelayed=True)

    async def _peek(self, **given: bool) -> list[dict[str, Any]]:
        body = json.dumps({"QueueUrl": self._url, **given}).encode()
        headers = {
            "x-amz-target": "AmazonSQS.ReceiveMessage",
            "content-type": "application/x-amz-json-1.0",
        }
        status, said = await in_thread(self._client.post, PEEK, body, headers)
        if status != 200:
            refusal = json.loads(said)
            code = refusal["__type"].rpartition("#")[2]
            error = words.error_of(code, refusal["message"], self.name)
            assert error is not None, refusal
            raise error
        model = self._client._sqs.meta.service_model.operation_model("ReceiveMessage")
        answer = {"body": said, "headers": {}, "status_code": status}
        parsed = botocore.parsers.create_parser("json").parse(answer, model.output_shape)
        return list(parsed.get("Messages", ()))

    async def _there(self) -> set[str] | None:
        """The ids of all that is in the queue, whatever its state; None where it can not be seen:
        the queue is not there, or holds too much."""
        try:
            found = await self._looks()
        except QueueDoesNotExist:
            return None
        return {one["MessageId"] for one in found} if len(found) < PEEKED else None

    def _removed(self, handle: str, before: set[str] | None, after: set[str] | None) -> Any:
        """Whether a delete removed a message; of several at a time, one did."""
        if before is None or after is None or handle not in _received:
            return Untold("whether a delete removed something")
        id = _received[handle]
        if id not in before or id in after or (self.name, id) in self._client.deleted:
            return False
        self._client.deleted.add((self.name, id))
        return True

    async def stats(self) -> Stats:
        names = [f"ApproximateNumberOfMessages{one}" for one in ("", "NotVisible", "Delayed")]
        found = await self._call("GetQueueAttributes", AttributeNames=names)
        return Stats(*(int(found["Attributes"][name]) for name in names))

    async def info(self) -> Info:
        found = await self._call("GetQueueAttributes", AttributeNames=["All"])
        return words.info_out(found["Attributes"])

    # --- the queue itself ---

    async def set_attributes(self, **attributes: Any) -> Info:
        given = words.attributes_in(attributes, self._client.account, is_fifo=self.is_fifo)
        await self._call("SetQueueAttributes", Attributes=given)
        _seen(attributes)
        return await self.info()

    async def tags(self) -> dict[str, str]:
        return (await self._call("ListQueueTags")).get("Tags", {})

    async def tag(self, tags: Any) -> dict[str, str]:
        await self._call("TagQueue", Tags=tags)
        return await self.tags()

    async def untag(self, keys: Any) -> dict[str, str]:
        await self._call("UntagQueue", TagKeys=keys)
        return await self.tags()

    async def purge(self) -> int:
        before = await self.stats()
        await self._call("PurgeQueue")
        return before.messages

    async def delete_queue(self) -> None:
        await self._call("DeleteQueue")

    async def dead_letter_sources(self, *, limit: Any = 1000, token: Any = None) -> Page:
        return await self._client.page(
            "ListDeadLetterSourceQueues",
            "queueUrls",
            self.name,
            limit,
            token,
            QueueUrl=self._url,
        )

    # --- dead letters back ---

    async def redrive(
        self, destination: Any = None, *, max_per_second: Any = None, progress: Any = None
    ) -> Task:
        if progress is not None:
            raise NotInAws("being told how a move goes on")
        task = await self.start_redrive(destination, max_per_second=max_per_second)
        while True:
            [found] = await self.redrive_tasks(limit=1)
            if found.status not in RUNNING:
                found.id = task.id
                return found
            await asyncio.sleep(0.005)

    async def start_redrive(self, destination: Any = None, *, max_per_second: Any = None) -> Task:
        given = {"MaxNumberOfMessagesPerSecond": max_per_second}
        asked = self.name
        if destination is not None:
            try:
                asked = queue_name(destination)
            except InvalidParameter:
                raise NotInAws("a queue that can not be: an ARN names one or none") from None
            given["DestinationArn"] = words.arn(self._client.account, destination)
        given = {name: value for name, value in given.items() if value is not None}
        try:
            found = await self._client.call(
                "StartMessageMoveTask", self.name, SourceArn=self._arn, **given
            )
        except QueueDoesNotExist as error:
            if "DestinationArn" in str(error):
                error.queue = asked
            raise
        return Task("RUNNING", found["TaskHandle"])

    async def cancel_redrive(self, id: Any) -> Task:
        try:
            found = await self._client.call("CancelMessageMoveTask", self.name, TaskHandle=id)
        except RedriveNotFound:
            # The handle stands for task and queue. Which of them is not there?
            await self._client.get_queue(self.name)
            raise
        [task] = await self.redrive_tasks(limit=1)
        task.moved = found["ApproximateNumberOfMessagesMoved"]
        return task

    async def redrive_tasks(self, limit: Any = 10) -> list[Task]:
        found = await self._client.call(
            "ListMessageMoveTasks", self.name, SourceArn=self._arn, MaxResults=limit
        )
        return [_task(one) for one in found.get("Results", ())]


class BotoMessage(_Face):
    """A message as ReceiveMessage gave it, or a peek, which says no handle but a *state*."""

    _twins = (AsyncMessage, PeekedMessage)

    def __init__(self, queue: BotoQueue, found: Mapping[str, Any], state: str = "") -> None:
        system = found["Attributes"]
        self._queue = queue
        self.queue_name = queue.name
        self.id: str = found["MessageId"]
        self.receipt_handle: str = found["ReceiptHandle"]
        self.text: str = found["Body"]
        self.body = self.text.encode()
        assert found["MD5OfBody"] == _md5(self.text)
        self.attributes: dict[str, MessageAttribute] = words.received_attributes(
            found.get("MessageAttributes", {})
        )
        self.receive_count = int(system["ApproximateReceiveCount"])
        self.sent_at = words.moment(system["SentTimestamp"])
        self.first_received_at = words.moment(system.get("ApproximateFirstReceiveTimestamp"))
        self.sender_id = system["SenderId"]
        self.sequence_number = system.get("SequenceNumber")
        self.message_group_id = system.get("MessageGroupId")
        self.deduplication_id = system.get("MessageDeduplicationId")
        self.trace_header = system.get("AWSTraceHeader")
        source = system.get("DeadLetterQueueSourceArn")
        self.dead_letter_source = source and source.rpartition(":")[2]
        if state:
            self.state = state
            self.visible_at = (
                Untold("when a message becomes visible") if state != "visible" else None
            )

    def json(self) -> Any:
        return json.loads(self.body)

    async def delete(self) -> bool:
        return await self._queue.delete(self)

    async def change_visibility(self, timeout: Any) -> Any:
        return await self._queue.change_visibility(self, timeout)

    async def release(self, delay: timedelta | float = 0) -> None:
        try:
            await self._queue.change_visibility(self, delay)
        except InvalidParameter:
            raise
        except CallerError:
            pass

    @asynccontextmanager
    async def handling(self, retry_after: timedelta | float = 0) -> AsyncIterator[BotoMessage]:
        try:
            yield self
        except BaseException:
            await self.release(retry_after)
            raise
        await self.delete()

    async def __aenter__(self) -> BotoMessage:
        return self

    async def __aexit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            await self.delete()
        else:
            await self.release()


# --- answers -------------------------------------------------------------------------------------

ENDS = Untold("when a changed lease ends")
VISIBLE_AGAIN = Untold("when a message becomes visible")


@dataclass(frozen=True)
class Sent:
    """What a send was answered with."""

    id: str
    sequence_number: str | None
    is_duplicate: bool


def _sent_as(found: Mapping[str, Any], entry: Mapping[str, Any]) -> Sent:
    assert found["MD5OfMessageBody"] == _md5(entry["MessageBody"])
    id = found["MessageId"]
    sent = Sent(id, found.get("SequenceNumber"), id in _sent)
    _sent.add(id)
    return sent


@dataclass(frozen=True)
class Stats:
    """The three counts that SQS has."""

    visible: int
    in_flight: int
    delayed: int

    @property
    def messages(self) -> int:
        return self.visible + self.in_flight + self.delayed

    def __getattr__(self, name: str) -> Any:
        if name in QueueStats.__dataclass_fields__:
            raise NotInAws("totals, ages and sizes in a queue's counts")
        raise AttributeError(name)


@dataclass
class Task:
    """A move task."""

    status: str
    id: Any
    source: Any = None
    destination: str | None = None
    moved: Any = None
    to_move: Any = None
    failure: str | None = None
    started_at: Any = None


def _task(found: Mapping[str, Any]) -> Task:
    destination, failure = found.get("DestinationArn"), found.get("FailureReason")
    return Task(
        status=found["Status"],
        id=found.get("TaskHandle", words.OF_ENDED_TASKS),
        source=found["SourceArn"].rpartition(":")[2],
        destination=destination and destination.rpartition(":")[2],
        moved=found["ApproximateNumberOfMessagesMoved"],
        to_move=found.get("ApproximateNumberOfMessagesToMove"),
        failure=failure and failure.removeprefix("AWS.SimpleQueueService."),
        started_at=words.moment(found["StartedTimestamp"]),
    )


# --- requests ------------------------------------------------------------------------------------


class _Shared:
    """An asking that callers share: each gets an answer that was begun after it asked."""

    def __init__(self, ask: Callable[[], Any]) -> None:
        self._ask = ask
        self._running: asyncio.Future[Any] | None = None
        self._next: asyncio.Future[Any] | None = None

    async def __call__(self) -> Any:
        if self._next is None:
            self._next = asyncio.ensure_future(self._after(self._running))
        return await self._next

    async def _after(self, running: asyncio.Future[Any] | None) -> Any:
        if running is not None:
            await asyncio.wait((running,))
        self._running, self._next = self._next, None
        return await self._ask()


def _handle(message: Any) -> str:
    handle = message.receipt_handle if isinstance(message, BotoMessage) else message
    if not isinstance(handle, str) or _is_lone(handle):
        raise NotInAws("receipts that are no text")
    return handle


def _pairs(changes: Any) -> Iterator[tuple[Any, Any]]:
    for one in listed(changes, "changes", "pairs of message and timeout"):
        if not isinstance(one, tuple):
            raise NotInAws("a change of visibility without a timeout")
        yield one


def _tens(entries: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(entries), BATCH):
        yield entries[start : start + BATCH]


def _batches(entries: Sequence[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Up to ten entries of up to 1 MiB in all, in order."""
    batch: list[dict[str, Any]] = []
    size = 0
    for one in entries:
        grown = size + words.size(one)
        if batch and (len(batch) == BATCH or grown > BATCH_BYTES):
            yield batch
            batch, grown = [], words.size(one)
        batch.append(one)
        size = grown
    if batch:
        yield batch


def _seen(attributes: Mapping[str, Any]) -> None:
    """What was set and can not be read again."""
    if "kms_data_key_reuse_period" in attributes and not attributes.get("kms_master_key_id"):
        raise NotInAws("how long data keys are used, where no key is set: it is not shown")


def _suspect(value: Any, shape: Any, path: str = "") -> str:
    """The path of the first value that is not of its type. AWS says that there is one, but not
    always which. Raises NotInAws for one that boto3 can not write, or writes as something else."""
    if shape.type_name not in MEMBERS_OF:
        is_flag = isinstance(value, bool) == (shape.type_name == "boolean")
        is_of_type = isinstance(value, _KINDS[shape.type_name]) and is_flag
        return path if not is_of_type or _is_lone(value) else ""
    if not isinstance(value, (list, tuple) if shape.type_name == "list" else Mapping):
        raise NotInAws(f"a value that boto3 can not write: {path}")
    for name, one in value.items() if isinstance(value, Mapping) else enumerate(value):
        if shape.type_name != "list" and not isinstance(name, str):
            raise NotInAws("a name that is no text: boto3 makes it one")
        member = MEMBERS_OF[shape.type_name](shape, name)
        where = f"{path}.{name}" if path else str(name)
        if _is_lone(name):
            return where
        if one is None:
            if path or name not in shape.required_members or member.type_name in MEMBERS_OF:
                raise NotInAws("null: it is as good as left out")
        elif found := _suspect(one, member, where):
            return found
    return ""


MEMBERS_OF: dict[str, Callable[[Any, Any], Any]] = {
    "structure": lambda shape, name: shape.members[name],
    "map": lambda shape, name: shape.value,
    "list": lambda shape, name: shape.member,
}
_KINDS = {
    "string": str,
    "integer": int,
    "blob": (bytes, str),
    "boolean": bool,
    "timestamp": datetime,
}


def _is_lone(value: Any) -> bool:
    """Whether it is text that UTF-8 can not express."""
    return isinstance(value, str) and any("\ud800" <= one <= "\udfff" for one in value)


def _md5(text: str) -> str:
    return hashlib.md5(text.encode()).hexdigest()
