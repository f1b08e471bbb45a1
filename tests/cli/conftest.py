"""What every test of the command line gets: a way to run it, and a place to run it on.

Most run in this process, each on a memory:// of its own, which several commands then share. What
needs a process of its own, or a server, says so.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from rmq.cli.main import app
from tests.servers import Server, single_server


@dataclass(frozen=True)
class Ran:
    """What a command left behind."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Rmq:
    """The command line on one URL. Calling it runs a command in this process."""

    def __init__(self, url: str) -> None:
        self.url = url

    def __call__(self, *args: str, stdin: str | bytes = "") -> Ran:
        ran = CliRunner().invoke(
            app, ["--url", self.url, *args], input=stdin, prog_name="rmq", terminal_width=200
        )
        if ran.exception is not None and not isinstance(ran.exception, SystemExit):
            raise ran.exception
        return Ran(ran.exit_code, ran.stdout, ran.stderr)

    def json(self, *args: str, stdin: str | bytes = "") -> Any:
        """What a command that succeeds answers as one JSON document."""
        ran = self(*args, "--json", stdin=stdin)
        assert ran.status == 0, ran.err
        return ran.json

    def lines(self, *args: str) -> list[Any]:
        """What a command that succeeds answers as JSON lines."""
        ran = self(*args, "--json")
        assert ran.status == 0, ran.err
        return ran.lines

    def start(self, *args: str, **options: Any) -> subprocess.Popen[str]:
        """Begin a command as a process of its own, with pipes."""
        return subprocess.Popen(
            [sys.executable, "-m", "rmq.cli.main", "--url", self.url, *args],
            **{"stdin": subprocess.PIPE, **options},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *args: str, stdin: str = "", **environment: str) -> Ran:
        """Run a command as a process of its own."""
        process = self.start(*args, env={**os.environ, **environment})
        out, err = process.communicate(stdin, timeout=60)
        return Ran(process.returncode, out, err)


@pytest.fixture(autouse=True)
def commands_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Typer makes all commands anew for each that it runs, which takes longer than most do."""
    monkeypatch.setattr("typer.testing._get_command", _made)


_made = cache(get_command)


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the machine's reaches a test."""
    for name in [name for name in os.environ if name.startswith("RMQ_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def rmq() -> Rmq:
    return Rmq(f"memory://{uuid.uuid4().hex}")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    with single_server() as server:
        yield server


@pytest.fixture
def on_server(server: Server) -> Iterator[Rmq]:
    """The command line on a real server, which is empty."""
    with_server = server.client()
    with_server.flushall()
    yield Rmq(server.url)
    with_server.close()


@pytest.fixture
def scripts(server: Server) -> Iterator[Callable[[], int]]:
    """Says how many scripts the server has run so far."""
    with server.client() as raw:

        def count() -> int:
            stats = raw.info("commandstats")
            names = ("cmdstat_eval", "cmdstat_evalsha")
            return sum(stats[name]["calls"] for name in names if name in stats)

        yield count
