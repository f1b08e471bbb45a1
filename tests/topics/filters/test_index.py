"""The index: the same answers as asking every policy, at a cost that follows the matches."""

from __future__ import annotations

import json
from collections import Counter

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rmq.core.codec import MessageAttribute
from rmq.topics.filters import index as module
from rmq.topics.filters import view as viewing
from rmq.topics.filters.grammar import parse
from rmq.topics.filters.index import FilterIndex
from rmq.topics.filters.limits import FilterLimits
from rmq.topics.filters.policy import AllOf
from rmq.topics.filters.ranges import Intervals
from rmq.topics.filters.verdict import Outcome, explain
from rmq.topics.filters.view import MessageView
from tests.topics.filters.cases import attribute

ATTRIBUTES, BODY = "message_attributes", "message_body"
NO_LIMITS = FilterLimits.none()

# --- any policies, any messages ------------------------------------------------------------------

# Few words and few keys, so that policies share conditions and messages meet them.
TEXTS = st.sampled_from(["a", "ab", "abc", "b", "ba", "B", "", "10.0.0.1", "10.0.9.1", "::1"])
NUMBERS = st.sampled_from([0, 1, 2, 3, 1.5, -1, 0.00001, 10**9])
KEYS = st.sampled_from(["a", "b", "c"])
TOKENS = st.sampled_from([True, False, None])


@st.composite
def ranges(draw):
    low, high = sorted(draw(st.lists(NUMBERS, min_size=2, max_size=2, unique=True)))
    ends = draw(st.sampled_from([">", ">="])), draw(st.sampled_from(["<", "<="]))
    return [ends[0], low, ends[1], high]


PATTERNS = st.sampled_from(["*", "a*", "*b", "*a*", "a*b", "*b*a*", "ab", "*abcd*", "a\\*"])
CONDITIONS = st.one_of(
    TEXTS,
    TEXTS,
    NUMBERS,
    TOKENS,
    st.fixed_dictionaries({"prefix": TEXTS}),
    st.fixed_dictionaries({"suffix": TEXTS}),
    st.fixed_dictionaries({"equals-ignore-case": TEXTS}),
    st.fixed_dictionaries({"wildcard": PATTERNS}),
    st.fixed_dictionaries({"exists": st.booleans()}),
    st.fixed_dictionaries({"cidr": st.sampled_from(["10.0.0.0/16", "10.0.0.0/24", "::/0"])}),
    st.fixed_dictionaries(
        {
            "anything-but": st.one_of(
                TEXTS,
                st.lists(TEXTS, min_size=1, max_size=2),
                st.lists(NUMBERS, min_size=1, max_size=2),
                st.fixed_dictionaries({"prefix": st.sampled_from(["a", "b"])}),
                st.fixed_dictionaries({"wildcard": PATTERNS}),
            )
        }
    ),
    st.fixed_dictionaries(
        {
            "numeric": st.one_of(
                st.tuples(st.sampled_from(["=", "<", "<=", ">", ">="]), NUMBERS).map(list), ranges()
            )
        }
    ),
)
FIELDS = st.lists(CONDITIONS, min_size=1, max_size=3)


def objects(values):
    return st.dictionaries(KEYS, values, min_size=1, max_size=2)


def with_or(policies):
    branches = st.lists(policies, min_size=2, max_size=3)
    return st.one_of(
        policies,
        st.builds(lambda one, several: {**one, "$or": several}, policies, branches),
        branches.map(lambda several: {"$or": several}),
    )


FLAT = with_or(objects(FIELDS))
NESTED = with_or(objects(st.one_of(FIELDS, FIELDS, with_or(objects(FIELDS)))))
POLICIES = st.one_of(
    FLAT.map(lambda one: parse(one, ATTRIBUTES, NO_LIMITS)),
    NESTED.map(lambda one: parse(one, BODY, NO_LIMITS)),
)
LEAVES = st.one_of(TEXTS, TEXTS, NUMBERS, TOKENS)
VALUES = st.recursive(
    LEAVES,
    lambda values: st.one_of(
        st.lists(values, max_size=3), st.dictionaries(KEYS, values, max_size=3)
    ),
    max_leaves=5,
)
ATTRIBUTE = st.one_of(
    TEXTS.map(attribute),
    TEXTS.map(attribute),
    NUMBERS.map(attribute),
    st.lists(LEAVES, max_size=3).map(attribute),
    st.sampled_from(
        [
            MessageAttribute("String.Array", "no array"),
            MessageAttribute("Number", "no number"),
            MessageAttribute("Binary", b"a"),
        ]
    ),
)
MESSAGES = st.builds(
    MessageView,
    st.dictionaries(KEYS, ATTRIBUTE, max_size=3),
    st.one_of(
        st.dictionaries(KEYS, VALUES, min_size=1, max_size=3).map(json.dumps),
        st.dictionaries(KEYS, VALUES, min_size=1, max_size=3).map(json.dumps),
        st.sampled_from(["{}", "[]", "no JSON"]),
    ),
)
CHANGES = st.lists(
    st.tuples(st.integers(0, 20), st.none() | st.integers(0, 29), st.booleans()), max_size=40
)
"""Whose policy; which of the example's it becomes, None to leave; whether to look right after."""


def check(index, policies, message):
    """One message: everyone that wants it, once; the others by kind; and each verdict says so."""
    found = index.match(message)
    wanted = {id for id, policy in policies.items() if policy.matches(message)}
    assert sorted(found.ids) == sorted(wanted)
    verdicts = {id: explain(policy, message) for id, policy in policies.items()}
    assert {id for id, verdict in verdicts.items() if verdict} == wanted
    refused = Counter(verdict.outcome for verdict in verdicts.values() if not verdict)
    assert found.filtered_out == refused
    for verdict in verdicts.values():
        assert str(verdict)
        for one in verdict.refusals:
            assert not any(condition.holds(one.had) for condition in one.conditions)


@given(
    st.lists(POLICIES, min_size=8, max_size=30),
    CHANGES,
    st.lists(MESSAGES, min_size=3, max_size=6),
    st.sampled_from([1, 2, 16]),
)
@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
def test_the_index_agrees_with_asking_everyone(drawn, changes, messages, full):
    """Whatever was added and removed before, and however soon a bucket is filed once more."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "FULL", full)
        policies = {id + 100: policy for id, policy in enumerate(drawn)}
        index = FilterIndex(policies.items())
        for number, (id, which, look) in enumerate(changes):
            if which is not None:
                policies[id] = drawn[which % len(drawn)]
                index.add(id, policies[id])
            else:
                # Someone of the first, or of those who came since.
                id = id if id in policies else id + 100
                if policies.pop(id, None) is not None:
                    index.remove(id)
            if look:
                check(index, policies, messages[number % len(messages)])
        assert len(index) == len(policies)
        for message in messages:
            check(index, policies, message)
        for id in list(policies):
            index.remove(id)
        assert_empty(index)


def test_random_policies_match_often_enough_to_mean_something():
    """Agreeing on nothing would be easy."""
    pairs = matched = 0

    @given(POLICIES, MESSAGES)
    @settings(max_examples=400, deadline=None, database=None, derandomize=True)
    def count(policy, message):
        nonlocal pairs, matched
        pairs += 1
        matched += policy.matches(message)

    count()
    assert 0.1 < matched / pairs < 0.7


def assert_empty(index):
    """Nothing is kept of those who left."""
    assert len(index) == 0
    for scope in index._scopes.values():
        assert scope.count == 0
        assert not scope._by_text
        assert not len(scope._level)
        assert not scope._level._root.children


# --- intervals -----------------------------------------------------------------------------------

BOUNDS = st.one_of(st.integers(-20, 20), st.integers(-(10**14), 10**14))


@given(
    st.sets(st.tuples(st.none() | BOUNDS, st.none() | BOUNDS).filter(any), max_size=30),
    st.lists(BOUNDS, max_size=10),
    st.data(),
)
@settings(max_examples=300, deadline=None)
def test_a_number_finds_the_intervals_it_lies_in(intervals, numbers, data):
    found = Intervals()
    for one in intervals:
        found.add(*one)
    gone = data.draw(st.sets(st.sampled_from(sorted(intervals, key=str)))) if intervals else set()
    for one in gone:
        found.remove(*one)
    left = intervals - gone
    ends = [end for one in left for end in one if end is not None]
    for number in [*numbers, *ends, *(end + 1 for end in ends), *(end - 1 for end in ends)]:
        expected = {
            (low, high)
            for low, high in left
            if (low is None or low <= number) and (high is None or number <= high)
        }
        around = list(found.around(number))
        assert len(around) == len(set(around))
        assert set(around) == expected


# --- subscribers ---------------------------------------------------------------------------------


def view(body="", **attributes):
    return MessageView({name: attribute(value) for name, value in attributes.items()}, body)


def test_those_without_a_policy_are_kept_aside():
    index = FilterIndex([("all", None), ("some", parse({"a": ["x"]}))])
    assert index.unfiltered == ["all"]
    assert index.match(view(a="x")).ids == ["some"]
    assert len(index) == 2
    assert set(index) == {"all", "some"}


def test_another_policy_takes_the_place_of_the_first():
    index = FilterIndex([("us", parse({"a": ["x"]}))])
    index.add("us", parse({"a": ["y"]}))
    assert index.match(view(a="x")).ids == []
    assert index.match(view(a="y")).ids == ["us"]
    index.add("us", None)
    assert index.match(view(a="y")).ids == []
    assert index.unfiltered == ["us"]
    index.add("us", parse({"a": ["x"]}, BODY))
    assert index.unfiltered == []
    assert index.match(view('{"a":"x"}', a="x")).ids == ["us"]
    assert len(index) == 1
    index.remove("us")
    assert_empty(index)


def test_who_is_not_there_can_not_be_removed():
    index = FilterIndex([("us", parse({"a": ["x"]}))])
    with pytest.raises(KeyError):
        index.remove("them")
    index.remove("us")
    with pytest.raises(KeyError):
        index.remove("us")


def test_subscribers_with_the_same_text_share_one_policy():
    text = '{"a":["x"],"b":["y"]}'
    index = FilterIndex((n, parse(text)) for n in range(1000))
    assert sorted(index.match(view(a="x", b="y")).ids) == list(range(1000))
    assert index.match(view(a="x")).filtered_out == {Outcome.MESSAGE_ATTRIBUTES: 1000}
    assert len(index._scopes[ATTRIBUTES]._level) == 1
    for n in range(999):
        index.remove(n)
    assert index.match(view(a="x", b="y")).ids == [999]
    index.remove(999)
    assert_empty(index)


def test_the_same_text_in_two_scopes_is_two_policies():
    index = FilterIndex([(scope, parse('{"a":["x"]}', scope)) for scope in (ATTRIBUTES, BODY)])
    assert index.match(view("{}", a="x")).ids == [ATTRIBUTES]
    assert index.match(view('{"a":"x"}')).ids == [BODY]


def test_refusals_are_counted_by_kind():
    index = FilterIndex(
        [
            *((f"a{n}", parse({"a": [str(n)]})) for n in range(5)),
            *((f"b{n}", parse({"a": [str(n)]}, BODY)) for n in range(3)),
            ("all", None),
        ]
    )
    assert index.match(view('{"a":"1"}', a="1")).filtered_out == {
        Outcome.MESSAGE_ATTRIBUTES: 4,
        Outcome.MESSAGE_BODY: 2,
    }
    assert index.match(view("text")).filtered_out == {
        Outcome.NO_MESSAGE_ATTRIBUTES: 5,
        Outcome.INVALID_MESSAGE_BODY: 3,
    }
    broken = MessageView({"b": MessageAttribute("Number", "x"), "a": attribute("1")}, "{}")
    found = index.match(broken)
    assert found.ids == ["a1"]
    assert found.filtered_out == {Outcome.INVALID_ATTRIBUTES: 4, Outcome.MESSAGE_BODY: 3}
    assert FilterIndex([("all", None)]).match(view()).filtered_out == {}


def test_a_body_is_parsed_once_and_only_if_somebody_asks(monkeypatch):
    parsed = []
    read = viewing._object
    monkeypatch.setattr(viewing, "_object", lambda text: parsed.append(text) or read(text))

    FilterIndex([("us", parse({"a": ["x"]}))]).match(view('{"a":"x"}', a="x"))
    assert parsed == []
    message = view('{"a":"x"}')
    index = FilterIndex((n, parse({"a": ["x", str(n)]}, BODY)) for n in range(50))
    assert len(index.match(message).ids) == 50
    assert parsed == ['{"a":"x"}']
    FilterIndex([("us", parse({"a": ["x"]}, BODY))]).match(message)
    assert parsed == ['{"a":"x"}']


# --- cost ----------------------------------------------------------------------------------------


def asked(index, message, monkeypatch):
    """How many policies are asked in full for one message."""
    count = 0
    matches = AllOf.matches

    def counting(self, here):
        nonlocal count
        count += 1
        return matches(self, here)

    with monkeypatch.context() as patch:
        patch.setattr(AllOf, "matches", counting)
        found = index.match(message)
    return count, found.ids


def one_in(n, each):
    """A policy of three keys, each of which *each* values share among all policies."""
    return {
        "a": [f"a{n % each}"],
        "b": [{"prefix": f"b{n // each % each}-"}],
        "c": [{"numeric": ["=", n // each**2 % each]}],
    }


def test_one_telling_key_is_enough(monkeypatch):
    """3 of 3,000 policies have this shop, and the rest of all of them is met by the message. It is
    the choice of the key that is looked at: nobody is filed a second time."""
    monkeypatch.setattr(module, "FULL", 10_000)
    index = FilterIndex(
        (
            n,
            parse(
                {
                    "event": ["placed"],
                    "price": [{"numeric": [">=", -n]}],
                    "shop": [f"{n % 1000}"],
                    "note": [{"anything-but": f"{n}"}],
                }
            ),
        )
        for n in range(3000)
    )
    count, ids = asked(index, view(event="placed", price=1, shop="7", note="x"), monkeypatch)
    assert sorted(ids) == [7, 1007, 2007]
    assert count <= 10


def test_three_keys_that_tell_little_are_enough_together(monkeypatch):
    """Each of the three is shared by 300 of 3,375 policies; all three by one."""
    index = FilterIndex((n, parse(one_in(n, 15))) for n in range(15**3))
    message = view(a="a3", b="b4-x", c=5)
    count, ids = asked(index, message, monkeypatch)
    assert ids == [5 * 225 + 4 * 15 + 3]
    assert count <= 3 * module.FULL + 10
    for n in range(15**3):
        index.remove(n)
    assert_empty(index)


def test_a_condition_given_twice_is_filed_once(monkeypatch):
    """Who left is not asked any more, though two conditions led to them."""

    def only(n):
        return [{"numeric": [">=", n, "<", n + 1]}]

    # Ranges tell less than texts, so all are filed under x, and there by one of their ranges.
    index = FilterIndex(
        (n, parse({"a": ["x", "x"], "b": only(n), "c": only(n)})) for n in range(100)
    )
    message = view(a="x", b=50, c=50)
    assert asked(index, message, monkeypatch) == (1, [50])
    for n in range(99):
        index.remove(n)
    assert asked(index, message, monkeypatch) == (0, [])
    index.remove(99)
    assert_empty(index)


KINDS = {
    "text": (lambda n: f"{n}", "700"),
    "number": (lambda n: n, 700),
    "prefix": (lambda n: {"prefix": f"{n}-"}, "700-x"),
    "suffix": (lambda n: {"suffix": f"-{n}"}, "x-700"),
    "ignore case": (lambda n: {"equals-ignore-case": f"k{n}"}, "K700"),
    "range": (lambda n: {"numeric": [">=", n, "<", n + 0.5]}, 700.25),
    "cidr": (lambda n: {"cidr": f"10.{n // 256}.{n % 256}.0/24"}, "10.2.188.9"),
    "wildcard": (lambda n: {"wildcard": f"{n}-*-{n}"}, "700-x-700"),
    "wildcard behind": (lambda n: {"wildcard": f"*-{n}"}, "x-700"),
    "wildcard around": (lambda n: {"wildcard": f"*{n:04}*"}, "x0700"),
}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_of_condition_tells_policies_apart(kind, monkeypatch):
    made, value = KINDS[kind]
    index = FilterIndex(
        (n, parse({"k": [made(n)], "rest": [{"exists": True}]})) for n in range(1000)
    )
    message = view(k=value, rest="x")
    count, ids = asked(index, message, monkeypatch)
    assert ids == [700]
    assert count <= 12

    for n in range(1000):
        if n != 7:
            index.remove(n)
    assert asked(index, message, monkeypatch) == (0, [])
    [table] = index._scopes[ATTRIBUTES]._level._root.children["k"].tables.values()
    assert len(table.slots) == table.filed == 1
    assert sum(getattr(table, "sizes", {None: 1}).values()) == 1
    index.remove(7)
    assert_empty(index)


def test_ranges_without_an_end_cost_what_they_match(monkeypatch):
    index = FilterIndex((n, parse({"k": [{"numeric": [">=", n]}]})) for n in range(1000))
    assert sorted(index.match(view(k=4)).ids) == [0, 1, 2, 3, 4]
    assert asked(index, view(k=4), monkeypatch)[0] == 0


def test_policies_on_many_paths_do_not_slow_one_another_down():
    """Each of 2,000 attributes is looked at by one policy; a message has one of them."""
    index = FilterIndex((n, parse({f"name{n}": ["x"]})) for n in range(2000))
    looked: list[str] = []

    class Watched(dict):
        def get(self, name, default=None):
            looked.append(name)
            return super().get(name, default)

    message = view(name7="x")
    message.__dict__["attributes"] = Watched(message.attributes)
    assert index.match(message).ids == [7]
    assert len(looked) == 1


def test_a_long_text_and_a_pattern_with_stars_take_no_time():
    """Backtracking would take the cube of 200,000 steps."""
    policy = parse({"k": [{"wildcard": "*ab*ab*abc"}]}, BODY)
    message = MessageView({}, json.dumps({"k": "ab" * 100_000}))
    assert FilterIndex([("us", policy)]).match(message).ids == []


def test_arrays_deeper_than_the_stack_are_looked_through():
    deep = "[" * 900 + '"x"' + "]" * 900
    policy = parse({"k": ["x"]}, BODY)
    message = MessageView({}, f'{{"k": {deep}}}')
    assert message.body is not None
    assert FilterIndex([("us", policy)]).match(message).ids == ["us"]
