"""The boto3 crew: producers and consumers that know nothing but the URL of an endpoint."""

from __future__ import annotations

import signal
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, Self

from tests.gateway.command import Command
from tests.soak import boto_worker
from tests.soak.crew import Crew, Size, _processes, _start
from tests.soak.record import Record

PATIENT = 20
"""How often boto3 tries, in all, where the whole endpoint goes away for seconds."""
USUAL = 3
"""How often it tries in its standard mode, where nobody says more."""

_processes.set_forkserver_preload(["rmq", "tests.soak.worker", "tests.soak.boto_worker"])


class BotoCrew(Crew):
    """A crew that works through `rmq serve`. As a context manager it leaves no process behind."""

    def __init__(
        self,
        redis: str,
        folder: Path,
        size: Size,
        *options: str,
        fifo: bool,
        visibility_timeout: float,
        attempts: int = USUAL,
    ) -> None:
        journals = folder / "journals"
        journals.mkdir()
        super().__init__(redis, journals, size, fifo=fifo, visibility_timeout=visibility_timeout)
        self.command = Command(
            folder, *options, "--no-access-log", redis=redis, namespace=self.client.namespace
        )
        self._attempts = attempts

    def __enter__(self) -> Self:
        try:
            self.command.start()
            queue = f"{self.command.url}/000000000000/{self.queue.name}"
            self._orders = replace(
                self._orders, url=self.command.url, queue=queue, stop=self.folder.parent / "stop"
            )
            for _ in range(self.size.consumers):
                self._hire()
            share = self.size.messages // self.size.producers
            for number in range(self.size.producers):
                path = self.folder / f"producer-{number}"
                orders = replace(self._orders, journal=path, name=f"p{number}", messages=share)
                self.producers.append((_start(self._works(boto_worker.produce), orders), path))
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *error: object) -> None:
        super().__exit__(*error)
        self.command.kill()

    def kill_workers(self, rounds: int) -> None:
        """Kill one worker of the endpoint after the other, the longest at work first, each when the
        one before is replaced, at moments spread over the sending."""
        workers = len(self.command.workers())
        for number in range(rounds):
            self.wait_until_sent((number + 1) / (rounds + 1))
            victim = min(self.command.workers(), key=lambda one: one.create_time())
            victim.kill()
            self.wait(
                lambda victim=victim: (
                    len(self.command.workers()) == workers and not victim.is_running()
                ),
                "a worker to be replaced",
            )

    def restart(self, number: int) -> None:
        """End the endpoint by a signal, SIGKILL for all its processes, and start it again."""
        if number == signal.SIGKILL:
            self.command.kill()
        else:
            self.command.signal(number)
            assert self.command.ended() == 0
        self.command.start()

    def _hire(self) -> None:
        path = self.folder / f"consumer-{len(self.consumers) + len(self.killed)}"
        path.touch()
        orders = replace(self._orders, journal=path)
        self.consumers.append((_start(self._works(boto_worker.consume), orders), path))

    def _works(self, work: Any) -> Any:
        return partial(work, attempts=self._attempts)


def nothing_is_lost(record: Record, messages: int, *, fifo: bool) -> None:
    """What holds whatever died. A send that boto3 repeated may be there twice, under two ids, where
    no deduplication id tells; how many were is printed."""
    print(f"sent twice: {len(record.twins())}, received again: {len(record.redelivered())}")
    assert len(record.sent) == messages
    assert record.missing() == []
    assert record.after_delete() == []
    assert record.unknown() == set()
    if fifo:
        assert record.twins() == {}
        assert record.out_of_order() == []
        assert record.producers_out_of_order() == []
