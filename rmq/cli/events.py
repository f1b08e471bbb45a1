"""rmq events: what other systems tell, brought to topics and queues."""

from __future__ import annotations

import asyncio
from typing import Annotated, Any

import typer

import rmq
from rmq import Limits
from rmq.cli import failures
from rmq.cli.session import RETRY_TIMEOUT_S, queue_names, session_of
from rmq.cli.values import WrongUsage
from rmq.client.configured import configured
from rmq.errors import ConfigurationError
from rmq.events.s3 import Forwarder
from rmq.settings import Settings

app = typer.Typer(
    help="Take events of other systems.", invoke_without_command=True, rich_markup_mode="rich"
)


@app.callback()
def events(ctx: typer.Context) -> None:
    """Bring what other systems tell to topics and queues."""
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


@app.command()
def s3(
    ctx: typer.Context,
    topic: Annotated[
        str | None, typer.Option(metavar="NAME", help="Publish on this topic.", show_default=False)
    ] = None,
    queue: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Send to this queue.",
            autocompletion=queue_names,
            show_default=False,
        ),
    ] = None,
    event: Annotated[
        list[str] | None,
        typer.Option(
            metavar="EVENT",
            help="Only these: s3:ObjectCreated:*, s3:ObjectRemoved:Delete, .. Repeatable.",
            show_default=False,
        ),
    ] = None,
    prefix: Annotated[
        str, typer.Option(metavar="TEXT", help="Only keys that begin so.", show_default=False)
    ] = "",
    suffix: Annotated[
        str, typer.Option(metavar="TEXT", help="Only keys that end so.", show_default=False)
    ] = "",
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port to listen on.")] = 4570,
    token: Annotated[
        str | None,
        typer.Option(
            metavar="TEXT",
            envvar="RMQ_EVENTS_TOKEN",
            help="What a store has to show (MinIO: auth_token). Better by the environment, where "
            "no list of processes shows it.",
            show_default=False,
            show_envvar=True,
        ),
    ] = None,
    test_event: Annotated[
        bool,
        typer.Option(
            "--test-event",
            metavar="",
            help="Send the event by which S3 tries a new destination, and end.",
            show_default=False,
        ),
    ] = False,
    bucket: Annotated[
        str, typer.Option(metavar="NAME", help="The bucket that --test-event names.")
    ] = "bucket",
) -> None:
    """Take what S3, MinIO and stores like them tell of their objects, over HTTP.

    MinIO: mc admin config set STORE notify_webhook:rmq endpoint=http://HOST:4570
    """
    session = session_of(ctx)
    if (topic is None) == (queue is None):
        raise WrongUsage("say where to: --topic or --queue, and not both", ctx=ctx)
    settings = configured(Settings, session.url, session.namespace, {})
    limits = Limits.none() if session.no_limits else Limits.aws()
    given: dict[str, Any] = {
        "topic": topic,
        "queue": queue,
        "events": tuple(event or ()),
        "prefix": prefix,
        "suffix": suffix,
    }
    where = f"topic {topic}" if topic else f"queue {queue}"
    if test_event:
        asyncio.run(_begin(settings, limits, given, bucket))
        if session.as_json:
            session.output.document({"sent": 1, "topic": topic, "queue": queue})
        else:
            session.output.say(f"the test event is sent to {where}")
        return
    try:
        from rmq.gateway.events import server
    except ImportError as error:
        if (error.name or "").startswith("rmq"):
            raise  # a bug of ours, and nothing that an install could mend
        raise ConfigurationError(
            f"rmq events needs {error.name}, which is not installed; pip install 'rmq[endpoint]'"
        ) from error
    listening = server.Listening(
        settings=settings, limits=limits, host=host, port=port, token=token or None, **given
    )
    server.check(listening)
    asyncio.run(_begin(settings, limits, given))
    if not session.as_json:
        note = session.output.note
        note(f"rmq {rmq.__version__} takes S3 events at {listening.url} for {where}")
        note(f"  kept on {failures.one_line(settings.url)}, namespace {settings.namespace}")
        if listening.token is None and host not in ("127.0.0.1", "::1", "localhost"):
            note("anybody who reaches it may post events; set RMQ_EVENTS_TOKEN")
    server.listen(listening)


async def _begin(
    settings: Settings, limits: Limits, given: dict[str, Any], bucket: str | None = None
) -> None:
    """Look whether the destination is there, and send it the test event of a *bucket*."""
    if "retry_timeout" not in settings.model_fields_set:
        settings = settings.model_copy(update={"retry_timeout": RETRY_TIMEOUT_S})
    async with rmq.AsyncClient(settings.url, settings=settings, limits=limits) as client:
        forwarder = Forwarder(client, **given)
        await forwarder.check()
        if bucket is not None:
            await forwarder.send_test(bucket)
