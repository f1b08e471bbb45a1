"""The command `demo`: play rmq.cli.fleet, show how it goes, and say which promises were kept.

`demo trucks`, a stream beside a queue, is in rmq.cli.trucks.
"""

from __future__ import annotations

import random
import uuid
from dataclasses import asdict
from typing import Annotated, Any

import typer
from rich.progress import BarColumn, SpinnerColumn, TextColumn, TimeElapsedColumn

from rmq.cli import failures
from rmq.cli.fleet.play import Result, Standing, play
from rmq.cli.fleet.scenario import DEAD, FILTERS, Scenario
from rmq.cli.output import Output, table
from rmq.cli.session import session_of
from rmq.cli.trucks.command import trucks as beside

MEMORY_POSITIONS, SERVER_POSITIONS = 12, 60
"""Positions of each truck, so that 100 trucks take some 10 to 20 s. In one process all the work,
Redis's too, shares one core."""


app = typer.Typer(invoke_without_command=True, rich_markup_mode="rich")


@app.callback()
def demo(
    ctx: typer.Context,
    trucks: Annotated[int, typer.Option(metavar="N", min=1, help="Each is a message group.")] = 100,
    positions: Annotated[
        int | None,
        typer.Option(
            metavar="N",
            min=1,
            help="How many each truck publishes. Default: "
            f"{MEMORY_POSITIONS} on memory://, {SERVER_POSITIONS} on a server.",
        ),
    ] = None,
    publishers: Annotated[
        int, typer.Option(metavar="N", min=1, help="Who publish, each for a part of the trucks.")
    ] = 2,
    consumers: Annotated[
        int, typer.Option(metavar="N", min=1, help="Who work at the same time.")
    ] = 4,
    publisher_deaths: Annotated[
        int, typer.Option(metavar="N", min=0, help="Publishers that die in mid-work.")
    ] = 2,
    deaths: Annotated[
        int, typer.Option(metavar="N", min=0, help="Consumers that die in mid-work.")
    ] = 8,
    seed: Annotated[
        int | None, typer.Option(metavar="N", help="Repeat a run, as far as time can be repeated.")
    ] = None,
) -> None:
    """See it work: trucks, orders, workers that die, and what is kept of the promises.

    Trucks publish their positions in order on a FIFO topic, each truck a group. One FIFO queue
    gets all of them, one the fast ones, one those in Europe.
    A standard queue takes bulk orders, one of them poisoned.
    Consumers take from all four. On a server, they and the publishers are processes, and some are
    killed with SIGKILL.

    It leaves nothing behind. The exit status is 1 if a promise was broken.
    """
    if ctx.invoked_subcommand is not None:
        return
    session = session_of(ctx)
    session.namespace = f"demo-{uuid.uuid4().hex[:12]}"
    client = session.connect()
    on_memory = client.settings.url.startswith("memory:")
    each = positions or (MEMORY_POSITIONS if on_memory else SERVER_POSITIONS)
    scenario = Scenario(
        trucks=trucks,
        positions=each,
        orders=max(trucks * each // 4, 10),
        publishers=min(publishers, trucks),
        consumers=consumers,
        publisher_deaths=publisher_deaths,
        deaths=deaths,
        seed=random.randrange(10_000) if seed is None else seed,
    )
    out = session.output
    if not out.as_json:
        out.say(_opening(scenario, failures.one_line(client.settings.url), on_memory))
    with client:
        result = _played(out, client, scenario)
    if out.as_json:
        out.document(_shape(scenario, result))
    else:
        _show(out, result)
    if not result.kept:
        raise typer.Exit(failures.REFUSED)


app.command("trucks")(beside)


def _opening(scenario: Scenario, url: str, on_memory: bool) -> str:
    kind = "threads" if on_memory else "processes"
    return (
        f"{scenario.trucks} trucks publish {scenario.positions} positions each, in order, to three "
        f"queues with different filters, beside {scenario.orders:,} orders and a poisoned one. "
        f"{scenario.publishers} publishers and {scenario.consumers} consumers ({kind}) work on "
        f"{url}; {scenario.publisher_deaths} and {scenario.deaths} of them will die in mid-work. "
        f"(--seed {scenario.seed})"
    )


def _played(out: Output, client: Any, scenario: Scenario) -> Result:
    bars = out.progress(
        SpinnerColumn(),
        TextColumn("{task.description:<10}"),
        BarColumn(),
        TextColumn("{task.completed:,.0f} of {task.total:,.0f}"),
        TimeElapsedColumn(),
        TextColumn("{task.fields[state]}"),
    )
    with bars:
        total = scenario.trucks * scenario.positions
        deliveries = sum(
            lets_through(one)
            for one in scenario.all_positions()
            for _, lets_through in FILTERS.values()
        )
        first = bars.add_task("published", total=total, state="")
        second = bars.add_task("worked off", total=deliveries, state="")
        third = bars.add_task("orders", total=scenario.orders, state="")

        def draw(standing: Standing) -> None:
            died = "publishers died: {}", "consumers died: {}"
            bars.update(
                first,
                completed=standing.published,
                state=died[0].format(standing.publisher_deaths),
            )
            bars.update(
                second,
                completed=standing.deliveries,
                state=died[1].format(standing.consumer_deaths),
            )
            bars.update(third, completed=standing.orders)

        return play(client, scenario, draw)


FIGURES = {
    "expected": "sent or let through",
    "delivered": "delivered",
    "redelivered": "redelivered",
    "dead": "dead letters",
    "order_violations": "order violations",
    "strays": "should not be there",
    "processed_twice": "processed twice",
    "lost": "lost",
}
"""Fields of an Outcome, and what the table calls them."""
PROMISES = ("order_violations", "strays", "processed_twice", "lost")
"""Those that are 0 as long as every promise is kept."""


def _show(out: Output, result: Result) -> None:
    rows = table("", *(f">{queue}" for queue in result.outcomes))
    for field, name in FIGURES.items():
        figures = [getattr(outcome, field) for outcome in result.outcomes.values()]
        shown = ["-" if figure is None else f"{figure:,}" for figure in figures]
        style = None
        if field in PROMISES:
            style = "bold red" if any(figures) else "green"
        rows.add_row(name, *shown, style=style)
    out.show(rows)
    how = "Killed with SIGKILL" if result.are_processes else "Died in mid-work"
    where = f"is in {DEAD}" if result.poison_found else f"is NOT in {DEAD}"
    out.say(
        f"Published: {result.published:,} positions, and {result.repeats:,} repeats of them, "
        "which the topic dropped"
    )
    out.say(
        f"{how}: publishers {result.publisher_deaths}, consumers {result.consumer_deaths}; "
        f"the poisoned order {where}"
    )
    out.say(f"{result.per_second:,.0f} messages/s, published to deleted, in {result.seconds:.1f} s")
    for trouble in result.troubles:
        out.note(f"rmq: a {failures.one_line(trouble)}")
    out.say("Every promise was kept." if result.kept else "A PROMISE WAS BROKEN.")


def _shape(scenario: Scenario, result: Result) -> dict[str, Any]:
    return {
        "kept": result.kept,
        "published": result.published,
        "repeats": result.repeats,
        "queues": {name: asdict(outcome) for name, outcome in result.outcomes.items()},
        "poison_found": result.poison_found,
        "publisher_deaths": result.publisher_deaths,
        "deaths": result.consumer_deaths,
        "killed_with": "SIGKILL" if result.are_processes else None,
        "seconds": round(result.seconds, 3),
        "per_second": round(result.per_second),
        "troubles": list(result.troubles),
        "scenario": asdict(scenario),
    }
