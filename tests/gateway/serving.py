"""Serving: `rmq serve` as a process of its own, on a free port, gone with the test run."""

from __future__ import annotations

import contextlib
import itertools
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from rmq.testing import private_namespace
from tests.servers import HOST, _dying_with_parent, _free_port, _spawn, _wait

START_DEADLINE = 20.0
"""Seconds until it answers. It takes 1; the rest is for a machine that is busy."""

STOP_DEADLINE = 10.0
"""Seconds between asking it to stop and killing it."""


@dataclass
class Serving:
    """One running endpoint."""

    url: str
    port: int
    namespace: str
    process: subprocess.Popen[bytes]
    log: Path

    def resident_bytes(self) -> int:
        """What its processes hold of the machine's memory."""
        whole = psutil.Process(self.process.pid)
        return sum(one.memory_info().rss for one in (whole, *whole.children(recursive=True)))

    def stop(self) -> int:
        """Ask it to leave (SIGTERM) and wait. Its exit status."""
        if self.process.poll() is not None:
            return self.process.returncode
        family = psutil.Process(self.process.pid).children(recursive=True)
        self.process.terminate()
        try:
            return self.process.wait(STOP_DEADLINE)
        except subprocess.TimeoutExpired:
            for one in family:
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
            self.process.kill()
            return self.process.wait()

    def _answers(self) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"it ended with {self.process.returncode}\n{self.said()}")
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=START_DEADLINE) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, ConnectionError):
            return False

    def said(self) -> str:
        """What it wrote to stderr."""
        return self.log.read_text(errors="replace")


@contextmanager
def serving(*options: str, redis: str = "memory://") -> Iterator[Serving]:
    """Start an endpoint with *options* on top of a Redis, and stop it at the end."""
    for attempt in itertools.count(1):
        port, namespace = _free_port(), private_namespace()
        log = Path(tempfile.mkstemp(prefix="rmq-serving-")[1])
        command = [
            *_dying_with_parent(),
            str(Path(sys.executable).with_name("rmq")),
            *("--url", redis, "--namespace", namespace, "serve"),
            *("--host", HOST, "--port", str(port), "--no-access-log", *options),
        ]
        with log.open("wb") as out:
            process = _spawn(command, out)
        made = Serving(f"http://{HOST}:{port}", port, namespace, process, log)
        try:
            _wait(made._answers, START_DEADLINE, "the endpoint to answer")
        except AssertionError:
            if attempt == 5 or "can not listen" not in made.said():
                raise
        else:
            break
    try:
        yield made
    finally:
        made.stop()
        log.unlink()
