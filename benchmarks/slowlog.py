"""The slow log: how long each script of an operation holds up the server.

It leaves out the network. It can not leave out that the system may give the processor to someone
else in the middle. So a script took no longer than what its step cost the server's thread in
processor time; each step is done in several passes; and what counts is the slowest step by its best
pass.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from benchmarks.bench import Bench
from rmq.core import script

BOUND_US = 2000
"""The longest that a script may hold up everyone else."""
LOGGED_US = 50
"""Shorter calls are not logged. A script's own commands are calls to the log as well, and logging
each of them would make the script several times as long."""

Step = Callable[[], object]


class Slowlog:
    """The server's slow log, keeping every script call that takes a while, while this is open."""

    def __init__(self, bench: Bench) -> None:
        self.admin = bench.admin
        self.names = {script.load(name).sha: name.partition("/")[2] for name in script.names()}

    def __enter__(self) -> Slowlog:
        self.before = {
            name: self.admin.config_get(name)[name]
            for name in ("slowlog-log-slower-than", "slowlog-max-len")
        }
        self.admin.config_set("slowlog-log-slower-than", LOGGED_US)
        self.admin.config_set("slowlog-max-len", 100_000)
        return self

    def __exit__(self, *error: Any) -> None:
        for name, value in self.before.items():
            self.admin.config_set(name, value)

    def longest(self, steps: Callable[[], Iterable[Step]], passes: int) -> tuple[float, str]:
        """The slowest step of an operation by its best pass: microseconds, and its script."""
        best: dict[tuple[int, str, int], float] = {}
        for _ in range(passes):
            for number, step in enumerate(steps()):
                self.admin.slowlog_reset()
                before = self._cpu_us()
                step()
                used = self._cpu_us() - before
                seen: Counter[str] = Counter()
                for name, took in self._scripts():
                    seen[name] += 1
                    at = (number, name, seen[name])
                    best[at] = min(best.get(at, took), took, used)
        took = ((took, name) for (_, name, _), took in best.items())
        return max(took, default=(LOGGED_US, "none longer"))

    def _cpu_us(self) -> float:
        """Processor time of the thread that runs scripts."""
        info = self.admin.info("cpu")
        parts = (info[f"used_cpu_{kind}_main_thread"] for kind in ("user", "sys"))
        return sum(map(float, parts)) * 1e6

    def _scripts(self) -> Iterator[tuple[str, float]]:
        """Every script call since the reset, the first one first."""
        for entry in reversed(self.admin.slowlog_get(-1)):
            words = entry["command"].split(b" ", 2)
            if words[0] == b"EVALSHA":
                yield self.names.get(words[1].decode(), "?"), float(entry["duration"])
