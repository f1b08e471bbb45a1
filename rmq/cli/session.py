"""Session: what one command works with: a client, made when it is first asked for, and an output.

The options say where Redis is; what they leave out, RMQ_* says (rmq.settings).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import typer

import rmq
from rmq import Client, Limits, Settings
from rmq.cli.output import Output

RETRY_TIMEOUT_S = 5.0
"""How long trouble is retried unless RMQ_RETRY_TIMEOUT says: a wrong URL should tell soon."""
COMPLETION_TIMEOUT_S = 0.5
"""The same, while somebody waits for their shell to complete a name."""
COMPLETED = 100
"""The most names that a shell is offered."""

T = TypeVar("T")


@dataclass(kw_only=True)
class Session:
    """The options that every command has, and what follows from them."""

    url: str | None = None
    namespace: str | None = None
    no_limits: bool = False
    as_json: bool = False

    @cached_property
    def output(self) -> Output:
        """Where the answer goes."""
        return Output(as_json=self.as_json)

    @cached_property
    def client(self) -> Client:
        """The client. On memory:// it says once what to expect. Raises ConfigurationError."""
        client = self.connect()
        if client.settings.url.startswith("memory:") and not self.as_json:
            self.output.note(
                "rmq: memory:// lives inside this one command, nothing outlives it; "
                "next: rmq --url redis://localhost .. (or set RMQ_URL)"
            )
        return client

    def connect(self, **settings: Any) -> Client:
        """Make a client; *settings* are over the environment's."""
        client = rmq.connect(
            self.url,
            namespace=self.namespace,
            limits=Limits.none() if self.no_limits else None,
            **patience() | settings,
        )
        return client

    def close(self) -> None:
        """Give back the connections, if there are any."""
        if "client" in self.__dict__:
            self.client.close()


def patience() -> dict[str, Any]:
    """How long trouble is retried, unless the environment says."""
    overrides: dict[str, Any] = {}
    try:
        given = Settings(**overrides).model_fields_set
    except ValueError:
        return {}  # rmq.connect reads them too, and says what is wrong
    return {} if "retry_timeout" in given else {"retry_timeout": RETRY_TIMEOUT_S}


def session_of(ctx: typer.Context) -> Session:
    """The session of the command that runs."""
    session = ctx.find_root().obj
    assert isinstance(session, Session)
    return session


def queue_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of queues that begin with *incomplete*, for a shell."""
    return _asked(ctx, lambda client: list(client.list_queues(incomplete, limit=COMPLETED)))


def topic_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of topics that begin with *incomplete*, for a shell."""
    return _asked(ctx, lambda client: list(client.list_topics(incomplete, limit=COMPLETED)))


def subscription_ids(ctx: typer.Context, incomplete: str) -> list[tuple[str, str]]:
    """Ids of subscriptions of the topic on the line, each with what it is for, for a shell."""

    def ask(client: Client) -> list[tuple[str, str]]:
        page = client.topic(ctx.params["name"]).subscriptions(limit=COMPLETED)
        return [(one.id, one.endpoint) for one in page if one.id.startswith(incomplete)]

    return _asked(ctx, ask)


def stream_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of streams that begin with *incomplete*, for a shell."""
    return _asked(ctx, lambda client: list(client.list_streams(incomplete, limit=COMPLETED)))


def shard_ids(ctx: typer.Context, incomplete: str) -> list[str]:
    """Ids of shards of the stream on the line, the open ones, for a shell."""

    def ask(client: Client) -> list[str]:
        shards = client.stream(ctx.params["name"]).info().shards.open
        return [one.id for one in shards if one.id.startswith(incomplete)][:COMPLETED]

    return _asked(ctx, ask)


def group_names(ctx: typer.Context, incomplete: str) -> list[str]:
    """Names of consumer groups of the stream on the line, for a shell."""
    return _asked(
        ctx,
        lambda client: list(client.stream(ctx.params["name"]).groups(incomplete, limit=COMPLETED)),
    )


def _asked(ctx: typer.Context, ask: Callable[[Client], list[T]]) -> list[T]:
    """What *ask* finds. No error reaches a prompt."""
    options = ctx.find_root().params
    session = Session(url=options.get("url"), namespace=options.get("namespace"))
    try:
        client = session.connect(
            retry_timeout=COMPLETION_TIMEOUT_S, socket_timeout=COMPLETION_TIMEOUT_S
        )
        try:
            return ask(client)
        finally:
            client.close()
    except rmq.RmqError:
        return []
