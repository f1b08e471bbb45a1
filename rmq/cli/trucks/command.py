"""The command `demo trucks`: play the scene, and draw what it shows."""

from __future__ import annotations

import asyncio
import uuid
from typing import Annotated, Any

import typer
from rich.console import Group
from rich.progress import BarColumn, SpinnerColumn, TextColumn
from rich.text import Text

import rmq
from rmq import Limits
from rmq.cli import failures
from rmq.cli.output import Output, table
from rmq.cli.session import session_of
from rmq.cli.trucks.scene import Outcome, Result, Scenario, play

BLOCKS = " ▁▂▃▄▅▆▇█"
"""Heights of a timeline."""
LINE_ROWS = 4
"""Lines of text that a timeline is high."""


def trucks(
    ctx: typer.Context,
    count: Annotated[
        int, typer.Option("--trucks", metavar="N", min=1, help="Each is a key, and a group.")
    ] = 100,
    shards: Annotated[int, typer.Option(metavar="N", min=1, max=100, help="Of the stream.")] = 5,
    positions: Annotated[int, typer.Option(metavar="N", min=1, help="That each truck sends.")] = 10,
    work: Annotated[
        float, typer.Option(metavar="MS", min=0, help="That one position takes a consumer.")
    ] = 10.0,
) -> None:
    """A stream beside a FIFO queue: the same trucks, the same order, and how many work at once.

    Trucks put their positions on a stream and on a FIFO queue. The stream has a consumer for each
    shard, the queue one for each truck. Then another group reads the same stream again, with
    several trucks of a shard at a time.

    It leaves nothing behind. The exit status is 1 if a position was lost, or came out of order.
    """
    session = session_of(ctx)
    scenario = Scenario(trucks=count, positions=positions, shards=shards, work_ms=work)
    limits = Limits.none() if session.no_limits else None
    client = rmq.connect_async(
        session.url, namespace=f"demo-{uuid.uuid4().hex[:12]}", limits=limits
    )
    out = session.output
    if not out.as_json:
        url = failures.one_line(client.settings.url)
        out.say(
            f"{count} trucks put {positions} positions each on a stream of {shards} shards and on "
            f"a FIFO queue, on {url}; a position is {work:g} ms of work"
        )
    result = asyncio.run(_played(out, client, scenario))
    if out.as_json:
        out.document(_shape(result))
    else:
        _show(out, result)
    if not result.kept:
        raise typer.Exit(failures.REFUSED)


async def _played(out: Output, client: rmq.AsyncClient, scenario: Scenario) -> Result:
    bars = out.progress(
        SpinnerColumn(),
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
    )
    tasks: dict[str, Any] = {}

    def tell(name: str, done: int) -> None:
        if name not in tasks:
            tasks[name] = bars.add_task(name, total=scenario.total)
        bars.update(tasks[name], completed=done)

    async with client:
        try:
            with bars:
                return await play(client, scenario, tell)
        finally:
            await client.wipe()


def _show(out: Output, result: Result) -> None:
    scenario = result.scenario
    out.show(_shards(result))
    names = [one.name for one in result.outcomes]
    rows = table("", *(f">{name}" for name in names))
    figures: list[tuple[str, list[str], list[bool]]] = [
        ("consumers", [f"{one.consumers:,}" for one in result.outcomes], []),
        ("at work at once", [f"{one.at_work:,}" for one in result.outcomes], []),
        ("worked off", [f"{one.done:,}" for one in result.outcomes], []),
        ("in", [f"{one.seconds:.2f} s" for one in result.outcomes], []),
        (
            "out of order",
            [f"{one.out_of_order:,}" for one in result.outcomes],
            [bool(one.out_of_order) for one in result.outcomes],
        ),
        (
            "lost",
            [f"{one.lost(scenario):,}" for one in result.outcomes],
            [bool(one.lost(scenario)) for one in result.outcomes],
        ),
        (
            "twice",
            [f"{one.repeated:,}" for one in result.outcomes],
            [bool(one.repeated) for one in result.outcomes],
        ),
    ]
    for label, shown, broken in figures:
        style = None if not broken else "bold red" if any(broken) else "green"
        rows.add_row(label, *shown, style=style)
    out.show(rows)
    longest = max(one.seconds for one in result.outcomes)
    highest = max(one.at_work for one in result.outcomes)
    for one, colour in zip(result.outcomes, ("cyan", "green", "magenta"), strict=True):
        out.show(_timeline(one, longest, highest, colour))
    out.say(
        "Every truck's positions were worked off in order."
        if result.kept
        else "A PROMISE WAS BROKEN."
    )


def _shards(result: Result) -> Group:
    """Which shard has how many trucks."""
    most = max(result.trucks_by_shard.values(), default=1) or 1
    scale = min(1.0, 60 / most)
    lines = [Text("Trucks of each shard", style="bold")]
    for shard, count in result.trucks_by_shard.items():
        bar = "■" * max(round(count * scale), 1 if count else 0)
        number = shard.removeprefix("shardId-").lstrip("0") or "0"
        lines.append(Text.assemble((f"  shard {number:>2}  ", ""), (bar, "cyan"), f" {count}"))
    lines.append(Text("  each truck is a group of the queue\n", style="dim"))
    return Group(*lines)


def _timeline(one: Outcome, longest: float, highest: int, colour: str) -> Group:
    """How many were at work, over the time; all on the same scales."""
    width = max(round(len(one.timeline) * one.seconds / longest), 1)
    samples = [
        max(one.timeline[len(one.timeline) * at // width :][: len(one.timeline) // width or 1])
        for at in range(width)
    ]
    heights = [round(sample / highest * LINE_ROWS * 8) for sample in samples]
    heights = [
        max(height, 1) if sample else 0 for height, sample in zip(heights, samples, strict=True)
    ]
    lines = [
        Text.assemble(
            (f"At work: {one.name}", "bold"), f", up to {one.at_work}, {one.seconds:.2f} s"
        )
    ]
    for row in reversed(range(LINE_ROWS)):
        cells = [BLOCKS[min(max(height - row * 8, 0), 8)] for height in heights]
        line = "".join(cells).rstrip()
        if line:
            lines.append(Text(f"  {line}", style=colour))
    lines.append(Text(f"  {'─' * width}", style="dim"))
    return Group(*lines)


def _shape(result: Result) -> dict[str, Any]:
    scenario = result.scenario
    return {
        "kept": result.kept,
        "trucks": scenario.trucks,
        "positions": scenario.positions,
        "trucks_by_shard": result.trucks_by_shard,
        "ways": [
            {
                "name": one.name,
                "consumers": one.consumers,
                "at_work": one.at_work,
                "worked_off": one.done,
                "seconds": round(one.seconds, 3),
                "out_of_order": one.out_of_order,
                "lost": one.lost(scenario),
                "twice": one.repeated,
            }
            for one in result.outcomes
        ],
    }
