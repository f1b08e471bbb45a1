"""Fleets: how commands about an app's workers and schedules get at what is asynchronous only."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Annotated, TypeVar

import typer

import rmq
from rmq import AsyncClient, Limits
from rmq.cli.session import patience, session_of

T = TypeVar("T")

AppName = Annotated[
    str, typer.Option("--app", metavar="NAME", help="The app's name, as App(name=..) has it.")
]
"""The option that says whose workers and schedules are meant."""


def ask(ctx: typer.Context, work: Callable[[AsyncClient], Awaitable[T]]) -> T:
    """Do something with a client of the command's own."""
    session = session_of(ctx)

    async def run() -> T:
        limits = Limits.none() if session.no_limits else None
        client = rmq.connect_async(
            session.url, namespace=session.namespace, limits=limits, **patience()
        )
        async with client:
            return await work(client)

    return asyncio.run(run())
