"""Lifecycle: making, changing, listing and removing topics. Plans; each of several round trips."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any

from rmq.core.keys import topic_index
from rmq.core.limits import checked_tags, listed, text
from rmq.core.paging import Page, check_page, names_from, page_of
from rmq.core.script import LOOKS, Plan
from rmq.errors import InvalidParameter, StaleConfig, TopicDoesNotExist, TopicExists, brief
from rmq.topics import commands, inner
from rmq.topics.attributes import LARGE, TAKES_LARGE, TopicInfo, checked, says_the_same, stored
from rmq.topics.registry import TopicRegistry, described, up_to_date


def create(
    registry: TopicRegistry,
    name: str,
    given: Mapping[str, Any],
    tags: Mapping[str, str] | None,
) -> Plan[TopicInfo]:
    """Make a topic, or find that one with these attributes and tags stands."""
    limits = registry.limits
    arn = registry.place.arn("sns", name)
    attributes = checked(given, limits, arn=arn)
    labels = checked_tags(tags or {}, limits)
    chosen = {field: getattr(attributes, field) for field in given}
    info, existing = yield from _made(registry, name, chosen, labels)
    if existing is None:
        return info
    for field, wanted in chosen.items():
        has = getattr(info.attributes, field)
        if not says_the_same(field, has, wanted):
            raise TopicExists(
                f"topic {name!r} exists with {field} {brief(has)}, not {brief(wanted)}; set it "
                "with rmq topic set, or create it under another name",
                topic=name,
                attribute=field,
            )
    if tags and labels != existing:
        raise TopicExists(
            f"topic {name!r} exists with other tags; change them with its tag and untag",
            topic=name,
            attribute="tags",
        )
    return info


def _made(
    registry: TopicRegistry, name: str, chosen: Mapping[str, Any], labels: dict[str, str]
) -> Plan[tuple[TopicInfo, dict[str, str] | None]]:
    """The topic, which stands and is in the list, and the tags that it had if it stood before."""
    keys = registry.keys(name)
    for _ in range(LOOKS):
        incarnation = os.urandom(8).hex()
        config = {"incarnation": incarnation, "secret": os.urandom(16).hex()}
        config |= {field: value for field, value in stored(chosen).items() if value}
        config |= _archived(registry, chosen, None)
        existing: dict[str, str] | None = yield commands.create(
            keys, name, f"{incarnation}:1", config, labels
        )
        yield commands.index_add(registry.namespace, name)
        try:
            return (yield from described(registry, name)), existing
        except TopicDoesNotExist:  # Somebody removed it meanwhile, and its name perhaps too early.
            continue
    raise StaleConfig(f"topic {name!r} is removed faster than it can be made")


def _unlisted(registry: TopicRegistry, name: str) -> Plan[None]:
    """Take a name from the list, unless its topic was made again meanwhile."""
    for _ in range(LOOKS):
        yield commands.index_remove(registry.namespace, name)
        try:
            yield from described(registry, name)
        except TopicDoesNotExist:
            return
        yield commands.index_add(registry.namespace, name)
        try:
            yield from described(registry, name)
        except TopicDoesNotExist:
            continue
        return


def describe(registry: TopicRegistry, name: str) -> Plan[TopicInfo]:
    """Attributes and times as they are now."""
    return (yield from described(registry, name))


def set_attributes(
    registry: TopicRegistry, name: str, changes: Mapping[str, Any], if_version: str | None = None
) -> Plan[TopicInfo]:
    """Change attributes, all of them or none."""
    for _ in range(LOOKS):
        info = yield from described(registry, name)
        if if_version is not None and info.version != if_version:
            raise StaleConfig(f"topic {name!r} was changed by somebody else")
        attributes = checked(changes, registry.limits, arn=info.arn, base=info.attributes)
        largest = attributes.maximum_message_size
        if largest != info.attributes.maximum_message_size and largest is not None:
            yield from _check_large(registry, name, largest)
        texts = stored({field: getattr(attributes, field) for field in changes})
        texts |= _archived(registry, changes, info.attributes.archive_retention)
        incarnation, _, number = info.version.partition(":")
        try:
            yield commands.set_attributes(
                registry.keys(name), info, f"{incarnation}:{int(number) + 1}", texts
            )
        except StaleConfig:
            if if_version is not None:
                raise
            continue
        return (yield from described(registry, name))
    raise StaleConfig(f"topic {name!r} changes faster than it can be used")


def _archived(
    registry: TopicRegistry, changes: Mapping[str, Any], had: timedelta | None
) -> dict[str, str]:
    """Since when there is an archive, where that changes."""
    has = changes.get("archive_retention") is not None
    if "archive_retention" not in changes or has == (had is not None):
        return {}
    return {"archived_ms": str(registry.clock.now_ms()) if has else ""}


def _check_large(registry: TopicRegistry, name: str, largest: int) -> Plan[None]:
    most = registry.limits.max_large_subscriptions
    if largest <= LARGE or most is None:
        return
    _, audience = yield from up_to_date(registry, name)
    others = [one for one in audience.all.values() if one.protocol not in TAKES_LARGE]
    if len(audience.all) > most or others:
        raise InvalidParameter(
            "maximum_message_size",
            largest,
            f"at most {LARGE} on a topic with more than {most} subscriptions, or with other "
            f"protocols than {', '.join(TAKES_LARGE)}",
        )


def delete(registry: TopicRegistry, name: str) -> Plan[bool]:
    """Remove a topic, its subscriptions and their inner queues, and its name from the list."""
    keys = registry.keys(name)
    ids: list[str] = []
    try:
        _, audience = yield from up_to_date(registry, name)
        ids = [one.id for one in audience.all.values() if one.is_pushed]
        yield commands.delete_topic(keys, name)
        found = True
    except TopicDoesNotExist:
        found = False
    registry.drop(name)
    # Also when it was gone already: a delete that was cut short ends here.
    yield from _unlisted(registry, name)
    for id in ids:
        yield from inner.remove(registry, id)
    return found


def tag(
    registry: TopicRegistry, name: str, add: Mapping[str, str], remove: Iterable[str]
) -> Plan[dict[str, str]]:
    """Set and remove tags. Returns all of them."""
    gone = [text(one, "tag key", 1, 128) for one in listed(remove, "tag keys", "names")]
    labels = checked_tags(add, registry.limits)
    try:
        all_tags: dict[str, str] = yield commands.tag(
            registry.keys(name), name, registry.limits.max_tags, labels, gone
        )
    except TopicDoesNotExist:
        registry.drop(name)
        raise
    return all_tags


def list_topics(registry: TopicRegistry, prefix: str, limit: int, token: str | None) -> Plan[Page]:
    """Names that begin with *prefix*, in order, page by page."""
    check_page(prefix, limit, token)
    after = token if token is not None and token >= prefix else None
    names = yield names_from(topic_index(registry.namespace), "topics", prefix, after, limit + 1)
    return page_of(names, limit)
