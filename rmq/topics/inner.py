"""Inner queues: where messages wait for a dispatcher. One for each subscription that is pushed to,
named by its id, and one for each kind of message that has no subscription.

They are queues like any other, but of the kind `p`: their keys differ and no list names them.
"""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta

import msgspec

from rmq.core import script
from rmq.core.codec import Header, pack
from rmq.core.keys import PushKeys
from rmq.core.script import Plan
from rmq.errors import QueueDoesNotExist
from rmq.queues import lifecycle, plans
from rmq.queues.message import Sent
from rmq.topics import ready
from rmq.topics.ready import Work
from rmq.topics.registry import TopicRegistry

DIRECT = "direct"
"""Requests to confirm, and farewells."""
MOBILE = "mobile"
"""Published to one platform endpoint."""
SMS = "sms"
"""Published to one number."""
PLACES = "places"
"""No inner queue: marked where a place has its first one, so that dispatchers look there too."""
RETENTION = timedelta(days=24)
"""Longer than the longest delivery policy goes on."""
LEASE = timedelta(seconds=60)
"""How long a dispatcher may take for one message before another one gets it, unless it says
otherwise."""


class Target(msgspec.Struct, omit_defaults=True, frozen=True, kw_only=True):
    """Where a message without a subscription goes; JSON in its header."""

    protocol: str
    """http, https, email, email-json, application or sms; sqs for a queue of another account that
    is asked to confirm."""
    endpoint: str
    kind: str = "Notification"
    """Or SubscriptionConfirmation, UnsubscribeConfirmation: what the envelope calls its Type."""
    topic_arn: str = ""
    subscription_arn: str = ""
    token: str = ""
    signature_version: int = 1
    delivery_policy: str = ""
    """The effective one, JSON; '' for the default."""


def create(registry: TopicRegistry, name: str) -> Plan[None]:
    """Make an inner queue, or find that it stands. Dispatchers learn that there are some here."""
    root, place = PushKeys(registry.places.root), registry.place
    member = f"{place.account} {place.region}"
    is_new = yield script.command("SADD", "push", int, root.places, member)
    if is_new:
        yield ready.mark(root, [Work(PLACES)])
    yield from lifecycle.create(
        registry.inner,
        name,
        {
            "message_retention_period": RETENTION,
            "visibility_timeout": LEASE,
        },
        None,
    )


def remove(registry: TopicRegistry, name: str) -> Plan[None]:
    """Remove an inner queue with all it holds, if it is there."""
    with suppress(QueueDoesNotExist):
        yield from lifecycle.delete_queue(registry.inner, name)


def send_direct(
    registry: TopicRegistry, name: str, body: bytes, header: Header, target: Target
) -> Plan[Sent]:
    """Put a message without a subscription into the inner queue *name* (DIRECT, MOBILE or SMS), and
    wake a dispatcher. The queue's message id is the notification's."""
    header = msgspec.structs.replace(header, target=msgspec.json.encode(target).decode())
    packed = pack(body, header)
    try:
        sent = yield from plans.send_packed(registry.inner, name, packed)
    except QueueDoesNotExist:
        yield from create(registry, name)
        sent = yield from plans.send_packed(registry.inner, name, packed)
    yield ready.mark(registry.push, [Work(name)])
    return sent
