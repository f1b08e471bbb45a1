"""Breakers: those of all endpoints that failed lately. Of one that is well nothing is kept."""

from __future__ import annotations

from rmq.push.breaker import Breaker


class Breakers:
    """By endpoint."""

    def __init__(self) -> None:
        self._found: dict[str, Breaker] = {}

    def admits(self, endpoint: str, now_ms: int) -> bool:
        """Whether to try it. See Breaker."""
        found = self._found.get(endpoint)
        return found is None or found.admits(now_ms)

    def wait_ms(self, endpoint: str, now_ms: int) -> int:
        """How long until it is tried again."""
        found = self._found.get(endpoint)
        return 0 if found is None else found.wait_ms(now_ms)

    def succeeded(self, endpoint: str) -> None:
        self._found.pop(endpoint, None)

    def failed(self, endpoint: str, now_ms: int) -> None:
        self._found.setdefault(endpoint, Breaker()).failed(now_ms)

    def left(self, endpoint: str) -> None:
        """A try was broken off."""
        found = self._found.get(endpoint)
        if found is not None:
            found.left()

    @property
    def open(self) -> int:
        """How many endpoints are not tried now."""
        return sum(one.state != "closed" for one in self._found.values())
