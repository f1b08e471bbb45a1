"""Crew: all workers of one kind. One dies when it is told to, and another takes its post."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import rmq
from rmq.cli.fleet.scenario import Scenario
from rmq.cli.fleet.worker import Post, ProcessWorker, Role, ThreadWorker, Worker


class Crew:
    """Workers of one kind, as many of them at any time as there are posts."""

    def __init__(
        self, client: rmq.Client, folder: Path, scenario: Scenario, role: Role, posts: int
    ) -> None:
        self.role = role
        self._client = client
        self._posts = [
            Post(role=role, number=number, folder=str(folder), scenario=scenario)
            for number in range(posts)
        ]
        kind = ThreadWorker if client.settings.url.startswith("memory:") else ProcessWorker
        self._kind: type[ThreadWorker] | type[ProcessWorker] = kind
        self._all: list[Worker] = []
        self._alive: list[Worker] = []

    @property
    def are_processes(self) -> bool:
        """Whether death is SIGKILL."""
        return self._kind is ProcessWorker

    def hire(self) -> None:
        """Let one begin at each post."""
        for post in self._posts:
            self._hire(post)

    def _hire(self, post: Post) -> None:
        one: Worker = self._kind(self._client, post)
        one.start()
        self._all.append(one)
        self._alive.append(one)

    def at_work(self) -> list[Worker]:
        """Those that have begun, and have not ended."""
        return [one for one in self._alive if one.has_begun() and one.is_alive()]

    def are_done(self) -> bool:
        """Whether there is nobody left at any post."""
        return not any(one.is_alive() for one in self._alive)

    def lose(self, one: Worker) -> None:
        """Kill *one* in mid-work; another takes its post."""
        one.die()
        self._alive.remove(one)
        self._hire(one.post)

    def troubles(self) -> Iterator[str]:
        """Why workers ended that nobody killed."""
        for one in self._all:
            trouble = one.trouble()
            if trouble is not None:
                yield f"{self.role} failed: {trouble}"

    def journals(self) -> list[Path]:
        """All journals."""
        return [post.journal for post in self._posts]

    def dismiss(self) -> None:
        """Let everybody finish what they hold, and leave."""
        for one in self._alive:
            one.leave()
        for one in self._all:
            one.join()
