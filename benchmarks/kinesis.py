"""Streams at the endpoint: records a second through HTTP and AWS's protocol, beside an emulator.

Requests are put together beforehand, as SDKs write them in JSON, and sent over connections of
threads; of an answer no more is looked at while the clock runs than whether it is a good one.
"""

from __future__ import annotations

import base64
import json
import socket
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

from benchmarks import endpoints, load
from benchmarks.bench import Bench
from benchmarks.figure import Figure, Row, Side, Target, compare

STREAM = "bench"
SHARD = "shardId-000000000000"
AHEAD = Target(1)
CHUNK = 1 << 18
SIZES = {"100 B": 100, "1 KiB": 1024}
READ = 1_000
"""Records of one GetRecords."""

HEAD = (
    b"POST / HTTP/1.1\r\n"
    b"Host: 127.0.0.1:%d\r\n"
    b"X-Amz-Target: Kinesis_20131202.%s\r\n"
    b"Content-Type: application/x-amz-json-1.1\r\n"
    b"X-Amz-Date: 20260101T000000Z\r\n"
    b"Authorization: AWS4-HMAC-SHA256 "
    b"Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/kinesis/aws4_request, "
    b"SignedHeaders=content-type;host;x-amz-date;x-amz-target, "
    b"Signature=8bbb3dbced8b195ed01062ebe276231a1d874def5966893f9d5162e4e59b74ae\r\n"
    b"Content-Length: %d\r\n\r\n"
)


def beside_kinesalite(bench: Bench) -> Iterator[Row]:
    """Records a second beside kinesalite, which keeps its streams in its own memory.

    Fair: the same requests to a stream of one shard, each server as it starts, but for our rates of
    a shard, which kinesalite does not have, and its pauses when a stream is made.
    """
    with ExitStack() as stack:
        try:
            other = stack.enter_context(endpoints.kinesalite())
        except endpoints.NoKinesalite as error:
            case = f"no kinesalite {endpoints.KINESALITE}: {error}"
            yield Row(case=case, measured=1, target=None)
            return
        stack.enter_context(bench.client())
        port = stack.enter_context(endpoints.ours(bench, "--no-cooldowns"))
        for one in (port, other):
            _ask(one, "CreateStream", StreamName=STREAM, ShardCount=1)
        note = f"floor: kinesalite {endpoints.KINESALITE}"
        for title, size in SIZES.items():
            data = base64.b64encode(b"x" * size).decode()
            many = {"StreamName": STREAM, "Records": _records(data, 500)}
            one_record = {"StreamName": STREAM, "Data": data, "PartitionKey": "truck-1"}
            for case, action, given, count, connections, times in (
                ("PutRecords of 500", "PutRecords", many, 500, 4, 4),
                ("PutRecord", "PutRecord", one_record, 1, 16, 20),
            ):
                result = compare(
                    *(
                        Side(_work(at, action, given, count, connections, times))
                        for at in (port, other)
                    ),
                    rounds=bench.rounds(7),
                )
                yield result.speed(f"{case}, {title}, {connections} connections", AHEAD, note)
        result = compare(*(Side(_read(at)) for at in (port, other)), rounds=bench.rounds(7))
        yield result.speed(f"GetRecords of {READ:,}, 100 B, 4 connections", AHEAD, note)
        _ask(port, "DeleteStream", StreamName=STREAM)


def _records(data: str, count: int) -> list[dict[str, str]]:
    return [{"Data": data, "PartitionKey": f"truck-{number}"} for number in range(count)]


def _read(port: int) -> Callable[[], int]:
    """Work that reads the stream's first records over and over."""
    found = _ask(
        port,
        "GetShardIterator",
        StreamName=STREAM,
        ShardId=SHARD,
        ShardIteratorType="TRIM_HORIZON",
    )
    given = {"ShardIterator": found["ShardIterator"], "Limit": READ}
    assert len(_ask(port, "GetRecords", **given)["Records"]) == READ
    return _work(port, "GetRecords", given, READ, 4, 4)


def _work(
    port: int, action: str, given: dict[str, object], count: int, connections: int, times: int
) -> Callable[[], int]:
    """Work that sends one request so many *times* over each of some connections. It returns how
    many records that was."""
    request = _request(port, action, given)

    def talk(_: int) -> None:
        with socket.create_connection((load.HOST, port), load.PATIENCE_S) as connection:
            for _ in range(times):
                connection.sendall(request)
                answer = _answer(connection)
                if b" 200 " not in answer[:16] or b'"ErrorCode"' in answer:
                    raise load.LoadFailed(f"{action} at port {port}: {answer[:400]!r}")

    def work() -> int:
        with ThreadPoolExecutor(connections) as pool:
            list(pool.map(talk, range(connections)))
        return count * connections * times

    return work


def _ask(port: int, action: str, **given: object) -> dict[str, object]:
    with socket.create_connection((load.HOST, port), load.PATIENCE_S) as connection:
        connection.sendall(_request(port, action, given))
        head, _, body = _answer(connection).partition(b"\r\n\r\n")
    if b" 200 " not in head[:16]:
        raise load.LoadFailed(f"{action} at port {port}: {head!r} {body[:400]!r}")
    return dict(json.loads(body)) if body else {}


def _request(port: int, action: str, given: dict[str, object]) -> bytes:
    body = json.dumps(given).encode()
    return HEAD % (port, action.encode(), len(body)) + body


def _answer(connection: socket.socket) -> bytes:
    """One whole answer, by its length."""
    data = b""
    while b"\r\n\r\n" not in data:
        data += _more(connection)
    head, _, rest = data.partition(b"\r\n\r\n")
    (length,) = (
        int(line.partition(b":")[2])
        for line in head.lower().split(b"\r\n")
        if line.startswith(b"content-length:")
    )
    parts, size = [data], len(rest)
    while size < length:
        parts.append(_more(connection))
        size += len(parts[-1])
    return b"".join(parts)


def _more(connection: socket.socket) -> bytes:
    found = connection.recv(CHUNK)
    if not found:
        raise load.LoadFailed("an answer was cut short")
    return found


FIGURES = (
    Figure("endpoint-kinesalite", "Streams at the endpoint, beside kinesalite", beside_kinesalite),
)
