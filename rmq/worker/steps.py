"""Steps: what comes after a task, as it travels in its message.

    a step      {"task": .., "args": ..}                a task's message, with its queue
                {"id": .., "members": [[step, ..], ..]}  a group; each member is a chain of steps
    both have   "chain": what comes after it; "group": who is told how the last of that ended

The result of a step is the first argument of the next one, of a group the list of its members'
results; a group hands what it gets to each member. All of it is sent before the message of what was
done is deleted, on a line of its own to each queue (rmq/queues/arriving.py). So a worker that dies
in between repeats it, and each queue takes it once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import msgspec

from rmq.core.keys import ResultKeys
from rmq.core.script import Call, Plan, Several
from rmq.errors import InvalidParameter, RmqError
from rmq.queues import arriving, plans
from rmq.queues.arriving import Line
from rmq.queues.attributes import QueueInfo
from rmq.queues.outgoing import Outgoing, prepare
from rmq.queues.registry import Registry, on_known
from rmq.worker import groups
from rmq.worker.groups import ENDED_MS, MOST_MEMBERS
from rmq.worker.payload import to_plain
from rmq.worker.results import checked_id, end

Step = Mapping[str, Any]

IN_ONE_CALL = 100
"""Members that one script takes in."""


# --- done, or not -------------------------------------------------------------------------------


def ended(
    registry: Registry, line: str, chain: Sequence[Step], group: str | None, result: Any
) -> Plan[None]:
    """What came before is done: send what is next, or tell the group that this was the end."""
    if chain:
        yield from send(registry, line, joined(chain, group), result)
    elif group:
        yield from tell(registry, group, {"state": "done", "result": result})


def broken(
    registry: Registry,
    chain: Sequence[Step],
    group: str | None,
    what: str,
    why: str,
    keep_ms: int = ENDED_MS,
) -> Plan[None]:
    """What came before is not done (*what*: failed or cancelled; *why*: error and traceback): what
    is behind it never begins. Whoever waits for that hears so, and so does the group."""
    error = why.partition("\0")[0]
    outcome = {"state": what, "error": error} if error else {"state": what}
    encoded = msgspec.json.encode(outcome)
    for one in _all(chain):
        keys = ResultKeys(registry.namespace, checked_id(one["id"]))
        if "members" in one:
            yield groups.break_off(keys, one["id"], encoded, registry.clock)
        elif one.get("result_ttl") is not None:
            yield end(keys, one["id"], what, why.encode(), keep_ms)
    if group:
        yield from tell(registry, group, outcome)


def tell(registry: Registry, group: str, outcome: Mapping[str, Any]) -> Plan[None]:
    """A member of a group has ended: note how, and go on behind the group if it was the last."""
    id, _, place = group.partition(":")
    if not place.isdigit() or int(place) >= MOST_MEMBERS:
        raise InvalidParameter("group", group, "id:place, as in 6f9c..:0")
    keys = ResultKeys(registry.namespace, checked_id(id))
    encoded = msgspec.json.encode(outcome, enc_hook=to_plain)
    found: groups.Ended = yield groups.end(keys, id, place, encoded, registry.clock)
    if not found.callback:
        return
    callback = msgspec.json.decode(found.callback)
    chain, outer, failed = (callback.get(one) for one in ("chain", "group", "failed"))
    errors = [
        None if one["state"] == "done" else one.get("error", one["state"]) for one in found.outcomes
    ]
    first = next((one for one in errors if one is not None), None)
    if first is None:
        given = [one.get("result") for one in found.outcomes]
        yield from ended(registry, f"g:{id}", chain or [], outer, given)
    else:
        if failed is not None:
            yield from send(registry, f"g:{id}", failed, errors)
        yield from broken(registry, chain or [], outer, "failed", first)
    yield groups.close(keys, id)


# --- sending ------------------------------------------------------------------------------------


def send(registry: Registry, line: str, step: Step, result: Any) -> Plan[None]:
    """Send a step with the result before it, once on this line."""
    known, tasks = first(registry, step)
    yield from begin_all(known)
    queues: dict[str, list[Outgoing]] = {}
    for task in tasks:
        queues.setdefault(task["queue"], []).append(_outgoing(task, result))
    for queue, messages in queues.items():
        yield from _send_once(registry, queue, line, messages)


def first(registry: Registry, step: Step) -> tuple[list[Call[bool]], list[Step]]:
    """What is sent of a step: the calls that make its groups known, and its task, or all those with
    which the members of a group begin."""
    if "members" not in step:
        return [], [step]
    known, tasks = [_begin(registry, step, is_sent=True)], []
    for place in range(len(step["members"])):
        inner, begun = first(registry, _member(step, place))
        known += inner
        tasks += begun
    return known, tasks


def later(
    registry: Registry, chain: Sequence[Step], group: str | None = None
) -> Iterator[Call[bool]]:
    """The calls that make all groups of a chain known, also those that are sent later."""
    for place, one in enumerate(chain):
        if "members" in one:
            yield _begin(registry, joined(chain[place:], group), is_sent=False)
            for number, steps in enumerate(one["members"]):
                yield from later(registry, steps, f"{one['id']}:{number}")


def begin_all(calls: Sequence[Call[bool]]) -> Plan[None]:
    """Make groups known."""
    if len(calls) == 1:
        yield calls[0]
        return
    for at in range(0, len(calls), IN_ONE_CALL):
        some = calls[at : at + IN_ONE_CALL]
        answers: list[Any] = yield Several(some)
        for call, answer in zip(some, answers, strict=True):
            if isinstance(answer, RmqError):
                yield call  # by itself it is retried for longer


def joined(chain: Sequence[Step], group: str | None) -> Step:
    """The first of a chain, with the rest behind it, and who is told of the end."""
    step = dict(chain[0])
    if len(chain) > 1:
        step["chain"] = list(chain[1:])
    if group:
        step["group"] = group
    return step


def _member(step: Step, place: int) -> Step:
    """What a member of a group begins with."""
    return joined(step["members"][place], f"{step['id']}:{place}")


def _begin(registry: Registry, step: Step, *, is_sent: bool) -> Call[bool]:
    callback = {name: step[name] for name in ("chain", "group", "failed") if step.get(name)}
    id, total = checked_id(step["id"]), len(step["members"])
    if not 1 <= total <= MOST_MEMBERS:
        raise InvalidParameter("members", total, f"1 to {MOST_MEMBERS}")
    keys = ResultKeys(registry.namespace, id)
    return groups.begin(keys, id, total, callback, registry.clock, is_sent=is_sent)


def _all(chain: Sequence[Step]) -> Iterator[Step]:
    for one in chain:
        yield one
        for steps in one.get("members", ()):
            yield from _all(steps)


def _outgoing(task: Step, result: Any) -> Outgoing:
    fields = {name: one for name, one in task.items() if name not in ("queue", "group_id")}
    if fields.pop("with_result", True):
        fields["args"] = [result, *fields.get("args", [])]
    body = msgspec.json.encode(fields, enc_hook=to_plain)
    group = task.get("group_id")
    if task["queue"].endswith(".fifo"):
        return Outgoing(
            body, message_group_id=group or task["id"], deduplication_id=task["id"][:128]
        )
    return Outgoing(body, message_group_id=group)


def _send_once(
    registry: Registry, queue: str, line: str, messages: Sequence[Outgoing]
) -> Plan[None]:
    if queue.endswith(".fifo"):
        for sent in (yield from plans.send(registry, queue, messages)):
            if isinstance(sent, RmqError):
                raise sent
        return
    for at in range(0, len(messages), IN_ONE_CALL):

        def deliver(info: QueueInfo, at: int = at) -> Any:
            parts: list[Any] = []
            for seq, one in enumerate(messages[at : at + IN_ONE_CALL], at + 1):
                packed, delay = prepare(info, registry.limits, one)
                _, _, of = str(delay).partition(" ")
                parts += [packed, f"{seq} {of}" if of else seq]
            return arriving.deliver(registry.keys(queue), info, Line(line), at + 1, parts)

        yield from on_known(registry, queue, deliver)
