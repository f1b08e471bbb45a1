"""Plans: what takes several round trips. Generators; they wait and send through their executor.

Most begin with a description of the queue that may be out of date. A script refuses it then, and
the plan looks again: that is `on_known`.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

from rmq.core.codec import PLAIN, Header, pack, unpack
from rmq.core.events import Deleted, Expired, Moved, Received
from rmq.core.events import Sent as SentEvent
from rmq.core.script import Block, Call, Plan, Sleep
from rmq.errors import (
    BrokenEnvelope,
    CallerError,
    InvalidParameter,
    MessageDoesNotExist,
    MessageNotInFlight,
    MissingParameter,
    OverLimit,
    QueueDoesNotExist,
    QueueExists,
    RmqError,
    StaleConfig,
    StaleReceipt,
)
from rmq.queues import commands
from rmq.queues.attributes import (
    QueueAttributes,
    QueueInfo,
    checked,
    queue_name,
    to_text,
)
from rmq.queues.commands import Departing, Prepared, QueueStats, RedriveTask, Wanted
from rmq.queues.limits import MAX_SCRIPT_MESSAGES, Limits, duration, ms, shown, whole
from rmq.queues.message import (
    Outgoing,
    PeekedMessage,
    Receipt,
    ReceivedMessage,
    Sent,
    body_bytes,
    check_id,
    checked_attributes,
    message_id,
    read_receipt,
    sequence_number,
)
from rmq.queues.registry import Registry

T = TypeVar("T")
M = TypeVar("M")

BATCH = 100
"""Messages in one script call that sends or deletes; below 1 ms of server time."""
BATCH_BYTES = 1 << 20
"""Bytes in one script call that sends. One message alone may be larger."""
LOOKS = 20
"""How often a plan looks again when its queue keeps changing under it."""
OVER_LIMIT_MS = 1_000
"""How soon a waiting receive looks again when too many messages are in flight."""
TARGET_GONE = timedelta(minutes=1)
"""For how long dead letters stay in their queue when the dead-letter queue was found missing."""
KINDS = {True: "a FIFO queue (.fifo)", False: "a standard queue"}


def known(registry: Registry, name: str) -> Plan[QueueInfo]:
    """The queue's description, asked for if we have none. Raises QueueDoesNotExist."""
    info = registry.known(name)
    if info is None:
        info = registry.learn((yield commands.describe(registry.keys(name), name)))
    return info


def described(registry: Registry, name: str) -> Plan[QueueInfo]:
    """The queue's description as it is now."""
    registry.forget(queue_name(name))
    return (yield from known(registry, name))


def on_known(registry: Registry, name: str, make: Callable[[QueueInfo], Call[T]]) -> Plan[T]:
    """Carry out the Call that *make* builds from the queue's description."""
    for _ in range(LOOKS):
        info = yield from known(registry, name)
        try:
            result: T = yield make(info)
        except StaleConfig:
            registry.forget(name)
        except QueueDoesNotExist:
            registry.drop(name)
            raise
        else:
            return result
    raise StaleConfig(f"queue {name!r} changes faster than it can be used")


# --- the queue itself ---------------------------------------------------------------------------


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
    existing: dict[str, str] | None = yield commands.create(
        keys, name, f"{incarnation}:1", config, labels
    )
    yield commands.index_add(registry.namespace, name)
    info = yield from described(registry, name)
    if existing is not None:
        for field in given:
            if getattr(info.attributes, field) != getattr(attributes, field):
                raise QueueExists(
                    f"queue {name!r} exists with {field} {_shown(getattr(info.attributes, field))}, "
                    f"not {_shown(getattr(attributes, field))}; set it with rmq queue set, or "
                    "create it under another name",
                    queue=name,
                    attribute=field,
                )
    return info


def _chosen(given: Iterable[str], attributes: QueueAttributes) -> dict[str, Any]:
    return {field: getattr(attributes, field) for field in given}


def _shown(value: Any) -> str:
    return shown(value) if isinstance(value, timedelta) else str(value)


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
        return commands.add_source(registry.keys(target), info, name)

    registry.forget(target)
    try:
        yield from on_known(registry, target, add)
    except QueueDoesNotExist as error:
        raise InvalidParameter(field, target, "the name of an existing queue") from error


def set_attributes(registry: Registry, name: str, given: Mapping[str, Any]) -> Plan[QueueInfo]:
    """Change attributes, all of them or none."""
    for _ in range(LOOKS):
        info = yield from described(registry, name)
        made = checked(given, registry.limits, is_fifo=info.is_fifo, base=info.attributes)
        if not given:
            return info
        if "redrive_policy" in given:
            yield from _point(registry, name, made)
        incarnation, _, number = info.version.partition(":")
        version = f"{incarnation}:{int(number) + 1}"
        changes = to_text(_chosen(given, made))
        try:
            yield commands.set_attributes(registry.keys(name), info, version, changes)
        except StaleConfig:
            continue
        before, after = info.attributes.redrive_policy, made.redrive_policy
        if before and (not after or after.dead_letter_queue != before.dead_letter_queue):
            left = before.dead_letter_queue
            yield commands.remove_source(registry.keys(left), left, name)
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
            return commands.redelay(keys, info, info.attributes.delay, offset, limit)

        looked, waits = yield from on_known(registry, name, step)
        offset += waits
        if looked < limit:
            return


def delete_queue(registry: Registry, name: str) -> Plan[None]:
    """Remove a queue with all it holds, and its name from the lists it stands in."""
    keys = registry.keys(name)
    try:
        info = yield from described(registry, name)
        yield commands.delete_queue(keys, name)
    finally:
        registry.drop(name)
        # Also when it was gone already: a delete that was cut short ends here.
        yield commands.index_remove(registry.namespace, name)
    policy = info.attributes.redrive_policy
    if policy is not None:
        target = policy.dead_letter_queue
        yield commands.remove_source(registry.keys(target), target, name)


def purge(registry: Registry, name: str) -> Plan[int]:
    """Drop every message, whatever its state. Returns how many there were."""
    count = yield from on_known(
        registry, name, lambda info: commands.purge(registry.keys(name), info)
    )
    if count and registry.events:
        registry.events.tell(Deleted(queue=name, count=count))
    return count


def tag(
    registry: Registry, name: str, add: Mapping[str, str], remove: Iterable[str]
) -> Plan[dict[str, str]]:
    """Set and remove tags. Returns all of them."""
    if isinstance(remove, (str, bytes)):
        raise InvalidParameter("tag keys", remove, "a list of names")
    gone = [_tag_part("tag key", one, 1, 128) for one in remove]
    labels = checked_tags(add, registry.limits)
    return (yield commands.tag(registry.keys(name), name, registry.limits.max_tags, labels, gone))


def checked_tags(tags: Mapping[str, str], limits: Limits) -> dict[str, str]:
    """Valid tags: keys of 1 to 128 characters, values of 0 to 256. Raises InvalidParameter."""
    if not isinstance(tags, Mapping):
        raise InvalidParameter("tags", type(tags).__name__, "a mapping from name to value")
    if limits.max_tags is not None and len(tags) > limits.max_tags:
        raise InvalidParameter("tags", f"{len(tags)} tags", f"at most {limits.max_tags} of them")
    return {
        _tag_part("tag key", key, 1, 128): _tag_part(f"tags[{key!r}]", value, 0, 256)
        for key, value in tags.items()
    }


def _tag_part(field: str, text: str, low: int, high: int) -> str:
    if not isinstance(text, str) or not low <= len(text) <= high:
        raise InvalidParameter(field, text, f"{low} to {high} characters of text")
    return text


@dataclass(frozen=True, slots=True)
class Page:
    """Some of a list of queues. Iterate it for the names."""

    names: tuple[str, ...]
    next_token: str | None
    """Give this to the next call to go on; None at the end."""

    def __iter__(self) -> Any:
        return iter(self.names)

    def __len__(self) -> int:
        return len(self.names)


def list_queues(registry: Registry, prefix: str, limit: int, token: str | None) -> Plan[Page]:
    """Names that begin with *prefix*, in order, page by page."""
    namespace = registry.namespace
    _check_page(prefix, limit, token)
    names = yield commands.names_from(
        commands.queue_index(namespace), "queues", prefix, token, limit + 1
    )
    return _page(names, limit)


def dead_letter_sources(registry: Registry, name: str, limit: int, token: str | None) -> Plan[Page]:
    """Names of the queues whose dead letters come here."""
    _check_page("", limit, token)
    yield from described(registry, name)
    keys = registry.keys(name)
    names = yield commands.names_from(keys.sources, name, "", token, limit + 1)
    page = _page(names, limit)
    found = []
    for source in page.names:
        # A crash between two steps of a change can leave a name behind: ask the queue itself.
        try:
            info = yield from described(registry, source)
        except QueueDoesNotExist:
            continue
        policy = info.attributes.redrive_policy
        if policy is not None and policy.dead_letter_queue == name:
            found.append(source)
    return Page(tuple(found), page.next_token)


def _check_page(prefix: str, limit: int, token: str | None) -> None:
    if not isinstance(prefix, str):
        raise InvalidParameter("prefix", prefix, "str")
    whole(limit, "limit", 1, 1000)
    if token is not None and (not isinstance(token, str) or not token.isascii()):
        raise InvalidParameter("token", token, "a next_token of the call before")


def _page(names: list[str], limit: int) -> Page:
    more = len(names) > limit
    return Page(tuple(names[:limit]), names[limit - 1] if more else None)


# --- sending ------------------------------------------------------------------------------------


def prepare(info: QueueInfo, limits: Limits, message: Outgoing) -> Prepared:
    """Check one message and pack it for its queue. Raises InvalidParameter."""
    body = body_bytes(message.body, limits)
    attributes = info.attributes
    group, given_key = message.message_group_id, message.deduplication_id
    size, header, key = len(body), PLAIN, b""
    if group is not None:
        check_id("message_group_id", group, limits)
    if given_key is not None:
        check_id("deduplication_id", given_key, limits)
    delay_ms = ms(attributes.delay)
    if info.is_fifo:
        if group is None:
            raise MissingParameter("message_group_id", "a FIFO queue orders messages by it")
        if message.delay is not None:
            raise InvalidParameter(
                "delay", message.delay, "left out: a FIFO queue has one delay for all messages"
            )
        key = _deduplication_key(attributes, group, given_key, body)
    else:
        if given_key is not None:
            raise InvalidParameter("deduplication_id", given_key, "left out: it is for FIFO queues")
        if message.delay is not None:
            delay_ms = ms(duration(message.delay, "delay", None, limits.max_delay))
    if (
        message.attributes
        or given_key is not None
        or message.trace_header is not None
        or message.sender_id is not None
        or (group is not None and not info.is_fifo)
    ):
        extra = checked_attributes(message.attributes or {}, limits)
        size += extra.size
        for field, value in (
            ("trace_header", message.trace_header),
            ("sender_id", message.sender_id),
        ):
            if value is not None and (not isinstance(value, str) or not value):
                raise InvalidParameter(field, value, "a text of at least 1 character")
        header = Header(
            attributes=extra.pairs,
            trace_header=message.trace_header,
            sender_id=message.sender_id,
            group_id=None if info.is_fifo else group,
            deduplication_id=given_key,
        )
    if size > attributes.maximum_message_size:
        raise InvalidParameter(
            "message size",
            f"{size} bytes",
            f"at most {attributes.maximum_message_size} bytes, body and attributes together",
        )
    return Prepared(pack(body, header), delay_ms, group or "", key)


def _deduplication_key(
    attributes: QueueAttributes, group: str, given: str | None, body: bytes
) -> bytes:
    """16 bytes that stand for a deduplication id within its scope."""
    if given is None:
        if not attributes.content_based_deduplication:
            raise MissingParameter(
                "deduplication_id", "give one, or switch content_based_deduplication on"
            )
        given = hashlib.sha256(body).hexdigest()
    scope = group if attributes.deduplication_scope == "message_group" else ""
    return hashlib.blake2b(f"{scope}\0{given}".encode(), digest_size=16).digest()


def send(
    registry: Registry, name: str, messages: Sequence[Outgoing]
) -> Plan[list[Sent | RmqError]]:
    """Send any number of messages, in bounded script calls. One result or error for each."""
    results: list[Sent | RmqError | None] = [None] * len(messages)
    at = 0
    changes = 0
    while at < len(messages):
        info = yield from known(registry, name)
        places: list[int] = []
        batch: list[Prepared] = []
        size, end = 0, at
        while end < len(messages) and len(batch) < BATCH:
            try:
                one = prepare(info, registry.limits, messages[end])
            except CallerError as error:
                results[end] = error
            else:
                if batch and size + len(one.packed) > BATCH_BYTES:
                    break
                places.append(end)
                batch.append(one)
                size += len(one.packed)
            end += 1
        if batch:
            try:
                sent = yield from _send_batch(registry, info, batch)
            except StaleConfig:
                registry.forget(name)
                changes += 1
                if changes > LOOKS:
                    raise
                continue
            except QueueDoesNotExist:
                registry.drop(name)
                raise
            for place, result in zip(places, sent, strict=True):
                results[place] = result
        at = end
    return results  # type: ignore[return-value]


def _send_batch(registry: Registry, info: QueueInfo, batch: list[Prepared]) -> Plan[list[Sent]]:
    name, keys = info.name, registry.keys(info.name)
    due: bool
    if info.is_fifo:
        placed, due = yield commands.send_fifo(keys, info, batch)
        sent = [
            Sent(message_id(info.incarnation, seq), sequence_number(seq), known_before)
            for seq, known_before in placed
        ]
    else:
        lane = registry.take_lane(name)
        try:
            first, due = yield commands.send(keys, info, lane.id, lane.seen, batch)
        except StaleConfig:
            registry.give_lane(name, lane)
            raise
        lane.seen = first
        registry.give_lane(name, lane)
        incarnation = info.incarnation
        sent = [Sent(message_id(incarnation, first + i)) for i in range(len(batch))]
    if registry.events:
        again = sum(one.is_duplicate for one in sent)
        registry.events.tell(SentEvent(queue=name, count=len(sent) - again, duplicates=again))
    if due:
        yield from _sweep_step(registry, info)
    return sent


# --- receiving ----------------------------------------------------------------------------------


def receive(
    registry: Registry,
    name: str,
    make: Callable[..., M],
    *,
    max_messages: int = 1,
    visibility_timeout: timedelta | float | None = None,
    wait: timedelta | float | None = None,
    attempt_id: str | None = None,
) -> Plan[list[M]]:
    """Lease messages; wait for a first one if there is none.

    A consumer that waits sends nothing. It sleeps on the wake list until a token comes, its time is
    up, or something becomes visible by itself. It never sleeps longer than the queue's visibility
    timeout: whatever someone else received meanwhile, and then lost, is found in time.
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
    begun = registry.now_ms()
    found: list[M] = []
    may_sweep = True
    while True:
        info = yield from known(registry, name)
        attributes = info.attributes
        wait_ms = asked if asked is not None else ms(attributes.receive_message_wait_time)
        default_ms = ms(attributes.visibility_timeout)
        left_ms = 0 if found else max(int(wait_ms - (registry.now_ms() - begun)), 0)
        step = min(max_messages - len(found), MAX_SCRIPT_MESSAGES)
        wanted = Wanted(
            max_messages=step,
            visibility_ms=default_ms if override is None else override,
            wait_ms=left_ms,
            in_flight_limit=limits.max_in_flight,
            attempt_id=attempt_id or "",
            sweep=may_sweep,
        )
        try:
            got = yield commands.receive(keys, info, wanted, make)
        except StaleConfig:
            registry.forget(name)
            continue
        except QueueDoesNotExist:
            registry.drop(name)
            raise
        if got.flags & commands.SWEEP:
            yield from _sweep_step(registry, info)
            may_sweep = False
            continue
        if got.flags & commands.MOVED:
            yield from relay(registry, name)
        found += got.messages
        if found:
            if len(found) < max_messages and len(got.messages) == step:
                continue
            if registry.events:
                registry.events.tell(Received(queue=name, count=len(found)))
            return found
        if got.flags & (commands.MOVED | commands.MORE):
            continue
        if got.flags & commands.OVER_LIMIT and not info.is_fifo and wait_ms == 0:
            raise OverLimit(
                f"queue {name!r} has {limits.max_in_flight} messages in flight, which is the limit; "
                "delete some, or wait for their visibility timeout"
            )
        left_ms = int(wait_ms - (registry.now_ms() - begun))
        if left_ms <= 0:
            return found
        sleep_ms = left_ms if got.sleep_ms < 0 else min(left_ms, max(got.sleep_ms, 1))
        if got.flags & commands.OVER_LIMIT:
            sleep_ms = min(sleep_ms, OVER_LIMIT_MS)
        yield Block(keys.wake, min(sleep_ms, max(default_ms, 1000)))


Handle = ReceivedMessage | Receipt | str
"""What names a received message: itself, its receipt, or its receipt handle."""


def _receipt(info: QueueInfo, handle: Handle) -> Receipt:
    if isinstance(handle, ReceivedMessage):
        if handle.queue_name != info.name:
            raise InvalidParameter(
                "message", f"of queue {handle.queue_name!r}", f"of {info.name!r}"
            )
        return handle.receipt
    if isinstance(handle, Receipt):
        return handle
    return read_receipt(info, handle)


def delete(registry: Registry, name: str, handles: Sequence[Handle]) -> Plan[list[bool | RmqError]]:
    """Remove received messages. True where this did it, False where there was nothing to remove."""
    results: list[bool | RmqError] = []
    for start in range(0, len(handles), BATCH):
        part = handles[start : start + BATCH]
        answers = yield from _on_receipts(
            registry,
            name,
            part,
            lambda info, receipts, _: commands.delete(registry.keys(name), info, receipts),
        )
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
    for start in range(0, len(places), BATCH):
        part = places[start : start + BATCH]

        def make(
            info: QueueInfo, receipts: list[Receipt], kept: list[int], start: int = start
        ) -> Call[list[int]]:
            pairs = [(one, times[start + i]) for one, i in zip(receipts, kept, strict=True)]
            total = None if most is None else ms(most)
            return commands.change_visibility(registry.keys(name), info, pairs, total)

        answers = yield from _on_receipts(
            registry, name, [changes[place][0] for place in part], make
        )
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
        "beyond the limit in total",
        f"at most {shown(most) if most else 'any'} since the message was received",
    )


def _on_receipts(
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
            try:
                receipts.append(_receipt(info, handle))
                kept.append(i)
            except CallerError as error:
                results[i] = error
        if not receipts:
            # A queue that does not exist should be reported before its handles.
            return commands.describe(registry.keys(name), name)  # type: ignore[return-value]
        return make(info, receipts, kept)

    receipts: list[Receipt] = []
    kept: list[int] = []
    answers = yield from on_known(registry, name, build)
    if receipts:
        for i, answer in zip(kept, answers, strict=True):
            results[i] = answer
    return results


# --- looking ------------------------------------------------------------------------------------


def peek(registry: Registry, name: str, limit: int, after: str | None) -> Plan[list[PeekedMessage]]:
    """Look at messages in the order of sending; nothing about them changes."""
    whole(limit, "limit", 1, 1000)
    if after is not None and (not isinstance(after, str) or not after.isdecimal()):
        raise InvalidParameter("after", after, "the position of a peeked message")
    start = int(after or 0)
    return (
        yield from on_known(
            registry, name, lambda info: commands.peek(registry.keys(name), info, start, limit)
        )
    )


def stats(registry: Registry, name: str) -> Plan[QueueStats]:
    """Counts, ages and totals. What has expired is swept first, what is under way is finished."""
    keys = registry.keys(name)
    while True:
        found, stale = yield from on_known(registry, name, lambda info: commands.stats(keys, info))
        if not stale:
            return found
        yield from sweep(registry, name)


def sweep(registry: Registry, name: str) -> Plan[int]:
    """Remove all that has expired, and finish what waits in the outbox. Returns how many expired."""
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


# --- from queue to queue ------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Relayed:
    """What one emptying of an outbox came to."""

    moved: int
    failure: str = ""
    """Why messages stayed: CouldNotDetermineMessageSource or NonExistentQueue."""


def relay(registry: Registry, name: str) -> Plan[Relayed]:
    """Carry messages from a queue's outbox to where they go.

    1. read the head of the outbox      3. remove them here
    2. let each target accept its own

    A crash after 2 leaves them in the outbox; the next one who looks repeats 2, which the target
    knows to be a repeat. Several may do this at once.
    """
    keys = registry.keys(name)
    moved, failure = 0, ""
    while True:
        departing: list[Departing] = yield commands.outbox_read(keys, name)
        if not departing:
            return Relayed(moved, failure)
        source = yield from known(registry, name)
        ends: list[tuple[Departing, bool]] = []
        targets: dict[str, list[tuple[Departing, Header | None, bytes]]] = {}
        for one in departing:
            if not one.packed:
                ends.append((one, True))
                continue
            header, body = _opened(one.packed)
            target = one.target or (header.source if header is not None else None)
            if target is None:
                ends.append((one, False))
                failure = "CouldNotDetermineMessageSource"
            else:
                targets.setdefault(target, []).append((one, header, body))
        keep = timedelta(0)
        for target, parts in targets.items():
            arriving = [_arriving(source, *part) for part in parts]

            def make(
                info: QueueInfo, arriving: list[tuple[str, bytes, int, str]] = arriving
            ) -> Call[int]:
                return commands.accept(registry.keys(info.name), info, source, arriving)

            try:
                yield from on_known(registry, target, make)
            except QueueDoesNotExist:
                ends += [(one, False) for one, _, _ in parts]
                failure = "NonExistentQueue"
                keep = TARGET_GONE
            else:
                ends += [(one, True) for one, _, _ in parts]
                if registry.events:
                    registry.events.tell(Moved(queue=name, count=len(parts), target=target))
        try:
            moved += yield commands.outbox_settle(keys, source, ends, keep)
        except QueueDoesNotExist:
            registry.drop(name)
            return Relayed(moved, failure)


def _opened(packed: bytes) -> tuple[Header | None, bytes]:
    try:
        return unpack(packed)
    except BrokenEnvelope:
        return None, packed


def _arriving(
    source: QueueInfo, one: Departing, header: Header | None, body: bytes
) -> tuple[str, bytes, int, str]:
    """A departing message as its target gets it."""
    group = one.group.decode()
    if header is None:
        # Broken, but not ours to lose.
        return one.outbox_id, one.packed, 0, group
    if one.kind == "r":
        # A redriven message is a new one (Amazon SQS: StartMessageMoveTask).
        fresh = replace_header(
            header, id=None, sent_ms=None, receives=0, first_received_ms=None, source=None
        )
        return one.outbox_id, pack(body, fresh), 0, group
    own = bytes.fromhex(message_id(source.incarnation, one.seq).replace("-", ""))
    sent_ms = header.sent_ms if header.sent_ms is not None else one.seq // 1000
    moved = replace_header(
        header,
        id=header.id or own,
        sent_ms=sent_ms,
        receives=header.receives + one.receive_count,
        first_received_ms=header.first_received_ms or one.first_received_ms or None,
        source=source.name,
    )
    return one.outbox_id, pack(body, moved), 0 if source.is_fifo else sent_ms, group


def replace_header(header: Header, **changes: Any) -> Header:
    """A header with some fields changed; PLAIN again when nothing is left in it."""
    fields = {name: getattr(header, name) for name in Header.__struct_fields__} | changes
    made = Header(**fields)
    return PLAIN if made == PLAIN else made


def start_redrive(
    registry: Registry, name: str, destination: str | None, max_per_second: int | None
) -> Plan[RedriveTask]:
    """Note a redrive task. Somebody must then drive it."""
    if max_per_second is not None:
        whole(max_per_second, "max_per_second", 1, registry.limits.max_redrive_rate)
    if destination is not None:
        if queue_name(destination) == name:
            raise InvalidParameter("destination", destination, "another queue")
        if destination.endswith(".fifo") != name.endswith(".fifo"):
            raise InvalidParameter("destination", destination, KINDS[name.endswith(".fifo")])
        yield from described(registry, destination)
    token: str | None = None
    while True:
        sources = yield from dead_letter_sources(registry, name, 100, token)
        if len(sources) or sources.next_token is None:
            break
        token = sources.next_token
    if not len(sources):
        raise InvalidParameter("source queue", name, "the dead-letter queue of some queue")
    counts = yield from stats(registry, name)
    keys = registry.keys(name)
    id = f"{registry.clock.now_ms():013d}-{os.urandom(6).hex()}"
    yield from on_known(
        registry,
        name,
        lambda info: commands.redrive_start(
            keys, info, id, destination or "", max_per_second or 0, counts.visible
        ),
    )
    return (yield commands.redrive_beat(keys, name, id, 0, "RUNNING"))


def drive_redrive(
    registry: Registry, task: RedriveTask, progress: Callable[[RedriveTask], None] | None = None
) -> Plan[RedriveTask]:
    """Move messages until the task is done, cancelled or failed; at its rate, in order."""
    name, keys = task.source, registry.keys(task.source)
    rate = task.max_per_second
    step = min(commands.RELAY_STEP, rate or commands.RELAY_STEP)
    try:
        while True:
            wanted = Wanted(max_messages=step, redrive_to=task.destination or "", sweep=False)
            got = yield from on_known(
                registry, name, lambda info: commands.receive(keys, info, wanted, _unwanted)
            )
            done = Relayed(0)
            if got.flags & commands.MOVED:
                done = yield from relay(registry, name)
            status = "RUNNING"
            if done.failure:
                status = "FAILED"
            elif not got.flags & (commands.MOVED | commands.MORE):
                status = "COMPLETED"
            task = yield commands.redrive_beat(
                keys, name, task.id, done.moved, status, done.failure
            )
            if progress is not None:
                progress(task)
            if task.status != "RUNNING":
                return task
            if rate is not None:
                yield Sleep(step / rate)
    except CallerError as error:
        yield commands.redrive_beat(keys, name, task.id, 0, "FAILED", error.code)
        raise


def _unwanted(*parts: Any) -> None:
    raise AssertionError(f"a redrive received a message: {parts[1]}")


def cancel_redrive(registry: Registry, name: str, id: str) -> Plan[RedriveTask]:
    """Ask a running task to stop. What it moved stays moved."""
    return (yield commands.redrive_cancel(registry.keys(name), name, id))


def redrive_tasks(registry: Registry, name: str, limit: int) -> Plan[list[RedriveTask]]:
    """The newest tasks first."""
    whole(limit, "limit", 1, commands.TASKS_KEPT)
    yield from described(registry, name)
    tasks: list[RedriveTask] = yield commands.redrive_tasks(registry.keys(name), name)
    return tasks[:limit]
