"""Draw the docs' pictures: real runs of the command line, each on a server of its own.

Run by `make picture`. What a command prints is what is drawn; only the prompt is added. Figures
that depend on the machine, such as the rate, change from run to run.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable
from io import StringIO
from pathlib import Path

from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from tests.servers import single_server  # noqa: E402

WIDTH = 92
"""Columns: as wide as the longest line, and narrow enough to be read on a page."""

PREPARED = (
    ("queue", "create", "orders-dead"),
    ("queue", "create", "orders", "--dead-letter-queue", "orders-dead"),
    ("queue", "create", "large-orders"),
    ("topic", "create", "placed"),
    ("topic", "subscribe", "placed", "orders"),
    (
        *("topic", "subscribe", "placed", "large-orders"),
        *("--filter", '{"total": [{"numeric": [">", 90]}]}'),
    ),
)

TERMINAL = (
    ("rmq queue send orders 'one coffee'", ""),
    ("cat orders.txt | rmq queue send orders", "".join(f"order {n}\n" for n in range(50_000))),
    ("rmq queue receive orders --delete", ""),
    ("rmq queue list", ""),
    ("rmq topic explain placed 'one coffee' --attribute total:Number=3", ""),
    ("rmq demo --seed 1", ""),
)
"""What is typed, and what comes in through its stdin."""
TRUCKS = (("rmq demo trucks --work 20", ""),)

PICTURES = {"terminal.svg": (PREPARED, TERMINAL), "trucks.svg": ((), TRUCKS)}
"""By file: what is done before, and what is shown."""


def main() -> None:
    """Draw all of them."""
    for name, (prepared, shown) in PICTURES.items():
        (ROOT / "docs" / name).write_text(_drawn(name.removesuffix(".svg"), prepared, shown))


def _drawn(id: str, prepared: Iterable[tuple[str, ...]], shown: Iterable[tuple[str, str]]) -> str:
    console = Console(record=True, width=WIDTH, file=StringIO(), force_terminal=True)
    with single_server() as server:
        environment = {
            **os.environ,
            "RMQ_URL": server.url,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": str(WIDTH),
            "FORCE_COLOR": "1",
            "TERM": "xterm-256color",
        }
        for words in prepared:
            subprocess.run(["rmq", *words], env=environment, check=True, capture_output=True)
        for typed, stdin in shown:
            command = typed.removeprefix("cat orders.txt | ")
            ran = subprocess.run(
                command,
                shell=True,
                input=stdin,
                env=environment,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,  # progress bars
                text=True,
                check=True,
            )
            console.print(Text.assemble(("$ ", "green"), (typed, "bold")))
            printed = ran.stdout.replace(server.url, "redis://localhost").strip("\n")
            console.print(Text.from_ansi(printed))
            console.print()
    return console.export_svg(title="rmq", unique_id="rmq" if id == "terminal" else f"rmq-{id}")


if __name__ == "__main__":
    main()
