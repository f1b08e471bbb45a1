"""Crew: all consumers of the play. One dies when it is told to, and another takes its place.

On a server they are processes, and death is SIGKILL. On memory:// there is one process only, so
they are threads, and death is to walk away from whatever they hold.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol

import msgspec

import rmq
from rmq.cli.fleet.consumer import Assignment, consume
from rmq.cli.fleet.journal import Journal

LEAVE_S = 10.0
"""How long a consumer that was told to leave may take to finish its batch."""


class Consumer(Protocol):
    """What the play does with a consumer."""

    journal: Path

    def start(self) -> None: ...
    def die(self) -> None: ...
    def leave(self) -> None: ...
    def join(self) -> None: ...
    def trouble(self) -> str | None: ...


class ProcessConsumer:
    """A consumer in a process of its own."""

    def __init__(self, client: rmq.Client, journal: Path) -> None:
        self.journal = journal
        self._errors = journal.with_suffix(".err")
        url, namespace = client.settings.url, client.namespace
        self._told = Assignment(url=url, namespace=namespace, journal=str(journal))
        self._killed = False

    def start(self) -> None:
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "rmq.cli.fleet.consumer"],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                stderr=errors,
                # Ctrl-C is for the play, which then tells everybody to leave.
                start_new_session=True,
            )
        assert self._process.stdin is not None
        self._process.stdin.write(msgspec.json.encode(self._told) + b"\n")
        self._process.stdin.flush()

    def die(self) -> None:
        self._killed = True
        self._process.kill()
        self._process.wait()
        self.leave()

    def leave(self) -> None:
        assert self._process.stdin is not None
        with contextlib.suppress(OSError):
            self._process.stdin.close()

    def join(self) -> None:
        try:
            self._process.wait(LEAVE_S)
        except subprocess.TimeoutExpired:
            self.die()

    def trouble(self) -> str | None:
        """Why it ended by itself, if it did."""
        if self._killed or self._process.poll() in (None, 0):
            return None
        lines = self._errors.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it ended with {self._process.returncode}"


class _Abandoned(BaseException):
    """Raised in a thread that dies. No `except Exception` may save it."""


class ThreadConsumer:
    """A consumer in a thread. It shares the client, and it dies at the next place that matters."""

    def __init__(self, client: rmq.Client, journal: Path) -> None:
        self.journal = journal
        self._client = client
        self._leaving = threading.Event()
        self._dying = threading.Event()
        self._trouble: str | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="rmq-demo")

    def start(self) -> None:
        self._thread.start()

    def die(self) -> None:
        self._dying.set()

    def leave(self) -> None:
        self._leaving.set()

    def join(self) -> None:
        self._thread.join(LEAVE_S)

    def trouble(self) -> str | None:
        """Why it ended by itself, if it did."""
        return self._trouble

    def _run(self) -> None:
        with contextlib.closing(Journal(self.journal)) as journal:
            try:
                consume(self._client, journal, self._leaving.is_set, self._survive)
            except _Abandoned:
                pass
            except Exception as error:
                self._trouble = f"{type(error).__name__}: {error}"

    def _survive(self) -> None:
        if self._dying.is_set():
            raise _Abandoned


class Crew:
    """Consumers at work, *size* of them at any time."""

    def __init__(self, client: rmq.Client, folder: Path) -> None:
        self._client = client
        self._folder = folder
        kind = ThreadConsumer if client.settings.url.startswith("memory:") else ProcessConsumer
        self._kind: type[ThreadConsumer] | type[ProcessConsumer] = kind
        self._all: list[Consumer] = []
        self._alive: list[Consumer] = []

    @property
    def are_processes(self) -> bool:
        """Whether death is SIGKILL."""
        return self._kind is ProcessConsumer

    def hire(self, count: int = 1) -> None:
        """Let *count* more begin."""
        for _ in range(count):
            one: Consumer = self._kind(self._client, self._folder / f"{len(self._all)}.journal")
            one.start()
            self._all.append(one)
            self._alive.append(one)

    def at_work(self) -> list[Consumer]:
        """Those alive that have worked a message off; others may still be starting."""
        return [one for one in self._alive if _size(one.journal) > 0]

    def lose(self, one: Consumer) -> None:
        """Kill *one* in mid-work; another takes its place."""
        one.die()
        self._alive.remove(one)
        self.hire()

    def troubles(self) -> Iterator[str]:
        """Why consumers ended that nobody killed."""
        for one in self._all:
            trouble = one.trouble()
            if trouble is not None:
                yield trouble

    def journals(self) -> list[Path]:
        """All journals, those of the dead among them."""
        return [one.journal for one in self._all if one.journal.exists()]

    def dismiss(self) -> None:
        """Let everybody finish what they hold, and leave."""
        for one in self._alive:
            one.leave()
        for one in self._all:
            one.join()


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0
