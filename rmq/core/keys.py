"""Keys: every name we use in Redis is made here, whole.

    default:{q:orders}:log      namespace : { kind : name } : part

The braces are a Redis Cluster hash tag: all keys of one queue live in one slot.
"""

from __future__ import annotations


class QueueKeys:
    """The keys of one queue. What each holds is drawn in docs/design/queues.md."""

    attempt_times: str
    attempts: str
    config: str
    dedup: str
    delayed: str
    first: str
    groups: str
    inflight: str
    lanes: str
    log: str
    moved: str
    order: str
    outbox: str
    relayed: str
    sources: str
    state: str
    tags: str
    tasks: str
    wake: str

    def __init__(self, namespace: str, name: str) -> None:
        for part in self.__annotations__:
            setattr(self, part, f"{namespace}:{{q:{name}}}:{part}")

    def all(self) -> list[str]:
        """Every key, the state first."""
        return [
            self.state,
            *(getattr(self, part) for part in self.__annotations__ if part != "state"),
        ]


def queue_index(namespace: str) -> str:
    """A zset of all queue names, scores 0, read by lex range."""
    return f"{namespace}:{{queues}}:names"
