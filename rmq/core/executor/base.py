"""What both executors know and decide without waiting."""

from __future__ import annotations

import os
import weakref
from typing import Any

from redis.crc import key_slot
from tenacity import RetryCallState, retry_if_exception, stop_after_delay, wait_random_exponential

from rmq.core.clock import Clock
from rmq.core.connection import Link
from rmq.core.events import Events, Retried
from rmq.core.executor.trouble import passing, translated
from rmq.core.script import Call, Script
from rmq.errors import ConfigurationError, RmqError

FLOOR_REDIS = (7, 0)
FLOOR_VALKEY = (7, 2)
SCAN_STEP = 500
"""Keys that one step of a scan looks at, and one command removes; some 0.1 ms of server time."""
HELD_SLICE_S = 0.01
"""How often a consumer under a held clock looks whether the clock was moved."""


class Executor:
    """What both executors know and decide without waiting."""

    def __init__(
        self,
        link: Link,
        *,
        clock: Clock,
        events: Events,
        retry_timeout: float = 30.0,
        allow_eviction: bool = False,
    ) -> None:
        self.clock = clock
        self.events = events
        self._link = link
        self._retry_timeout = retry_timeout
        self._allow_eviction = allow_eviction
        self._checked = link.memory
        self._idle: list[Any] = []
        self._begun: list[tuple[Any, Call[Any]]] = []
        """Connections on which an answer is still to come that nobody waits for; threads only."""
        _executors.add(self)

    @property
    def is_cluster(self) -> bool:
        """Whether keys may be on several nodes."""
        return self._link.cluster

    def _command(self, call: Call[Any]) -> list[Any]:
        script = call.script
        if isinstance(script, str):
            return [script, *call.keys, *call.args]
        sha = script.bare_sha if self._link.memory else script.sha
        return ["EVALSHA", sha, *self._tail(call, script)]

    def _whole(self, call: Call[Any]) -> list[Any]:
        script = call.script
        assert isinstance(script, Script)
        source = script.bare if self._link.memory else script.source
        return ["EVAL", source, *self._tail(call, script)]

    def _tail(self, call: Call[Any], script: Script) -> list[Any]:
        tail = [len(call.keys), *call.keys, *call.args]
        if script.timed:
            tail.append(self.clock.argument())
        return tail

    def _as_ours(self, error: Exception, call: Call[Any]) -> RmqError:
        """The error of ours for one of Redis; what is neither is raised, for it is a bug."""
        found = translated(error, call, 0)
        if not isinstance(found, RmqError):
            raise found
        return found

    def _together(self, found: list[bytes]) -> list[list[bytes]]:
        """Keys in groups that one command may name: on a cluster each slot is a group."""
        if not self._link.cluster:
            return [found] if found else []
        groups: dict[int, list[bytes]] = {}
        for key in found:
            groups.setdefault(key_slot(key), []).append(key)
        return list(groups.values())

    def _policy(self, call: Call[Any]) -> dict[str, Any]:
        def tell(state: RetryCallState) -> None:
            if self.events and state.outcome is not None:
                reason = type(state.outcome.exception()).__name__
                attempt = state.attempt_number
                self.events.tell(Retried(queue=call.subject, attempt=attempt, reason=reason))

        return {
            "stop": stop_after_delay(self._retry_timeout),
            "wait": wait_random_exponential(multiplier=0.05, max=2.0),
            "retry": retry_if_exception(passing),
            "before_sleep": tell,
            "reraise": True,
        }

    def _judge(self, reply: Any) -> None:
        """Refuse a server that would lose messages or lacks what the scripts need."""
        # A cluster client answers for several nodes: any one of them will do.
        if isinstance(reply, dict) and reply and all(isinstance(v, dict) for v in reply.values()):
            reply = next(iter(reply.values()))
        server: dict[str, Any] = reply if isinstance(reply, dict) else {}
        floor, label = FLOOR_REDIS, "redis_version"
        if "valkey_version" in server:
            floor, label = FLOOR_VALKEY, "valkey_version"
        version = str(server.get(label, "99"))
        if tuple(int(part) for part in version.split(".")[:2] if part.isdigit()) < floor:
            raise ConfigurationError(
                f"the server is {label.partition('_')[0]} {version}; rmq needs "
                f"{floor[0]}.{floor[1]} or newer"
            )
        policy = str(server.get("maxmemory_policy", ""))
        if policy.startswith("allkeys-") and not self._allow_eviction:
            raise ConfigurationError(
                f"the server's maxmemory-policy is {policy}: it may drop queued messages when "
                "memory is short. Set it to noeviction, or accept the loss with "
                "RMQ_ALLOW_EVICTION=true"
            )


_executors: weakref.WeakSet[Executor] = weakref.WeakSet()


def _after_fork() -> None:
    """A child must not talk on its parent's connections."""
    for executor in _executors:
        executor._idle = []
        executor._begun = []


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
