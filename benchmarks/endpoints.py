"""Endpoints: the HTTP servers that take the load: ours, a bare application, and moto's.

Each is a process of its own on 127.0.0.1, started as its users start it, with one worker. The bare
application is the floor: see `bare.py`. moto is another emulator in Python, as it comes from pip,
in a virtual environment of its own beside ours: its dependencies and ours need not agree.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import venv
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.load import BODY, HOST, LoadFailed, Target, ask, body_of

MOTO = "5.2.5"
KINESALITE = "3.3.3"
READY_S = 30.0
"""The longest that an endpoint may take to listen. Ours takes one second, moto two."""
STOP_S = 5.0
"""The longest that it may take to end by itself."""
POLL_S = 0.02
COUNTS = "ApproximateNumberOfMessages"
"""How the names of a queue's three counts begin."""
DROPPED = ("content-length", "date", "server")
"""Headers that granian adds by itself."""


class RivalMissing(Exception):
    """pip could not install moto; the message is pip's."""


class NoKinesalite(Exception):
    """There is no Node, or npm could not install kinesalite; the message says why."""


@contextmanager
def ours(bench: Bench, *options: str) -> Iterator[int]:
    """`rmq serve` on the bench's server and in its namespace; yields the port.

    The caller's `bench.client()` finds the queues there, and takes them away when it closes.
    """
    program = [sys.executable, "-m", "rmq.cli.main", "--url", bench.url]
    program += ["--namespace", bench.namespace, "serve", *options, "--port"]
    with _running(lambda port: [*program, str(port)]) as port:
        yield port


@contextmanager
def bare(answers: dict[str, tuple[list[tuple[str, str]], str]]) -> Iterator[int]:
    """The bare application, giving *answers* by action; yields the port."""
    with tempfile.NamedTemporaryFile("w", suffix=".json") as file:
        json.dump(answers, file)
        file.flush()
        program = [sys.executable, "-m", "benchmarks.bare", file.name]
        with _running(lambda port: [*program, str(port)]) as port:
            yield port


@contextmanager
def moto() -> Iterator[int]:
    """moto's own server; yields the port. Raises RivalMissing."""
    python = str(environment("moto", (f"moto[server]=={MOTO}",)))
    with _running(lambda port: [python, "-m", "moto.server", "-p", str(port)]) as port:
        yield port


@contextmanager
def kinesalite() -> Iterator[int]:
    """kinesalite, with its streams in memory and made at once; yields the port. Raises
    NoKinesalite."""
    program = ["node", str(_kinesalite_script()), "--createStreamMs", "0", "--deleteStreamMs", "0"]
    with _running(lambda port: [*program, "--shardLimit", "100", "--port", str(port)]) as port:
        yield port


def new_queue(port: int, name: str) -> Target:
    """Make a queue through the endpoint at *port*."""
    return Target(port, json.loads(body_of(ask(port, "CreateQueue", QueueName=name)))["QueueUrl"])


def answers(target: Target) -> dict[str, tuple[list[tuple[str, str]], str]]:
    """What the endpoint answers in the life of one message, by X-Amz-Target: headers and body."""
    found = {}
    handle = {}
    for action, parameters in (
        ("SendMessage", {"MessageBody": BODY}),
        ("ReceiveMessage", {"MaxNumberOfMessages": 1}),
        ("DeleteMessage", handle),
    ):
        answer = ask(target.port, action, QueueUrl=target.queue_url, **parameters)
        head, _, body = answer.decode().partition("\r\n\r\n")
        lines = (line.split(": ", 1) for line in head.split("\r\n")[1:])
        headers = [(name, value) for name, value in lines if name not in DROPPED]
        found[f"AmazonSQS.{action}"] = headers, body
        if action == "ReceiveMessage":
            handle["ReceiptHandle"] = json.loads(body)["Messages"][0]["ReceiptHandle"]
    return found


def check_empty(target: Target) -> None:
    """Raise LoadFailed unless the queue has no message left, visible, leased or delayed."""
    answer = ask(
        target.port, "GetQueueAttributes", QueueUrl=target.queue_url, AttributeNames=["All"]
    )
    found = json.loads(body_of(answer))["Attributes"]
    left = {name: int(found[name]) for name in found if name.startswith(COUNTS)}
    if len(left) != 3 or any(left.values()):
        raise LoadFailed(f"not all was deleted: {left}")


@contextmanager
def _running(command: Callable[[int], Sequence[str]]) -> Iterator[int]:
    """Run the command that *command* makes of a free port, from when it listens until the end."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port = probe.getsockname()[1]
    # A file, as operators have: a pipe that nobody reads would fill up.
    with tempfile.TemporaryFile() as log:
        # A session of its own, so that whatever the server started can be ended with it.
        process = subprocess.Popen(command(port), stdout=log, stderr=log, start_new_session=True)
        try:
            deadline = time.monotonic() + READY_S
            while not _listens(port):
                if process.poll() is not None or time.monotonic() > deadline:
                    log.seek(0)
                    raise RuntimeError(f"{process.args} did not start:\n{log.read().decode()}")
                time.sleep(POLL_S)
            yield port
        finally:
            process.terminate()
            try:
                process.wait(STOP_S)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) == 0


def _kinesalite_script() -> Path:
    """Where npm puts kinesalite, when it is asked for the first time."""
    if shutil.which("node") is None or shutil.which("npm") is None:
        raise NoKinesalite("no Node with npm on PATH")
    folder = Path(sys.prefix) / "bench" / f"kinesalite-{KINESALITE}"
    stamp = folder / "complete"
    if not stamp.exists():
        install = ["npm", "install", "--prefix", str(folder), "--no-audit", "--no-fund"]
        install += ["--ignore-scripts", f"kinesalite@{KINESALITE}"]
        done = subprocess.run(install, capture_output=True, text=True)
        if done.returncode:
            raise NoKinesalite(done.stderr)
        stamp.touch()
    return folder / "node_modules" / "kinesalite" / "cli.js"


def environment(name: str, pins: tuple[str, ...]) -> Path:
    """The Python of an environment of its own that has *pins*, made when it is asked for the first
    time. Raises RivalMissing."""
    what = hashlib.sha256(" ".join(pins).encode()).hexdigest()[:8]
    folder = Path(sys.prefix) / "bench" / f"{name}-{what}"
    python = folder / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")
    stamp = folder / "complete"
    if not stamp.exists():
        venv.create(folder, clear=True, with_pip=True)
        install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        done = subprocess.run([*install, *pins], capture_output=True, text=True)
        if done.returncode:
            raise RivalMissing(done.stderr)
        stamp.touch()
    return python
