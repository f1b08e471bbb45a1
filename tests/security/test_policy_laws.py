"""Policies: what holds of all of them, whatever they say."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as some

from rmq.errors import InvalidPolicy
from rmq.security import pattern
from rmq.security.policy import Request, Verdict, decide, parse
from rmq.security.principal import ANONYMOUS
from tests.security.policies import BOB, CALM, OTHER, OWNER, QUEUE, ROOT, SESSION, SNS, TOPIC, text

KEYS = ["aws:SourceArn", "aws:SecureTransport", "my:Text"]
VALUES = ["true", "false", "a", "ab", TOPIC, QUEUE, "10.0.0.1", "5"]

principals = some.sampled_from(
    [
        "*",
        {"AWS": "*"},
        {"AWS": OTHER},
        {"AWS": f"arn:aws:iam::{OTHER}:user/team/bob"},
        {"AWS": [OWNER, f"arn:aws:iam::{OTHER}:role/Ops"]},
        {"Service": "sns.amazonaws.com"},
    ]
)
actions = some.sampled_from(["sqs:SendMessage", "sqs:*", "*", "SQS:send*", "sqs:ReceiveMessage"])
resources = some.sampled_from([QUEUE, "*", "arn:aws:sqs:*", TOPIC, "arn:*:order?"])
conditions = some.dictionaries(
    some.sampled_from(
        [
            "StringEquals",
            "StringNotLike",
            "StringLikeIfExists",
            "ForAnyValue:StringLike",
            "ForAllValues:StringNotEquals",
        ]
    ),
    some.dictionaries(
        some.sampled_from(KEYS),
        some.lists(some.sampled_from([*VALUES, "a*"]), min_size=1),
        min_size=1,
    ),
    max_size=2,
)


@some.composite
def statements(draw: Any, effects: tuple[str, ...] = ("Allow", "Deny")) -> dict[str, Any]:
    def element(name: str, values: Any) -> dict[str, Any]:
        return {f"Not{name}" if draw(some.integers(0, 4)) == 0 else name: draw(values)}

    return (
        {"Effect": draw(some.sampled_from(effects)), "Condition": draw(conditions)}
        | element("Principal", principals)
        | element("Action", actions | some.lists(actions, min_size=1, max_size=3))
        | element("Resource", resources | some.lists(resources, min_size=1, max_size=3))
    )


requests = some.builds(
    Request,
    some.sampled_from([BOB, ROOT, SESSION, SNS, ANONYMOUS]),
    some.sampled_from(["sqs:SendMessage", "SQS:ReceiveMessage", "sns:Publish"]),
    some.sampled_from([QUEUE, TOPIC]),
    some.dictionaries(
        some.sampled_from(KEYS), some.sampled_from(VALUES) | some.lists(some.sampled_from(VALUES))
    ),
)
documents = some.lists(statements(), min_size=1, max_size=5)


def verdict(found: list[dict[str, Any]], request: Request) -> Verdict:
    return parse(text(*found)).evaluate(request).verdict


@CALM
@given(documents, requests)
def test_the_verdict_is_that_of_the_statements_one_by_one(found, request):
    """And so a Deny wins over every Allow."""
    alone = {verdict([one], request) for one in found}

    expected = next(
        one
        for one in (Verdict.EXPLICIT_DENY, Verdict.ALLOW, Verdict.IMPLICIT_DENY)
        if one in alone or one is Verdict.IMPLICIT_DENY
    )
    assert verdict(found, request) is expected


@CALM
@given(documents, requests, some.randoms())
def test_the_order_of_statements_does_not_matter(found, request, random):
    shuffled = random.sample(found, len(found))

    assert verdict(found, request) is verdict(shuffled, request)


@CALM
@given(documents, statements(("Deny",)), requests)
def test_a_deny_more_allows_nothing_more(found, deny, request):
    if not decide(parse(text(*found)), request, OWNER).is_allowed:
        assert not decide(parse(text(*found, deny)), request, OWNER).is_allowed


@CALM
@given(documents, statements(("Allow",)), requests)
def test_an_allow_more_denies_nothing_more(found, allow, request):
    if verdict(found, request) is Verdict.ALLOW:
        assert verdict([*found, allow], request) is Verdict.ALLOW


@CALM
@given(documents, requests)
def test_the_statement_that_decided_says_so_alone(found, request):
    decision = parse(text(*found)).evaluate(request)

    if decision.index is not None:
        assert verdict([found[decision.index]], request) is decision.verdict


def _swapped(value: Any) -> Any:
    """A document with the names of its condition keys, and its actions, in the other case."""
    if isinstance(value, list):
        return [_swapped(one) for one in value]
    return value.swapcase()


@CALM
@given(documents, requests)
def test_the_case_of_keys_and_actions_does_not_matter(found, request):
    swapped = []
    for one in found:
        copy = dict(one)
        for name in ("Action", "NotAction"):
            if name in copy:
                copy[name] = _swapped(copy[name])
        copy["Condition"] = {
            operator: {key.swapcase(): values for key, values in keys.items()}
            for operator, keys in one["Condition"].items()
        }
        swapped.append(copy)
    other = Request(
        request.principal,
        request.action.swapcase(),
        request.resource,
        {key.swapcase(): value for key, value in request.context.items()},
    )

    assert verdict(found, request) is verdict(swapped, other)


@CALM
@given(documents, requests)
def test_a_list_of_one_is_that_one(found, request):
    listed = [
        {
            name: [value] if "Action" in name and isinstance(value, str) else value
            for name, value in one.items()
        }
        for one in found
    ]

    assert verdict(found, request) is verdict(listed, request)


# --- globs ---------------------------------------------------------------------------------------


def naive(wanted: str, value: str) -> bool:
    """What a glob means, in as few words as can be."""
    if not wanted:
        return not value
    if wanted[0] == "*":
        return any(naive(wanted[1:], value[at:]) for at in range(len(value) + 1))
    return bool(value) and wanted[0] in ("?", value[0]) and naive(wanted[1:], value[1:])


@CALM
@given(some.text("ab*?.:", max_size=8), some.text("ab*.:\n", max_size=8))
def test_a_glob_agrees_with_a_naive_one(wanted, value):
    assert pattern.glob(wanted, "field", variables=True)(value, {}) is naive(wanted, value)


@CALM
@given(
    some.lists(some.text("ab*?", max_size=4), min_size=6, max_size=8), some.text("ab:", max_size=14)
)
def test_an_arn_is_globs_part_by_part(parts, value):
    wanted = ":".join(parts)
    values = value.split(":", 5)
    expected = len(values) == 6 and all(map(naive, wanted.split(":", 5), values))

    assert pattern.arn(wanted, "field", variables=False)(value, {}) is expected


@CALM
@given(some.text("ab*?${},' :", max_size=12), some.text("ab*?$", max_size=6))
def test_any_text_is_a_pattern_or_refused(wanted, value):
    try:
        matches = pattern.glob(wanted, "field", variables=True)
    except InvalidPolicy:
        assert "${" in wanted
    else:
        assert matches(value, {"a": ("b",)}) in (True, False)


@CALM
@given(some.text(max_size=20), some.text(max_size=20))
def test_what_a_variable_stands_for_is_that_text_and_no_other(mine, other):
    matches = pattern.glob("<${key}>", "field", variables=True)

    assert matches(f"<{mine}>", {"key": (mine,)})
    assert matches(f"<{other}>", {"key": (mine,)}) is (mine == other)
