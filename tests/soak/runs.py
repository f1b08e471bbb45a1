"""The runs of jobs, held against what was sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.soak.record import _lines

Job = tuple[str, int]
"""Queue and number."""


@dataclass(slots=True)
class Runs:
    """Each job's lines, in the order of time."""

    jobs: dict[Job, list[str]] = field(default_factory=lambda: defaultdict(list))
    groups: dict[str, list[tuple[str, int]]] = field(default_factory=lambda: defaultdict(list))
    """Of message groups: what was said of which number."""

    def problems(self, sent: Mapping[str, int]) -> list[str]:
        """What is wrong; nothing where each job that was *sent* (queue to how many) was run to its
        end, none was begun again behind its end, and each group's ran one after the other, in their
        order."""
        known = {(queue, number) for queue, count in sent.items() for number in range(count)}
        found = [f"{job} was never sent" for job in self.jobs.keys() - known]
        for job in known:
            lines = self.jobs.get(job, [])
            if "ended" not in lines:
                found.append(f"{job} was lost: {lines}")
            elif "began" in lines[lines.index("ended") :]:
                found.append(f"{job} was finished and ran again: {lines}")
        for group, lines in self.groups.items():
            found += [f"{group}: {one}" for one in _out_of_order(lines)]
        return sorted(found)

    def cut(self) -> list[Job]:
        """Begun more often than ended: given up in the midst."""
        return [
            job for job, lines in self.jobs.items() if lines.count("began") > lines.count("ended")
        ]


def _out_of_order(lines: Sequence[tuple[str, int]]) -> Iterator[str]:
    """What began while one before it had not ended. One that was cut may begin again."""
    left = sorted({number for _, number in lines}, reverse=True)
    for what, number in lines:
        if what == "began" and left and number > left[-1]:
            yield f"{number} began before {left[-1]} had ended"
        elif what == "ended" and number in left:
            left.remove(number)


def read(path: Path) -> Runs:
    """Piece the runs together from the journal."""
    runs = Runs()
    for what, queue, number, group in _lines(path):
        runs.jobs[queue, int(number)].append(what)
        if group != "-":
            runs.groups[group].append((what, int(number)))
    return runs
