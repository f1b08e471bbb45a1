"""Commands: what can be asked about a platform application in one round trip. Values."""

from __future__ import annotations

import uuid
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from rmq.core import script
from rmq.core.keys import ApplicationKeys, application_index
from rmq.core.script import Call, text_of


class Put(NamedTuple):
    """What became of a change of an endpoint."""

    id: str
    """Of the endpoint that has the token."""
    stored: bytes
    event: str
    """The ARN of the topic to be told; '' for none."""


def create_application(
    keys: ApplicationKeys, arn: str, config: Mapping[str, str]
) -> Call[dict[str, str]]:
    """Make an application. The result is its config, or that of the one that stands there."""
    return script.load("mobile/create_application").call(
        arn, _pairs, config=keys.config, rest=_flat(config)
    )


def set_application(
    keys: ApplicationKeys, arn: str, changes: Mapping[str, str]
) -> Call[dict[str, str]]:
    """Change attributes. The result is the config."""
    return script.load("mobile/set_application").call(
        arn, _pairs, config=keys.config, rest=_flat(changes)
    )


def read_application(keys: ApplicationKeys, arn: str) -> Call[dict[str, str]]:
    """The config; empty where there is no such application."""
    return script.command("HGETALL", arn, _pairs, keys.config)


def delete_application(keys: ApplicationKeys, arn: str) -> Call[bool]:
    """Remove an application with all its endpoints. Redis frees the memory in the background."""
    all_keys = [keys.config, keys.endpoints, keys.ids, keys.tokens]
    return Call("UNLINK", all_keys, [], bool, arn)


def index_add(namespace: str, name: str) -> Call[None]:
    return script.command("ZADD", name, lambda reply: None, application_index(namespace), 0, name)


def index_remove(namespace: str, name: str) -> Call[None]:
    return script.command("ZREM", name, lambda reply: None, application_index(namespace), name)


def put_endpoint(
    keys: ApplicationKeys,
    arn: str,
    id: bytes,
    before: bytes,
    after: bytes,
    tokens: tuple[bytes, bytes],
    event: str,
) -> Call[Put]:
    """Make (*before* is b"") or change an endpoint. *tokens* are the digests after and before."""

    def parse(reply: Sequence[Any]) -> Put:
        return Put(str(uuid.UUID(bytes=bytes(reply[0]))), bytes(reply[1]), text_of(reply[2]))

    return script.load("mobile/put_endpoint").call(
        arn,
        parse,
        config=keys.config,
        endpoints=keys.endpoints,
        ids=keys.ids,
        tokens=keys.tokens,
        id=id,
        before=before,
        after=after,
        token=tokens[0],
        old_token=tokens[1],
        event=event,
    )


def delete_endpoint(
    keys: ApplicationKeys, arn: str, id: bytes, before: bytes, token: bytes, event: str
) -> Call[str | None]:
    """Remove an endpoint. The result is the topic to be told, '' for none; None when it was not
    any more as it was known."""
    return script.load("mobile/delete_endpoint").call(
        arn,
        lambda reply: text_of(reply[1]) if int(reply[0]) else None,
        config=keys.config,
        endpoints=keys.endpoints,
        ids=keys.ids,
        tokens=keys.tokens,
        id=id,
        before=before,
        token=token,
        event=event,
    )


def read_endpoint(
    keys: ApplicationKeys, arn: str, id: bytes, fields: Sequence[str]
) -> Call[tuple[bytes, dict[str, str]]]:
    """An endpoint, b"" for none, and *fields* of its application's config."""

    def parse(reply: Sequence[Any]) -> tuple[bytes, dict[str, str]]:
        config = {field: text_of(value) for field, value in zip(fields, reply[1:], strict=True)}
        return bytes(reply[0]), config

    return script.load("mobile/read_endpoint").call(
        arn, parse, config=keys.config, endpoints=keys.endpoints, id=id, rest=fields
    )


def list_endpoints(
    keys: ApplicationKeys, arn: str, after: bytes | None, limit: int
) -> Call[list[tuple[str, bytes]]]:
    """Ids and what is stored of up to *limit* endpoints, behind the id *after*."""

    def parse(reply: Sequence[Any]) -> list[tuple[str, bytes]]:
        return [
            (str(uuid.UUID(bytes=bytes(reply[i]))), bytes(reply[i + 1]))
            for i in range(0, len(reply), 2)
        ]

    return script.load("mobile/list_endpoints").call(
        arn,
        parse,
        config=keys.config,
        endpoints=keys.endpoints,
        ids=keys.ids,
        low=b"-" if after is None else b"(" + after,
        limit=limit,
    )


def _flat(pairs: Mapping[str, str]) -> list[str]:
    return [part for pair in pairs.items() for part in pair]


def _pairs(reply: Any) -> dict[str, str]:
    """field, value, .. as a dict. redis-py may have made one already."""
    if isinstance(reply, dict):
        return {text_of(name): text_of(value) for name, value in reply.items()}
    return {text_of(reply[i]): text_of(reply[i + 1]) for i in range(0, len(reply), 2)}
