"""Worker processes and their supervisor: what is killed is replaced, and nothing of its work is
lost.

Real processes, whose imports are what these tests cost; each test starts what it needs once, and
does all that it can with it. The supervisor is in the test's own process, but where it is the
command line that is tested.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

import rmq
from rmq.testing import private_namespace
from rmq.worker import App, supervisor
from rmq.worker.blackbox import BUFFERED, DONE, RUNNING, BlackBox, Entry, Figures
from rmq.worker.supervisor import Supervisor
from tests.worker import jobs

ROOT = Path(__file__).parent.parent.parent
RMQ = Path(sys.executable).parent / "rmq"


class Journal:
    """What jobs wrote of themselves."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "journal"
        self.path.touch()

    def lines(self, what: str) -> list[tuple[int, int]]:
        """Ids of jobs and of processes, of what it says."""
        whole = self.path.read_text().rpartition("\n")[0]
        parts = [line.split() for line in whole.splitlines()]
        return [(int(id), int(pid)) for said, id, pid in parts if said == what]

    def go(self) -> None:
        """End the jobs that wait, and those that would."""
        self.path.with_suffix(".go").touch()


class Supervised:
    """A supervisor at work on the queue of tests/worker/jobs.py."""

    def __init__(self, journal: Journal, supervisor: Supervisor) -> None:
        self.lines = journal.lines
        self.supervisor = supervisor
        self.queue = supervisor.client.queue("jobs")
        self.running = asyncio.create_task(supervisor.run())

    @property
    def ready(self) -> list[int]:
        """The processes that work."""
        return [one["pid"] for one in self.supervisor.snapshot if one["ready"]]

    async def send(self, *todo: jobs.Job) -> None:
        sent = await self.queue.send_many([msgspec.json.encode(one) for one in todo])
        sent.raise_for_failures()

    async def until(self, reached: Callable[[], Any], seconds: float = 60) -> Any:
        """Processes have to begin, so it is longer than elsewhere."""
        deadline = time.monotonic() + seconds
        while True:
            found = reached()
            found = await found if inspect.isawaitable(found) else found
            if found:
                return found
            assert not self.running.done()
            assert time.monotonic() < deadline, self.supervisor.snapshot
            await asyncio.sleep(0.01)

    async def is_empty(self) -> bool:
        return (await self.queue.stats()).messages == 0

    def signal(self, number: signal.Signals) -> None:
        """To this process: the supervisor listens while it runs."""
        assert not self.running.done()
        os.kill(os.getpid(), number)


@pytest.fixture
async def supervised(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[Any]:
    namespace, journal = private_namespace(), Journal(tmp_path)
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("JOBS_JOURNAL", str(journal.path))
    monkeypatch.setattr(jobs.app, "_client", None)
    monkeypatch.setattr(jobs.app, "_settings", App(url, namespace=namespace)._settings)
    started = []

    async def start(**options: Any) -> Supervised:
        """Returns when each process works."""
        await jobs.app.make_queues(["jobs"])
        made = Supervisor(
            "tests.worker.jobs:app",
            jobs.app,
            queues=["jobs"],
            stop_deadline=10,
            url=url,
            namespace=namespace,
            **options,
        )
        one = Supervised(journal, made)
        started.append(one)
        await one.until(lambda: len(one.ready) == options.get("processes", 1))
        return one

    yield start
    for one in started:
        one.supervisor.stop()
        await one.running
    await jobs.app.client.wipe()
    await jobs.app.close()


class Fleet:
    """`rmq worker` at work on tests/worker/jobs.py, or on another *app*."""

    def __init__(
        self,
        url: str,
        folder: Path,
        *options: str,
        lease_s: float = 30,
        command: tuple[str, ...] = ("worker",),
        app: str = "tests.worker.jobs:app",
    ) -> None:
        journal = Journal(folder)
        self.lines, self.go = journal.lines, journal.go
        self.log = folder / "log"
        namespace = private_namespace()
        environment = os.environ | {
            "JOBS_URL": url,
            "JOBS_NAMESPACE": namespace,
            "JOBS_JOURNAL": str(journal.path),
            "JOBS_LEASE_S": str(lease_s),
        }
        environment.pop("RMQ_URL", None)
        self.client = rmq.connect(url, namespace=namespace)
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                [str(RMQ), *command, app, "--stop-after", "10s", *options],
                cwd=ROOT,
                env=environment,
                stderr=log,
            )

    def send(self, *todo: jobs.Job, queue: str = "jobs") -> None:
        self.client.queue(queue).send_many(
            [msgspec.json.encode(one) for one in todo]
        ).raise_for_failures()

    def until(self, reached: Callable[[], Any], seconds: float = 60) -> Any:
        deadline = time.monotonic() + seconds
        while not (found := reached()):
            assert self.process.poll() is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            time.sleep(0.01)
        return found

    def is_there(self) -> bool:
        return "works on" in self.log.read_text()

    def is_empty(self, queue: str = "jobs") -> bool:
        return self.client.queue(queue).stats().messages == 0

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(30)


@contextmanager
def fleet(url: str, folder: Path, *options: str, **more: Any) -> Iterator[Fleet]:
    made = Fleet(url, folder, *options, **more)
    try:
        made.until(made.is_there)
        yield made
    finally:
        made.process.kill()
        made.process.wait()
        made.client.wipe()
        made.client.close()


@pytest.fixture
def url(servers: Any) -> str:
    return str(servers.url("valkey"))


async def test_a_poison_is_quarantined_and_its_neighbours_are_processed(supervised, monkeypatch):
    """Two worker processes are lost to a message that exits, which is its limit. What ran beside it
    was not to blame, and is done."""
    monkeypatch.setattr(supervisor, "CRASHED_DELAY_S", 0.01)
    monkeypatch.setattr(supervisor, "LONGEST_WAIT_S", 0.01)
    one = await supervised()
    innocent = [jobs.Job(id, seconds=0.05) for id in range(30)]
    await one.send(*innocent[:15], jobs.Job(100, "exit"), *innocent[15:], jobs.Job(101, "raise"))
    await one.until(lambda: {id for id, _ in one.lines("ended")} == set(range(30)))
    dead = await one.until(lambda: jobs.app.client.queue("jobs-dead").peek())
    one.supervisor.stop()
    await one.running
    assert [msgspec.json.decode(message.body)["id"] for message in dead] == [100]
    failure = dead[0].failure
    assert failure.reason == "crashed"
    assert [crash.what for crash in failure.crashes] == ["exited with status 3"] * 2
    assert len({crash.worker for crash in failure.crashes}) == 2
    assert failure.task == "tests.worker.jobs.do"
    assert Counter(id for id, _ in one.lines("began"))[100] == 2
    assert (await one.queue.stats()).messages == 1  # that which fails has tries left


def test_a_killed_process_loses_nothing_and_is_replaced(url, tmp_path):
    """What it had is done by others; what it had finished is not done again, but for what ended in
    the moment before the kill. A receive that Redis was answering then is back when its lease
    ends."""
    with fleet(url, tmp_path, "--processes", "2", lease_s=3) as one:
        one.send(*(jobs.Job(id, seconds=0.02) for id in range(400)))
        for part in (50, 150):
            one.until(lambda part=part: len(one.lines("ended")) > part)
            os.kill(one.lines("ended")[-1][1], signal.SIGKILL)
        one.until(one.is_empty)
        # What was with both that were killed counts as what kills them.
        dead = one.client.queue("jobs-dead").peek(1000)
        assert all(len(message.failure.crashes) == 2 for message in dead)
        buried = {msgspec.json.decode(message.body)["id"] for message in dead}
        done = Counter(id for id, _ in one.lines("ended"))
        began = Counter(id for id, _ in one.lines("began"))
        assert one.stop(signal.SIGINT) == 0
    assert set(done) | buried == set(range(400))
    assert len(buried) <= 20  # what one process had in hand
    assert sum(count - 1 for count in done.values()) <= 4
    assert max(began.values()) <= 3


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_processes_that_are_killed_all_the_time_lose_nothing(url, tmp_path):
    """SIGKILL at random moments, poison of each kind among the jobs: all that can be done is done,
    all that can not is a dead letter, and what was done is hardly ever done again."""
    chance, poison = random.Random(3), {2_000: "exit", 9_000: "kill", 15_000: "raise"}
    with fleet(url, tmp_path, "--processes", "3", lease_s=5) as one:
        todo = [jobs.Job(id, poison.get(id, "nothing"), 0.01) for id in range(20_000)]
        one.send(*todo)
        kills, until = 0, time.monotonic() + 120
        while not one.is_empty() and time.monotonic() < until:
            time.sleep(chance.uniform(0.2, 2.0))
            lines = one.lines("began")
            if lines and kills < 40:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(chance.choice(lines[-20:])[1], signal.SIGKILL)
                    kills += 1
        one.until(lambda: len(one.client.queue("jobs-dead").peek(1000)) >= 2, 240)
        one.until(lambda: one.client.queue("jobs").stats().messages <= 1, 240)
        dead = one.client.queue("jobs-dead").peek(1000)
        done = Counter(id for id, _ in one.lines("ended"))
        assert one.stop() == 0
    buried = {msgspec.json.decode(message.body)["id"] for message in dead}
    assert {2_000, 9_000} <= buried
    assert set(done) | buried | {15_000} == set(range(20_000))
    assert kills >= 20
    assert sum(count - 1 for count in done.values()) <= 2 * kills


async def test_a_restart_under_load_repeats_nothing(supervised):
    one = await supervised(processes=2, concurrency=10)
    before = set(one.ready)
    await one.send(*(jobs.Job(id, seconds=0.04) for id in range(200)))
    await one.until(lambda: len(one.lines("ended")) > 20)
    one.signal(signal.SIGHUP)
    await one.until(one.is_empty)
    await one.until(lambda: len(one.ready) == 2 and before.isdisjoint(one.ready))
    await one.send(*(jobs.Job(id) for id in range(200, 220)))
    await one.until(one.is_empty)
    one.signal(signal.SIGTERM)
    await one.running
    assert Counter(id for id, _ in one.lines("began")) == Counter(range(220))
    assert before.isdisjoint(pid for id, pid in one.lines("ended") if id >= 200)


POISON = {
    "raise": ["failed", "failed", "failed"],
    "leave": ["failed", "failed", "failed"],
    "interrupt": ["failed", "failed", "failed"],
    "fill": ["failed", "failed", "failed"],
    "": ["unreadable", "unreadable", "unreadable"],
    "exit": ["crashed", "crashed", "crashed"],
    "kill": ["crashed", "crashed", "crashed"],
    "hang": ["crashed", "crashed", "failed"],
}
"""What becomes of each deed in a coroutine, in a thread and in a process of its own."""


@pytest.mark.soak
@pytest.mark.timeout(600)
def test_each_kind_of_poison_is_a_dead_letter_and_its_neighbours_are_processed(url, tmp_path):
    """In coroutines, threads and processes of their own, in two worker processes with so much
    memory. One kind at a time: who is beside three poisons in a row may be taken for one."""
    queues, found = ("coroutines", "threads", "processes"), {}
    with fleet(url, tmp_path, "--processes", "2", app="tests.worker.poison:app") as one:
        numbers = itertools.count()
        for deed in POISON:
            poison, innocent = {}, set()
            for queue in queues:
                some = [jobs.Job(next(numbers)) for _ in range(20)]
                innocent |= {job.id for job in some}
                one.send(*some[:10], queue=queue)
                poison[queue] = jobs.Job(next(numbers), deed)
                body = msgspec.json.encode(poison[queue]) if deed else b"{"
                one.client.queue(queue).send(body)
                one.send(*some[10:], queue=queue)
            one.until(lambda all=innocent: all <= {id for id, _ in one.lines("ended")}, 120)
            one.until(lambda: not any(not one.is_empty(queue) for queue in queues), 120)
            for queue in queues:
                (dead,) = one.client.queue(f"{queue}-dead").receive(10)
                one.client.queue(f"{queue}-dead").delete(dead)
                found.setdefault(deed, []).append(dead.failure)
        done = Counter(id for id, _ in one.lines("ended"))
        assert one.stop() == 0
    assert {deed: [one.reason for one in said] for deed, said in found.items()} == POISON
    assert {one.error for one in found["fill"]} == {"MemoryError"}
    assert ["SIGKILL" in one.crashes[-1].what for one in found["kill"]] == [True] * 3
    assert ["exited" in one.crashes[-1].what for one in found["exit"]] == [True] * 3
    assert len(done) == 60 * len(POISON)
    # What had ended, and whose end a process could not write down before it was lost, runs again:
    # a function in a thread tells the event loop, which a handler may have blocked.
    again = {list(POISON)[id // (3 * 21)] for id, count in done.items() if count > 1}
    assert again <= {"exit", "kill", "hang"}


@pytest.mark.soak
def test_a_stuck_process_is_ended_and_health_tells(url, tmp_path):
    port = _free_port()
    with fleet(url, tmp_path, "--health", str(port), "--queues", "stuck") as one:
        assert one.until(lambda: _status(port, "/ready") == 200)
        assert _status(port, "/live") == 200
        assert _status(port, "/other") == 404
        one.send(jobs.Job(1), queue="stuck")
        (dead,) = one.until(lambda: one.client.queue("stuck-dead").peek(), 90)
        found = json.loads(urllib.request.urlopen(f"http://127.0.0.1:{port}/stats").read())
        assert found["restarts"] == 1
        assert len(found["processes"]) == 1
    (crash,) = dead.failure.crashes
    assert crash.what == "was stuck beyond its time limit"
    assert "time.sleep(3600)" in crash.log


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        (["nowhere:app"], 2, "there is no module 'nowhere'"),
        (["tests.worker.jobs:do"], 2, "names function; it must be a rmq.worker.App"),
        (["tests.worker.jobs:nothing"], 2, "names nothing"),
        (["tests.worker.jobs:app", "--queues", "x"], 2, "has no queue 'x'"),
        (["tests.worker.jobs:app", "--log-level", "loud"], 2, "--log-level must be one of"),
        (["tests.worker.jobs:app"], 2, "memory://, which no two processes share"),
    ],
)
def test_a_users_mistake_is_one_line(arguments, status, said, monkeypatch, capsys, request):
    from rmq.cli.main import app

    monkeypatch.chdir(ROOT)
    if "--queues" in arguments:
        arguments = ["--url", "redis://127.0.0.1:1", *arguments]
        monkeypatch.setattr(jobs.app, "use", lambda url, namespace: None)
        monkeypatch.setattr(jobs.app, "_client", rmq.connect_async("redis://127.0.0.1:1"))
    with pytest.raises(SystemExit) as ended:
        app(["worker", *arguments])
    assert ended.value.code == status
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line


def test_errors_are_listed_and_grouped(servers, capsys):
    from rmq.cli.main import app
    from rmq.core.codec import Failure
    from rmq.worker import trials as trial

    url, namespace = servers.url("valkey"), private_namespace()
    with closing(rmq.connect(url, namespace=namespace)) as client:
        client.create_queue("orders-dead")
        orders = client.create_queue(
            "orders",
            redrive_policy=rmq.RedrivePolicy(dead_letter_queue="orders-dead"),
        )
        orders.send_many([b"x"] * 5)
        texts = ["no order 17", "no order 4", "no order 5", "other"]
        dead = [
            (
                message,
                Failure(reason="failed", error="ValueError", text=text, at_ms=at, traceback="tb"),
            )
            for at, (message, text) in enumerate(zip(orders.receive(4), texts, strict=True), 1)
        ]
        client._executor.run(trial.bury(client._registry, "orders", "orders-dead", dead))
        with pytest.raises(SystemExit):
            app(["--url", url, "--namespace", namespace, "--json", "worker", "errors", "orders"])
        first, second = map(json.loads, capsys.readouterr().out.splitlines())
        with pytest.raises(SystemExit):
            app(["--url", url, "--namespace", namespace, "worker", "errors", "orders"])
        shown = capsys.readouterr().out
        client.wipe()
    assert (first["messages"], first["error"], first["traceback"]) == (3, "ValueError", "tb")
    assert first["first_at"] < first["last_at"]
    assert (second["messages"], second["text"]) == (1, "other")
    assert "ValueError: no order 5" in shown


def test_a_black_box_can_be_read_by_who_did_not_write_it():
    with closing(BlackBox.made(["a", "b"], 4)) as box:
        receipts = [rmq.queues.message.Receipt(10**15 + n, n + 1, 10**12 + n) for n in range(5)]
        slots = [box.take("ab"[n % 2], receipt) for n, receipt in enumerate(receipts)]
        assert slots[4] == -1
        box.mark(slots[1], RUNNING)
        box.mark(slots[2], DONE)
        box.drop(slots[3])
        box.mark(slots[4], RUNNING)
        box.say(Figures(polled=3.5, in_hand=2, is_ready=1))
        for n in range(1000):
            box.log(f"line {n}")
        reader = BlackBox(os.dup(box.fd), ["a", "b"], 4)
        assert sorted(reader.entries(), key=lambda one: one.receipt.seq) == [
            Entry("a", receipts[0], BUFFERED),
            Entry("b", receipts[1], RUNNING),
            Entry("a", receipts[2], DONE),
        ]
        assert reader.figures == Figures(polled=3.5, in_hand=2, is_ready=1)
        assert reader.last_lines.endswith("line 999\n")
        assert len(reader.last_lines) <= 4096
        reader.close()


def _free_port() -> int:
    import socket

    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _status(port: int, path: str) -> int:
    try:
        return int(urllib.request.urlopen(f"http://127.0.0.1:{port}{path}").status)
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
