"""Devices: making, changing, listing and removing platform endpoints. Plans.

A change goes by what the caller last read: the script refuses it where somebody else was quicker,
and the plan looks again.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from rmq.core.limits import whole
from rmq.core.paging import PageOf, cut
from rmq.core.script import LOOKS, Plan
from rmq.errors import EndpointDoesNotExist, EndpointExists, InvalidParameter, StaleConfig
from rmq.topics.mobile import commands, happenings
from rmq.topics.mobile.application import read_application
from rmq.topics.mobile.commands import Put
from rmq.topics.mobile.endpoint import (
    EndpointName,
    PlatformEndpoint,
    changed,
    digest,
    packed,
    read_endpoint,
    token,
    unpacked,
)
from rmq.topics.mobile.lifecycle import PAGE, keys_of
from rmq.topics.registry import TopicRegistry
from rmq.topics.subscription import ID


def create(
    registry: TopicRegistry,
    application: str,
    given_token: str,
    *,
    custom_user_data: str | None = None,
    enabled: bool | None = None,
) -> Plan[PlatformEndpoint]:
    """Make an endpoint, or find that the token has one with these attributes."""
    place, which = registry.place, read_application(registry.place, application)
    now_ms = registry.clock.now_ms()
    asked = {"custom_user_data": custom_user_data, "enabled": enabled}
    asked = {field: value for field, value in asked.items() if value is not None}
    blank = PlatformEndpoint(
        name=EndpointName(which, str(uuid.uuid4())),
        place=place,
        token=token(which.platform, given_token),
        created_ms=now_ms,
        modified_ms=now_ms,
    )
    wanted = changed(blank, asked, registry.limits)
    put = yield from _put(registry, None, wanted, "event_endpoint_created")
    if put.id == wanted.id:
        yield from happenings.created(registry, put.event, wanted)
        return wanted
    found = unpacked(EndpointName(which, put.id), place, put.stored)
    for field in asked:
        # What was not said asks for nothing.
        if getattr(found, field) != getattr(wanted, field):
            raise EndpointExists(
                f"endpoint {found.arn} exists with the same token, but another {field}; set it "
                "there",
                endpoint=found.arn,
                attribute=field,
            )
    return found


def find(registry: TopicRegistry, given: str) -> Plan[PlatformEndpoint]:
    """One endpoint, as it is now."""
    name = read_endpoint(registry.place, given)
    found: PlatformEndpoint | None = yield from look(registry, name)
    if found is None:
        raise missing(registry, name)
    return found


def look(registry: TopicRegistry, name: EndpointName) -> Plan[PlatformEndpoint | None]:
    """One endpoint, or None."""
    place = registry.place
    stored, _ = yield commands.read_endpoint(
        keys_of(registry, name.application), place.arn("sns", name.resource), name.key, ()
    )
    return unpacked(name, place, stored) if stored else None


def missing(registry: TopicRegistry, name: EndpointName) -> EndpointDoesNotExist:
    """The error for an endpoint that is not there."""
    arn = registry.place.arn("sns", name.resource)
    application = f"{name.application.platform}/{name.application.name}"
    return EndpointDoesNotExist(
        f"endpoint {arn} does not exist; rmq mobile endpoints {application} shows those there are",
        endpoint=arn,
    )


def set_attributes(
    registry: TopicRegistry,
    given: str,
    changes: Mapping[str, Any],
    *,
    if_token: str | None = None,
) -> Plan[PlatformEndpoint]:
    """Change attributes, all of them or none; with *if_token* only while that is its token."""
    name = read_endpoint(registry.place, given)
    for _ in range(LOOKS):
        before = yield from look(registry, name)
        if before is None:
            raise missing(registry, name)
        after = changed(before, changes, registry.limits)
        if if_token not in (None, before.token) or after == before:
            return before
        after = replace(after, modified_ms=registry.clock.now_ms())
        put = yield from _put(registry, before, after, "event_endpoint_updated")
        if put.id != name.id:
            owner = registry.place.arn("sns", EndpointName(name.application, put.id).resource)
            raise EndpointExists(
                f"the token is that of endpoint {owner}; remove one of the two",
                endpoint=owner,
                attribute="token",
            )
        if put.stored == packed(after):
            yield from happenings.updated(registry, put.event, after)
            return after
    raise StaleConfig(f"endpoint {given} changes faster than it can be set")


def _put(
    registry: TopicRegistry,
    before: PlatformEndpoint | None,
    after: PlatformEndpoint,
    event: str,
) -> Plan[Put]:
    put: Put = yield commands.put_endpoint(
        keys_of(registry, after.name.application),
        after.application_arn,
        after.name.key,
        packed(before) if before else b"",
        packed(after),
        (digest(after.token), digest(before.token) if before else b""),
        event,
    )
    return put


def page(
    registry: TopicRegistry, application: str, limit: int, token: str | None
) -> Plan[PageOf[PlatformEndpoint]]:
    """Some endpoints of an application, in the order of their ids."""
    whole(limit, "limit", 1, PAGE)
    if token is not None and (not isinstance(token, str) or not ID.fullmatch(token)):
        raise InvalidParameter("token", token, "a next_token of the call before")
    which, place = read_application(registry.place, application), registry.place
    found = yield commands.list_endpoints(
        keys_of(registry, which),
        place.arn("sns", which.resource),
        uuid.UUID(token).bytes if token else None,
        limit + 1,
    )
    return cut([(id, unpacked(EndpointName(which, id), place, one)) for id, one in found], limit)


def delete(registry: TopicRegistry, given: str) -> Plan[bool]:
    """Remove an endpoint. False when there was none."""
    name = read_endpoint(registry.place, given)
    for _ in range(LOOKS):
        before = yield from look(registry, name)
        if before is None:
            return False
        event = yield commands.delete_endpoint(
            keys_of(registry, name.application),
            before.arn,
            name.key,
            packed(before),
            digest(before.token),
            "event_endpoint_deleted",
        )
        if event is not None:
            yield from happenings.deleted(registry, event, before)
            return True
    raise StaleConfig(f"endpoint {given} changes faster than it can be removed")
