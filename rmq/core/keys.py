"""Keys: every name we use in Redis is made here, whole.

    default:{q:orders}:log      namespace : { kind : name } : part

The braces are a Redis Cluster hash tag: all keys of one queue live in one slot.
"""

from __future__ import annotations

import re

NAMESPACE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
"""What Settings accepts as well. No colon, which ends a namespace in a key."""


class QueueKeys:
    """The keys of one queue. What each holds is drawn in docs/design/queues.md.

    *kind* is `q`, `p` for the inner queue of a subscription that is pushed to, or `k` for that of a
    queue on a stream.
    """

    attempt_times: str
    attempts: str
    config: str
    dedup: str
    delayed: str
    first: str
    groups: str
    inflight: str
    lanes: str
    loads: str
    log: str
    moved: str
    order: str
    outbox: str
    relayed: str
    sources: str
    state: str
    tags: str
    tasks: str
    tombstone: str
    trials: str
    """Of workers: what became of receives that did not end in a delete."""
    wake: str

    def __init__(self, namespace: str, name: str, kind: str = "q") -> None:
        for part in self.__annotations__:
            setattr(self, part, f"{namespace}:{{{kind}:{name}}}:{part}")

    def all(self) -> list[str]:
        """Every key that a queue may have, the state first. Not the tombstone: that is there when
        the queue is not."""
        parts = (part for part in self.__annotations__ if part not in ("state", "tombstone"))
        return [self.state, *(getattr(self, part) for part in parts)]


class TopicKeys:
    """The keys of one topic. What each holds is drawn in docs/design/topics.md."""

    changes: str
    config: str
    cursors: str
    dedup: str
    endpoints: str
    lanes: str
    live: str
    """The channel of live listeners; it holds nothing."""
    outbox: str
    partial: str
    pending: str
    state: str
    stats: str
    subscriptions: str
    tags: str

    def __init__(self, namespace: str, name: str) -> None:
        for part in self.__annotations__:
            setattr(self, part, f"{namespace}:{{t:{name}}}:{part}")

    def all(self) -> list[str]:
        """Every key that a topic may have, the state first."""
        parts = (part for part in self.__annotations__ if part not in ("state", "live"))
        return [self.state, *(getattr(self, part) for part in parts)]


class StreamKeys:
    """The keys of one stream, but for those of its shards. What each holds is drawn in
    docs/design/streams.md."""

    channels: str
    config: str
    consumers: str
    peaks: str
    queues: str
    shards: str
    state: str
    subscribers: str
    tags: str

    def __init__(self, namespace: str, name: str) -> None:
        for part in self.__annotations__:
            setattr(self, part, f"{namespace}:{{s:{name}}}:{part}")

    def all(self) -> list[str]:
        """Every key that a stream may have, the state first."""
        parts = (part for part in self.__annotations__ if part != "state")
        return [self.state, *(getattr(self, part) for part in parts)]


class ShardKeys:
    """The keys of one shard of a stream, in a slot of their own."""

    lanes: str
    log: str
    state: str

    def __init__(self, namespace: str, stream: str, number: int) -> None:
        for part in self.__annotations__:
            setattr(self, part, f"{namespace}:{{s:{stream}/{number}}}:{part}")

    def all(self) -> list[str]:
        """Every key that a shard may have, the state first."""
        return [self.state, self.lanes, self.log]


class StreamAccountKeys:
    """The keys of what the streams of a namespace have together. docs/design/streams.md says what
    each holds."""

    account: str
    counts: str
    places: str
    """A set of the accounts and regions that have streams; only beside the root's."""

    def __init__(self, namespace: str) -> None:
        for part in self.__annotations__:
            setattr(self, part, f"{namespace}:{{streams}}:{part}")


class PushKeys:
    """The keys by which dispatchers learn which subscriptions have something to push, and by which
    all that is pushed is signed."""

    places: str
    """A set of the namespaces that have inner queues; only beside the root's."""
    ready: str
    recorded_email: str
    recorded_firehose: str
    recorded_mobile: str
    recorded_sms: str
    signing_key: str
    wake: str

    def __init__(self, namespace: str) -> None:
        for part in self.__annotations__:
            setattr(self, part, f"{namespace}:{{push}}:{part}")


class ApplicationKeys:
    """The keys of one platform application. docs/design/mobile.md says what each holds."""

    config: str
    endpoints: str
    ids: str
    tokens: str

    def __init__(self, namespace: str, platform: str, name: str) -> None:
        for part in self.__annotations__:
            setattr(self, part, f"{namespace}:{{m:{platform}/{name}}}:{part}")


class SmsKeys:
    """The keys of what an account has for SMS. docs/design/mobile.md says what each holds."""

    attributes: str
    opted_in: str
    opted_out: str
    origination: str
    origination_names: str
    sandbox: str
    sandbox_names: str

    def __init__(self, namespace: str) -> None:
        for part in self.__annotations__:
            setattr(self, part, f"{namespace}:{{sms}}:{part}")


class CatalogKeys:
    """The keys of one catalog of outlets. docs/design/outlets.md says what each holds."""

    documents: str
    ids: str
    names: str

    def __init__(self, namespace: str, kind: str) -> None:
        for part in self.__annotations__:
            setattr(self, part, f"{namespace}:{{o:{kind}}}:{part}")


def feed(namespace: str, queue: str) -> str:
    """A hash: how far a queue on a stream was fed from it, and by whom."""
    return f"{namespace}:{{k:{queue}}}:feed"


class GroupKeys:
    """The keys of one consumer group of a stream. docs/design/streams.md says what each holds."""

    leases: str
    state: str
    workers: str

    def __init__(self, namespace: str, stream: str, name: str) -> None:
        for part in self.__annotations__:
            setattr(self, part, f"{namespace}:{{g:{stream}/{name}}}:{part}")


class FleetKeys:
    """The keys of what the workers of one app share. docs/design/worker.md says what each holds."""

    commands: str
    paused: str
    schedule_due: str
    schedule_index: str
    schedule_outbox: str
    schedule_paused: str
    schedule_runs: str
    schedule_state: str
    schedule_wake: str
    schedules: str
    workers: str
    worker_info: str

    def __init__(self, namespace: str, app: str) -> None:
        self._stem = f"{namespace}:{{w:{app}}}:"
        for part in self.__annotations__:
            setattr(self, part, self._stem + part)

    def inbox(self, worker: str) -> str:
        """What one worker is told to do: a zset, order number -> command."""
        return f"{self._stem}inbox:{worker}"

    def wake(self, worker: str) -> str:
        """A list with at most one token: there is something in its inbox."""
        return f"{self._stem}wake:{worker}"


class LimitKeys:
    """The keys of one limit that workers share."""

    bucket: str
    held: str
    wake: str

    def __init__(self, namespace: str, name: str) -> None:
        for part in self.__annotations__:
            setattr(self, part, f"{namespace}:{{l:{name}}}:{part}")


class ResultKeys:
    """The keys of one task, or of one group of tasks, that somebody waits for."""

    ended: str
    members: str
    state: str

    def __init__(self, namespace: str, id: str) -> None:
        for part in self.__annotations__:
            setattr(self, part, f"{namespace}:{{r:{id}}}:{part}")


def unique_key(namespace: str, digest: str) -> str:
    """Which task holds a place that only one may have."""
    return f"{namespace}:{{u:{digest}}}:holder"


def every_key(namespace: str, nested: bool) -> tuple[str, re.Pattern[bytes]]:
    """What finds all keys of a namespace, and with *nested* of those that begin with it and a dot:
    a pattern for SCAN, which may find too much, and one that each key then has to match."""
    if not nested:
        return f"{namespace}:*", re.compile(re.escape(namespace).encode() + b":")
    inner = rb"(\.[A-Za-z0-9_.-]*)?:"
    return f"{namespace}*", re.compile(re.escape(namespace).encode() + inner)


def queue_index(namespace: str) -> str:
    """A zset of all queue names, scores 0, read by lex range."""
    return f"{namespace}:{{queues}}:names"


def topic_index(namespace: str) -> str:
    """A zset of all topic names, scores 0, read by lex range."""
    return f"{namespace}:{{topics}}:names"


def stream_index(namespace: str) -> str:
    """A zset of all stream names, scores 0, read by lex range."""
    return f"{namespace}:{{streams}}:names"


def application_index(namespace: str) -> str:
    """A zset of all platform applications, `platform/name`, scores 0, read by lex range."""
    return f"{namespace}:{{applications}}:names"


def group_index(namespace: str) -> str:
    """A zset of all consumer groups, `stream/group`, scores 0, read by lex range."""
    return f"{namespace}:{{groups}}:names"
