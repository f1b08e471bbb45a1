"""Trials: what became of a message's receives. Failures and crashes are told apart here.

    receives = failures + given back + crashes + this one

A worker that is killed says nothing, so what nobody spoke for was a crash. A message that is done
at its first receive, as most are, leaves no trace.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import msgspec

from rmq.core import script
from rmq.core.codec import Crash, Failure, write_failure
from rmq.core.keys import QueueKeys
from rmq.core.limits import SCRIPT_MESSAGES
from rmq.core.script import Call, Plan, text_of
from rmq.errors import RmqError
from rmq.queues import plans
from rmq.queues.attributes import QueueInfo
from rmq.queues.message import Receipt, ReceivedMessage, StoredMessage
from rmq.queues.redrive import relay
from rmq.queues.registry import Registry, on_known

EVIDENCE_BYTES = 16_384
"""Of crashes that are remembered for one message; later ones are only counted."""
_DIGITS = re.compile(r"0x[0-9a-f]+|[0-9]+")
FAILED, RETURNED, CRASHED = "f", "r", "c"
"""What a receive can have come to, but for a delete."""


@dataclass(frozen=True, slots=True)
class Trials:
    """What happened to a message before this receive."""

    failures: int = 0
    crashes: int = 0
    """Receives that nobody spoke for, or whose worker was seen to die."""
    evidence: tuple[Crash, ...] = ()
    """What is known of the crashes; there may be more of them."""
    returned: int = 0
    """Receives that were given back untried."""


FRESH = Trials()


@dataclass(frozen=True, slots=True)
class Word:
    """What somebody says of one receive."""

    receipt: Receipt
    kind: str
    evidence: Crash | None = None


def _lines(evidence: bytes) -> tuple[Crash, ...]:
    found = []
    for line in evidence.splitlines():
        try:
            found.append(msgspec.json.decode(line, type=Crash, strict=False))
        except msgspec.MsgspecError:
            continue
    return tuple(found)


@dataclass(slots=True)
class Group:
    """Dead letters that failed alike."""

    reason: str
    error: str
    text: str
    """The first line of the error's text, of the newest one."""
    task: str
    example: StoredMessage
    """The newest one."""
    count: int = 0
    first_ms: int = 0
    last_ms: int = 0


def grouped(dead: Iterable[StoredMessage]) -> list[Group]:
    """Dead letters by reason, task and error; the largest group first. Numbers in an error's text
    do not make it another one. Those that no worker gave up have the reason `unknown`."""
    groups: dict[tuple[str, ...], Group] = {}
    for message in dead:
        failure = message.failure or Failure(reason="unknown")
        line = failure.text.split("\n", 1)[0]
        key = (failure.reason, failure.task, failure.error, _DIGITS.sub("#", line))
        group = groups.get(key)
        if group is None:
            group = groups[key] = Group(
                failure.reason, failure.error, line, failure.task, message, 0, failure.at_ms
            )
        group.count += 1
        group.first_ms = min(group.first_ms, failure.at_ms)
        if failure.at_ms >= group.last_ms:
            group.last_ms, group.example, group.text = failure.at_ms, message, line
    return sorted(groups.values(), key=lambda one: -one.count)


def look(
    keys: QueueKeys, name: str, worker: str, receipts: Sequence[Receipt]
) -> Call[list[Trials]]:
    """What happened to messages that were received before; *worker* has them now."""

    def parse(reply: Sequence[Any]) -> list[Trials]:
        found = []
        for place, receipt in enumerate(receipts):
            failures, returned, evidence = reply[3 * place : 3 * place + 3]
            crashes = receipt.receive_count - 1 - int(failures) - int(returned)
            found.append(Trials(int(failures), max(crashes, 0), _lines(evidence), int(returned)))
        return found

    return script.load("worker/look").call(
        name,
        parse,
        trials=keys.trials,
        worker=worker,
        most=EVIDENCE_BYTES,
        rest=[part for one in receipts for part in (one.seq, one.receive_count)],
    )


def note(keys: QueueKeys, name: str, words: Iterable[Word]) -> Call[int]:
    """Speak for receives. The result is how many nobody had spoken for."""
    rest: list[Any] = []
    for word in words:
        evidence = b"" if word.evidence is None else msgspec.json.encode(word.evidence)
        rest += (word.receipt.seq, word.receipt.receive_count, word.kind, evidence)
    return script.load("worker/note").call(
        name, lambda reply: sum(map(int, reply)), trials=keys.trials, most=EVIDENCE_BYTES, rest=rest
    )


def forget(keys: QueueKeys, name: str, receipts: Iterable[Receipt]) -> Call[int]:
    """Forget the trials of messages that are gone."""
    fields: list[str] = []
    for one in receipts:
        fields += (str(one.seq), f"{one.seq}:holder", f"{one.seq}:crashes")
    return script.command("HDEL", name, int, keys.trials, *fields)


def tidy(keys: QueueKeys, name: str, cursor: str) -> Call[tuple[str, int]]:
    """Forget the trials of some messages that are gone. The next cursor, and how many fields."""
    return script.load("worker/tidy").call(
        name,
        lambda reply: (text_of(reply[0]), int(reply[1])),
        trials=keys.trials,
        log=keys.log,
        cursor=cursor,
    )


def release(
    registry: Registry,
    name: str,
    kind: str,
    messages: Sequence[tuple[ReceivedMessage | Receipt, timedelta | float]],
    evidence: Crash | None = None,
) -> Plan[list[int | RmqError]]:
    """Speak for receives, and give the messages back, each after its delay.

    In this order: what was spoken for and not given back comes back when its lease ends, and is
    still no crash.
    """
    words = [
        Word(one if isinstance(one, Receipt) else one.receipt, kind, evidence)
        for one, _ in messages
    ]
    step = SCRIPT_MESSAGES[False]
    for start in range(0, len(words), step):
        yield note(registry.keys(name), name, words[start : start + step])
    return (yield from plans.change_visibility(registry, name, list(messages)))


def bury(
    registry: Registry, name: str, target: str, dead: Sequence[tuple[ReceivedMessage, Failure]]
) -> Plan[bool]:
    """Move messages to the dead-letter queue *target*, each with the story of its failure. False
    where that queue is not there; then they are back."""
    keys, is_there = registry.keys(name), True
    step = SCRIPT_MESSAGES[True]
    for start in range(0, len(dead), step):
        part = dead[start : start + step]
        receipts = [message.receipt for message, _ in part]
        # Should the dead-letter queue be gone, they come back: as failures, not as crashes.
        yield note(keys, name, [Word(receipt, FAILED) for receipt in receipts])
        rest: list[Any] = []
        for receipt, (_, failure) in zip(receipts, part, strict=True):
            rest += (receipt.seq, receipt.receive_count, write_failure(failure))

        def make(info: QueueInfo, rest: list[Any] = rest) -> Call[list[int]]:
            return script.load("worker/bury").call(
                name,
                lambda reply: [int(one) for one in reply],
                state=keys.state,
                log=keys.log,
                inflight=keys.inflight,
                first=keys.first,
                outbox=keys.outbox,
                order=keys.order,
                groups=keys.groups,
                version=info.version,
                default_ms=info.visibility_ms,
                delay_ms=info.fifo_delay,
                target=target,
                rest=rest,
            )

        yield from on_known(registry, name, make)
        moved = yield from relay(registry, name)
        if moved.failure:
            is_there = False
        else:
            yield forget(keys, name, receipts)
    return is_there
