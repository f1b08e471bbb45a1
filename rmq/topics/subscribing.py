"""Subscribing: how a subscription is made, confirmed, changed and ended. Plans.

A subscription that is pushed to has an inner queue, made before the subscription can be given
anything, and removed after it can not any more: a crash between the two leaves an empty queue,
never a subscription without one.
"""

from __future__ import annotations

import re
import secrets
import uuid
from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any
from urllib.parse import urlsplit

from rmq.core.codec import Header
from rmq.core.limits import Limits, ms, text
from rmq.core.place import check_account, read_arn
from rmq.core.script import LOOKS, Plan
from rmq.errors import (
    InvalidParameter,
    MissingParameter,
    StaleConfig,
    SubscriptionDoesNotExist,
    SubscriptionExists,
    TopicDoesNotExist,
    Words,
    brief,
)
from rmq.queues.attributes import queue_name
from rmq.queues.registry import described as described_queue
from rmq.topics import commands, inner, watching
from rmq.topics.attributes import LARGE, TAKES_LARGE, TopicInfo, says_the_same
from rmq.topics.commands import Put
from rmq.topics.delivery_policy import check_subscription_delivery_policy, effective
from rmq.topics.filters.grammar import parse
from rmq.topics.filters.limits import FilterLimits
from rmq.topics.finding import missing, stored_one
from rmq.topics.inner import DIRECT, Target
from rmq.topics.registry import TopicRegistry, known, on_known
from rmq.topics.sms.number import phone_number
from rmq.topics.subscription import (
    CONFIRMED_BY_ENDPOINT,
    PROTOCOLS,
    RAW,
    TOKEN_LIFE,
    Subscription,
    SubscriptionAttributes,
    unpack_subscription,
)

_ADDRESS = re.compile(r"[^@\s]+@[^@\s]+")
_TOKEN = re.compile(r"[0-9a-f]{32,512}")
_ATTRIBUTES = tuple(one.name for one in fields(SubscriptionAttributes))
_SERVICES = {"lambda": "lambda", "application": "sns", "firehose": "firehose"}


def subscribe(
    registry: TopicRegistry,
    name: str,
    endpoint: str,
    protocol: str | None,
    given: Mapping[str, Any],
    *,
    account: str | None = None,
) -> Plan[Subscription]:
    """Make a subscription, or find that the endpoint has one."""
    info = yield from known(registry, name)
    protocol = protocol if protocol is not None else _protocol_of(endpoint)
    if protocol not in PROTOCOLS:
        raise InvalidParameter("protocol", protocol, f"one of {', '.join(PROTOCOLS)}")
    endpoint = _endpoint(registry, protocol, endpoint)
    yield from _fits(registry, info, protocol, endpoint)
    attributes = yield from _attributes(registry, info, protocol, given, SubscriptionAttributes())
    if account is None:
        account = registry.place.account
    check_account(account)
    now_ms = registry.clock.now_ms()
    confirmed = _is_confirmed(registry, protocol, endpoint, account)
    id = str(uuid.uuid4())
    one = Subscription(
        id=id,
        topic=name,
        place=registry.place,
        protocol=protocol,
        endpoint=endpoint,
        account=account,
        attributes=attributes,
        confirmed=confirmed,
        token="" if confirmed else _new_token(id),
        token_ms=0 if confirmed else now_ms,
        created_ms=now_ms,
    )
    limits = registry.limits
    most = limits.max_fifo_subscriptions if info.is_fifo else limits.max_subscriptions
    if info.attributes.largest_message > LARGE and limits.max_large_subscriptions is not None:
        most = limits.max_large_subscriptions
    change = Put(
        after=one,
        expires_ms=None if confirmed else now_ms + ms(TOKEN_LIFE),
        policies=int(attributes.filter_policy is not None),
        max_all=most,
        max_pending=limits.max_pending_subscriptions,
        max_policies=limits.max_filter_policies,
        cursor="+" if info.is_fifo and confirmed else "",
    )
    if one.is_pushed and confirmed:
        yield from inner.create(registry, id)
    keys = registry.keys(name)
    found, packed = yield from on_known(
        registry, name, lambda now: commands.put_subscription(keys, now, id, one.field, change)
    )
    stored = unpack_subscription(packed, found, name, registry.place)
    if found != id:
        if one.is_pushed and confirmed:
            yield from inner.remove(registry, id)
        _same(stored, given, attributes)
        if stored.confirmed:
            return stored
    if not stored.confirmed:
        yield from _ask_to_confirm(registry, info, stored)
    return stored


def _same(
    stored: Subscription, given: Mapping[str, Any], attributes: SubscriptionAttributes
) -> None:
    """Raise SubscriptionExists where the endpoint is subscribed with other attributes."""
    default = SubscriptionAttributes()
    for field in given:
        wanted, has = getattr(attributes, field), getattr(stored.attributes, field)
        # What was not said asks for nothing.
        if not says_the_same(field, wanted, has) and wanted != getattr(default, field):
            raise SubscriptionExists(
                f"{stored.endpoint!r} is subscribed to topic {stored.topic!r} with {field} "
                f"{brief(has)}, not {brief(wanted)}; change that subscription instead",
                topic=stored.topic,
                attribute=field,
            )


def _protocol_of(endpoint: str) -> str:
    if isinstance(endpoint, str):
        for scheme in ("http", "https"):
            if endpoint.startswith(f"{scheme}://"):
                return scheme
        if not endpoint.startswith("arn:") or ":sqs:" in endpoint:
            return "sqs"
    raise MissingParameter("protocol", f"for {brief(endpoint)} it has to be said")


def _endpoint(registry: TopicRegistry, protocol: str, endpoint: str) -> str:
    """The endpoint as it is kept. Raises InvalidParameter."""
    if not isinstance(endpoint, str):
        raise InvalidParameter("endpoint", endpoint, "a queue, or text")
    text(endpoint, "endpoint", 1, 2048)
    if protocol == "sqs":
        if not endpoint.startswith("arn:"):
            return registry.place.arn("sqs", queue_name(endpoint))
        arn = read_arn("endpoint", endpoint)
        if arn.service != "sqs":
            raise InvalidParameter("endpoint", endpoint, "the ARN of a queue")
        return arn.place.arn("sqs", queue_name(arn.resource))
    if protocol in ("http", "https"):
        return _url(protocol, endpoint)
    if protocol in ("email", "email-json"):
        if not _ADDRESS.fullmatch(endpoint):
            raise InvalidParameter("endpoint", endpoint, "an e-mail address")
        return endpoint
    if protocol == "sms":
        return phone_number("endpoint", endpoint)
    if protocol == "lambda" and not endpoint.startswith("arn:"):
        return registry.place.arn("lambda", f"function:{endpoint}")
    if read_arn("endpoint", endpoint).service != _SERVICES[protocol]:
        raise InvalidParameter("endpoint", endpoint, f"an ARN of {_SERVICES[protocol]}")
    return endpoint


def _url(protocol: str, endpoint: str) -> str:
    try:
        parts = urlsplit(endpoint)
        good = parts.scheme == protocol and bool(parts.hostname) and (parts.port or 1) > 0
    except ValueError:
        good = False
    if not good or re.search(r"\s", endpoint):
        raise InvalidParameter("endpoint", endpoint, f"a URL that begins with {protocol}://")
    return endpoint


def _is_confirmed(registry: TopicRegistry, protocol: str, endpoint: str, account: str) -> bool:
    if protocol in CONFIRMED_BY_ENDPOINT:
        return False
    if protocol in ("sqs", "lambda", "firehose"):
        owner = read_arn("endpoint", endpoint).place.account
        return owner == account == registry.place.account
    return True


def _fits(registry: TopicRegistry, info: TopicInfo, protocol: str, endpoint: str) -> Plan[None]:
    """Raise where this topic can not have such a subscription, or the queue is not there."""
    if info.is_fifo and protocol != "sqs":
        raise InvalidParameter("protocol", protocol, "sqs: a FIFO topic delivers to queues only")
    if protocol != "sqs":
        limited = registry.limits.max_large_subscriptions is not None
        if limited and info.attributes.largest_message > LARGE and protocol not in TAKES_LARGE:
            raise InvalidParameter(
                "protocol", protocol, "sqs, lambda or firehose on a topic with large messages"
            )
        return
    if endpoint.endswith(".fifo") and not info.is_fifo:
        raise InvalidParameter(
            "endpoint", endpoint, "a standard queue: a standard topic has no order to keep"
        )
    place, queue = read_arn("endpoint", endpoint)[1:]
    if place == registry.place:
        # Of another account's queue we say nothing.
        yield from described_queue(registry.queues, queue)


def _attributes(
    registry: TopicRegistry,
    info: TopicInfo,
    protocol: str,
    given: Mapping[str, Any],
    base: SubscriptionAttributes,
) -> Plan[SubscriptionAttributes]:
    """*base* with what is *given*, checked. Raises InvalidParameter."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if name not in _ATTRIBUTES:
            raise InvalidParameter("attribute", name, f"one of {', '.join(_ATTRIBUTES)}")
        if name == "raw_message_delivery":
            if not isinstance(value, bool):
                raise InvalidParameter(name, value, "True or False")
            if value and protocol not in RAW:
                raise InvalidParameter(name, value, f"False but for {', '.join(RAW)}")
        elif name == "delivery_policy" and value is not None:
            if protocol not in ("http", "https"):
                raise InvalidParameter(name, Words("given"), "left out but for http and https")
            value = check_subscription_delivery_policy(value)
        elif name == "subscription_role_arn" and value is not None:
            text(value, name, 1, 2048)
        elif name == "dead_letter_queue" and value is not None:
            value = yield from _dead_letter_queue(registry, info, value)
        found[name] = value
    if protocol == "firehose" and not (
        found.get("subscription_role_arn") or base.subscription_role_arn
    ):
        raise MissingParameter("subscription_role_arn", "a firehose subscription needs one")
    made = replace(base, **found)
    if "filter_policy" in found or "filter_policy_scope" in found:
        policy = parse(made.filter_policy, made.filter_policy_scope, filter_limits(registry.limits))
        made = replace(made, filter_policy=None if policy is None else policy.text)
    return made


def filter_limits(limits: Limits) -> FilterLimits:
    """The limits of a filter policy among those of a client."""
    if limits.max_filter_bytes is None:
        return FilterLimits.none()
    return FilterLimits(
        max_keys=limits.max_filter_keys,
        max_combinations=limits.max_filter_combinations,
        max_bytes=limits.max_filter_bytes,
    )


def _dead_letter_queue(registry: TopicRegistry, info: TopicInfo, value: str) -> Plan[str]:
    text(value, "dead_letter_queue")
    if not value.startswith("arn:"):
        value = registry.place.arn("sqs", queue_name(value))
    arn = read_arn("dead_letter_queue", value)
    if arn.service != "sqs" or arn.place != registry.place:
        raise InvalidParameter(
            "dead_letter_queue", value, "a queue of the topic's own account and region"
        )
    if info.is_fifo and not arn.resource.endswith(".fifo"):
        raise InvalidParameter("dead_letter_queue", value, "a FIFO queue (.fifo)")
    if not info.is_fifo and arn.resource.endswith(".fifo"):
        raise InvalidParameter("dead_letter_queue", value, "a standard queue")
    yield from described_queue(registry.queues, queue_name(arn.resource))
    return value


# --- confirmation ---


def _new_token(id: str) -> str:
    return id.replace("-", "") + secrets.token_hex(112)


def _ask_to_confirm(registry: TopicRegistry, info: TopicInfo, one: Subscription) -> Plan[None]:
    yield from _notice(registry, info, one, "SubscriptionConfirmation")


def _notice(registry: TopicRegistry, info: TopicInfo, one: Subscription, kind: str) -> Plan[None]:
    policy = ""
    if one.protocol in ("http", "https"):
        policy = effective(
            info.attributes.delivery_policy, one.attributes.delivery_policy, one.protocol
        ).as_json()
    target = Target(
        protocol=one.protocol,
        endpoint=one.endpoint,
        kind=kind,
        topic_arn=info.arn,
        subscription_arn=one.arn,
        token=one.token,
        signature_version=info.attributes.signature_version or 1,
        delivery_policy=policy,
    )
    yield from inner.send_direct(registry, DIRECT, kind.encode(), Header(), target)


def confirm(
    registry: TopicRegistry,
    name: str,
    token: str,
    *,
    authenticate_on_unsubscribe: bool = False,
    authenticated: bool = True,
) -> Plan[Subscription]:
    """Confirm the subscription that got *token*."""
    info = yield from known(registry, name)
    wrong = InvalidParameter("token", token, "the token of a subscription that waits for it")
    if not isinstance(token, str) or not _TOKEN.fullmatch(token):
        raise wrong
    id = str(uuid.UUID(token[:32]))
    for _ in range(LOOKS):
        packed = yield commands.read_subscription(registry.keys(name), name, id)
        if packed is None:
            raise wrong
        one = unpack_subscription(packed, id, name, registry.place)
        if not secrets.compare_digest(one.token, token):
            raise wrong
        if one.confirmed:
            return one
        if registry.clock.now_ms() >= one.token_ms + ms(TOKEN_LIFE):
            raise wrong
        if one.is_pushed:
            yield from inner.create(registry, id)
        after = replace(
            one,
            confirmed=True,
            authenticated=authenticated,
            authenticate_on_unsubscribe=authenticate_on_unsubscribe,
        )
        cursor = "+" if info.is_fifo else ""
        change = Put(before=packed, after=after, recount="2", cursor=cursor)
        try:
            return (yield from put(registry, name, one, change))
        except SubscriptionDoesNotExist:
            raise wrong from None
        except StaleConfig:
            continue
    raise StaleConfig(f"topic {name!r} changes faster than it can be used")


def put(registry: TopicRegistry, name: str, one: Subscription, change: Put) -> Plan[Subscription]:
    """Change a subscription. Raises StaleConfig where it, or the topic, changed meanwhile."""
    info = yield from known(registry, name)
    try:
        _, packed = yield commands.put_subscription(
            registry.keys(name), info, one.id, one.field, change
        )
    except StaleConfig:
        registry.forget(name)
        raise
    except TopicDoesNotExist:
        registry.drop(name)
        raise
    return unpack_subscription(packed, one.id, name, registry.place) if packed else one


# --- changing, ending ---


def set_attributes(
    registry: TopicRegistry, name: str, given: str, changes: Mapping[str, Any]
) -> Plan[Subscription]:
    """Change attributes of a subscription; they hold for what is published from now on."""
    info = yield from known(registry, name)
    for _ in range(LOOKS):
        packed, one = yield from stored_one(registry, name, given)
        attributes = yield from _attributes(registry, info, one.protocol, changes, one.attributes)
        had, has = one.attributes.filter_policy, attributes.filter_policy
        refilters = (had, one.attributes.filter_policy_scope) != (
            has,
            attributes.filter_policy_scope,
        )
        filtered = one.filtered
        if refilters:
            filtered = yield from watching.filtered_so_far(registry, name, one)
        change = Put(
            before=packed,
            after=replace(one, attributes=attributes, filtered=filtered),
            expires_ms=None if one.confirmed else one.token_ms + ms(TOKEN_LIFE),
            recount="1" if refilters else "0",
            policies=(has is not None) - (had is not None),
            max_policies=registry.limits.max_filter_policies,
        )
        try:
            return (yield from put(registry, name, one, change))
        except SubscriptionDoesNotExist:
            raise missing(name, one.id) from None
        except StaleConfig:
            continue
    raise StaleConfig(f"topic {name!r} changes faster than it can be used")


def unsubscribe(
    registry: TopicRegistry, name: str, given: str, *, farewell: bool = False
) -> Plan[bool]:
    """End a subscription. Whether there was one."""
    info = yield from known(registry, name)
    for _ in range(LOOKS):
        try:
            packed, one = yield from stored_one(registry, name, given)
        except SubscriptionDoesNotExist:
            return False
        change = Put(
            before=packed, after=None, policies=-int(one.attributes.filter_policy is not None)
        )
        try:
            yield from put(registry, name, one, change)
        except SubscriptionDoesNotExist:
            return False
        except StaleConfig:
            continue
        if one.is_pushed:
            yield from inner.remove(registry, one.id)
        if farewell and one.confirmed and one.protocol in CONFIRMED_BY_ENDPOINT:
            yield from _say_farewell(registry, info, one)
        return True
    raise StaleConfig(f"topic {name!r} changes faster than it can be used")


def _say_farewell(registry: TopicRegistry, info: TopicInfo, one: Subscription) -> Plan[None]:
    """Tell an endpoint that it was unsubscribed, with a token by which it can come back: the
    subscription stands again, unconfirmed."""
    again = replace(
        one,
        confirmed=False,
        token=_new_token(one.id),
        token_ms=registry.clock.now_ms(),
        replay=None,
        filtered={},
    )
    change = Put(
        after=again,
        expires_ms=again.token_ms + ms(TOKEN_LIFE),
        policies=int(again.attributes.filter_policy is not None),
    )
    yield from put(registry, info.name, again, change)
    yield from _notice(registry, info, again, "UnsubscribeConfirmation")
