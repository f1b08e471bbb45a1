"""Crashes: publishers and relayers that a test carries out step by step, and then leaves."""

from __future__ import annotations

import inspect
from typing import Any

from rmq.core.script import Plan, Several
from rmq.topics import publishing, relaying
from tests.colours import ByHand, bare


class Dying(ByHand):
    """A plan that can also end between the calls of one step. Who goes on with it all the same, a
    zombie, makes all of that step's calls."""

    def __init__(self, client: Any, plan: Plan[Any]) -> None:
        super().__init__(client, _Repeating(plan))

    async def part(self, count: int) -> None:
        """Of the next step, make only the first *count* calls."""
        step = self._plan.send(self._answer)
        assert isinstance(step, Several), step
        self._answer = None
        self._plan.again = step
        done = self._executor._step(Several(step.calls[:count]))
        if inspect.isawaitable(done):
            await done


class _Repeating:
    """A plan that may be asked for its last step again."""

    def __init__(self, plan: Plan[Any]) -> None:
        self._plan = plan
        self.again: Any = None
        self.throw = plan.throw

    def send(self, answer: Any) -> Any:
        if self.again is not None:
            step, self.again = self.again, None
            return step
        return self._plan.send(answer)


def publisher(client: Any, *messages: Any, topic: str = "news") -> Dying:
    """A publish that goes on only as far as the test takes it."""
    return Dying(client, publishing.publish(bare(client)._topics, topic, messages))


def relayer(client: Any, topic: str = "news.fifo") -> Dying:
    """The same of a relay."""
    return Dying(client, relaying.relay(bare(client)._topics, topic))
