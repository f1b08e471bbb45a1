"""Verdicts: why a message was not sent."""

from __future__ import annotations

import pytest

from rmq.core.codec import MessageAttribute
from rmq.topics.filters.grammar import parse
from rmq.topics.filters.limits import FilterLimits
from rmq.topics.filters.verdict import Outcome, explain
from rmq.topics.filters.view import MessageView
from tests.topics.filters.cases import CASES, attribute

BODY = "message_body"


def view(body="", **attributes):
    return MessageView({name: attribute(value) for name, value in attributes.items()}, body)


def test_a_message_that_matches_has_nothing_to_explain():
    verdict = explain(parse({"a": ["x"]}), view(a="x"))
    assert verdict
    assert verdict.outcome is Outcome.MATCHED
    assert verdict.refusals == ()
    assert str(verdict) == "the message matches"


def test_without_a_policy_everything_matches():
    assert explain(None, view())


def test_the_key_that_refused_is_named():
    policy = parse({"kind": ["a"], "price": [{"numeric": [">", 0, "<=", 12.5]}, 99], "z": ["z"]})
    verdict = explain(policy, view(kind="a", price=13.25, z="y"))
    assert verdict.outcome is Outcome.MESSAGE_ATTRIBUTES
    [refusal] = verdict.refusals
    assert refusal.path == ("price",)
    assert refusal.had == (1_325_000,)
    assert str(verdict) == (
        'price must be {"numeric": [">", 0, "<=", 12.5]} or 99; the message has 13.25'
    )


def test_what_is_absent_is_said_to_be_absent():
    verdict = explain(parse({"a": [{"exists": True}]}), view(b="x"))
    assert str(verdict) == 'a must be {"exists": true}; the message has nothing there'


def test_a_message_without_attributes_is_a_kind_of_its_own():
    policy = parse({"a": [{"exists": False}]})
    for message in (
        view(),
        MessageView(None, "x"),
        MessageView({"a": MessageAttribute("Binary", b"")}, ""),
    ):
        verdict = explain(policy, message)
        assert verdict.outcome is Outcome.NO_MESSAGE_ATTRIBUTES
        assert str(verdict) == "the message has no attributes to compare"


@pytest.mark.parametrize(
    ("kind", "text"), [("String.Array", "x"), ("Number", "x"), ("Number", "1e999")]
)
def test_attributes_that_can_not_be_read_are_a_kind_of_their_own(kind, text):
    broken = MessageView({"a": MessageAttribute(kind, text)}, "")
    verdict = explain(parse({"a": ["x"]}), broken)
    assert verdict.outcome is Outcome.INVALID_ATTRIBUTES
    assert str(verdict) == 'a must be "x"; the message has unreadable'


@pytest.mark.parametrize("body", ["", "text", "[]", "{"])
def test_a_body_that_is_no_object_is_a_kind_of_its_own(body):
    verdict = explain(parse({"a": ["x"]}, BODY), view(body))
    assert verdict.outcome is Outcome.INVALID_MESSAGE_BODY
    assert str(verdict) == "the message's body is not a JSON object"


def test_the_place_in_a_body_is_named_level_by_level():
    policy = parse({"order": {"items": {"sku": ["x"], "count": [1]}}}, BODY)
    body = '{"order": {"items": [{"sku": "x", "count": 2}, {"sku": "y", "count": 1}]}}'
    verdict = explain(policy, view(body))
    assert verdict.outcome is Outcome.MESSAGE_BODY
    assert [one.path for one in verdict.refusals] == [
        ("order", "items", 0, "count"),
        ("order", "items", 1, "sku"),
    ]
    assert str(verdict) == (
        "order.items[0].count must be 1; the message has 2; and "
        'order.items[1].sku must be "x"; the message has "y"'
    )


def test_each_branch_of_an_or_says_why_not():
    policy = parse({"$or": [{"a": ["1"]}, {"b": [{"prefix": "x"}], "c": ["3"]}]})
    verdict = explain(policy, view(b="y"))
    assert str(verdict) == (
        'a must be "1"; the message has nothing there; and '
        'b must be {"prefix": "x"}; the message has "y"'
    )


def test_a_verdict_is_short_whatever_the_message_has():
    policy = parse({"a": {"b": [str(n) for n in range(70)]}}, BODY)
    body = '{"a": [' + ",".join(f'{{"b": "{"x" * 500}"}}' for _ in range(400)) + "]}"
    verdict = explain(policy, view(body))
    assert len(verdict.refusals) == 400
    assert len(str(verdict)) < 2000
    assert "395 more" in str(verdict)


CONDITIONS = [
    '"text"', "12", "-0.00001", "1500000000", "true", "false", "null",
    '{"prefix": "a"}', '{"suffix": "a"}', '{"equals-ignore-case": "aB"}', '{"wildcard": "a*\\\\*"}',
    '{"anything-but": ["a", "b"]}', '{"anything-but": [1, 2]}', '{"anything-but": {"prefix": "a"}}',
    '{"numeric": ["<", 1.5]}', '{"numeric": ["<=", 1.5]}', '{"numeric": [">", -1]}',
    '{"numeric": [">=", 0]}', '{"numeric": [">", 0.1, "<", 0.2]}',
    '{"numeric": [">=", 1, "<=", 2]}',
    '{"cidr": "10.0.0.0/8"}', '{"exists": true}', '{"exists": false}',
]  # fmt: skip


@pytest.mark.parametrize("text", CONDITIONS)
def test_a_condition_is_shown_as_a_policy_has_it(text):
    policy = parse(f'{{"k": [{text}]}}', limits=FilterLimits.none())
    [field] = policy.root.parts
    assert [str(one) for one in field.conditions] == [text]


def test_every_refusal_of_the_documented_cases_names_a_key_of_its_policy():
    """And what it names is so: the leaves at that place meet none of the conditions."""
    for case in CASES:
        policy = parse(case.policy, case.scope)
        message = case.view()
        verdict = explain(policy, message)
        readable = message.scope(case.scope) is not None
        assert bool(verdict.refusals) == (readable and not case.expected)
        for one in verdict.refusals:
            assert all(step in policy.text for step in one.path if isinstance(step, str))
            assert not any(condition.holds(one.had) for condition in one.conditions)
