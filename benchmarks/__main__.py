"""Run the benchmarks: `python -m benchmarks`, from the root of the checkout.

Exit status 1 when a target is missed, 2 when the command line is wrong.
"""

from __future__ import annotations

import argparse
import resource
import sys
import time
from contextlib import ExitStack
from pathlib import Path

from rich.console import Console

from benchmarks import (
    backlog,
    compressing,
    fair,
    filtering,
    gateway,
    kinesis,
    pushing,
    receiving,
    report,
    scaling,
    sending,
    streams,
    topics,
    waiting,
    working,
)
from benchmarks.bench import Bench
from benchmarks.figure import Figure
from tests.servers import single_server

# Those that look at an idle or an empty server come first.
FIGURES: tuple[Figure, ...] = (
    *waiting.FIGURES,
    *sending.FIGURES,
    *receiving.FIGURES,
    *fair.FIGURES,
    *compressing.FIGURES,
    *backlog.FIGURES,
    *topics.FIGURES,
    *filtering.FIGURES,
    *streams.FIGURES,
    *pushing.FIGURES,
    *gateway.FIGURES,
    *kinesis.FIGURES,
    *working.FIGURES,
    *scaling.FIGURES,
)
OPEN_FILES = 4096
WIDTH = 150
"""Columns of the table where there is no terminal to ask."""
LATENCY_MS = 1.0
"""What the further section of a usual run adds to every answer."""


def main() -> int:
    options = _options()
    chosen = [one for one in FIGURES if not options.only or one.name in options.only]
    # 1,000 tasks that look for the first time at once have a connection each.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < OPEN_FILES:
        resource.setrlimit(resource.RLIMIT_NOFILE, (OPEN_FILES, hard))

    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    results: list[report.Result] = []
    begun = time.monotonic()
    with ExitStack() as stack:
        url = options.url or stack.enter_context(single_server()).url
        bench = Bench(url, quick=options.quick)
        ran_on = report.machine(bench.admin)
        status = stack.enter_context(Console(stderr=True).status("starting"))

        def measure(figure: Figure, where: Bench) -> None:
            status.update(f"{where.case(figure.title)} ({time.monotonic() - begun:.0f} s so far)")
            since = time.monotonic()
            rows = list(figure.run(where))
            results.append(report.Result(figure, rows, time.monotonic() - since))

        if options.latency:
            bench = stack.enter_context(bench.further_away(options.latency))
        for figure in chosen:
            measure(figure, bench)
        if not options.latency and not options.quick:
            away = stack.enter_context(bench.further_away(LATENCY_MS))
            for figure in chosen:
                if figure.feels_latency:
                    measure(figure, away)
    ran_on["took_s"] = round(time.monotonic() - begun)
    report.show(console, results, ran_on)
    report.write(options.json, results, ran_on, vars(options) | {"json": str(options.json)})
    missed = [row for result in results for row in result.rows if row.holds is False]
    if missed:
        console.print(f"\n[bold red]{len(missed)} missed")
    return 1 if missed else 0


def _options() -> argparse.Namespace:
    names = [figure.name for figure in FIGURES]
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks",
        description="Measure rmq beside bare stream commands on the same server.",
        epilog="figures: " + ", ".join(names),
    )
    parser.add_argument("--only", nargs="+", choices=names, metavar="NAME", help="these figures")
    parser.add_argument("--quick", action="store_true", help="less work, wider spread; below 40 s")
    parser.add_argument("--url", help="a server that runs; by default one is started")
    parser.add_argument("--latency", type=float, default=0.0, metavar="MS", help="add to answers")
    parser.add_argument("--json", type=Path, default=Path("build/bench.json"), metavar="FILE")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
