"""Logs: a line for each request, and what went wrong; as text for people or JSON for machines."""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from datetime import UTC, datetime
from typing import Any, TextIO

import msgspec

from rmq.gateway.http import Request, Response

FORMATS = ("text", "json")
FLUSH_S = 0.1
"""How late a request's line may be. One write for many lines costs a fraction of one for each."""
_OWN = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; all else is ours."""


class AccessLog:
    """Writes what was asked, the outcome, how long it took and the request id."""

    def __init__(self, kind: str, stream: TextIO | None = None) -> None:
        self._make = _json_line if kind == "json" else _text_line
        self._stream = stream or sys.stderr
        self._lines: list[str] = []
        self._second = 0
        self._prefix = ""

    def __call__(self, request: Request, response: Response, seconds: float) -> None:
        now = time.time()
        if int(now) != self._second:
            self._second = int(now)
            self._prefix = datetime.fromtimestamp(self._second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
        at = f"{self._prefix}.{int((now - self._second) * 1000):03d}Z"
        if not self._lines:
            asyncio.get_running_loop().call_later(FLUSH_S, self.flush)
        self._lines.append(self._make(at, request, response, seconds * 1000))

    def flush(self) -> None:
        """Write what is waiting to be written."""
        text = "".join(self._lines)
        self._lines.clear()
        if text:
            self._stream.write(text)
            self._stream.flush()


def _text_line(at: str, request: Request, response: Response, milliseconds: float) -> str:
    return (
        f"{at} {request.peer} {request.method} {_shown(request.path)} {request.note or '-'} "
        f"{response.status} {milliseconds:.1f}ms in={len(request.body)} out={len(response.body)} "
        f"id={request.id}\n"
    )


def _shown(path: str) -> str:
    """A path that can not break the line or the terminal."""
    return path if path.isprintable() else ascii(path)


def _json_line(at: str, request: Request, response: Response, milliseconds: float) -> str:
    line = {
        "time": at,
        "logger": "rmq.access",
        "peer": request.peer,
        "method": request.method,
        "path": request.path,
        "asked": request.note,
        "status": response.status,
        "milliseconds": round(milliseconds, 3),
        "in_bytes": len(request.body),
        "out_bytes": len(response.body),
        "request_id": request.id,
    }
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
