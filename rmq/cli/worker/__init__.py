"""rmq worker: run an app's handlers and tasks, and look at what failed.

`rmq worker shop.jobs:app` is short for `rmq worker run shop.jobs:app`.
"""

from __future__ import annotations

from typing import Any

import typer
from typer.core import TyperGroup

from rmq.cli.worker import fleet
from rmq.cli.worker.autoscale import autoscale
from rmq.cli.worker.errors import errors
from rmq.cli.worker.run import run


class Worker(TyperGroup):
    """A group in which what is no command is an app to run."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] not in ("-h", "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    cls=Worker,
    no_args_is_help=True,
    help="Workers: run an app's handlers and tasks (rmq worker MODULE:APP), see what failed.",
)
FLEET = "The fleet"

app.command("run")(run)
app.command("errors")(errors)
app.command("autoscale", rich_help_panel=FLEET)(autoscale)
app.command("list", rich_help_panel=FLEET)(fleet.list_workers)
app.command("stop", rich_help_panel=FLEET)(fleet.stop)
app.command("drain", rich_help_panel=FLEET)(fleet.drain)
app.command("pause", rich_help_panel=FLEET)(fleet.pause)
app.command("resume", rich_help_panel=FLEET)(fleet.resume)
app.command("cancel", rich_help_panel=FLEET)(fleet.cancel)
