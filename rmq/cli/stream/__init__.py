"""The noun `stream`: every command that begins with `rmq stream`, in the order of its help page."""

from __future__ import annotations

import typer

from rmq.cli.options import with_options
from rmq.cli.stream import consume, consumers, files, groups, manage, put, shards, tail
from rmq.cli.stream.attributes import OPTIONS

app = typer.Typer(
    help="Create and use streams.", invoke_without_command=True, rich_markup_mode="rich"
)


@app.callback()
def stream(ctx: typer.Context) -> None:
    """Create and use streams: an ordered log, cut into shards, that any number of readers read."""
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


STREAMS, SHARDS, RECORDS, READERS = "Streams", "Shards", "Records", "Readers"

app.command("create", rich_help_panel=STREAMS)(with_options(OPTIONS)(manage.create))
app.command("list", rich_help_panel=STREAMS)(manage.list_streams)
app.command("show", rich_help_panel=STREAMS)(manage.show)
app.command("set", rich_help_panel=STREAMS)(with_options(OPTIONS)(manage.set_attributes))
app.command("sweep", rich_help_panel=STREAMS)(manage.sweep)
app.command("rm", rich_help_panel=STREAMS)(manage.remove)

app.command("split", rich_help_panel=SHARDS)(shards.split)
app.command("merge", rich_help_panel=SHARDS)(shards.merge)
app.command("scale", rich_help_panel=SHARDS)(shards.scale)

app.command("put", rich_help_panel=RECORDS)(put.put)
app.command("tail", rich_help_panel=RECORDS)(tail.tail)
app.command("tail-files", rich_help_panel=RECORDS)(files.tail_files)

app.command("consume", rich_help_panel=READERS)(consume.consume)
app.command("consumers", rich_help_panel=READERS)(consumers.consumers)
app.command("groups", rich_help_panel=READERS)(groups.groups)
app.command("reset", rich_help_panel=READERS)(groups.reset)
