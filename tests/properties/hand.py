"""A plan in the hand of a state machine: it goes as far as it is told to."""

from __future__ import annotations

from typing import Any

from rmq.core.script import Call, Plan
from rmq.errors import RmqError


class Hand:
    """A plan that goes on as far as it is told to."""

    def __init__(self, client: Any, plan: Plan[Any]) -> None:
        self._executor = client._executor
        self._plan = plan
        self._answer: Any = None
        self._error: RmqError | None = None
        self.is_over = False

    def step(self) -> str:
        """Make one step; its name, or '' at the end."""
        try:
            if self._error is not None:
                step = self._plan.throw(self._error)
            else:
                step = self._plan.send(self._answer)
        except StopIteration:
            self.is_over = True
            return ""
        self._answer = self._error = None
        try:
            self._answer = self._executor._step(step)
        except RmqError as error:
            self._error = error
        kind = step.script if isinstance(step, Call) else type(step).__name__
        return kind if isinstance(kind, str) else kind.name

    def through(self, name: str) -> None:
        """Go on until this has been carried out, and was not refused."""
        while self.step() != name or self._error is not None:
            assert not self.is_over

    def finish(self) -> None:
        while not self.is_over:
            self.step()
