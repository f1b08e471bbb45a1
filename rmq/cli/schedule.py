"""rmq schedule: what an app's workers send at certain moments."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
import typer

from rmq import AsyncClient
from rmq.cli import failures, values
from rmq.cli.fleets import AppName, ask
from rmq.cli.output import shown_time, table
from rmq.cli.session import queue_names, session_of
from rmq.cli.values import WrongUsage

if TYPE_CHECKING:
    from rmq.worker.schedules import Schedule

app = typer.Typer(
    help="Send messages at certain moments.", invoke_without_command=True, rich_markup_mode="rich"
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="The schedule's name.")]


@app.callback()
def schedule(ctx: typer.Context) -> None:
    """Send messages at certain moments. Any worker of the app fires them, each moment once."""
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


@app.command()
def put(
    ctx: typer.Context,
    name: Name,
    when: Annotated[
        str,
        typer.Argument(
            metavar="WHEN", help="A cron expression in quotes, as '0 3 * * *', or 'every 15m'."
        ),
    ],
    queue: Annotated[
        str, typer.Argument(metavar="QUEUE", help="Where it sends.", autocompletion=queue_names)
    ],
    body: Annotated[
        str | None,
        typer.Argument(metavar="BODY", help="What it sends, as text.", show_default=False),
    ] = None,
    task: Annotated[
        str | None,
        typer.Option(
            metavar="NAME",
            help="Send a call of this task, as module.function.",
            show_default=False,
        ),
    ] = None,
    arguments: Annotated[
        str,
        typer.Option(
            metavar="JSON",
            help="Of the task: a list, or an object with names.",
        ),
    ] = "[]",
    timezone: Annotated[
        str, typer.Option(metavar="ZONE", help="Of a cron expression, as Europe/Berlin.")
    ] = "UTC",
    catch_up: Annotated[
        str,
        typer.Option(
            metavar="POLICY", help="Of the moments that nobody was there for: all, last or none."
        ),
    ] = "last",
    group: Annotated[
        str | None,
        typer.Option(metavar="ID", help="The message group.", show_default=False),
    ] = None,
    until: Annotated[
        datetime | None,
        typer.Option(
            parser=values.moment, metavar="TIME", help="No moment after this.", show_default=False
        ),
    ] = None,
    of: AppName = "app",
) -> None:
    """Make a schedule, or change the one of that name."""
    from rmq.worker.schedules import Schedules

    if (body is None) == (task is None):
        raise WrongUsage("say what it sends: a BODY, or --task", ctx=ctx)
    what: str | dict[str, Any] = body or ""
    if task is not None:
        what = {"task": task, **_arguments(ctx, arguments)}
    changed = ask(
        ctx,
        lambda client: Schedules(client, of).put(
            name,
            when,
            queue,
            what,
            timezone=timezone,
            catch_up=catch_up,
            group_id=group,
            until=until,
        ),
    )
    _show_one(ctx, of, name, "is set" if changed else "stands so already")


@app.command("list")
def list_schedules(ctx: typer.Context, of: AppName = "app") -> None:
    """Show all schedules: when they are due next, and how the last one went."""
    from rmq.worker.schedules import Schedules

    async def work(client: AsyncClient) -> list[Schedule]:
        schedules, token = Schedules(client, of), None
        found: list[Schedule] = []
        while True:
            page = await schedules.list(token=token)
            found += page.found
            token = page.next_token
            if token is None:
                return found

    found = ask(ctx, work)
    out = session_of(ctx).output
    if out.as_json:
        for one in found:
            out.line(_plain(one))
        return
    if not found:
        out.say(f"app {of} has no schedule; make one with rmq schedule put")
        return
    shown = table("schedule", "when", "queue", "next", "last", "state")
    for one in found:
        when = one.when if one.timezone == "UTC" else f"{one.when} ({one.timezone})"
        state = "paused" if one.paused_at else f"error: {one.error}" if one.error else "well"
        shown.add_row(
            one.name,
            when,
            one.queue,
            shown_time(one.next_at) if one.next_at else "-",
            shown_time(one.last_at) if one.last_at else "-",
            state,
        )
    out.show(shown)


@app.command()
def pause(ctx: typer.Context, name: Name, of: AppName = "app") -> None:
    """Fire a schedule no more until it is resumed."""
    from rmq.worker.schedules import Schedules

    changed = ask(ctx, lambda client: Schedules(client, of).pause(name))
    _show_one(ctx, of, name, "is paused" if changed else "was paused already")


@app.command()
def resume(ctx: typer.Context, name: Name, of: AppName = "app") -> None:
    """Go on with a paused schedule, from the next moment."""
    from rmq.worker.schedules import Schedules

    changed = ask(ctx, lambda client: Schedules(client, of).resume(name))
    _show_one(ctx, of, name, "goes on" if changed else "was not paused")


@app.command()
def trigger(ctx: typer.Context, name: Name, of: AppName = "app") -> None:
    """Fire a schedule once, now; its own moments stay."""
    from rmq.worker.schedules import Schedules

    async def work(client: AsyncClient) -> str:
        await Schedules(client, of).trigger(name)
        found = await Schedules(client, of).get(name)
        return "" if found is None else found.error

    if ask(ctx, work):  # why stands in the log already, which is the terminal
        raise typer.Exit(failures.REFUSED)
    _show_one(ctx, of, name, "is fired")


@app.command("rm")
def remove(ctx: typer.Context, name: Name, of: AppName = "app") -> None:
    """Remove a schedule."""
    from rmq.worker.schedules import Schedules

    ask(ctx, lambda client: Schedules(client, of).remove(name))
    out = session_of(ctx).output
    if out.as_json:
        out.document({"name": name, "removed": True})
    else:
        out.say(f"schedule {name} is removed")


def _arguments(ctx: typer.Context, text: str) -> dict[str, Any]:
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise WrongUsage(f"--arguments is not JSON: {error}", ctx=ctx) from None
    if isinstance(found, list):
        return {"args": found}
    if isinstance(found, dict):
        return {"kwargs": found}
    raise WrongUsage("--arguments is a JSON list, or an object", ctx=ctx)


def _show_one(ctx: typer.Context, of: str, name: str, what: str) -> None:
    from rmq.worker.schedules import Schedules

    found = ask(ctx, lambda client: Schedules(client, of).get(name))
    out = session_of(ctx).output
    if out.as_json:
        out.document(_plain(found) if found is not None else {"name": name})
    else:
        due = f"; next at {shown_time(found.next_at)}" if found and found.next_at else ""
        out.say(f"schedule {name} {what}{due}")


def _plain(one: Schedule) -> dict[str, Any]:
    return {
        "name": one.name,
        "when": one.when,
        "timezone": one.timezone,
        "queue": one.queue,
        "body": one.body,
        "is_task": one.is_task,
        "catch_up": one.catch_up,
        "group_id": one.group_id,
        "until": one.until,
        "in_code": one.in_code,
        "next_at": one.next_at,
        "last_at": one.last_at,
        "paused_at": one.paused_at,
        "error": one.error,
    }
