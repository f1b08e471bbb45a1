"""Schedules: what is sent to a queue at certain moments, kept on the server.

    defined in code (App.schedule) or from outside (Schedules.put, rmq schedule put)
      └─ due moment ── schedule_fire, by the one scheduler that holds the lease ──> outbox
                                      outbox ── relay, by anybody ──> queue, each once

A schedule that code defines is written when a worker starts: the last one started wins, and one
that was paused stays paused. What code no longer defines stays until it is removed, for during a
rolling deploy the older workers still define it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from rmq.client.aio import AsyncClient
from rmq.core import script
from rmq.core.keys import FleetKeys
from rmq.core.limits import text, whole
from rmq.core.paging import PageOf, cut
from rmq.core.script import Call, Plan, text_of
from rmq.errors import InvalidParameter
from rmq.queues.attributes import queue_name
from rmq.worker import moments, servertime
from rmq.worker.moments import When

NAME = re.compile(r"[A-Za-z0-9_.:-]{1,200}")
APP = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""Names of apps stand in keys, so without braces and colons."""


class Record(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A schedule as it is stored, in JSON."""

    when: str
    queue: str
    body: str
    """What is sent: text, or with is_task a task's message in JSON without its id."""
    is_task: bool = False
    timezone: str = "UTC"
    catch_up: str = "last"
    group_id: str | None = None
    until_ms: int | None = None
    """There are no moments after this."""
    in_code: bool = False


@dataclass(frozen=True, slots=True)
class Schedule:
    """A schedule, and what is known of it."""

    name: str
    when: str
    """A cron expression, or `every 90000ms`."""
    timezone: str
    queue: str
    body: str
    is_task: bool
    catch_up: str
    group_id: str | None
    until: datetime | None
    in_code: bool
    next_at: datetime | None
    """None where it is paused, or has no moment left."""
    paused_at: datetime | None
    last_at: datetime | None
    """The last moment that was fired; None where none was."""
    error: str
    """Why the last message could not be sent; '' where it could."""


def check_app(app: str) -> str:
    """Raises InvalidParameter."""
    if not isinstance(app, str) or not APP.fullmatch(app):
        raise InvalidParameter("app", app, "1 to 64 of A-Z a-z 0-9 _ . -")
    return app


def when_of(record: Record) -> When:
    """When it is due."""
    return moments.read_when(record.when, record.timezone)


def record(
    when: str | timedelta,
    queue: str,
    body: str | Mapping[str, Any],
    *,
    timezone: str = "UTC",
    catch_up: str = "last",
    group_id: str | None = None,
    until: datetime | None = None,
    in_code: bool = False,
) -> Record:
    """A schedule, checked. Raises InvalidParameter."""
    is_task = not isinstance(body, str)
    if is_task:
        if not isinstance(body, Mapping) or not isinstance(body.get("task"), str):
            raise InvalidParameter("body", body, "text, or a task's message: {'task': ..}")
        text(body["task"], "task", 1, 200)
        for name, kind in (("args", list), ("kwargs", dict)):
            if not isinstance(body.get(name, kind()), kind):
                raise InvalidParameter(f"body.{name}", body[name], f"a {kind.__name__}")
        try:
            body = msgspec.json.encode(body, order="sorted").decode()
        except (TypeError, msgspec.MsgspecError) as error:
            raise InvalidParameter("body", str(error), "what JSON can express") from None
    if isinstance(when, timedelta):
        when = moments.every(when)
    moments.read_when(when, timezone)
    if until is not None and not isinstance(until, datetime):
        raise InvalidParameter("until", until, "a datetime")
    return Record(
        when=" ".join(when.split()),
        queue=queue_name(queue),
        body=text(body, "body"),
        is_task=is_task,
        timezone=timezone,
        catch_up=moments.check_catch_up(catch_up),
        group_id=group_id if group_id is None else text(group_id, "group_id", 1, 128),
        until_ms=None if until is None else int(until.timestamp() * 1000),
        in_code=in_code,
    )


class Schedules:
    """The schedules of one app."""

    def __init__(self, client: AsyncClient, app: str = "app") -> None:
        self.app = check_app(app)
        self.keys = FleetKeys(client.namespace, app)
        self._client = client
        self._executor = client._executor

    async def put(
        self,
        name: str,
        when: str | timedelta,
        queue: str,
        body: str | Mapping[str, Any],
        **options: Any,
    ) -> bool:
        """Make a schedule, or change the one of that name. False where it stands so already.

        *when* is a cron expression (5 fields, or 6 with seconds first), `every 15m`, or a timedelta
        of at least 1 s. *body* is the text that is sent, or a task's message: a mapping with
        `task`, `args`, `kwargs`, which gets an id of its own at each moment. Options: *timezone*
        (UTC); *catch_up*: `last` (default), `all` or `none` of the moments that nobody was there
        for; *group_id*; *until*, a datetime after which there is no moment.

        Raises InvalidParameter, and ConfigurationError where a cron expression needs `cronsim`.
        """
        return await self.put_record(name, record(when, queue, body, **options))

    async def put_record(self, name: str, record: Record) -> bool:
        """The same, with one that was checked before."""
        next_ms = _next(record, await self._now_ms())
        return await self._executor.call(
            script.load("worker/schedule_put").call(
                self.app,
                bool,
                schedules=self.keys.schedules,
                index=self.keys.schedule_index,
                due=self.keys.schedule_due,
                paused=self.keys.schedule_paused,
                wake=self.keys.schedule_wake,
                name=_checked(name),
                schedule=msgspec.json.encode(record),
                next_ms=next_ms,
            )
        )

    async def pause(self, name: str) -> bool:
        """Fire no more until it is resumed. False where it is paused. Raises
        ScheduleDoesNotExist."""
        return await self._executor.call(self._set(name, "pause", 0))

    async def resume(self, name: str) -> bool:
        """Go on with the first moment from now on: those of the pause are not made up for. False
        where it is not paused. Raises ScheduleDoesNotExist."""
        found = await self._executor.run(self._page(f"[{_checked(name)}", 1))
        next_ms = 0
        if found and found[0].name == name:
            next_ms = _next(_record_of(found[0]), await self._now_ms())
        return await self._executor.call(self._set(name, "resume", next_ms))

    async def remove(self, name: str) -> None:
        """Forget it; what it fired before is sent all the same. Raises ScheduleDoesNotExist."""
        await self._executor.call(self._set(name, "remove", 0))

    async def trigger(self, name: str) -> datetime:
        """Fire it once, now, paused or not; its own moments stay. The moment that is noted with the
        message. Raises ScheduleDoesNotExist."""
        at_ms = await self._executor.call(
            script.load("worker/schedule_trigger").call(
                self.app,
                int,
                state=self.keys.schedule_state,
                schedules=self.keys.schedules,
                outbox=self.keys.schedule_outbox,
                wake=self.keys.schedule_wake,
                name=_checked(name),
                token=os.urandom(8).hex(),
                incarnation=os.urandom(8).hex(),
            )
        )
        from rmq.worker.scheduler import relay

        # Not left to the scheduler: there may be none that runs.
        await self._executor.run(relay(self._client._registry, self.keys, self.app))
        return datetime.fromtimestamp(at_ms / 1000, UTC)

    async def get(self, name: str) -> Schedule | None:
        """One schedule; None where there is none."""
        found = await self._executor.run(self._page(f"[{_checked(name)}", 1))
        return found[0] if found and found[0].name == name else None

    async def list(self, *, limit: int = 1000, token: str | None = None) -> PageOf[Schedule]:
        """Schedules by name, up to *limit* (1 to 1,000), going on behind *token*, the next_token of
        the page before."""
        whole(limit, "limit", 1, 1000)
        found = await self._executor.run(
            self._page("-" if token is None else f"({token}", limit + 1)
        )
        return cut([(one.name, one) for one in found], limit)

    def _set(self, name: str, what: str, next_ms: int) -> Call[bool]:
        return script.load("worker/schedule_set").call(
            self.app,
            bool,
            schedules=self.keys.schedules,
            index=self.keys.schedule_index,
            due=self.keys.schedule_due,
            paused=self.keys.schedule_paused,
            runs=self.keys.schedule_runs,
            wake=self.keys.schedule_wake,
            name=_checked(name),
            what=what,
            next_ms=next_ms,
        )

    def _page(self, start: str, most: int) -> Plan[Sequence[Schedule]]:
        found: Sequence[Schedule] = yield script.load("worker/schedule_list").call(
            self.app,
            _schedules,
            index=self.keys.schedule_index,
            schedules=self.keys.schedules,
            due=self.keys.schedule_due,
            paused=self.keys.schedule_paused,
            runs=self.keys.schedule_runs,
            **{"from": start},
            most=most,
        )
        return found

    async def _now_ms(self) -> int:
        return await self._executor.call(servertime.now_ms(self._client.namespace, self.app))


def _checked(name: str) -> str:
    if not isinstance(name, str) or not NAME.fullmatch(name):
        raise InvalidParameter("name", name, "1 to 200 of A-Z a-z 0-9 _ . : -")
    return name


def _next(record: Record, now_ms: int) -> int:
    """The next moment; 0 for none."""
    found = when_of(record).after(now_ms)
    if found is None or (record.until_ms is not None and found > record.until_ms):
        return 0
    return found


def _record_of(one: Schedule) -> Record:
    return Record(
        when=one.when,
        queue=one.queue,
        body=one.body,
        timezone=one.timezone,
        until_ms=None if one.until is None else int(one.until.timestamp() * 1000),
    )


def _schedules(reply: Sequence[Any]) -> list[Schedule]:
    found = []
    for at in range(0, len(reply), 6):
        name, stored, next_ms, paused_ms, last_ms, error = map(text_of, reply[at : at + 6])
        one = msgspec.json.decode(stored, type=Record)
        found.append(
            Schedule(
                name=name,
                when=one.when,
                timezone=one.timezone,
                queue=one.queue,
                body=one.body,
                is_task=one.is_task,
                catch_up=one.catch_up,
                group_id=one.group_id,
                until=_moment(one.until_ms),
                in_code=one.in_code,
                next_at=_moment(next_ms),
                paused_at=_moment(paused_ms),
                last_at=_moment(last_ms),
                error=error,
            )
        )
    return found


def _moment(at_ms: str | int | None) -> datetime | None:
    return datetime.fromtimestamp(int(at_ms) / 1000, UTC) if at_ms else None
