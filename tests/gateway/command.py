"""Command: `rmq serve` as a shell starts it, for tests of how it starts, what it says and how it
ends. Those that only want something to speak to have `serving`.

    with Command(folder, "--workers", "2", redis=server.url) as command:
        command.start()
        command.signal(signal.SIGTERM)
        assert command.ended() == 0

Its workers are processes of their own. A test may kill any of them, and none outlives the test.
"""

from __future__ import annotations

import contextlib
import os
import ssl
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Self

import boto3
import psutil
from botocore.config import Config

from rmq.testing import private_namespace
from tests.servers import HOST, _dying_with_parent, _free_port, _processes, _starter, _wait

START_DEADLINE = 30.0
"""Seconds until it answers. It takes 1; the rest is for a machine that is busy."""

END_DEADLINE = 30.0
"""Seconds until it has ended. It takes 1."""

REGION = "us-east-1"


class Command:
    """One `rmq serve`, which may be started several times, always on the same port."""

    def __init__(
        self,
        folder: Path,
        *options: str,
        redis: str | None = None,
        namespace: str | None = None,
        port: int | None = None,
        authority: Path | None = None,
        env: Mapping[str, str] | None = None,
        words: tuple[str, ...] = (),
    ) -> None:
        """*options* stand behind `serve`, *words* before it. *env* adds to the environment, of
        which nothing of AWS's or ours reaches the command. *authority* has signed what it speaks
        TLS with, if it does."""
        self.port = port or _free_port()
        self.url = f"{'https' if authority else 'http'}://{HOST}:{self.port}"
        self._tls = ssl.create_default_context(cafile=authority) if authority else None
        self.namespace = namespace or private_namespace()
        self.out, self.err = folder / "serve.out", folder / "serve.err"
        where = () if redis is None else ("--url", redis)
        self.words = (*where, "--namespace", self.namespace, *words)
        self.options = ("--port", str(self.port), *options)
        self._env = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("RMQ_", "AWS_")) and not name.lower().endswith("_proxy")
        } | dict(env or {})
        self._family: list[psutil.Process] = []
        self.process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.kill()

    def run(self) -> int:
        """Start it, and wait until it ends by itself. Its exit status."""
        self._spawn()
        return self.ended()

    def start(self, path: str = "/health") -> None:
        """Start it, and wait until *path* is answered with 200."""
        self._spawn()
        _wait(lambda: self._answers(path), START_DEADLINE, f"{self.url}{path} to be answered")

    def signal(self, number: int, *, everyone: bool = False) -> None:
        """Send a signal to it; to its workers too, as a terminal does, where *everyone* is."""
        self._family = self.workers()
        (os.killpg if everyone else os.kill)(self.process.pid, number)

    def ended(self) -> int:
        """Wait until it has ended. Its exit status."""
        return self.process.wait(END_DEADLINE)

    def kill(self) -> None:
        """End it and its workers as a crash of the machine would."""
        if self.process is None:
            return
        for one in (*self.workers(), *self._family):
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        self.process.kill()
        self.process.wait()

    def workers(self) -> list[psutil.Process]:
        """Its processes beside the first."""
        if self.process.poll() is not None:
            return []
        try:
            return psutil.Process(self.process.pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return []

    def said(self) -> str:
        """What it wrote to stderr so far."""
        return self.err.read_text(errors="replace")

    def get(self, path: str) -> tuple[int, bytes]:
        """Status and body of a page."""
        try:
            with urllib.request.urlopen(f"{self.url}{path}", context=self._tls) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read()

    def sqs(self, **options: Any) -> Any:
        """A boto3 client of the endpoint's own account, which repeats nothing unless *config* says
        so. Whoever asks closes it."""
        return sqs(self.url, **options)

    def _spawn(self) -> None:
        command = [
            *_dying_with_parent(),
            str(Path(sys.executable).with_name("rmq")),
            *self.words,
            "serve",
            *self.options,
        ]
        with self.out.open("ab") as out, self.err.open("ab") as err:
            self.process = _starter.submit(
                subprocess.Popen,
                command,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                env=self._env,
                start_new_session=True,
            ).result()
        _processes.append(self.process)

    def _answers(self, path: str) -> bool:
        if self.process.poll() is not None:
            raise AssertionError(f"it ended with {self.process.returncode}\n{self.said()}")
        try:
            return self.get(path)[0] == 200
        except (urllib.error.URLError, ConnectionError):
            return False


def sqs(url: str, *, key_id: str = "testing", **options: Any) -> Any:
    """A boto3 client that repeats nothing unless its *config* says so. Whoever asks closes it."""
    once = Config(retries={"total_max_attempts": 1})
    return _session().client(
        "sqs",
        endpoint_url=url,
        aws_access_key_id=key_id,
        aws_secret_access_key="secret",
        **{"config": once, **options},
    )


@cache
def _session() -> Any:
    """It reads the models once; a client of it is then made in 4 ms, not in 150."""
    return boto3.Session(region_name=REGION)
