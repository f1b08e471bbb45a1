"""Leaving: messages that are sent out of their queue though nobody receives there just now: those
that were received too often, and those that somebody holds and wants elsewhere. Plans.

Both go through the outbox, as dead letters do that a receive finds.
"""

from __future__ import annotations

from collections.abc import Sequence

from rmq.core import script
from rmq.core.keys import QueueKeys
from rmq.core.script import Call, Plan
from rmq.errors import MessageDoesNotExist, MessageNotInFlight, RmqError, StaleReceipt
from rmq.queues.attributes import QueueInfo
from rmq.queues.message import Receipt
from rmq.queues.plans import Handle, on_receipts
from rmq.queues.redrive import relay
from rmq.queues.registry import Registry, on_known

LOOKED_AT = 500
"""Leases that one script call looks at."""


def bury(registry: Registry, name: str) -> Plan[int]:
    """Move what was received as often as the redrive policy allows, and was not deleted in time, to
    the dead-letter queue. How many there were. Raises QueueDoesNotExist."""

    def make(info: QueueInfo) -> Call[int]:
        return _bury(registry.keys(name), info)

    found = yield from on_known(registry, name, make)
    if found:
        yield from relay(registry, name)
    return found


def send_out(
    registry: Registry, name: str, target: str, handles: Sequence[Handle]
) -> Plan[list[bool | RmqError]]:
    """Move received messages of a standard queue to *target*, where they are new ones. True or an
    error for each. Raises QueueDoesNotExist."""

    def make(info: QueueInfo, receipts: list[Receipt], kept: list[int]) -> Call[list[int]]:
        return _depart(registry.keys(name), info, target, receipts)

    answers = yield from on_receipts(registry, name, handles, make)
    yield from relay(registry, name)
    return [_left(name, one) for one in answers]


def _left(name: str, answer: int | RmqError) -> bool | RmqError:
    if isinstance(answer, RmqError):
        return answer
    if answer == -1:
        return MessageDoesNotExist(f"queue {name!r}: the message does not exist any more")
    if answer == -2:
        return MessageNotInFlight(f"queue {name!r}: the message is visible, nobody holds a lease")
    if answer == -3:
        return StaleReceipt(f"queue {name!r}: the receipt handle has expired")
    return True


def _bury(keys: QueueKeys, info: QueueInfo) -> Call[int]:
    policy = info.attributes.redrive_policy
    assert policy is not None
    return script.load("queues/bury").call(
        info.name,
        int,
        state=keys.state,
        inflight=keys.inflight,
        first=keys.first,
        outbox=keys.outbox,
        version=info.version,
        max_receive_count=policy.max_receive_count,
        target=policy.dead_letter_queue,
        default_ms=info.visibility_ms,
        limit=LOOKED_AT,
    )


def _depart(
    keys: QueueKeys, info: QueueInfo, target: str, receipts: Sequence[Receipt]
) -> Call[list[int]]:
    return script.load("queues/depart").call(
        info.name,
        lambda reply: [int(one) for one in reply],
        state=keys.state,
        log=keys.log,
        inflight=keys.inflight,
        outbox=keys.outbox,
        version=info.version,
        target=target,
        rest=[part for one in receipts for part in (one.seq, one.receive_count)],
    )
