"""Lifecycle: making, changing, listing and removing platform applications. Plans."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rmq.core.keys import ApplicationKeys, application_index
from rmq.core.limits import whole
from rmq.core.paging import PageOf, names_from
from rmq.core.script import Plan, Several
from rmq.errors import (
    InvalidParameter,
    PlatformApplicationDoesNotExist,
    PlatformApplicationExists,
    RmqError,
)
from rmq.topics.mobile import commands
from rmq.topics.mobile.application import (
    ApplicationName,
    PlatformApplication,
    application_name,
    check_whole,
    checked,
    differing,
    from_config,
    read_application,
)
from rmq.topics.registry import TopicRegistry

NO_CREDENTIAL = ("credential", None)
PAGE = 100
"""The most that a page of applications or endpoints holds (ListEndpointsByPlatformApplication)."""


def keys_of(registry: TopicRegistry, name: ApplicationName) -> ApplicationKeys:
    """Where an application is."""
    return ApplicationKeys(registry.namespace, name.platform, name.name)


def create(
    registry: TopicRegistry, platform: str, name: str, given: Mapping[str, Any]
) -> Plan[PlatformApplication]:
    """Make an application, or find that one with these attributes stands."""
    which, place = application_name(platform, name), registry.place
    # Of a new application it is left out, not taken away.
    said = {field: value for field, value in given.items() if (field, value) != NO_CREDENTIAL}
    config = checked(which, place, said)
    check_whole(which, config)
    arn = place.arn("sns", which.resource)
    stored = {field: value for field, value in config.items() if value}
    found = yield commands.create_application(keys_of(registry, which), arn, stored)
    for field in differing(found, config):
        raise PlatformApplicationExists(
            f"platform application {arn} exists with another {field}; set it there, or create it "
            "under another name",
            application=arn,
            attribute=field,
        )
    yield commands.index_add(registry.namespace, f"{platform}/{name}")
    return from_config(which, place, found)


def find(registry: TopicRegistry, given: str) -> Plan[PlatformApplication]:
    """One application, as it is now."""
    which, place = read_application(registry.place, given), registry.place
    arn = place.arn("sns", which.resource)
    config = yield commands.read_application(keys_of(registry, which), arn)
    if not config:
        raise RmqError.from_reply(PlatformApplicationDoesNotExist.code, arn)
    return from_config(which, place, config)


def set_attributes(
    registry: TopicRegistry, given: str, changes: Mapping[str, Any]
) -> Plan[PlatformApplication]:
    """Change attributes, all of them or none; None takes one away."""
    which, place = read_application(registry.place, given), registry.place
    if not changes:
        return (yield from find(registry, given))
    arn = place.arn("sns", which.resource)
    config = yield commands.set_application(
        keys_of(registry, which), arn, checked(which, place, changes)
    )
    return from_config(which, place, config)


def page(
    registry: TopicRegistry, limit: int, token: str | None
) -> Plan[PageOf[PlatformApplication]]:
    """Some applications, in the order of platform and name."""
    whole(limit, "limit", 1, PAGE)
    if token is not None and not (isinstance(token, str) and token.isascii() and "/" in token):
        raise InvalidParameter("token", token, "a next_token of the call before")
    key = application_index(registry.namespace)
    names: list[str] = yield names_from(key, "platform applications", "", token, limit + 1)
    read = [ApplicationName(*name.split("/", 1)) for name in names[:limit]]
    configs = yield Several(
        [
            commands.read_application(
                keys_of(registry, one), registry.place.arn("sns", one.resource)
            )
            for one in read
        ]
    )
    found: list[tuple[str, PlatformApplication]] = []
    for one, config in zip(read, configs, strict=True):
        if isinstance(config, RmqError):
            raise config
        if config:  # else it was removed while we looked
            found.append((f"{one.platform}/{one.name}", from_config(one, registry.place, config)))
    more = len(names) > limit
    return PageOf(tuple(one for _, one in found), names[limit - 1] if more else None)


def delete(registry: TopicRegistry, given: str) -> Plan[bool]:
    """Remove an application with all its endpoints. False when there was none."""
    which = read_application(registry.place, given)
    arn = registry.place.arn("sns", which.resource)
    found: bool = yield commands.delete_application(keys_of(registry, which), arn)
    # Also when it was gone already: a delete that was cut short ends here.
    yield commands.index_remove(registry.namespace, f"{which.platform}/{which.name}")
    return found
