"""Controls: what `rmq serve --testing` adds for users' tests: a clock, a reset, errors on demand.

GET  /_rmq/clock      how late it is
POST /_rmq/clock      {"freeze": true}, {"freeze": "2026-01-01T00:00:00Z"}, {"advance": 30} or
                      {"release": true}; several in one are carried out in this order
POST /_rmq/reset      remove every queue, topic and stream of the served namespace; the clock is
                      released
POST /_rmq/faults     {"operation": "SendMessage", "error": "KmsThrottled", "count": 1}: the
                      next so many calls get that error; DELETE forgets them. "service": "sns"
                      for one service only, where two have an operation of that name
"""

from __future__ import annotations

import ipaddress
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from rmq.core.clock import HeldClock
from rmq.gateway.http import Request, Response
from rmq.gateway.service import Operation, Service

if TYPE_CHECKING:
    from rmq.gateway.app import Endpoint

CLOCK = "/_rmq/clock"
FAULTS = "/_rmq/faults"
RESETS = ("/_rmq/reset", "/_localstack/state/reset", "/moto-api/reset")
"""Ours, and those that users' fixtures of two well-known emulators call."""
MAX_ADVANCE_S = 10 * 365 * 86_400


class Asked(msgspec.Struct, forbid_unknown_fields=True):
    """A change of the clock."""

    freeze: bool | datetime = False
    advance: float | None = None
    """Seconds."""
    release: bool = False


class Fault(msgspec.Struct, forbid_unknown_fields=True):
    """An error to be given instead of an answer."""

    operation: str
    error: str
    """The name of the error in the service's model."""
    message: str = "A fault that a test asked for."
    status: int | None = None
    count: int = 1
    service: str = ""
    """Empty for every service that has the operation."""


@dataclass
class Controls:
    """The settable clock, and the faults that are wanted."""

    clock: HeldClock

    def __post_init__(self) -> None:
        self._faults: list[Fault] = []

    async def step(
        self, endpoint: Endpoint, request: Request, then: Callable[[Request], Awaitable[Response]]
    ) -> Response:
        """Answer what is for us, and let the rest go on."""
        handler = {CLOCK: self._clock, FAULTS: self._fault}.get(request.path)
        if request.path in RESETS:
            handler = self._reset
        if handler is None:
            return await then(request)
        if not _is_near(request.peer):
            return _json(403, {"error": "the test controls are for this machine only"})
        try:
            return await handler(endpoint, request)
        except (msgspec.MsgspecError, ValueError, OverflowError) as error:
            return _json(400, {"error": str(error)})

    async def interfere(self, service: Service, operation: Operation) -> None:
        """Raise the fault that was asked for, if there is one. Raises AwsError."""
        for fault in self._faults:
            if fault.operation in (operation.name, "*") and fault.service in (service.name, ""):
                fault.count -= 1
                if fault.count <= 0:
                    self._faults.remove(fault)
                raise service.error(fault.error, fault.message, fault.status)

    async def _clock(self, endpoint: Endpoint, request: Request) -> Response:
        if request.method == "POST":
            asked = msgspec.json.decode(request.body or b"{}", type=Asked)
            if asked.advance is not None and not 0 <= asked.advance <= MAX_ADVANCE_S:
                raise ValueError(f"advance is {asked.advance}; it must be 0 to {MAX_ADVANCE_S} s")
            if asked.freeze:
                at = asked.freeze if isinstance(asked.freeze, datetime) else None
                self.clock.freeze(at.replace(tzinfo=at.tzinfo or UTC) if at else None)
            if asked.advance is not None:
                self.clock.move(asked.advance)
            if asked.release:
                self.clock.release()
        elif request.method != "GET":
            return _json(405, {"error": f"use GET or POST, not {request.method}"})
        now = self.clock.now()
        return _json(
            200,
            {
                "now": now.isoformat().replace("+00:00", "Z"),
                "now_ms": self.clock.now_ms(),
                "frozen": self.clock.frozen,
            },
        )

    async def _fault(self, endpoint: Endpoint, request: Request) -> Response:
        if request.method == "DELETE":
            self._faults.clear()
        elif request.method == "POST":
            fault = msgspec.json.decode(request.body, type=Fault)
            if not 1 <= fault.count <= 1_000_000:
                raise ValueError(f"count is {fault.count}; it must be 1 to 1000000")
            if fault.status is not None and not 400 <= fault.status < 600:
                raise ValueError(f"status is {fault.status}; it must be 400 to 599")
            if not endpoint.knows(fault.operation, fault.service):
                raise ValueError(f"operation is {fault.operation!r}; it must be one that is served")
            self._faults.append(fault)
        return _json(200, {"faults": msgspec.to_builtins(self._faults)})

    async def _reset(self, endpoint: Endpoint, request: Request) -> Response:
        if request.method not in ("POST", "DELETE"):
            return _json(405, {"error": f"use POST, not {request.method}"})
        self._faults.clear()
        removed = await endpoint.reset()
        self.clock.release()
        return _json(200, {"status": "OK", "removed_keys": removed})


def _is_near(peer: str) -> bool:
    try:
        return ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False


def _json(status: int, value: Any) -> Response:
    return Response(status, msgspec.json.encode(value), "application/json")
