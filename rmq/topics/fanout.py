"""Fan-out: how messages of a topic get to those who should have them, each in another slot.

    1. describe the queues that are not known yet       one write for each node
    2. deliver to all of them                           one write for each node
    3. what can never be delivered: dead letters        only where there is such a thing
    4. tell dispatchers what they have to push          only where something is pushed

What met trouble is not waited for. It is said who still waits, and the caller sees to it later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from rmq.core.codec import PLAIN, PLAIN_ENVELOPE, Header, MessageAttribute, attributes_size, pack
from rmq.core.keys import QueueKeys
from rmq.core.place import Arn, read_arn
from rmq.core.script import LOOKS, Call, Plan, Several
from rmq.errors import (
    CallerError,
    QueueDoesNotExist,
    RmqError,
    StaleConfig,
)
from rmq.queues import administration, arriving
from rmq.queues.arriving import Line
from rmq.queues.attributes import QueueInfo
from rmq.queues.learning import learn
from rmq.queues.message import message_id, sequence_number
from rmq.queues.outgoing import deduplication_key
from rmq.queues.registry import Registry
from rmq.security.policy import Request, Verdict, decide, parse
from rmq.security.principal import Principal
from rmq.topics import ready, signing
from rmq.topics.attributes import TopicInfo
from rmq.topics.envelope import Rendered, packed_starts, plain_end
from rmq.topics.outgoing import RESERVED, Item
from rmq.topics.ready import Work
from rmq.topics.registry import TopicRegistry
from rmq.topics.subscription import Subscription

RAW_ATTRIBUTES = 10
"""More than a queue's message may have can not be delivered raw (Amazon SNS: Raw message
delivery)."""
STEP_BYTES = 8 << 20
"""Bytes of messages in one write of a fan-out."""
STEP_QUEUES = 500
"""Queues in one write."""
SNS = Principal.of_service("sns.amazonaws.com")


class Undeliverable(Exception):
    """It can never get there; why, for a person."""


@dataclass(slots=True, eq=False)
class Delivery:
    """What one subscription gets, and what became of it."""

    subscription: Subscription
    items: list[Item]
    line: Line
    undelivered: list[tuple[Item, str]] = field(default_factory=list)
    """What can never be delivered, and why."""
    is_done: bool = False
    """False where somebody has to try again."""


@dataclass(slots=True)
class _Target:
    """A queue that something goes to."""

    registry: Registry
    name: str


_Pair = tuple[Delivery, _Target]


def fan_out(registry: TopicRegistry, info: TopicInfo, deliveries: Sequence[Delivery]) -> Plan[None]:
    """Deliver. Each delivery then says whether it is done."""
    try:
        yield from _sign(registry, info, deliveries)
    except CallerError:
        raise
    except RmqError:
        return
    cache = _Cache()
    pairs = [(one, _target(registry, one.subscription)) for one in deliveries]
    waiting = [pair for pair in pairs if not registry.is_away(pair[1].registry, pair[1].name)]
    for _ in range(LOOKS):
        if not waiting:
            break
        again: list[_Pair] = []
        for step in _steps(waiting):
            again += yield from _offer(registry, info, step, cache)
        waiting = again
    yield from _bury(registry, info, [one for one in deliveries if one.undelivered])
    pushed = [
        Work(one.subscription.id, info.name)
        for one in deliveries
        if one.subscription.is_pushed and one.is_done
    ]
    if pushed:
        (marked,) = yield Several([ready.mark(registry.push, pushed)])
        if isinstance(marked, RmqError):
            for one in deliveries:
                one.is_done = one.is_done and not one.subscription.is_pushed


def _steps(pairs: Sequence[_Pair]) -> Iterator[list[_Pair]]:
    """What goes out in one write: memory holds a copy of every message for every queue in it."""
    if len(pairs) == 1:
        yield list(pairs)
        return
    sizes: dict[int, int] = {}
    step: list[_Pair] = []
    total = 0
    for one, target in pairs:
        place = id(one.items)
        if place not in sizes:
            sizes[place] = sum(len(item.packed) for item in one.items)
        if step and (total + sizes[place] > STEP_BYTES or len(step) == STEP_QUEUES):
            yield step
            step, total = [], 0
        step.append((one, target))
        total += sizes[place]
    if step:
        yield step


def _offer(
    registry: TopicRegistry, info: TopicInfo, pairs: Sequence[_Pair], cache: _Cache
) -> Plan[list[_Pair]]:
    """Deliver what goes out in one write. What has to be offered again: its queue has changed."""
    asked: list[_Pair] = []
    calls: list[Call[int]] = []
    again: list[_Pair] = []
    learners: list[_Pair] = []
    known = [target.registry.known(target.name) for _, target in pairs]
    described = yield from _describe([target for _, target in pairs])
    for (one, target), before, queue in zip(pairs, known, described, strict=True):
        if isinstance(queue, RmqError):
            _failed(registry, one, target, queue)
            continue
        one.undelivered.clear()
        call = _call(registry, info, one, target, queue, cache)
        if one.undelivered and before is not None and one not in cache.doubted:
            # No script says that the queue has changed, where it is not called. So ask.
            cache.doubted.add(one)
            target.registry.forget(target.name)
            one.is_done = False
            again.append((one, target))
        elif call is not None:
            calls.append(call)
            asked.append((one, target))
            if queue.learns:
                learners.append((one, target))
    results = (yield Several(calls)) if calls else []
    for (one, target), result in zip(asked, results, strict=True):
        if isinstance(result, StaleConfig):
            target.registry.forget(target.name)
            again.append((one, target))
        elif isinstance(result, RmqError):
            _failed(registry, one, target, result)
        else:
            one.is_done = True
            registry.is_back(target.registry, target.name)
    for one, target in learners:
        yield from learn(target.registry, target.name, len(one.items))
    return again


def _failed(registry: TopicRegistry, one: Delivery, target: _Target, error: RmqError) -> None:
    if isinstance(error, QueueDoesNotExist):
        target.registry.drop(target.name)
        _refuse(one, "the queue does not exist")
    else:
        registry.stay_away(target.registry, target.name)


def counts_of(registry: TopicRegistry, deliveries: Sequence[Delivery]) -> dict[str, int]:
    """What to count for the subscriptions. What is pushed counts when it has arrived."""
    counts: dict[str, int] = {}
    now_ms = registry.clock.now_ms()
    for one in deliveries:
        if not one.is_done:
            continue
        id, failed = one.subscription.id, len(one.undelivered)
        given = 0 if one.subscription.is_pushed else len(one.items) - failed
        # Only FIFO topics replay, and only their lines have an incarnation.
        is_fifo = one.line.incarnation != ""
        again = min(sum(item.replay > 0 for item in one.items), given) if is_fifo else 0
        # What is delivered together was published together, or nearly so.
        took = max(now_ms - one.items[0].seq // 1000, 0) * (given - again)
        found = {"failed": failed, "delivered": given - again, "replayed": again, "ms": took}
        for name, count in found.items():
            if count:
                counts[f"{id}:{name}"] = counts.get(f"{id}:{name}", 0) + count
    return counts


def _refuse(one: Delivery, why: str) -> None:
    """Nothing of it can ever be delivered."""
    one.undelivered[:] = [(item, why) for item in one.items]
    one.is_done = True


def _target(registry: TopicRegistry, one: Subscription) -> _Target:
    if one.is_pushed:
        return _Target(registry.inner, one.id)
    return _queue(registry, one.endpoint)


def _queue(registry: TopicRegistry, arn: str) -> _Target:
    found: Arn = read_arn("queue", arn)
    return _Target(registry.queues_of(registry.places.namespace_of(found.place)), found.resource)


def _describe(targets: Sequence[_Target]) -> Plan[list[QueueInfo | RmqError]]:
    """The description of each queue, asked for if we have none, or why there is none."""
    found: list[QueueInfo | RmqError | None] = [one.registry.known(one.name) for one in targets]
    unknown = [one for one, queue in zip(targets, found, strict=True) if queue is None]
    if unknown:
        calls = [administration.describe(one.registry.keys(one.name), one.name) for one in unknown]
        answers = iter((yield Several(calls)))
        for place, target in enumerate(targets):
            if found[place] is None:
                found[place] = answer = next(answers)
                if isinstance(answer, QueueInfo):
                    target.registry.learn(answer)
    return found  # type: ignore[return-value]


def _call(
    registry: TopicRegistry,
    info: TopicInfo,
    one: Delivery,
    target: _Target,
    queue: QueueInfo,
    cache: _Cache,
) -> Call[int] | None:
    """The call that delivers; None where nothing can be delivered."""
    keys = target.registry.keys(target.name)
    first = one.items[0].seq
    if one.subscription.is_pushed:
        parts = _flat(one.items, lambda item: pushed(info, item))
        return arriving.deliver(keys, queue, one.line, first, parts)
    why = refused(registry, info, one.subscription.endpoint, queue)
    if why:
        _refuse(one, why)
        return None
    raw = one.subscription.attributes.raw_message_delivery
    plain = None if queue.is_fifo else cache.plain(one.items)
    if plain is not None:
        made = plain.raw if raw else plain.enveloped(registry, info, one.subscription.arn)
        largest = max(map(len, made)) - len(PLAIN_ENVELOPE)
        if largest <= queue.attributes.maximum_message_size:
            return plain.deliver(keys, queue, one.line, made)
    if not queue.is_fifo and not raw:
        parts = _enveloped(registry, info, one, queue)
        return arriving.deliver(keys, queue, one.line, first, parts) if parts else None
    packed: dict[Item, bytes] = {}
    for item in one.items:
        try:
            packed[item] = for_queue(registry, info, one.subscription, item, queue)
        except Undeliverable as error:
            one.undelivered.append((item, str(error)))
    if not packed:
        one.is_done = True
        return None
    if queue.is_fifo:
        ordered = [(item.seq, _key(queue, item), item.group, text) for item, text in packed.items()]
        return arriving.deliver_fifo(keys, queue, one.line, ordered)
    return arriving.deliver(keys, queue, one.line, first, _flat(packed, packed.__getitem__))


def _enveloped(
    registry: TopicRegistry, info: TopicInfo, one: Delivery, queue: QueueInfo
) -> list[Any]:
    """Messages in their envelopes, as a standard queue takes them in. Too large ones are noted."""
    arn, most = one.subscription.arn, queue.attributes.maximum_message_size
    parts: list[Any] = []
    for item in one.items:
        body = (item.rendered or rendered(registry, info, item)).envelope(arn)
        if len(body) > most:
            one.undelivered.append((item, _too_large(len(body), most)))
        else:
            parts += (
                PLAIN_ENVELOPE + body,
                f"{item.seq} {item.group}" if item.group else item.seq,
            )
    one.is_done = not parts
    return parts


def _too_large(size: int, most: int) -> str:
    return f"{size} bytes are more than the queue's maximum_message_size, {most}"


def _flat(items: Iterable[Item], packed: Callable[[Item], bytes]) -> list[Any]:
    """Messages as a standard queue takes them in."""
    parts: list[Any] = []
    for item in items:
        parts += (packed(item), f"{item.seq} {item.group}" if item.group else item.seq)
    return parts


class _Plain:
    """Messages that are nothing but a body, ready for any standard queue."""

    def __init__(self, items: Sequence[Item]) -> None:
        self._items = items
        self._first = items[0].seq
        # Those of one publish follow each other, unless some of them were filtered out.
        self._is_whole = items[-1].seq - self._first == len(items) - 1
        self._raw: list[bytes] = []
        self._starts: list[bytes] = []

    @property
    def raw(self) -> list[bytes]:
        """As they lie in the outbox."""
        if not self._raw:
            self._raw = [item.packed for item in self._items]
        return self._raw

    def enveloped(
        self, registry: TopicRegistry, info: TopicInfo, subscription_arn: str
    ) -> list[bytes]:
        """In their envelopes, of which all but the end is made once for all queues."""
        if not self._starts:
            self._starts = packed_starts(
                info.arn,
                info.incarnation,
                registry.endpoint_url,
                [(item.seq, item.body) for item in self._items],
            )
        end = plain_end(subscription_arn)
        return [start + end for start in self._starts]

    def deliver(
        self, keys: QueueKeys, queue: QueueInfo, line: Line, packed: Sequence[bytes]
    ) -> Call[int]:
        """The call that delivers them, raw or in their envelopes."""
        if self._is_whole:
            return arriving.deliver(keys, queue, line, self._first, packed, width=1)
        parts: list[Any] = []
        for one, item in zip(packed, self._items, strict=True):
            parts += (one, item.seq)
        return arriving.deliver(keys, queue, line, self._first, parts)


class _Cache:
    """What was made for one queue and fits others that get the same messages."""

    def __init__(self) -> None:
        self._found: dict[int, _Plain | None] = {}
        self.doubted: set[Delivery] = set()
        """What a queue could not take as we knew it, so that it was looked at anew."""

    def plain(self, items: Sequence[Item]) -> _Plain | None:
        """None where one of them is more than a body."""
        place = id(items)
        if place not in self._found:
            is_plain = all(item.header is PLAIN for item in items)
            self._found[place] = _Plain(items) if is_plain else None
        return self._found[place]


def _key(queue: QueueInfo, item: Item) -> bytes:
    """What stands for the deduplication id at the queue. A replayed message is not a repeat."""
    id = item.header.deduplication_id or str(item.seq)
    if item.replay:
        id = f"{id} {item.replay}"
    return deduplication_key(queue.attributes.deduplication_scope, item.group, id)


def pushed(info: TopicInfo, item: Item) -> bytes:
    """A message as an inner queue holds it: with the id and the time that it has on the topic."""
    id = bytes.fromhex(message_id(info.incarnation, item.seq).replace("-", ""))
    header = Header(
        attributes=item.header.attributes,
        subject=item.header.subject,
        by_protocol=item.header.by_protocol,
        id=id,
        sent_ms=item.seq // 1000,
    )
    return pack(item.body, header)


def refused(registry: TopicRegistry, info: TopicInfo, arn: str, queue: QueueInfo) -> str:
    """Why the queue's policy does not let the topic send there; '' where it does.

    The topic's own account may, unless the policy denies it.
    """
    place = read_arn("queue", arn).place
    text = queue.attributes.policy
    if text is None:
        return "" if place.account == info.place.account else "the queue's policy does not allow it"
    request = Request(
        SNS,
        "sqs:SendMessage",
        arn,
        {
            "aws:SourceArn": info.arn,
            "aws:SourceAccount": info.place.account,
            "aws:SecureTransport": "true",
        },
    )
    try:
        said = decide(parse(text), request, "").verdict
    except CallerError:
        # One that was set before policies were read can be anything.
        said = Verdict.IMPLICIT_DENY
    if said is Verdict.EXPLICIT_DENY:
        return "the queue's policy denies it"
    if said is Verdict.ALLOW or place.account == info.place.account:
        return ""
    return "the queue's policy does not allow it"


def rendered(registry: TopicRegistry, info: TopicInfo, item: Item) -> Rendered:
    """The message in its envelope for queues, made once."""
    found: Rendered | None = item.rendered
    if found is None:
        found = item.rendered = Rendered(
            info.arn,
            message_id(info.incarnation, item.seq),
            item.seq // 1000,
            item.body,
            item.header,
            "sqs",
            registry.endpoint_url,
            sequence_number=sequence_number(item.seq) if info.is_fifo else None,
            replayed=item.replay > 0,
        )
    return found


def for_queue(
    registry: TopicRegistry,
    info: TopicInfo,
    subscription: Subscription,
    item: Item,
    queue: QueueInfo,
) -> bytes:
    """A message as the queue gets it: raw, or in its envelope. Raises Undeliverable."""
    given = item.header
    if not subscription.attributes.raw_message_delivery:
        body, attributes, size = rendered(registry, info, item).envelope(subscription.arn), {}, 0
    else:
        body = item.body
        if given.by_protocol:
            body = rendered(registry, info, item).text.encode()
        attributes = {
            name: pair for name, pair in given.attributes.items() if not RESERVED.fullmatch(name)
        }
        if len(attributes) > RAW_ATTRIBUTES:
            raise Undeliverable(f"more than {RAW_ATTRIBUTES} attributes can not be delivered raw")
        size = attributes_size({name: MessageAttribute(*pair) for name, pair in attributes.items()})
    if len(body) + size > queue.attributes.maximum_message_size:
        raise Undeliverable(_too_large(len(body) + size, queue.attributes.maximum_message_size))
    if not attributes and not queue.is_fifo:
        return pack(body)
    id = given.deduplication_id if queue.is_fifo else None
    return pack(body, Header(attributes=attributes, deduplication_id=id))


def _sign(registry: TopicRegistry, info: TopicInfo, deliveries: Sequence[Delivery]) -> Plan[None]:
    """Sign what goes to queues in an envelope, where the publisher wanted it."""
    wanted: dict[int, tuple[Rendered, int]] = {}
    looked: set[int] = set()
    for one in deliveries:
        if one.subscription.is_pushed or one.subscription.attributes.raw_message_delivery:
            continue
        if id(one.items) in looked:
            continue
        looked.add(id(one.items))
        for item in one.items:
            if item.header.signed and id(item) not in wanted:
                made = rendered(registry, info, item)
                if made.signature is None:
                    wanted[id(item)] = made, item.header.signed
    if wanted:
        yield from signing.sign(registry, list(wanted.values()))


def _bury(registry: TopicRegistry, info: TopicInfo, failed: Sequence[Delivery]) -> Plan[None]:
    """Bring what can not be delivered to the subscriptions' dead-letter queues, as it would have
    been delivered. Where there is none, or it is gone, it is dropped."""
    waiting = [
        (one, _queue(registry, arn))
        for one in failed
        if (arn := one.subscription.attributes.dead_letter_queue) is not None
    ]
    for _ in range(LOOKS):
        if not waiting:
            return
        described = yield from _describe([target for _, target in waiting])
        asked: list[_Pair] = []
        calls: list[Call[int]] = []
        for (one, target), queue in zip(waiting, described, strict=True):
            if isinstance(queue, QueueInfo):
                asked.append((one, target))
                calls.append(_burial(registry, info, one, target, queue))
            else:
                one.is_done = isinstance(queue, CallerError)
        results = (yield Several(calls)) if calls else []
        waiting = []
        for (one, target), result in zip(asked, results, strict=True):
            if isinstance(result, StaleConfig):
                target.registry.forget(target.name)
                waiting.append((one, target))
            elif isinstance(result, QueueDoesNotExist):
                target.registry.drop(target.name)
            elif isinstance(result, RmqError):
                one.is_done = False
    for one, _ in waiting:
        one.is_done = False


def _burial(
    registry: TopicRegistry,
    info: TopicInfo,
    one: Delivery,
    target: _Target,
    queue: QueueInfo,
) -> Call[int]:
    line = replace(one.line, source=f"{one.line.source}.{one.subscription.id[:8]}")
    packed = {
        item: dead_letter(registry, info, one.subscription, item, why)
        for item, why in one.undelivered
    }
    keys = target.registry.keys(target.name)
    if queue.is_fifo:
        ordered = [(item.seq, _key(queue, item), item.group, text) for item, text in packed.items()]
        return arriving.deliver_fifo(keys, queue, line, ordered)
    first = one.undelivered[0][0].seq
    return arriving.deliver(keys, queue, line, first, _flat(packed, packed.__getitem__))


def dead_letter(
    registry: TopicRegistry, info: TopicInfo, one: Subscription, item: Item, why: str
) -> bytes:
    """What could not be delivered, as it would have been, with the reason among its attributes."""
    made: Any = rendered(registry, info, item)
    raw = one.attributes.raw_message_delivery
    body = made.text.encode() if raw else made.envelope(one.arn)
    attributes = {
        name: pair for name, pair in item.header.attributes.items() if not RESERVED.fullmatch(name)
    }
    kept = dict(list(attributes.items())[: RAW_ATTRIBUTES - 1]) if raw else {}
    kept["ErrorMessage"] = ("String", why)
    id = item.header.deduplication_id
    return pack(body, Header(attributes=kept, deduplication_id=id))
