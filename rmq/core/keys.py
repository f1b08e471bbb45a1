"""Keys: every name we use in Redis is made here, whole.

    default:{q:orders}:log      namespace : { kind : name } : part

The braces are a Redis Cluster hash tag: all keys of one queue live in one slot.
"""

from __future__ import annotations


class QueueKeys:
    """The keys of one queue. What each holds is drawn in docs/design/queues.md."""

    __slots__ = (
        "attempt_times",
        "attempts",
        "config",
        "dedup",
        "delayed",
        "first",
        "groups",
        "inflight",
        "lanes",
        "log",
        "moved",
        "order",
        "outbox",
        "relayed",
        "sources",
        "state",
        "tags",
        "tasks",
        "wake",
    )

    def __init__(self, namespace: str, name: str) -> None:
        for part in self.__slots__:
            setattr(self, part, f"{namespace}:{{q:{name}}}:{part}")

    def all(self) -> list[str]:
        """Every key, the state first."""
        return [self.state, *(getattr(self, part) for part in self.__slots__ if part != "state")]


def queue_index(namespace: str) -> str:
    """A zset of all queue names, scores 0, read by lex range."""
    return f"{namespace}:{{queues}}:names"
