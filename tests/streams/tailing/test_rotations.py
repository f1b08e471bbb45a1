"""Whatever is done to files, by turns and while nobody looks: every line is read, and only once as
long as nothing crashes."""

from __future__ import annotations

import tempfile
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from tests.streams.tailing.test_following import Folder

STEPS = st.lists(
    st.sampled_from(
        ["write"] * 4
        + ["half", "take", "take", "rename", "copytruncate", "restart", "crash", "wait"]
    ),
    max_size=30,
)


def line(number: int) -> str:
    """Long enough for a copy to be known by its content, and unlike all others."""
    return f"{number:06}" + f" {number * 7919 % 10_007}" * 50


class Site:
    """A log that is written and rotated, and what was read of it."""

    def __init__(self, path: Path) -> None:
        self.folder = Folder(path, "app.log*")
        self.folder.write("app.log")
        self.written = self.rotated = 0
        self.has_half = self.has_crashed = False
        self.read: list[str] = []

    def write(self) -> None:
        self.end_half()
        self.written += 1
        self.folder.write("app.log", line(self.written) + "\n")

    def half(self) -> None:
        self.end_half()
        self.written += 1
        self.has_half = True
        self.folder.write("app.log", line(self.written)[:100])

    def end_half(self) -> None:
        if self.has_half:
            self.folder.write("app.log", line(self.written)[100:] + "\n")
            self.has_half = False

    def take(self) -> None:
        self.read += self.folder.take()
        self.folder.follower.entries()  # as it is saved now and then

    def rename(self) -> None:
        self.end_half()
        self.rotated += 1
        self.folder.move("app.log", f"app.log.{self.rotated}")
        self.folder.write("app.log")

    def copytruncate(self) -> None:
        self.end_half()
        self.rotated += 1
        self.folder.copytruncate("app.log", f"app.log.{self.rotated}")

    def restart(self) -> None:
        self.folder.restart()

    def crash(self) -> None:
        """What is read from now on is not in the state any more."""
        entries = self.folder.follower.entries()
        self.take()
        self.folder.follower.close()
        self.folder.begin(entries)
        self.has_crashed = True

    def wait(self) -> None:
        self.folder.wait(10)

    def finish(self) -> None:
        self.end_half()
        for _ in range(3):
            self.take()
            self.wait()
        self.take()
        self.folder.follower.close()


@settings(max_examples=60, deadline=None)
@given(steps=STEPS)
def test_every_line_is_read_whatever_is_done_to_the_files(steps):
    with tempfile.TemporaryDirectory() as path:
        site = Site(Path(path))
        for step in steps:
            getattr(site, step)()
        site.finish()

    expected = [line(number + 1) for number in range(site.written)]
    if site.has_crashed:
        assert set(site.read) == set(expected)
    else:
        assert sorted(site.read) == expected
