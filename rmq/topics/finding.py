"""Finding: one subscription of a topic by its id or ARN, or all of them page by page. Plans."""

from __future__ import annotations

from rmq.core.limits import ms, whole
from rmq.core.place import Place
from rmq.core.script import Plan
from rmq.errors import InvalidParameter, SubscriptionDoesNotExist
from rmq.topics import commands
from rmq.topics.registry import TopicRegistry, known, up_to_date
from rmq.topics.subscription import (
    ID,
    TOKEN_LIFE,
    Subscription,
    Subscriptions,
    unpack_subscription,
)


def subscription_id(name: str, place: Place, given: str) -> str:
    """The id in an id or ARN. Raises InvalidParameter."""
    id = given
    prefix = place.arn("sns", name) + ":"
    if isinstance(given, str) and given.startswith(prefix):
        id = given[len(prefix) :]
    if not isinstance(id, str) or not ID.fullmatch(id):
        raise InvalidParameter("subscription", given, f"an id (UUID), or {prefix}<id>")
    return id


def missing(name: str, id: str) -> SubscriptionDoesNotExist:
    """The error for a subscription that is not there."""
    return SubscriptionDoesNotExist(
        f"topic {name!r} has no subscription {id}; rmq topic subscriptions {name} lists them",
        topic=name,
        subscription=id,
    )


def stored_one(registry: TopicRegistry, name: str, given: str) -> Plan[tuple[bytes, Subscription]]:
    """One subscription, and what is stored of it. Raises SubscriptionDoesNotExist."""
    id = subscription_id(name, registry.place, given)
    packed = yield commands.read_subscription(registry.keys(name), name, id)
    if packed is not None:
        one = unpack_subscription(packed, id, name, registry.place)
        if one.confirmed or registry.clock.now_ms() < one.token_ms + ms(TOKEN_LIFE):
            return packed, one
    # A topic that is gone should be reported before its subscriptions.
    registry.forget(name)
    yield from known(registry, name)
    raise missing(name, id)


def find(registry: TopicRegistry, name: str, given: str) -> Plan[Subscription]:
    """One subscription, as it is now."""
    _, one = yield from stored_one(registry, name, given)
    return one


def page(registry: TopicRegistry, name: str, limit: int, token: str | None) -> Plan[Subscriptions]:
    """Some of all subscriptions, in the order of their ids, going on behind *token* (an id)."""
    whole(limit, "limit", 1, 1000)
    if token is not None and (not isinstance(token, str) or not ID.fullmatch(token)):
        raise InvalidParameter("token", token, "a next_token of the call before")
    _, audience = yield from up_to_date(registry, name)
    now_ms = registry.clock.now_ms()
    ids = sorted(
        one.id
        for one in audience.all.values()
        if (token is None or one.id > token)
        and (one.confirmed or now_ms < one.token_ms + ms(TOKEN_LIFE))
    )
    found = tuple(audience.all[id] for id in ids[:limit])
    return Subscriptions(found, ids[limit - 1] if len(ids) > limit else None)
