"""The noun `queue`: every command that begins with `rmq queue`, in the order of its help page."""

from __future__ import annotations

import typer

from rmq.cli.options import with_options
from rmq.cli.queue import manage, receive, redrive, send, watch
from rmq.cli.queue.attributes import OPTIONS

app = typer.Typer(
    help="Create and use queues.", invoke_without_command=True, rich_markup_mode="rich"
)


@app.callback()
def queue(ctx: typer.Context) -> None:
    """Create and use queues. A name that ends in .fifo is a FIFO queue's."""
    if ctx.invoked_subcommand is None:
        print(ctx.get_help())


QUEUES, MESSAGES, DEAD_LETTERS = "Queues", "Messages", "Dead letters"

app.command("create", rich_help_panel=QUEUES)(with_options(OPTIONS)(manage.create))
app.command("list", rich_help_panel=QUEUES)(manage.list_queues)
app.command("show", rich_help_panel=QUEUES)(manage.show)
app.command("set", rich_help_panel=QUEUES)(with_options(OPTIONS)(manage.set_attributes))
app.command("watch", rich_help_panel=QUEUES)(watch.watch)
app.command("purge", rich_help_panel=QUEUES)(manage.purge)
app.command("rm", rich_help_panel=QUEUES)(manage.remove)

app.command("send", rich_help_panel=MESSAGES)(send.send)
app.command("receive", rich_help_panel=MESSAGES)(receive.receive)
app.command("delete", rich_help_panel=MESSAGES)(receive.delete)
app.command("visibility", rich_help_panel=MESSAGES)(receive.change_visibility)
app.command("peek", rich_help_panel=MESSAGES)(receive.peek)

app.command("redrive", rich_help_panel=DEAD_LETTERS)(redrive.redrive)
