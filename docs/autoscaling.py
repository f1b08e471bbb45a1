"""Draw docs/autoscaling.svg: a day of traffic, and the workers that the autoscaler wants for it.

Run by `make picture`. The day is simulated under a held clock: quiet, a morning's ramp, a spike at
noon, an afternoon that swings by half every few minutes, and quiet again.
"""

from __future__ import annotations

import math
import random
import sys
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from rmq.testing import HeldClock  # noqa: E402
from rmq.worker.autoscale import Autoscaler, Policy  # noqa: E402

POLICY = Policy(min=1, max=20, target=500)
"""A worker does PER_WORKER a second, and a message may wait for 5 seconds."""
PER_WORKER = 100.0
STEP_S = 5
DAY_S = 86_400
WARM_S = 10
"""Until a new worker works."""


@dataclass(frozen=True, slots=True)
class Moment:
    at_s: int
    arriving: float
    """Messages a second."""
    backlog: int
    workers: int
    why: str


def arriving(at_s: int, chance: random.Random) -> float:
    """Messages a second at a time of the day."""
    hour = at_s / 3600
    if hour < 7 or hour >= 22:
        base = 20.0
    elif hour < 11:
        base = 20 + (hour - 7) / 4 * 680
    elif 12 <= hour < 12.5:
        base = 1500.0
    elif hour < 18:
        base = 700 + 250 * math.sin(at_s / 120)
    else:
        base = 700 - (hour - 18) / 4 * 680
    return max(base * chance.gauss(1, 0.15), 0)


def day(seed: int = 1) -> list[Moment]:
    """What happens in a day."""
    chance, clock, scaler = random.Random(seed), HeldClock(), Autoscaler(POLICY)
    began, backlog, workers = clock.now_ms(), 0.0, POLICY.min
    starting: list[tuple[int, int]] = []
    found = []
    for at_s in range(0, DAY_S, STEP_S):
        rate = arriving(at_s, chance)
        cold = sum(count for until, count in starting if until > at_s)
        able = max(workers - cold, 0) * PER_WORKER * STEP_S
        done = min(backlog + rate * STEP_S, able)
        backlog += rate * STEP_S - done
        now = (clock.now_ms() - began) / 1000
        # In flight: what is worked on at any time, some 50 ms of the traffic.
        seen = int(backlog + rate * 0.05)
        decision = scaler.decide(now, seen, done / STEP_S, workers)
        if decision.workers > workers:
            starting.append((at_s + WARM_S, decision.workers - workers))
        workers = decision.workers
        found.append(Moment(at_s, rate, int(backlog), workers, decision.why))
        clock.move(STEP_S)
    return found


def turns(moments: list[Moment]) -> int:
    """How often more workers became fewer, or the other way round."""
    count, direction = 0, 0
    for before, after in pairwise(moments):
        step = (after.workers > before.workers) - (after.workers < before.workers)
        if step and step != direction:
            count += direction != 0
            direction = step
    return count


# --- the picture --------------------------------------------------------------------------------

WIDTH, HEIGHT, LEFT, GAP = 860, 130, 60, 34
INK, GRID = "#57606a", "#d0d7de"


def drawn(moments: list[Moment]) -> str:
    """Three curves above each other: what arrives, what waits, who works."""
    able = f"a worker does {PER_WORKER:g}"
    fine = f"{POLICY.target:g} for each worker are fine"
    rows = [
        (f"messages that arrive, a second ({able})", "#0969da", [one.arriving for one in moments]),
        (f"messages that wait ({fine})", "#cf222e", [float(one.backlog) for one in moments]),
        (
            f"workers wanted, of {POLICY.min} to {POLICY.max}",
            "#1a7f37",
            [float(one.workers) for one in moments],
        ),
    ]
    height = len(rows) * (HEIGHT + GAP) + 30
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH + LEFT + 20} {height}" '
        'font-family="system-ui, sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
    ]
    for place, (title, colour, values) in enumerate(rows):
        top = place * (HEIGHT + GAP) + GAP
        highest = max(values)
        parts.append(f'<text x="{LEFT}" y="{top - 8}" fill="{colour}">{title}</text>')
        for part in (0, 0.5, 1):
            y = top + HEIGHT * (1 - part)
            parts.append(
                f'<line x1="{LEFT}" x2="{LEFT + WIDTH}" y1="{y}" y2="{y}" stroke="{GRID}"/>'
                f'<text x="{LEFT - 6}" y="{y + 4}" text-anchor="end" fill="{INK}">'
                f"{highest * part:,.0f}</text>"
            )
        parts.append(
            f'<polyline fill="none" stroke="{colour}" stroke-width="1.2" points="'
            f'{_points(moments, values, highest, top)}"/>'
        )
    for hour in range(0, 25, 3):
        x = LEFT + WIDTH * hour / 24
        parts.append(
            f'<text x="{x}" y="{height - 10}" text-anchor="middle" fill="{INK}">{hour}:00</text>'
        )
    return "\n".join([*parts, "</svg>", ""])


def _points(moments: list[Moment], values: list[float], highest: float, top: int) -> str:
    """A minute is one point, its highest value."""
    points, per = [], 60 // STEP_S
    for at in range(0, len(values), per):
        x = LEFT + WIDTH * moments[at].at_s / DAY_S
        y = top + HEIGHT * (1 - max(values[at : at + per]) / highest)
        points.append(f"{x:.1f},{y:.1f}")
    return " ".join(points)


def main() -> None:
    """Simulate the day, and write the picture."""
    (ROOT / "docs/autoscaling.svg").write_text(drawn(day()))


if __name__ == "__main__":
    main()
