"""What the documentation says: each case asked of the policy, of its verdict and of an index."""

from __future__ import annotations

import json

import pytest

from rmq.topics.filters.grammar import parse
from rmq.topics.filters.index import FilterIndex
from rmq.topics.filters.verdict import explain
from tests.topics.filters.cases import CASES, Case


def test_there_are_enough_cases():
    assert len(CASES) >= 300
    assert 0.3 < sum(case.expected for case in CASES) / len(CASES) < 0.7


@pytest.mark.parametrize("case", CASES, ids=lambda case: ascii(case.id))
def test_a_policy_matches_as_documented(case: Case):
    policy = parse(case.policy, case.scope)
    view = case.view()

    assert policy.matches(view) is case.expected
    verdict = explain(policy, view)
    assert bool(verdict) is case.expected
    assert str(verdict)
    found = FilterIndex([("us", policy)]).match(view)
    assert found.ids == ["us"] * case.expected
    assert found.filtered_out == ({} if case.expected else {verdict.outcome: 1})


def test_a_policy_may_be_text_or_a_dict():
    for case in CASES:
        given, read = parse(case.policy, case.scope), parse(json.dumps(case.policy), case.scope)
        assert given.root == read.root


def test_all_cases_in_one_index_find_their_own():
    """Every policy beside every other: nobody is found by a neighbour's slot, nobody is missed."""
    policies = [parse(case.policy, case.scope) for case in CASES]
    index = FilterIndex(enumerate(policies))
    for case in CASES:
        view = case.view()
        expected = {number for number, one in enumerate(policies) if one.matches(view)}
        assert set(index.match(view).ids) == expected
