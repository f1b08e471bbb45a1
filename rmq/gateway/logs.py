"""Logs: a line for each request, and what went wrong; as text for people or JSON for machines."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any, NamedTuple, TextIO

import msgspec

from rmq.gateway.http import Request, Response

FORMATS = ("text", "json")
FLUSH_S = 0.1
"""How late a request's line may be. Lines made and written together cost a fraction of what
each does by itself, and no answer waits for its line."""
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; all else is ours."""


class Entry(NamedTuple):
    """What is said of a request. Nothing that would keep its body in memory."""

    ended: float
    peer: str
    method: str
    path: str
    asked: str
    status: int
    milliseconds: float
    in_bytes: int
    out_bytes: int
    request_id: str


class AccessLog:
    """Writes what was asked, the outcome, how long it took and the request id."""

    def __init__(self, kind: str, stream: TextIO | None = None) -> None:
        self._make = _json_line if kind == "json" else _text_line
        self._stream = stream or sys.stderr
        self._entries: list[Entry] = []

    def __call__(self, request: Request, response: Response, seconds: float) -> None:
        if not self._entries:
            asyncio.get_running_loop().call_later(FLUSH_S, self.flush)
        self._entries.append(
            Entry(
                time.time(),
                request.peer,
                request.method,
                request.path,
                request.note,
                response.status,
                seconds * 1000,
                len(request.body),
                len(response.body),
                request.id,
            )
        )

    def flush(self) -> None:
        """Write what is waiting to be written."""
        if self._entries:
            entries, self._entries = self._entries, []
            self._stream.write("".join(map(self._make, entries)))
            self._stream.flush()


@lru_cache(maxsize=4)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def _at(moment: float) -> str:
    seconds = int(moment)
    return f"{_second(seconds)}.{int((moment - seconds) * 1000):03d}Z"


def _text_line(one: Entry) -> str:
    return (
        f"{_at(one.ended)} {one.peer} {one.method} {_shown(one.path)} {one.asked or '-'} "
        f"{one.status} {one.milliseconds:.1f}ms in={one.in_bytes} out={one.out_bytes} "
        f"id={one.request_id}\n"
    )


def _shown(path: str) -> str:
    """A path that can not break the line or the terminal."""
    return path if path.isprintable() else ascii(path)


def _json_line(one: Entry) -> str:
    line: dict[str, Any] = {"time": _at(one.ended), "logger": "rmq.access", **one._asdict()}
    del line["ended"]
    line["milliseconds"] = round(one.milliseconds, 3)
    return msgspec.json.encode(line).decode() + "\n"


class _Text(logging.Formatter):
    """A record as a line, behind it what was raised."""

    def format(self, record: logging.LogRecord) -> str:
        at = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        return f"{at.removesuffix('+00:00')}Z {record.levelname} {super().format(record)}"


class _Json(logging.Formatter):
    """A record as an object in one line."""

    def format(self, record: logging.LogRecord) -> str:
        found: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        found |= {name: value for name, value in vars(record).items() if name not in _OWN}
        if record.exc_info:
            found["error"] = self.formatException(record.exc_info)
        return msgspec.json.encode(found).decode()


def configure(kind: str) -> None:
    """Write what goes wrong to stderr, as *kind* of FORMATS."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if kind == "json" else _Text())
    logger = logging.getLogger("rmq.gateway")
    logger.handlers[:] = [handler]
    logger.setLevel(logging.INFO)
    logger.propagate = False
