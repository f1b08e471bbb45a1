"""Filtering: what a publish pays to find whom its message is for. No server takes part."""

from __future__ import annotations

import json
import random
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence

from benchmarks.bench import Bench
from benchmarks.figure import Figure, Row, Side, Target, compare
from rmq.core.codec import MessageAttribute
from rmq.topics.filters.grammar import parse
from rmq.topics.filters.index import FilterIndex
from rmq.topics.filters.view import MessageView

MANY = 100_000
MESSAGES = 500
"""In one round."""
EVENTS = ("paid", "packed", "shipped", "returned")
VALUES = 32
"""Of each key, where no key tells much: 32³ is a third of MANY."""
Message = dict[str, MessageAttribute]


def matching(bench: Bench) -> Iterator[Row]:
    """A message of three attributes, from being published to the list of its subscribers.

    Three subscriptions want it. The floor is an index of these three and nobody else, so the ratio
    is what all the others cost. Both make the view of the message, which is some 5 µs of either.
    """
    for count in (1, 1_000, MANY):
        policies = [_of_a_shop(number) for number in range(count)]
        shop = count // 6
        wanted = [number for number in range(count) if number // 3 == shop]
        message = _message(shop=f"shop-{shop}", event="placed", price=100)
        yield _beside_those_who_want_it(
            bench, policies, wanted, message, f"{count:,}", Target(3, at_most=True)
        )
    # What one key can not tell apart, three keys have to.
    draw = random.Random(3)
    policies = [_of_three_keys(draw) for _ in range(MANY)]
    by_keys = [json.loads(text) for text in policies]
    values = {name: by_keys[0][name][0] for name in "abc"}
    wanted = [
        number
        for number, one in enumerate(by_keys)
        if all(one[name] == [value] for name, value in values.items())
    ]
    yield _beside_those_who_want_it(
        bench,
        policies,
        wanted,
        _message(**values),
        f"{MANY:,}, each key shared by {MANY // VALUES:,}",
        None,
        f"{len(wanted)} match",
    )


def building(bench: Bench) -> Iterator[Row]:
    """Policies of three keys, all different, added to an index one after the other.

    Memory is Python's own count of what 10,000 parsed policies and their index hold.
    """
    texts = [_of_a_shop(number) for number in range(MANY)]
    took, read = [], []
    for _ in range(bench.rounds(3)):
        begun = time.perf_counter()
        policies = [parse(text) for text in texts]
        parsed = time.perf_counter()
        FilterIndex(enumerate(policies))
        took.append(time.perf_counter() - parsed)
        read.append(parsed - begun)
    yield Row(
        case=f"{MANY:,} policies",
        measured=min(took),
        target=Target(3, at_most=True, unit="s"),
        note=f"and {min(read):.1f} s to parse their text",
    )
    few = 10_000
    tracemalloc.start()
    try:
        index = FilterIndex((number, parse(text)) for number, text in enumerate(texts[:few]))
        held = tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
    yield Row(
        case="memory of a policy",
        measured=held / len(index),
        target=Target(1500, at_most=True, unit="B"),
        note=f"its text has {len(texts[0])} of them, kept by who made it",
    )


def _beside_those_who_want_it(
    bench: Bench,
    policies: Sequence[str],
    wanted: Sequence[int],
    message: Message,
    case: str,
    target: Target | None,
    note: str = "",
) -> Row:
    everyone = FilterIndex((number, parse(text)) for number, text in enumerate(policies))
    only = FilterIndex((number, parse(policies[number])) for number in wanted)
    found = sorted(everyone.match(MessageView(message, "")).ids)
    if found != list(wanted):
        raise RuntimeError(f"the index found {found}, not {wanted}")

    def matches(index: FilterIndex[int]) -> Callable[[], int]:
        def work() -> int:
            for _ in range(MESSAGES):
                index.match(MessageView(message, ""))
            return MESSAGES

        return work

    result = compare(Side(matches(everyone)), Side(matches(only)), rounds=bench.rounds())
    return result.cost(case, target, note)


def _of_a_shop(number: int) -> str:
    """What a shop's subscriber asks for: three of them have the same shop."""
    return json.dumps(
        {
            "event": ["placed", EVENTS[number % len(EVENTS)]],
            "price": [{"numeric": [">=", number % 100]}],
            "shop": [f"shop-{number // 3}"],
        }
    )


def _of_three_keys(draw: random.Random) -> str:
    return json.dumps({name: [f"{name}-{draw.randrange(VALUES)}"] for name in "abc"})


def _message(**values: str | int) -> Message:
    return {
        name: MessageAttribute("String" if isinstance(value, str) else "Number", str(value))
        for name, value in values.items()
    }


FIGURES = (
    Figure("filter-match", "Whom a message is for, of so many with a filter policy", matching),
    Figure("filter-build", "Building the index of filter policies", building),
)
