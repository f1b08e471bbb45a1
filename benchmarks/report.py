"""The report: a table for people, JSON for machines, and what neither of them shows."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

import redis
from rich.console import Console
from rich.table import Table

from benchmarks.figure import Figure, Row

NOT_SHOWN = (
    "Client, server and proxy share this machine's cores: what several clients reach together, "
    "and what a server with a core of its own does, is more.",
    "Nothing is written to disk (no AOF, no RDB) unless --url names a server that does; with "
    "appendonly every send costs more, for the floor as well.",
    "The floor's messages are never received again. It has no leases that end, delays, dead "
    "letters, checks or ids; what they cost is the ratio, what they are worth is not in it.",
    "The endpoint is one process of one worker and shares the cores with Redis and the load, of "
    "which moto needs no Redis and the bare application neither. Plain HTTP/1.1, no batches.",
    "Latency is added without loss or jitter. No cluster, no TLS, no replicas.",
)
PACKAGES = ("rmq", "redis", "hiredis", "msgspec", "granian", "boto3")
VERDICTS = {True: "[green]holds[/]", False: "[bold red]MISSED[/]", None: ""}


@dataclass(frozen=True, slots=True)
class Result:
    """A figure and what came out."""

    figure: Figure
    rows: Sequence[Row]
    took_s: float


def machine(server: redis.Redis) -> dict[str, Any]:
    """What this ran on."""
    info = server.info("server")
    kind = "valkey" if "valkey_version" in info else "redis"
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "load": [round(one, 2) for one in os.getloadavg()],
        "system": platform.platform(),
        "python": platform.python_version(),
        "server": f"{kind} {info[f'{kind}_version']}",
        **{name: metadata.version(name) for name in PACKAGES},
    }


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def show(console: Console, results: Sequence[Result], ran_on: dict[str, Any]) -> None:
    """Print the table, the machine, and what is not shown."""
    table = Table(title="rmq beside bare stream commands", title_justify="left")
    for name in ("figure", "case"):
        table.add_column(name, overflow="fold")
    for name in ("ours", "floor", "measured", "rounds"):
        table.add_column(name, justify="right", no_wrap=True)
    for name in ("target", "verdict"):
        table.add_column(name, no_wrap=True)
    for result in results:
        for number, row in enumerate(result.rows):
            spread = "-".join(f"{one:.{0 if abs(one) >= 100 else 2}f}" for one in row.spread or ())
            table.add_row(
                result.figure.title if not number else "",
                f"{row.case} [dim]({row.note})[/]" if row.note else row.case,
                row.ours,
                row.floor,
                _number(row.measured),
                spread,
                str(row.target or ""),
                VERDICTS[row.holds],
                end_section=number == len(result.rows) - 1,
            )
    console.print(table)
    console.print("[dim]measured: median of the rounds; rounds: their quartiles; rates: the best")
    console.print(", ".join(f"{name} {value}" for name, value in ran_on.items()), style="dim")
    console.print("\n[bold]What this does not show")
    for sentence in NOT_SHOWN:
        console.print(f"- {sentence}")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 or value == int(value) else f"{value:.2f}"


def write(
    path: Path, results: Sequence[Result], ran_on: dict[str, Any], options: dict[str, Any]
) -> None:
    """Write everything as JSON."""
    found = {
        "at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "machine": ran_on,
        "options": options,
        "figures": [
            {
                "name": result.figure.name,
                "title": result.figure.title,
                "took_s": round(result.took_s, 1),
                "rows": [{**asdict(row), "holds": row.holds} for row in result.rows],
            }
            for result in results
        ],
        "not_shown": NOT_SHOWN,
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(found, indent=2, ensure_ascii=False) + "\n")
