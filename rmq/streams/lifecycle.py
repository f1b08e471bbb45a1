"""Lifecycle: making, describing, listing and removing streams. Plans."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from rmq.core.keys import stream_index
from rmq.core.limits import checked_tags, flag, whole
from rmq.core.paging import Page, check_page, names_from, page_of
from rmq.core.script import Plan
from rmq.errors import InvalidParameter, StreamDoesNotExist, StreamExists
from rmq.streams import accounting, commands
from rmq.streams.attributes import StreamInfo, checked, stored, stream_name
from rmq.streams.groups.administration import delete_all as delete_all_groups
from rmq.streams.on_demand import Load, needed
from rmq.streams.registry import StreamRegistry, described, look, remove
from rmq.streams.shard import Row, even_ranges, hash_bytes


def create(
    registry: StreamRegistry,
    name: str,
    shard_count: int | None,
    given: Mapping[str, Any],
    tags: Mapping[str, str] | None,
) -> Plan[StreamInfo]:
    """Make a stream, with its shards."""
    limits, keys = registry.limits, registry.keys(name)
    arn = registry.place.arn("kinesis", f"stream/{stream_name(name)}")
    attributes = checked(given, limits, arn=arn)
    labels = checked_tags(tags or {}, limits)
    if attributes.mode == "ON_DEMAND":
        if shard_count is not None:
            raise InvalidParameter(
                "shard_count", shard_count, "left out: a stream on demand has as many as it needs"
            )
        shard_count = needed(Load(), attributes.warm_throughput_mib or 0)
        yield from accounting.check_on_demand(registry, name)
        if attributes.warm_throughput_mib is not None:
            yield from accounting.check_warm_throughput(registry, name)
    count = whole(1 if shard_count is None else shard_count, "shard_count", 1, limits.max_shards)
    yield from accounting.check_shards(registry, name, count)
    config = {"secret": os.urandom(16).hex()}
    chosen = {field: getattr(attributes, field) for field in given}
    config |= {field: value for field, value in stored(chosen).items() if value}
    rows = [Row(hash_bytes(start), hash_bytes(end)) for start, end in even_ranges(count)]
    make = commands.create(keys, name, f"{os.urandom(8).hex()}:1", config, labels, rows)
    yield from accounting.note_place(registry)
    try:
        yield make
    except StreamExists:
        # Perhaps one that somebody began to remove, or the answer to the first try was lost.
        info = yield from _same(registry, name, config["secret"])
        if info is None:
            yield make
    info = yield from described(registry, name)
    yield accounting.count(registry, info)
    return info


def _same(registry: StreamRegistry, name: str, secret: str) -> Plan[StreamInfo | None]:
    """The stream that stands where we want to make one: ours, or none where it was half removed.
    Raises StreamExists."""
    try:
        info = yield from look(registry, name)
    except StreamDoesNotExist:
        return None
    if info.status == "DELETING":
        yield from remove(registry, info)
        return None
    if info.secret.hex() != secret:
        raise StreamExists(f"stream {name!r} exists already", stream=name)
    return info


def describe(registry: StreamRegistry, name: str) -> Plan[StreamInfo]:
    """Attributes, shards and state as they are now."""
    return (yield from described(registry, name))


def delete(registry: StreamRegistry, name: str, *, enforce: bool) -> Plan[bool]:
    """Remove a stream with all it holds, and its name from the list. False where there was none."""
    flag(enforce, "enforce_consumer_deletion")
    try:
        info = yield from look(registry, name)
        yield commands.delete(registry.keys(name), info, enforce=enforce, last=False)
        yield from remove(registry, info)
        found = True
    except StreamDoesNotExist:
        found = False
    registry.drop(name)
    # Also when it was gone already: a delete that was cut short ends here.
    yield accounting.uncount(registry, name)
    yield from delete_all_groups(registry, name)
    return found


def list_streams(
    registry: StreamRegistry, prefix: str, limit: int, token: str | None
) -> Plan[Page]:
    """Names that begin with *prefix*, in order, page by page."""
    check_page(prefix, limit, token)
    after = token if token is not None and token >= prefix else None
    names = yield names_from(stream_index(registry.namespace), "streams", prefix, after, limit + 1)
    return page_of(names, limit)
