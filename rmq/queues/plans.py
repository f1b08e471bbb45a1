"""Plans: sending, receiving and all that concerns messages, where it takes several round trips.

Generators; they wait and send through their executor. They decide on a description of the queue
that may be out of date: the script refuses it then, and the plan looks again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

from rmq.core.clock import Stopwatch
from rmq.core.codec import PLAIN_ENVELOPE
from rmq.core.events import Deleted, Expired, Received
from rmq.core.events import Sent as SentEvent
from rmq.core.limits import GROUP_COST, MAX_SCRIPT_MESSAGES, SCRIPT_MESSAGES, duration, ms, whole
from rmq.core.script import LOOKS, Block, Call, Plan
from rmq.errors import (
    CallerError,
    InvalidParameter,
    InvalidReceipt,
    MessageDoesNotExist,
    MessageNotInFlight,
    OverLimit,
    QueueDoesNotExist,
    RmqError,
    ServerError,
    StaleConfig,
    StaleReceipt,
    Words,
    brief,
)
from rmq.queues import administration, commands, joint
from rmq.queues.attributes import QueueInfo
from rmq.queues.commands import Got, QueueStats, Wanted
from rmq.queues.learning import learn
from rmq.queues.message import (
    PeekedMessage,
    Receipt,
    ReceivedMessage,
    Sent,
    read_receipt,
)
from rmq.queues.outgoing import Body, Outgoing, Prepared, check_id, prepare
from rmq.queues.redrive import relay
from rmq.queues.registry import Registry, known, on_known

M = TypeVar("M")

BATCH_BYTES = 1 << 20
"""Bytes in one script call that sends. One message alone may be larger."""
OVER_LIMIT_MS = 1_000
"""How soon a waiting receive looks again when too many messages are in flight."""


def _attempt(attempt_id: str | None, found: int) -> str:
    """The name under which one script call of an attempt is remembered; large ones take several."""
    if attempt_id is None:
        return ""
    return f"{attempt_id} {found}" if found else attempt_id


Handle = ReceivedMessage | Receipt | str
"""What names a received message: itself, its receipt, or its receipt handle."""


def send(
    registry: Registry, name: str, messages: Sequence[Outgoing | Body]
) -> Plan[list[Sent | RmqError]]:
    """Send any number of messages, in bounded script calls. One result or error for each.

    When a call fails, those before it are sent and are answered so; the error is the rest's.
    """
    results: list[Sent | RmqError | None] = [None] * len(messages)
    at = 0
    while at < len(messages):
        try:
            at = yield from _send_some(registry, name, messages, at, results)
        except RmqError as error:
            if isinstance(error, QueueDoesNotExist):
                registry.drop(name)
            if at == 0:
                raise
            return [error if one is None else one for one in results]
    return results  # type: ignore[return-value]


def _send_some(
    registry: Registry,
    name: str,
    messages: Sequence[Outgoing | Body],
    start: int,
    results: list[Sent | RmqError | None],
) -> Plan[int]:
    """Send what one script call may carry, from *start*, and note the results. Where to go on."""
    for _ in range(LOOKS):
        info = yield from known(registry, name)
        places: list[int] = []
        batch: list[Prepared] = []
        size, cost, end, packed_at = 0, 0, start, 2 if info.is_fifo else 0
        plain_size, delay_ms, most = info.plain_size, info.delay_ms, SCRIPT_MESSAGES[info.is_fifo]
        while end < len(messages) and cost < most:
            message = messages[end]
            if type(message) is bytes and 0 < len(message) <= plain_size:
                # Nothing but a body: most messages, and the whole of the check.
                one: Prepared = (PLAIN_ENVELOPE + message, delay_ms)
            else:
                try:
                    one = prepare(info, registry.limits, message)
                except CallerError as error:
                    results[end] = error
                    end += 1
                    continue
            size += len(one[packed_at])
            if batch and size > BATCH_BYTES:
                break
            places.append(end)
            batch.append(one)
            end += 1
            # Where there is a group behind it, its delay is text.
            cost += GROUP_COST if packed_at == 0 and type(one[1]) is str else 1
        try:
            sent = (yield from _send_batch(registry, info, batch)) if batch else []
        except StaleConfig:
            registry.forget(name)
            continue
        for place, result in zip(places, sent, strict=True):
            results[place] = result
        return end
    raise StaleConfig(f"queue {name!r} changes faster than it can be used")


def _send_batch(registry: Registry, info: QueueInfo, batch: list[Prepared]) -> Plan[list[Sent]]:
    name, keys = info.name, registry.keys(info.name)
    due: bool
    if info.is_fifo:
        placed, due = yield commands.send_fifo(keys, info, batch)
        sent = [Sent(info, seq, known_before) for seq, known_before in placed]
    else:
        lane = registry.take_lane(name)
        try:
            first, due = yield commands.send(keys, info, lane.id, lane.seen, batch)
        except StaleConfig:
            registry.give_lane(name, lane)
            raise
        lane.seen = first
        registry.give_lane(name, lane)
        sent = [Sent(info, seq) for seq in range(first, first + len(batch))]
    if registry.events:
        again = sum(one.is_duplicate for one in sent)
        registry.events.tell(SentEvent(queue=name, count=len(sent) - again, duplicates=again))
    if info.learns:
        yield from learn(registry, name, len(batch))
    if due:
        # They are sent, whatever becomes of the sweep; the next one finishes it.
        with suppress(RmqError):
            yield from _sweep_step(registry, info)
    return sent


def send_packed(registry: Registry, name: str, packed: bytes) -> Plan[Sent]:
    """Send one message to a standard queue as it is: our own rooms' messages, packed already."""
    for _ in range(LOOKS):
        info = yield from known(registry, name)
        try:
            return (yield from _send_batch(registry, info, [(packed, info.delay_ms)]))[0]
        except StaleConfig:
            registry.forget(name)
        except QueueDoesNotExist:
            registry.drop(name)
            raise
    raise StaleConfig(f"queue {name!r} changes faster than it can be used")


def receive(
    registry: Registry,
    name: str,
    make: Callable[..., M],
    *,
    max_messages: int = 1,
    visibility_timeout: timedelta | float | None = None,
    wait: timedelta | float | None = None,
    attempt_id: str | None = None,
    stands: bool = False,
) -> Plan[list[M]]:
    """Lease messages; wait for a first one if there is none.

    A consumer that waits sends nothing. It sleeps on the wake list until a token comes, its time is
    up, or something becomes visible by itself. It never sleeps longer than the queue's visibility
    timeout: whatever someone else received meanwhile, and then lost, is found in time.

    One that *stands* has its next look wait at the server meanwhile; see core.executor.standing.
    """
    limits, keys = registry.limits, registry.keys(name)
    whole(max_messages, "max_messages", 1, limits.max_receive)
    override = None
    if visibility_timeout is not None:
        override = ms(
            duration(visibility_timeout, "visibility_timeout", None, limits.max_visibility_timeout)
        )
    asked = None if wait is None else ms(duration(wait, "wait", None, limits.max_wait))
    if attempt_id is not None:
        check_id("receive_request_attempt_id", attempt_id, limits)
        if not name.endswith(".fifo"):
            raise InvalidParameter(
                "receive_request_attempt_id", attempt_id, "left out: it is for FIFO queues"
            )
    watch = Stopwatch(registry.clock)
    found: list[M] = []
    may_sweep = True
    seen: Got | None = None
    while True:
        info = yield from known(registry, name)
        wait_ms = info.wait_ms if asked is None else asked
        default_ms = info.visibility_ms
        left_ms = 0 if found else max(wait_ms - watch.passed_ms(), 0)
        visibility_ms = default_ms if override is None else override
        step = max_messages - len(found)
        # A second script call may only follow where it can not see what the first one took: not
        # when that is visible again at once, nor in a FIFO group, which is locked now.
        several = visibility_ms > 0 and not info.is_fifo
        step = min(step, SCRIPT_MESSAGES[False] if several else MAX_SCRIPT_MESSAGES)
        wanted = Wanted(
            max_messages=step,
            visibility_ms=visibility_ms,
            wait_ms=left_ms,
            in_flight_limit=limits.max_in_flight,
            attempt_id=_attempt(attempt_id, len(found)),
            sweep=may_sweep,
        )
        ask = commands.receive if info.is_fifo else joint.receive
        try:
            got = (yield ask(keys, info, wanted, make)) if seen is None else seen
        except StaleConfig:
            registry.forget(name)
            continue
        except QueueDoesNotExist:
            registry.drop(name)
            raise
        except ServerError:
            if found:
                return found
            raise
        seen = None
        if got.flags & commands.SWEEP:
            may_sweep = False
            with suppress(ServerError):
                yield from _sweep_step(registry, info)
            continue
        if got.flags & commands.MOVED:
            # Whatever becomes of them, what was received must not be lost on the way: a later
            # sweep finishes the move.
            with suppress(ServerError):
                yield from relay(registry, name)
        found += got.messages
        if found:
            more = len(got.messages) == step or got.flags & commands.MORE
            if len(found) < max_messages and more and visibility_ms > 0:
                continue
            if registry.events:
                registry.events.tell(Received(queue=name, count=len(found)))
            return found
        if got.flags & (commands.MOVED | commands.MORE):
            continue
        if got.flags & commands.OVER_LIMIT and not info.is_fifo and wait_ms == 0:
            raise OverLimit(
                f"queue {name!r} has {limits.max_in_flight} messages in flight, its limit; "
                "delete some, or wait for their visibility timeout"
            )
        left_ms = wait_ms - watch.passed_ms()
        if left_ms <= 0:
            return found
        sleep_ms = left_ms if got.sleep_ms < 0 else min(left_ms, max(got.sleep_ms, 1))
        if got.flags & commands.OVER_LIMIT:
            sleep_ms = min(sleep_ms, OVER_LIMIT_MS)
        if registry.known(name) is not info:
            # What we looked at is out of date: the namespace was wiped, say. Nobody would wake us.
            continue
        next_look = ask(keys, info, wanted, make) if stands else None
        seen = yield Block(keys.wake, min(sleep_ms, max(default_ms, 1000)), next_look)


def _receipt(info: QueueInfo, handle: Handle) -> Receipt:
    if isinstance(handle, ReceivedMessage):
        raise InvalidReceipt(
            f"the message is of queue {handle.queue_name!r}, not of {info.name!r} as it is now"
        )
    if isinstance(handle, Receipt):
        return handle
    return read_receipt(info, handle)


def _step(name: str, handle: Handle) -> int:
    """How many received messages one script call is about: fewer where they have groups, which the
    first of them tells of all."""
    is_fifo = name.endswith(".fifo")
    is_fair = not is_fifo and isinstance(handle, ReceivedMessage) and handle.is_grouped
    return SCRIPT_MESSAGES[is_fifo] // (GROUP_COST if is_fair else 1)


def delete(registry: Registry, name: str, handles: Sequence[Handle]) -> Plan[list[bool | RmqError]]:
    """Remove received messages. True where this did it, False where there was nothing to remove."""
    results: list[bool | RmqError] = []
    size = _step(name, handles[0]) if handles else 1
    for start in range(0, len(handles), size):
        part = handles[start : start + size]
        try:
            answers = yield from on_receipts(
                registry,
                name,
                part,
                lambda info, receipts, _: commands.delete(registry.keys(name), info, receipts),
            )
        except RmqError as error:
            if start == 0:
                raise
            return results + [error] * (len(handles) - start)
        results += [_deleted(name, answer) for answer in answers]
        if registry.events:
            count = sum(1 for answer in answers if answer == 1)
            registry.events.tell(Deleted(queue=name, count=count))
    return results


def _deleted(name: str, answer: int | RmqError) -> bool | RmqError:
    if isinstance(answer, RmqError):
        return answer
    if answer < 0:
        return StaleReceipt(f"queue {name!r}: the receipt handle has expired")
    return answer == 1


def change_visibility(
    registry: Registry, name: str, changes: Sequence[tuple[Handle, timedelta | float]]
) -> Plan[list[int | RmqError]]:
    """Move the end of leases, each counted from now. The moment (ms) for each, or its error."""
    results: list[int | RmqError] = [0] * len(changes)
    most = registry.limits.max_visibility_timeout
    times: list[int] = []
    places: list[int] = []
    for place, (_, timeout) in enumerate(changes):
        try:
            times.append(ms(duration(timeout, "visibility_timeout", None, most)))
            places.append(place)
        except InvalidParameter as error:
            results[place] = error
    size = max(_step(name, changes[places[0]][0]) // 2, 1) if places else 1
    for start in range(0, len(places), size):
        part = places[start : start + size]

        def make(
            info: QueueInfo, receipts: list[Receipt], kept: list[int], start: int = start
        ) -> Call[list[int]]:
            pairs = [(one, times[start + i]) for one, i in zip(receipts, kept, strict=True)]
            total = None if most is None else ms(most)
            return commands.change_visibility(registry.keys(name), info, pairs, total)

        try:
            answers = yield from on_receipts(
                registry, name, [changes[place][0] for place in part], make
            )
        except RmqError as error:
            if start == 0:
                raise
            for place in places[start:]:
                results[place] = error
            return results
        for place, answer in zip(part, answers, strict=True):
            results[place] = _changed(registry, name, answer)
    return results


def _changed(registry: Registry, name: str, answer: int | RmqError) -> int | RmqError:
    if isinstance(answer, RmqError) or answer >= 0:
        return answer
    if answer == -1:
        return MessageDoesNotExist(
            f"queue {name!r}: the message does not exist or is not available for a visibility "
            "timeout change"
        )
    if answer == -2:
        return MessageNotInFlight(f"queue {name!r}: the message is visible, nobody holds a lease")
    if answer == -3:
        return StaleReceipt(f"queue {name!r}: the receipt handle has expired")
    most = registry.limits.max_visibility_timeout
    return InvalidParameter(
        "visibility_timeout",
        Words("beyond the limit in total"),
        f"at most {brief(most) if most else 'any'} since the message was received",
    )


def on_receipts(
    registry: Registry,
    name: str,
    handles: Sequence[Handle],
    make: Callable[[QueueInfo, list[Receipt], list[int]], Call[list[int]]],
) -> Plan[list[int | RmqError]]:
    """Carry out a Call on those handles that are good ones; the others get their error."""
    results: list[int | RmqError] = [0] * len(handles)

    def build(info: QueueInfo) -> Call[list[int]]:
        receipts.clear()
        kept.clear()
        for i, handle in enumerate(handles):
            if isinstance(handle, ReceivedMessage) and handle.is_of(info):
                receipts.append(handle.receipt)
                kept.append(i)
                continue
            try:
                receipts.append(_receipt(info, handle))
                kept.append(i)
            except CallerError as error:
                results[i] = error
        if not receipts:
            # A queue that does not exist should be reported before its handles.
            return administration.describe(registry.keys(name), name)  # type: ignore[return-value]
        return make(info, receipts, kept)

    receipts: list[Receipt] = []
    kept: list[int] = []
    answers = yield from on_known(registry, name, build)
    if receipts:
        for i, answer in zip(kept, answers, strict=True):
            results[i] = answer
    return results


def peek(registry: Registry, name: str, limit: int, after: str | None) -> Plan[list[PeekedMessage]]:
    """Look at messages in the order of sending; nothing about them changes."""
    whole(limit, "limit", 1, 1000)
    if after is not None and (not isinstance(after, str) or not re.fullmatch("[0-9]{1,16}", after)):
        raise InvalidParameter("after", after, "the position of a peeked message")
    found: list[PeekedMessage] = []
    start = int(after or 0)
    while len(found) < limit:
        step = min(limit - len(found), SCRIPT_MESSAGES[False])

        def look(
            info: QueueInfo, start: int = start, step: int = step
        ) -> Call[list[PeekedMessage]]:
            return commands.peek(registry.keys(name), info, start, step)

        part = yield from on_known(registry, name, look)
        found += part
        if len(part) < step:
            break
        start = int(part[-1].position)
    return found


def stats(registry: Registry, name: str) -> Plan[QueueStats]:
    """Counts, ages and totals. What has expired is swept first."""
    keys = registry.keys(name)
    while True:
        found, stale = yield from on_known(registry, name, lambda info: commands.stats(keys, info))
        if not stale:
            return found
        yield from sweep(registry, name)


def sweep(registry: Registry, name: str) -> Plan[int]:
    """Remove all that has expired, and finish what waits in the outbox. How many expired."""
    total = 0
    while True:
        info = yield from known(registry, name)
        expired, more = yield from _sweep_step(registry, info)
        total += expired
        if not more:
            break
    yield from relay(registry, name)
    return total


def _sweep_step(registry: Registry, info: QueueInfo) -> Plan[tuple[int, bool]]:
    """One bounded step, and whatever a crash may have left in the outbox."""
    expired, more = yield from on_known(
        registry, info.name, lambda now: commands.sweep(registry.keys(info.name), now)
    )
    if expired and registry.events:
        registry.events.tell(Expired(queue=info.name, count=expired))
    if not more:
        yield from relay(registry, info.name)
    return expired, more
