"""Worker: a publisher or a consumer at work. It can be told to leave, and it can die.

On a server it is a process, and death is SIGKILL. On memory:// there is one process only, so it is
a thread, and death is to walk away from whatever it holds.

As a process (`python -m rmq.cli.fleet.worker`) it reads one line of JSON from stdin, which says
what to do; the end of stdin tells it to leave, also when its parent has died.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Literal, Protocol

import msgspec

import rmq
from rmq.cli.fleet.consumer import consume
from rmq.cli.fleet.publisher import publish
from rmq.cli.fleet.scenario import Scenario

LEAVE_S = 10.0
"""How long a worker that was told to leave may take to finish its batch."""

Role = Literal["publisher", "consumer"]


class Post(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done, by whoever is there to do it."""

    role: Role
    number: int
    """Of a publisher its share of the trucks."""
    folder: str
    scenario: Scenario

    @property
    def journal(self) -> Path:
        """Where all who held this post noted what they did."""
        return Path(self.folder, f"{self.role}-{self.number}.journal")


class Assignment(msgspec.Struct):
    """What a process is told. On stdin: others can read a command line, and the URL."""

    url: str
    namespace: str
    post: Post


def work(
    client: rmq.Client,
    post: Post,
    leaving: Callable[[], bool],
    survive: Callable[[], None] = lambda: None,
) -> None:
    """Do what is to be done at a post."""
    if post.role == "publisher":
        publish(client, post.journal, post.scenario, post.number, leaving, survive)
    else:
        consume(client, post.journal, leaving, survive)


class Worker(Protocol):
    """What a crew does with a worker."""

    post: Post

    def start(self) -> None: ...
    def die(self) -> None: ...
    def leave(self) -> None: ...
    def join(self) -> None: ...
    def is_alive(self) -> bool: ...
    def has_begun(self) -> bool: ...
    def trouble(self) -> str | None: ...


class _Noted:
    """A worker whose notes tell whether it has begun; others may still be starting."""

    def __init__(self, post: Post) -> None:
        self.post = post
        self._before = _size(post.journal)

    def has_begun(self) -> bool:
        """Whether it has noted anything."""
        return _size(self.post.journal) > self._before


class ProcessWorker(_Noted):
    """A worker in a process of its own."""

    def __init__(self, client: rmq.Client, post: Post) -> None:
        super().__init__(post)
        self._errors = post.journal.with_suffix(".err")
        self._told = Assignment(url=client.settings.url, namespace=client.namespace, post=post)
        self._killed = False

    def start(self) -> None:
        with self._errors.open("wb") as errors:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "rmq.cli.fleet.worker"],
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

    def is_alive(self) -> bool:
        return self._process.poll() is None

    def trouble(self) -> str | None:
        """Why it ended by itself before it was done, if it did."""
        if self._killed or self._process.poll() in (None, 0):
            return None
        lines = self._errors.read_text(errors="replace").strip().splitlines()
        return lines[-1] if lines else f"it ended with {self._process.returncode}"


class _Abandoned(BaseException):
    """Raised in a thread that dies. No `except Exception` may save it."""


class ThreadWorker(_Noted):
    """A worker in a thread. It shares the client, and it dies at the next place that matters."""

    def __init__(self, client: rmq.Client, post: Post) -> None:
        super().__init__(post)
        self._client = client
        self._leaving = threading.Event()
        self._dying = threading.Event()
        self._trouble: str | None = None
        self._thread = threading.Thread(target=self._run, daemon=True, name="rmq-demo")

    def start(self) -> None:
        self._thread.start()

    def die(self) -> None:
        self._dying.set()
        if self.post.role == "publisher":
            # Its successor reads what it noted. A consumer's need not wait.
            self._thread.join(LEAVE_S)

    def leave(self) -> None:
        self._leaving.set()

    def join(self) -> None:
        self._thread.join(LEAVE_S)

    def is_alive(self) -> bool:
        return self._thread.is_alive()

    def trouble(self) -> str | None:
        """Why it ended by itself before it was done, if it did."""
        return self._trouble

    def _run(self) -> None:
        try:
            work(self._client, self.post, self._leaving.is_set, self._survive)
        except _Abandoned:
            pass
        except Exception as error:
            self._trouble = f"{type(error).__name__}: {error}"

    def _survive(self) -> None:
        if self._dying.is_set():
            raise _Abandoned


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def main() -> None:
    """Run one worker as a process."""
    told = msgspec.json.decode(sys.stdin.buffer.readline(), type=Assignment)
    left = threading.Event()

    def listen() -> None:
        # Not the buffered stdin: a thread that waits in it keeps the interpreter from ending.
        os.read(sys.stdin.fileno(), 1)
        left.set()

    threading.Thread(target=listen, daemon=True).start()
    with rmq.connect(told.url, namespace=told.namespace) as client:
        work(client, told.post, left.is_set)


if __name__ == "__main__":
    main()
