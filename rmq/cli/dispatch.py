"""rmq dispatch: takes to their endpoints what topics have for everybody but queues."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.live import Live
from rich.text import Text

import rmq
from rmq import Limits
from rmq.cli import failures, values
from rmq.cli.options import Interval, StopAfter
from rmq.cli.output import Output
from rmq.cli.session import Session, session_of
from rmq.cli.stopping import Stop, log_to_stderr, runner
from rmq.errors import ServerError

if TYPE_CHECKING:
    from rmq.push.counters import Counters
    from rmq.push.dispatcher import Dispatcher
    from rmq.push.settings import PushSettings

LOOK_S = 1.0
"""Seconds for which Redis is looked for before the dispatcher starts without it."""
RATES = ("delivered", "failed", "retried")


def dispatch(
    ctx: typer.Context,
    concurrency: Annotated[
        int, typer.Option(min=1, max=100_000, help="Messages under way at the same time.")
    ] = 1000,
    per_endpoint: Annotated[
        int, typer.Option(min=1, max=100_000, help="Of those, messages to one endpoint.")
    ] = 20,
    handlers: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE[:NAME]",
            help="Where the functions of lambda subscriptions are: all public functions of a "
            "module, or one, or a Handlers. May be repeated. Default: RMQ_HANDLERS",
            show_default=False,
        ),
    ] = None,
    allow_address: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ADDRESS",
            help="Let HTTP go there though it is not public: an address, a CIDR block, a host "
            "name, or loopback. May be repeated. Default: RMQ_ALLOW_ADDRESSES",
            show_default=False,
        ),
    ] = None,
    record_folder: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER",
            help="Where e-mail, SMS and messages to phones are recorded that are not set up to "
            "be sent. Default: RMQ_RECORD_FOLDER, else Redis",
            show_default=False,
        ),
    ] = None,
    stop_after: StopAfter = timedelta(seconds=20),
    interval: Interval = timedelta(seconds=1),
    once: Annotated[bool, typer.Option("--once", help="Deliver what is due now, and end.")] = False,
) -> None:
    """Deliver to HTTP endpoints, functions, e-mail, SMS and phones. Start as many as you like.

    Ends on Ctrl-C and SIGTERM: what is under way may finish, the rest is for others. How e-mail
    and SMS are sent, and whether phones are reached, RMQ_SMTP_HOST, RMQ_SMS_SENDER and RMQ_MOBILE
    say; without them such messages are recorded.
    """
    from rmq.push.settings import push_settings

    session = session_of(ctx)
    if interval <= timedelta(0):
        raise values.WrongUsage("--interval must be longer than 0", ctx=ctx)
    given = {
        "allow_addresses": allow_address,
        "handlers": handlers,
        "record_folder": record_folder,
    }
    settings = push_settings(**{name: one for name, one in given.items() if one})
    log_to_stderr()
    work = _work(session, settings, concurrency, per_endpoint, stop_after, interval, once)
    with runner() as running:
        status = running.run(work)
    raise typer.Exit(status)


async def _work(
    session: Session,
    settings: PushSettings,
    concurrency: int,
    per_endpoint: int,
    stop_after: timedelta,
    interval: timedelta,
    once: bool,
) -> int:
    from rmq.push.dispatcher import Dispatcher

    limits = Limits.none() if session.no_limits else None
    client = rmq.connect_async(session.url, namespace=session.namespace, limits=limits)
    async with client:
        dispatcher = Dispatcher.of(
            client, settings, concurrency=concurrency, per_endpoint=per_endpoint
        )
        try:
            if once:
                await dispatcher.drain()
                _show_end(session.output, dispatcher.counters)
                return failures.DONE
            stop = Stop()
            await _look(session, dispatcher)
            _greet(session, client, settings)
            return await _run(session.output, dispatcher, stop, stop_after, interval)
        finally:
            await dispatcher.close()


async def _run(
    out: Output, dispatcher: Dispatcher, stop: Stop, stop_after: timedelta, interval: timedelta
) -> int:
    """Until a signal. The status that the command ends with."""
    running = asyncio.create_task(
        dispatcher.run(stop.wanted, deadline=stop_after.total_seconds()), name="rmq-dispatch"
    )
    with _screen(out) as draw:
        before, at = dict.fromkeys(RATES, 0), time.monotonic()
        while not running.done():
            await asyncio.wait((running,), timeout=interval.total_seconds())
            counters, now = dispatcher.counters.as_dict(), time.monotonic()
            rates = {name: (counters[name] - before[name]) / (now - at) for name in RATES}
            draw({"at": datetime.now(UTC), **counters}, rates)
            before, at = counters, now
    await running
    if not out.as_json:
        _show_end(out, dispatcher.counters)
    return stop.status


async def _look(session: Session, dispatcher: Dispatcher) -> None:
    """Say early what is wrong with Redis. One that is not there yet may still come."""
    try:
        async with asyncio.timeout(LOOK_S):
            await dispatcher.find_places()
    except (TimeoutError, ServerError) as error:
        why = failures.one_line(str(error)) or f"no answer within {LOOK_S:g} s"
        session.output.note(f"rmq: Redis is not there yet ({why}); waiting for it")


def _greet(session: Session, client: rmq.AsyncClient, settings: PushSettings) -> None:
    """Where it is, and what becomes of what is not set up to be sent."""
    if session.as_json:
        return
    note = session.output.note
    url = failures.one_line(client.settings.url)
    note(f"rmq {rmq.__version__} delivers for {url}, namespace {client.namespace}")
    if url.startswith("memory:"):
        note("memory:// lives inside this one command: nobody publishes there")
    recorded = [
        name
        for name, is_sent in (
            ("e-mail (RMQ_SMTP_HOST)", bool(settings.smtp_host)),
            ("SMS (RMQ_SMS_SENDER)", bool(settings.sms_sender)),
            ("messages to phones (RMQ_MOBILE=send)", settings.mobile == "send"),
        )
        if not is_sent
    ]
    if recorded:
        where = "Redis" if settings.record_folder is None else str(settings.record_folder)
        note(f"recorded in {where}, and not sent: {', '.join(recorded)}")


Draw = Callable[[dict[str, Any], dict[str, float]], None]


@contextlib.contextmanager
def _screen(out: Output) -> Iterator[Draw]:
    """A way to draw: one line in place on a terminal, a line each as JSON, nothing in a pipe."""
    if out.as_json:
        yield lambda counters, rates: out.line(
            counters | {"per_second": {name: round(one, 1) for name, one in rates.items()}}
        )
    elif not out.is_terminal:
        yield lambda counters, rates: None
    else:
        with Live(console=out.console, auto_refresh=False, transient=True) as live:
            yield lambda counters, rates: live.update(_line(counters, rates), refresh=True)


def _line(counters: dict[str, Any], rates: dict[str, float]) -> Text:
    parts = [f"{name} {counters[name]:,} ({rates[name]:,.0f}/s)" for name in RATES]
    parts.append(f"sending {counters['sending']:,} on {counters['lines']:,} endpoints")
    if counters["open_breakers"]:
        parts.append(f"{counters['open_breakers']:,} left alone")
    return Text("  ".join(parts))


def _show_end(out: Output, counters: Counters) -> None:
    if out.as_json:
        out.line({"at": datetime.now(UTC), **counters.as_dict()})
        return
    out.say(
        f"delivered {counters.delivered:,}, failed {counters.failed:,} "
        f"({counters.dead_letters:,} to dead-letter queues), retried {counters.retried:,}"
    )
