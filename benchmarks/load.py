"""The load: requests as boto3 sends them, over many connections, from a process of its own.

A request is put together beforehand; all that is cut from an answer while the clock runs is its
length and a receipt handle; the answers are kept, and read when the clock has stopped. So the
generator takes some 25 µs a request, where boto3 takes 1,400, and what is measured is the
server. Every row says what share of a core the generator took all the same.

Nothing may be lost: an answer other than 200, and a message that came twice, with another body or
not at all, end the benchmark.

    with Load() as generator:
        outcome = generator.run(Target(port, queue_url), "send", 1000, connections=64)
"""

from __future__ import annotations

import gc
import json
import selectors
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Generator, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from hashlib import md5
from typing import Any, Self

from benchmarks.bench import BODIES

HOST = "127.0.0.1"
BODY = BODIES["100 B"].decode()
PATIENCE_S = 30.0
"""The longest that a server may leave every connection without an answer."""
MAY_BE_EMPTY = 0.1
"""Receives that may find nothing, for each message that is there: SQS allows it to a short poll."""
HANDLE = b'"ReceiptHandle":'

HEAD = (
    b"POST / HTTP/1.1\r\n"
    b"Host: 127.0.0.1:%d\r\n"
    b"Accept-Encoding: identity\r\n"
    b"X-Amz-Target: AmazonSQS.%s\r\n"
    b"Content-Type: application/x-amz-json-1.0\r\n"
    b"x-amzn-query-mode: true\r\n"
    b"User-Agent: Botocore/1.44.5 ua/2.1 os/linux md/arch#x86_64 lang/python#3.11.7 "
    b"md/pyimpl#CPython m/E,Z,e,N,b cfg/retry-mode#standard\r\n"
    b"X-Amz-Date: 20260101T000000Z\r\n"
    b"Authorization: AWS4-HMAC-SHA256 "
    b"Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/sqs/aws4_request, "
    b"SignedHeaders=content-type;host;x-amz-date;x-amz-target;x-amzn-query-mode, "
    b"Signature=8bbb3dbced8b195ed01062ebe276231a1d874def5966893f9d5162e4e59b74ae\r\n"
    b"amz-sdk-invocation-id: ce26fd46-3803-4422-a790-99f3154d8139\r\n"
    b"amz-sdk-request: attempt=1; max=3\r\n"
    b"Content-Length: %d\r\n\r\n"
)
"""What boto3 1.44 sends, in its order. The signature is a well-formed one, not a true one."""


# --- For the benchmarks ------------------------------------------------------------------------

Latencies = dict[str, list[float]]
"""Seconds of each request, by action."""


@dataclass(frozen=True, slots=True)
class Target:
    """A queue behind an endpoint."""

    port: int
    queue_url: str
    checked: bool = True
    """False for a server that answers the same to everything."""
    may_repeat: bool = False
    """A server that hands a message to two who ask at once. It is counted, and no error."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a run came to."""

    requests: int
    seconds: float
    cpu_s: float
    """Processor time of the generator."""
    empty: int
    """Receives that found nothing while there was something."""
    repeated: int
    """Messages that were received before, where that is no error."""
    latencies: Latencies = field(default_factory=dict)
    """Only of work that looks at them."""


class LoadFailed(Exception):
    """The load found an answer that is wrong, or lost a message; the message says which."""


class Load:
    """The generator's process. As a context manager, it ends at the end."""

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "benchmarks.load"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        return self

    def __exit__(self, *error: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait()
        self._process.stdout.close()

    def run(self, target: Target, work: str, count: int, *, connections: int) -> Outcome:
        """Do *work*, a name from WORKS, for *count* messages. Raises LoadFailed."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        job = {"target": asdict(target), "work": work, "count": count, "connections": connections}
        print(json.dumps(job), file=self._process.stdin, flush=True)
        line = self._process.stdout.readline()
        if not line:
            raise LoadFailed("the generator ended; its error is above")
        answer = json.loads(line)
        if "failed" in answer:
            raise LoadFailed(f"{work} at port {target.port}: {answer['failed']}")
        return Outcome(**answer)


def ask(port: int, action: str, **parameters: Any) -> bytes:
    """Send one request and return the whole answer. Raises LoadFailed."""
    with socket.create_connection((HOST, port), PATIENCE_S) as connection:
        connection.sendall(request(port, action, **parameters))
        data = b""
        while not _end(data)[0]:
            more = connection.recv(CHUNK)
            if not more:
                raise LoadFailed(f"{action} at port {port}: cut short after {data!r}")
            data += more
    return data


def request(port: int, action: str, **parameters: Any) -> bytes:
    """A whole request, as boto3 would write it."""
    body = json.dumps(parameters).encode()
    return HEAD % (port, action.encode(), len(body)) + body


# --- The generator -----------------------------------------------------------------------------

CHUNK = 1 << 16
Talk = Generator[bytes, bytes, None]
"""What one connection says: yields requests, is sent answers."""


class _Run:
    """One piece of work at one target."""

    def __init__(self, target: Target, work: str, count: int) -> None:
        self.target = target
        self.work = work
        self.count = count
        self.tickets = iter(range(count))
        """Taken by all connections; who finds none is done."""
        self.sends: list[bytes] = []
        self.receives: list[bytes] = []
        self.deletes: list[bytes] = []
        self.empty = 0
        self.repeated = 0
        self.latencies: Latencies = {}
        queue = {"QueueUrl": target.queue_url}
        self.send_request = request(target.port, "SendMessage", **queue, MessageBody=BODY)
        self.receive_request = request(
            target.port, "ReceiveMessage", **queue, MaxNumberOfMessages=1
        )
        # No encoder for the handle: ours is base64, moto's are letters, and it came as JSON.
        marked = json.dumps({**queue, "ReceiptHandle": "*"}).encode()
        self.delete_start, _, self.delete_end = marked.rpartition(b"*")
        self.heads: dict[int, bytes] = {}

    def send(self) -> Talk:
        keep, ask = self.sends.append, self.send_request
        for _ in self.tickets:
            keep((yield ask))

    def receive_delete(self) -> Talk:
        for _ in self.tickets:
            while HANDLE not in (found := (yield self.receive_request)):
                self.found_nothing()
            self.receives.append(found)
            self.deletes.append((yield self.delete_request(found)))

    def one_by_one(self) -> Talk:
        """Send a message, receive it, delete it; with the time that the first two took."""
        took = self.latencies = {"SendMessage": [], "ReceiveMessage": []}
        clock = time.perf_counter
        for _ in self.tickets:
            begun = clock()
            self.sends.append((yield self.send_request))
            took["SendMessage"].append(clock() - begun)
            begun = clock()
            found = yield self.receive_request
            took["ReceiveMessage"].append(clock() - begun)
            self.receives.append(found)
            self.deletes.append((yield self.delete_request(found)))

    def delete_request(self, found: bytes) -> bytes:
        """The request that deletes the one message in an answer. Raises LoadFailed."""
        start = found.find(HANDLE)
        if start < 0:
            raise LoadFailed(f"no message in {found!r}")
        start = found.index(b'"', start + len(HANDLE)) + 1
        body = self.delete_start + found[start : found.index(b'"', start)] + self.delete_end
        size = len(body)
        head = self.heads.get(size)
        if head is None:
            head = self.heads[size] = HEAD % (self.target.port, b"DeleteMessage", size)
        return head + body

    def found_nothing(self) -> None:
        self.empty += 1
        if self.empty > self.count * MAY_BE_EMPTY:
            raise LoadFailed(f"{self.empty} receives found nothing where there was something")

    def check(self, there: set[str]) -> None:
        """Read all answers. *there* are the messages sent and not received, kept up to date.

        Raises LoadFailed.
        """
        for answer in self.sends:
            sent = json.loads(body_of(answer))
            if sent["MD5OfMessageBody"] != BODY_MD5:
                raise LoadFailed(f"sent another body: {sent}")
            if sent["MessageId"] in there:
                raise LoadFailed(f"the same id twice: {sent}")
            there.add(sent["MessageId"])
        for answer in self.receives:
            (message,) = json.loads(body_of(answer))["Messages"]
            if message["Body"] != BODY:
                raise LoadFailed(f"received another body: {message}")
            if message["MessageId"] in there:
                there.remove(message["MessageId"])
            elif self.target.may_repeat:
                self.repeated += 1
            else:
                raise LoadFailed(f"received twice, or never sent: {message}")
        done = (len(self.sends), len(self.receives), len(self.deletes))
        wanted = {
            "send": (self.count, 0, 0),
            "receive+delete": (0, self.count, self.count),
            "one by one": (self.count,) * 3,
        }[self.work]
        if done != wanted:
            raise LoadFailed(f"(sends, receives, deletes) are {done} instead of {wanted}")
        if there and self.receives and not self.target.may_repeat:
            raise LoadFailed(f"{len(there)} messages were sent and did not come")


BODY_MD5 = md5(BODY.encode(), usedforsecurity=False).hexdigest()

# Who receives takes all that was sent: a message left over counts as lost.
WORKS: dict[str, Callable[[_Run], Talk]] = {
    "send": _Run.send,
    "receive+delete": _Run.receive_delete,
    "one by one": _Run.one_by_one,
}


def _converse(port: int, talks: Sequence[Talk]) -> tuple[float, float]:
    """Let every talk have a connection of its own. Returns seconds, and processor seconds."""
    selector = selectors.DefaultSelector()
    parts: dict[socket.socket, bytes] = {}

    def connect(talk: Talk) -> socket.socket:
        connection = socket.create_connection((HOST, port), PATIENCE_S)
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.setblocking(False)
        selector.register(connection, selectors.EVENT_READ, talk)
        return connection

    def hang_up(connection: socket.socket) -> None:
        selector.unregister(connection)
        connection.close()

    with selector:
        connections = [connect(talk) for talk in talks]
        gc.collect()
        cpu, begun = time.process_time(), time.perf_counter()
        for connection, talk in zip(connections, talks, strict=True):
            connection.send(next(talk))
        talking = len(talks)
        while talking:
            ready = selector.select(PATIENCE_S)
            if not ready:
                raise LoadFailed(f"no answer within {PATIENCE_S} s")
            for key, _ in ready:
                connection, talk = key.fileobj, key.data
                data = connection.recv(CHUNK)
                if not data:
                    raise LoadFailed("a connection ended in the middle of an answer")
                if parts and connection in parts:
                    data = parts.pop(connection) + data
                end, closes = _end(data)
                if not end:
                    parts[connection] = data
                    continue
                try:
                    question = talk.send(data)
                except StopIteration:
                    talking -= 1
                    hang_up(connection)
                    continue
                if closes:
                    hang_up(connection)
                    connection = connect(talk)
                if connection.send(question) != len(question):
                    raise LoadFailed("a request did not fit into the socket's buffer")
        return time.perf_counter() - begun, time.process_time() - cpu


def _end(data: bytes) -> tuple[int, bool]:
    """Where a whole answer ends, or 0; and whether the server closes after it.

    Raises LoadFailed unless its status is 200.
    """
    blank = data.find(b"\r\n\r\n")
    if blank < 0:
        return 0, False
    if data[9:12] != b"200":
        raise LoadFailed(f"answered {data!r}")
    head = data[:blank].lower()
    start = head.find(b"\r\ncontent-length:") + 17
    if start < 17:
        raise LoadFailed(f"an answer without a length: {data!r}")
    stop = head.find(b"\r", start)
    end = blank + 4 + int(head[start : stop if stop > 0 else blank])
    if len(data) > end:
        raise LoadFailed(f"more than an answer: {data!r}")
    return (end if len(data) == end else 0), b"\r\nconnection: close" in head


def body_of(answer: bytes) -> bytes:
    """What follows an answer's headers."""
    return answer.partition(b"\r\n\r\n")[2]


def _serve() -> None:
    """Do the jobs that come on the standard input, one a line, and answer each with a line."""
    gc.disable()
    there: dict[str, set[str]] = {}
    for line in sys.stdin:
        job = json.loads(line)
        target = Target(**job["target"])
        run = _Run(target, job["work"], job["count"])
        talks = [WORKS[job["work"]](run) for _ in range(min(job["connections"], job["count"]))]
        try:
            seconds, cpu_s = _converse(target.port, talks)
            if target.checked:
                run.check(there.setdefault(target.queue_url, set()))
        except (LoadFailed, OSError) as error:
            print(json.dumps({"failed": str(error)}), flush=True)
            continue
        requests = len(run.sends) + len(run.receives) + len(run.deletes) + run.empty
        outcome = Outcome(requests, seconds, cpu_s, run.empty, run.repeated, run.latencies)
        print(json.dumps(asdict(outcome)), flush=True)


if __name__ == "__main__":
    with suppress(KeyboardInterrupt):
        _serve()
