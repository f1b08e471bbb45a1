"""Lifecycle: making, changing, listing and removing queues. Plans; each of several round trips.

A change that touches two queues is made in an order in which a crash between the steps leaves at
worst a name in a list, and who reads that list asks the queue itself.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from rmq.core.events import Deleted
from rmq.core.keys import queue_index
from rmq.core.limits import checked_tags, listed, text
from rmq.core.paging import Page, check_page, names_from, page_of
from rmq.core.script import LOOKS, Call, Plan
from rmq.errors import InvalidParameter, QueueDoesNotExist, QueueExists, StaleConfig, brief
from rmq.queues import administration
from rmq.queues.attributes import QueueAttributes, QueueInfo, checked, to_text
from rmq.queues.registry import Registry, described, on_known

KINDS = {True: "a FIFO queue (.fifo)", False: "a standard queue"}


def create(
    registry: Registry, name: str, given: Mapping[str, Any], tags: Mapping[str, str] | None
) -> Plan[QueueInfo]:
    """Make a queue, or find that one with these attributes stands."""
    limits, keys = registry.limits, registry.keys(name)
    attributes = checked(given, limits, is_fifo=name.endswith(".fifo"))
    labels = checked_tags(tags or {}, limits)
    yield from _point(registry, name, attributes)
    stored = {field: text for field, text in to_text(_chosen(given, attributes)).items() if text}
    incarnation = os.urandom(8).hex()
    config = {"incarnation": incarnation, "secret": os.urandom(16).hex(), **stored}
    existing: dict[str, str] | None = yield administration.create(
        keys, name, f"{incarnation}:1", config, labels, limits.name_reuse_delay
    )
    if registry.kind == "q":
        yield administration.index_add(registry.namespace, name)
    info = yield from described(registry, name)
    if existing is not None:
        for field in given:
            if getattr(info.attributes, field) != getattr(attributes, field):
                has, wanted = getattr(info.attributes, field), getattr(attributes, field)
                raise QueueExists(
                    f"queue {name!r} exists with {field} {brief(has)}, not {brief(wanted)}; "
                    "set it with rmq queue set, or create it under another name",
                    queue=name,
                    attribute=field,
                )
    return info


def _chosen(given: Iterable[str], attributes: QueueAttributes) -> dict[str, Any]:
    return {field: getattr(attributes, field) for field in given}


def _point(registry: Registry, name: str, attributes: QueueAttributes) -> Plan[None]:
    """Make sure that the redrive policy's target exists, fits and allows it, and note us there."""
    policy = attributes.redrive_policy
    if policy is None:
        return
    target, field = policy.dead_letter_queue, "redrive_policy.dead_letter_queue"
    if target == name:
        raise InvalidParameter(field, target, "another queue")
    if target.endswith(".fifo") != name.endswith(".fifo"):
        raise InvalidParameter(field, target, KINDS[name.endswith(".fifo")])

    def add(info: QueueInfo) -> Call[None]:
        allow = info.attributes.redrive_allow_policy
        if allow is not None and not allow.allows(name):
            raise InvalidParameter(
                field, target, f"a queue whose redrive_allow_policy allows {name!r}"
            )
        return administration.add_source(registry.keys(target), info, name)

    registry.forget(target)
    try:
        yield from on_known(registry, target, add)
    except QueueDoesNotExist as error:
        raise InvalidParameter(field, target, "the name of an existing queue") from error


def set_attributes(
    registry: Registry, name: str, given: Mapping[str, Any], if_version: str | None = None
) -> Plan[QueueInfo]:
    """Change attributes, all of them or none; with *if_version* only where that is the version."""
    for _ in range(LOOKS):
        info = yield from described(registry, name)
        if if_version is not None and info.version != if_version:
            raise StaleConfig(f"queue {name!r} was changed meanwhile")
        made = checked(given, registry.limits, is_fifo=info.is_fifo, base=info.attributes)
        if not given:
            return info
        if "redrive_policy" in given:
            yield from _point(registry, name, made)
        changes = to_text(_chosen(given, made))
        if made.compression != info.attributes.compression:
            # Whoever switches it on again has messages that the dictionary does not fit.
            changes["relearn"] = "1" if made.compression != "none" and info.dictionaries else ""
        try:
            yield administration.set_attributes(registry.keys(name), info, changes)
        except StaleConfig:
            continue
        before, after = info.attributes.redrive_policy, made.redrive_policy
        if before and (not after or after.dead_letter_queue != before.dead_letter_queue):
            left = before.dead_letter_queue
            yield administration.remove_source(registry.keys(left), left, name)
        info = yield from described(registry, name)
        if info.is_fifo and "delay" in given:
            yield from _redelay(registry, name)
        return info
    raise StaleConfig(f"the attributes of queue {name!r} change faster than they can be set")


def _redelay(registry: Registry, name: str) -> Plan[None]:
    """A FIFO queue's delay counts for the messages that are already there."""
    offset, limit = 0, 200
    while True:

        def step(info: QueueInfo, offset: int = offset) -> Call[tuple[int, int]]:
            keys = registry.keys(name)
            return administration.redelay(keys, info, info.attributes.delay, offset, limit)

        looked, waits = yield from on_known(registry, name, step)
        offset += waits
        if looked < limit:
            break
    after = 0
    while True:

        def mark(info: QueueInfo, after: int = after) -> Call[int]:
            return administration.mark_delayed(registry.keys(name), info, after, limit)

        after = yield from on_known(registry, name, mark)
        if not after:
            return


def delete_queue(registry: Registry, name: str) -> Plan[None]:
    """Remove a queue with all it holds, and its name from the lists it stands in."""
    keys = registry.keys(name)
    try:
        info = yield from described(registry, name)
        yield administration.delete_queue(keys, name, registry.limits.name_reuse_delay)
    finally:
        registry.drop(name)
        # Also when it was gone already: a delete that was cut short ends here.
        if registry.kind == "q":
            yield administration.index_remove(registry.namespace, name)
    policy = info.attributes.redrive_policy
    if policy is not None:
        target = policy.dead_letter_queue
        yield administration.remove_source(registry.keys(target), target, name)


def purge(registry: Registry, name: str) -> Plan[int]:
    """Drop every message, whatever its state. Returns how many there were."""
    token, interval = os.urandom(6).hex(), registry.limits.min_purge_interval
    count = yield from on_known(
        registry,
        name,
        lambda info: administration.purge(registry.keys(name), info, interval, token),
    )
    if count and registry.events:
        registry.events.tell(Deleted(queue=name, count=count))
    return count


def tag(
    registry: Registry, name: str, add: Mapping[str, str], remove: Iterable[str]
) -> Plan[dict[str, str]]:
    """Set and remove tags. Returns all of them."""
    gone = [text(one, "tag key", 1, 128) for one in listed(remove, "tag keys", "names")]
    labels = checked_tags(add, registry.limits)
    try:
        all_tags: dict[str, str] = yield administration.tag(
            registry.keys(name), name, registry.limits.max_tags, labels, gone
        )
    except QueueDoesNotExist:
        registry.drop(name)
        raise
    return all_tags


def list_queues(registry: Registry, prefix: str, limit: int, token: str | None) -> Plan[Page]:
    """Names that begin with *prefix*, in order, page by page."""
    namespace = registry.namespace
    check_page(prefix, limit, token)
    after = token if token is not None and token >= prefix else None
    names = yield names_from(queue_index(namespace), "queues", prefix, after, limit + 1)
    return page_of(names, limit)
