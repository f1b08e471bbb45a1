"""rmq serve: the AWS-compatible endpoint."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer

import rmq
from rmq import Limits
from rmq.cli import failures
from rmq.cli.session import Session, session_of
from rmq.client.configured import configured
from rmq.errors import ConfigurationError, InvalidParameter, MissingParameter, ServerError
from rmq.settings import Settings

LOOK_S = 1.0
"""Seconds for which Redis is looked for before the endpoint starts without it."""


def serve(
    ctx: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 4566,
    workers: Annotated[
        int, typer.Option(min=1, max=256, help="Processes; each uses one core.")
    ] = 1,
    account_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="The account of callers whose access key id is not 12 digits. "
            "Default: RMQ_AWS_ACCOUNT_ID, else 000000000000",
            show_default=False,
        ),
    ] = None,
    region: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="The region whose queues are those of the library and the command line. "
            "Default: RMQ_AWS_REGION, else us-east-1",
            show_default=False,
        ),
    ] = None,
    certificate: Annotated[
        Path | None,
        typer.Option(
            "--tls-cert",
            metavar="FILE",
            help="Speak TLS with this certificate (PEM).",
            show_default=False,
        ),
    ] = None,
    key: Annotated[
        Path | None,
        typer.Option(
            "--tls-key", metavar="FILE", help="The certificate's key (PEM).", show_default=False
        ),
    ] = None,
    log_format: Annotated[str, typer.Option(metavar="text|json", help="Form of the log.")] = "text",
    access_log: Annotated[
        bool, typer.Option("--access-log/--no-access-log", help="A line for each request.")
    ] = True,
    cooldowns: Annotated[
        bool,
        typer.Option(
            "--cooldowns/--no-cooldowns",
            help="Refuse a second purge, and a new queue of a deleted one's name, for 60 seconds, "
            "and more than 1 MiB or 1,000 records a second and shard, as AWS does.",
        ),
    ] = True,
    external_url: Annotated[
        str | None,
        typer.Option(
            metavar="URL",
            help="Where the endpoint can be reached from outside: the links in notifications begin "
            "with it. Default: RMQ_ENDPOINT_URL, else its own host and port",
            show_default=False,
        ),
    ] = None,
    dispatch: Annotated[
        bool,
        typer.Option(
            "--dispatch/--no-dispatch",
            help="Push what waits for HTTP, mail, mobile and SMS subscribers from here; without it "
            "rmq dispatch does.",
        ),
    ] = True,
    allow_origin: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ORIGIN",
            help="Let web pages of this origin use the endpoint (CORS); * for every page. "
            "May be repeated.",
            show_default=False,
        ),
    ] = None,
    testing: Annotated[
        bool,
        typer.Option(
            "--testing",
            help="Add a settable clock, a reset and faults under /_rmq, for tests, and let HTTP "
            "subscriptions call this machine. Loopback only.",
        ),
    ] = False,
) -> None:
    """Speak AWS's protocols: point any AWS SDK here, and its queues, topics and streams are on your
    Redis.

    Without --url it serves memory://, which is gone when it ends.
    """
    try:
        from rmq.gateway import logs, server
        from rmq.gateway.app import endpoint_limits
    except ImportError as error:
        if (error.name or "").startswith("rmq"):
            raise  # a bug of ours, and nothing that an install could mend
        raise ConfigurationError(
            f"rmq serve needs {error.name}, which is not installed; pip install 'rmq[endpoint]'"
        ) from error
    session = session_of(ctx)
    if log_format not in logs.FORMATS:
        raise InvalidParameter("log-format", log_format, " or ".join(logs.FORMATS))
    if (certificate is None) != (key is None):
        raise MissingParameter("--tls-key" if key is None else "--tls-cert", "they go together")
    given = {"aws_account_id": account_id, "aws_region": region, "endpoint_url": external_url}
    settings = configured(
        Settings,
        session.url,
        session.namespace,
        {name: value for name, value in given.items() if value is not None},
    )
    limits = Limits.none() if session.no_limits else endpoint_limits(cooldowns=cooldowns)
    serving = server.Serving(
        settings=settings,
        limits=limits,
        host=host,
        port=port,
        workers=workers,
        testing=testing,
        dispatch=dispatch,
        origins=tuple(allow_origin or ()),
        certificate=certificate,
        key=key,
        log_format=log_format,
        access_log=access_log,
    )
    server.check(serving)
    _look(session.connect)
    _greet(session, serving)
    try:
        server.serve(serving)
    except SystemExit as end:
        if end.code:
            print(
                "rmq: a worker died right after it had been started anew, so the endpoint ends; "
                "what it said is above, or was the machine short of memory?",
                file=sys.stderr,
            )
        raise


def _look(connect: Callable[..., Any]) -> None:
    """Say early what is wrong with Redis. One that is not there yet may still come."""
    client = connect(retry_timeout=LOOK_S)
    try:
        client.list_queues(limit=1)
    except ServerError as error:
        print(
            f"rmq: {failures.one_line(str(error))}; serving all the same, /health/ready tells when "
            "it is there",
            file=sys.stderr,
        )
    finally:
        client.close()


def _greet(session: Session, serving: Any) -> None:
    """Where it is and what to do next."""
    if session.as_json:
        return
    settings = serving.settings
    note = session.output.note
    where = failures.one_line(settings.url)
    note(f"rmq {rmq.__version__} serves {where}, namespace {settings.namespace}, at {serving.url}")
    if where.startswith("memory:"):
        note("memory:// is gone when this ends; to keep the queues: rmq --url redis://... serve")
    if serving.testing:
        note("testing: anybody on this machine may move the clock and remove every queue (/_rmq)")
    note(f"  export AWS_ENDPOINT_URL={serving.url}")
