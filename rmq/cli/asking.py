"""Asking: a question before something is lost, where somebody can answer."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from rmq.cli import failures
from rmq.cli.session import session_of
from rmq.cli.values import WrongUsage

Yes = Annotated[
    bool, typer.Option("--yes", "-y", metavar="", help="Do not ask.", show_default=False)
]


def ask(ctx: typer.Context, question: str, yes: bool) -> None:
    """Ask, unless *yes*. Raises typer.Exit on a no, WrongUsage where nobody can answer."""
    if yes:
        return
    session = session_of(ctx)
    if session.as_json or not sys.stdin.isatty():
        raise WrongUsage("there is no terminal to ask on; add --yes", ctx=ctx)
    if not typer.confirm(question, err=True):
        session.output.note("nothing was done")
        raise typer.Exit(failures.REFUSED)
