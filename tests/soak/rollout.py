"""A rollout: supervisors of workers under steady load, each replaced in turn."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Self

import rmq
from rmq.testing import private_namespace
from rmq.worker.fleet import Fleet
from tests.soak.runs import Runs, read

ROOT = Path(__file__).parents[2]
RMQ = Path(sys.executable).parent / "rmq"
POLL_S = 0.02
GROUPS = 10
TURN_S = 0.03
EACH_TURN = {"coroutines": 6, "threads": 3, "ordered.fifo": 3}
"""Some 400 a second, a tenth of what the workers could do: a queue that only grows would not be
steady, and one that is always empty would have nobody restart in the midst of work."""


class Crew:
    """One `rmq worker`."""

    def __init__(self, url: str, namespace: str, processes: int, journal: Path, log: Path) -> None:
        self._log = log
        self._processes = processes
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [
                    *(str(RMQ), "--url", url, "--namespace", namespace, "worker"),
                    *("tests.soak.rollout_app:app", "--processes", str(processes)),
                ],
                cwd=ROOT,
                env=os.environ | {"ROLLOUT_JOURNAL": str(journal)},
                stderr=file,
            )

    @property
    def log(self) -> str:
        return self._log.read_text()

    @property
    def workers(self) -> list[str]:
        """Host and process id of each that works."""
        return re.findall(r"worker (\S+) works on", self.log)

    @property
    def is_at_work(self) -> bool:
        return len(self.workers) == self._processes


class Rollout:
    """Crews at work, and whoever sends. As a context manager it leaves no process behind."""

    def __init__(
        self, url: str, folder: Path, *, crews: int, processes: int, deadline_s: float
    ) -> None:
        self.sent: Counter[str] = Counter()
        self.crews: list[Crew] = []
        self._url = url
        self._folder = folder
        self._journal = folder / "journal"
        self._journal.touch()
        self._size = (crews, processes)
        self._made = 0
        self._end = time.monotonic() + deadline_s
        self._client = rmq.connect(url, namespace=private_namespace())
        self._is_over = threading.Event()
        self._load = threading.Thread(target=self._send, name="load")

    def __enter__(self) -> Self:
        for _ in range(self._size[0]):
            self._launch()
        self._wait(lambda: all(one.is_at_work for one in self.crews), "workers")
        self._load.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._is_over.set()
        for crew in self.crews:
            crew.process.kill()
            crew.process.wait()
        if self._load.ident is not None:
            self._load.join()
        self._client.wipe()
        self._client.close()

    def replace(self, end: Callable[[Rollout, Crew], None]) -> None:
        """Start another crew, let it come to work, and `end` the one that is there longest."""
        new = self._launch()
        self._wait(lambda: new.is_at_work, "new crew")
        self.end(end)

    def end(self, end: Callable[[Rollout, Crew], None]) -> None:
        """Have the crew that is there longest end, in the midst of work."""
        old, written = self.crews[0], self._written()
        self._wait(lambda: self._written() > written, "work under way")
        end(self, old)
        self._wait(lambda: old.process.poll() is not None, "end of the old crew")
        assert old.process.returncode == 0, old.log
        self.crews.remove(old)

    def terminate(self, crew: Crew) -> None:
        """SIGTERM, as Kubernetes sends it to a pod."""
        crew.process.terminate()

    def drain(self, crew: Crew) -> None:
        """`rmq worker drain` of each of its workers."""
        self._tell(crew, Fleet.drain)

    def stop(self, crew: Crew) -> None:
        """`rmq worker stop` of each of its workers."""
        self._tell(crew, Fleet.stop)

    def finish(self) -> Runs:
        """Send no more, let everything be done, end all crews, and read up."""
        self._is_over.set()
        self._load.join()
        queues = [self._client.queue(name) for name in EACH_TURN]
        self._wait(lambda: not any(one.stats().messages for one in queues), "empty queues")
        for crew in self.crews:
            self.terminate(crew)
        for crew in self.crews:
            self._wait(lambda crew=crew: crew.process.poll() is not None, "end of a crew")
            assert crew.process.returncode == 0, crew.log
        return read(self._journal)

    def _launch(self) -> Crew:
        self._made += 1
        crew = Crew(
            self._url,
            self._client.namespace,
            self._size[1],
            self._journal,
            self._folder / f"log-{self._made}",
        )
        self.crews.append(crew)
        return crew

    def _tell(self, crew: Crew, what: Callable[[Fleet, str], Awaitable[None]]) -> None:
        async def tell() -> None:
            async with rmq.connect_async(self._url, namespace=self._client.namespace) as client:
                fleet = Fleet(client)
                for one in await fleet.workers():
                    if f"{one.host}:{one.pid}" in crew.workers:
                        await what(fleet, one.id)

        asyncio.run(tell())

    def _send(self) -> None:
        """The steady load: some of each kind, turn by turn."""
        queues = {name: self._client.queue(name) for name in EACH_TURN}
        while not self._is_over.wait(TURN_S):
            for name, queue in queues.items():
                numbers = range(self.sent[name], self.sent[name] + EACH_TURN[name])
                queue.send_many([_message(name, one) for one in numbers]).raise_for_failures()
                self.sent[name] += len(numbers)

    def _written(self) -> int:
        return self._journal.stat().st_size

    def _wait(self, reached: Callable[[], bool], what: str) -> None:
        while not reached():
            if time.monotonic() > self._end:
                raise TimeoutError(f"no {what} in time: {self.crews[-1].log[-2000:]}")
            time.sleep(POLL_S)


def _message(queue: str, number: int) -> rmq.Outgoing:
    if not queue.endswith(".fifo"):
        return rmq.Outgoing(body=str(number))
    return rmq.Outgoing(
        body=str(number), message_group_id=f"g{number % GROUPS}", deduplication_id=str(number)
    )
