"""Policies that are refused: with what Amazon SNS says, and where."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from rmq.errors import InvalidFilterPolicy, InvalidParameter
from rmq.topics.filters.grammar import parse
from rmq.topics.filters.limits import DEEPEST, FilterLimits

ATTRIBUTES, BODY = "message_attributes", "message_body"
NO_NESTING = "Filter policy scope MessageAttributes does not support nested filter policy"
MATCH_VALUE = "Match value must be String, number, true, false, or null"
TOO_COMPLEX = "Filter policy is too complex"
OUT_OF_RANGE = "Value must be between -1.0E+09 and 1.0E+09, inclusive"
EXISTS = "exists match pattern must be either true or false."
MIXED = "Inside anything but list, either all values are number or string"
NOT_BUT = "Inside anything but, values must be number or string"


def one(value, name="k"):
    return {name: [value]}


# Policy as text or dict; scope; place; what Amazon SNS says.
REFUSED = [
    # The text.
    ("x", ATTRIBUTES, "", "Filter policy is not valid JSON"),
    ("{", ATTRIBUTES, "", "Filter policy is not valid JSON"),
    ("{'a': ['b']}", ATTRIBUTES, "", "Filter policy is not valid JSON"),
    ('{"a":["b"]} x', ATTRIBUTES, "", "Filter policy is not valid JSON"),
    ('{"a":["b",]}', ATTRIBUTES, "", "Filter policy is not valid JSON"),
    ('{"a":[NaN]}', ATTRIBUTES, "", "Filter policy is not valid JSON"),
    ('{"a":[-Infinity]}', BODY, "", "Filter policy is not valid JSON"),
    ('{"a":[' + "9" * 5000 + "]}", BODY, "", "Filter policy is not valid JSON"),
    ("[" * 100_000, BODY, "", "Filter policy is nested too deeply"),
    ('{"a":' * 40_000, BODY, "", "Filter policy is nested too deeply"),
    ('{"a":["\ud800"]}', ATTRIBUTES, "", "Filter policy is not valid UTF-8"),
    ('{"a":["\\ud800"]}', ATTRIBUTES, "a[0]", "Filter policy is not valid UTF-8"),
    ('{"\\ud800":["a"]}', ATTRIBUTES, "", "Filter policy is not valid UTF-8"),
    ('{"a":[{"prefix":"\\ud800"}]}', BODY, "a[0].prefix", "Filter policy is not valid UTF-8"),
    ("[]", ATTRIBUTES, "", "Filter is not an object"),
    ('"a"', ATTRIBUTES, "", "Filter is not an object"),
    ("null", ATTRIBUTES, "", "Filter is not an object"),
    ('{"a":["b"],"a":["c"]}', ATTRIBUTES, "a", "Duplicate key a"),
    ('{"a":{"b":["c"],"b":["d"]}}', BODY, "b", "Duplicate key b"),
    ('{"a":[{"prefix":"x","prefix":"y"}]}', BODY, "prefix", "Duplicate key prefix"),
    # What is given in place of text.
    (b'{"a":["b"]}', ATTRIBUTES, "", "Filter is not an object"),
    (["a"], ATTRIBUTES, "", "Filter is not an object"),
    (5, ATTRIBUTES, "", "Filter is not an object"),
    ({"a": [b"x"]}, ATTRIBUTES, "", "Filter policy is not valid JSON"),
    ({"a": [float("nan")]}, ATTRIBUTES, "", "Filter policy is not valid JSON"),
    ({"a": {1, 2}}, ATTRIBUTES, "", "Filter policy is not valid JSON"),
    ({1: ["a"], "1": ["b"]}, ATTRIBUTES, '["1"]', "Duplicate key 1"),
    # Keys.
    ({"a": "b"}, ATTRIBUTES, "a", '"a" must be an object or an array'),
    ({"a": 1}, ATTRIBUTES, "a", '"a" must be an object or an array'),
    ({"a": None}, BODY, "a", '"a" must be an object or an array'),
    ({"a": {"prefix": "x"}}, BODY, "a.prefix", '"prefix" must be an object or an array'),
    ({"a": {"b": {"c": True}}}, BODY, "a.b.c", '"c" must be an object or an array'),
    ({"a": []}, ATTRIBUTES, "a", "Empty arrays are not allowed"),
    ({"a": {"b": []}}, BODY, "a.b", "Empty arrays are not allowed"),
    ({"a": {"b": ["c"]}}, ATTRIBUTES, "a", NO_NESTING),
    ({"a": {}}, ATTRIBUTES, "a", NO_NESTING),
    ({"a": {}}, BODY, "a", "Empty objects are not allowed"),
    ({"a": {"b": {}}}, BODY, "a.b", "Empty objects are not allowed"),
    ({"$or": [{"a": [1]}, {"b": {"c": [1]}}]}, ATTRIBUTES, "$or[1].b", NO_NESTING),
    ({"x.y": {"z": []}}, BODY, '["x.y"].z', "Empty arrays are not allowed"),
    # Match values.
    ({"a": [["b"]]}, ATTRIBUTES, "a[0]", MATCH_VALUE),
    ({"a": ["b", []]}, BODY, "a[1]", MATCH_VALUE),
    (one({}), ATTRIBUTES, "k[0]", "Empty objects are not allowed"),
    (one({"foo": 1}), ATTRIBUTES, "k[0].foo", "Unrecognized match type foo"),
    (one({"Prefix": "a"}), ATTRIBUTES, "k[0].Prefix", "Unrecognized match type Prefix"),
    (one({"a": ["b"]}), BODY, "k[0].a", "Unrecognized match type a"),
    (one({"": 1}), BODY, 'k[0][""]', "Unrecognized match type "),
    (one({"a\nb": 1}), BODY, 'k[0]["a\\nb"]', "Unrecognized match type a\\nb"),
    (one({"f" * 99: 1}), BODY, "k[0]." + "f" * 99, f"Unrecognized match type {'f' * 37}..."),
    (one({"prefix": "a", "suffix": "b"}), BODY, "k[0]", "Only one key allowed in match expression"),
    ({"a": ["x", {"foo": 1}]}, BODY, "a[1].foo", "Unrecognized match type foo"),
    (one({"prefix": 1}), ATTRIBUTES, "k[0].prefix", "prefix match pattern must be a string"),
    (one({"prefix": ["a"]}), BODY, "k[0].prefix", "prefix match pattern must be a string"),
    (one({"prefix": None}), BODY, "k[0].prefix", "prefix match pattern must be a string"),
    (one({"suffix": {"a": 1}}), BODY, "k[0].suffix", "suffix match pattern must be a string"),
    (one({"suffix": True}), BODY, "k[0].suffix", "suffix match pattern must be a string"),
    (
        one({"equals-ignore-case": 1}),
        ATTRIBUTES,
        "k[0].equals-ignore-case",
        "equals-ignore-case match pattern must be a string",
    ),
    (one({"wildcard": 1}), ATTRIBUTES, "k[0].wildcard", "wildcard match pattern must be a string"),
    (one({"wildcard": "a**"}), BODY, "k[0].wildcard", "Consecutive wildcard characters at pos 1"),
    (one({"wildcard": "a\\b*"}), BODY, "k[0].wildcard", "Invalid escape character at pos 1"),
    (one({"wildcard": "ab\\"}), BODY, "k[0].wildcard", "Invalid escape character at pos 2"),
    (one({"wildcard": "*a*b*c*"}), BODY, "k[0].wildcard", TOO_COMPLEX),
    (one({"exists": "true"}), ATTRIBUTES, "k[0].exists", EXISTS),
    (one({"exists": 1}), BODY, "k[0].exists", EXISTS),
    (one({"exists": None}), BODY, "k[0].exists", EXISTS),
    # Blocks of addresses.
    *(
        (one({"cidr": text}), ATTRIBUTES, "k[0].cidr", "Malformed CIDR, one '/' required")
        for text in (
            "10.0.0.0", "10.0.0.0/", "10.0.0.0/33", "10.0.0/8", "10.0.0.256/8", "::1/129", "x/8",
            "", "10.0.0.0/-1", "10.0.0.0/255.0.0.0", "10.0.0.0/8/8", "::1%eth0/128", "1/8", "::/1 ",
        )
    ),
    (one({"cidr": 10}), ATTRIBUTES, "k[0].cidr", "cidr match pattern must be a string"),
    # Numbers.
    (one(1_000_000_001), ATTRIBUTES, "k[0]", OUT_OF_RANGE),
    (one(-1_000_000_000.5), BODY, "k[0]", OUT_OF_RANGE),
    (one({"anything-but": [1, 2e9]}), BODY, "k[0].anything-but[1]", OUT_OF_RANGE),
    (one({"numeric": ["<", 2e9]}), BODY, "k[0].numeric[1]", OUT_OF_RANGE),
    ('{"a":[1e999]}', BODY, "a[0]", "Value is not a finite number"),
    ('{"a":[' + "9" * 400 + "]}", BODY, "a[0]", "Value is not a finite number"),
    (one({"numeric": 5}), ATTRIBUTES, "k[0].numeric", "Value of numeric must be an array"),
    (one({"numeric": "=5"}), ATTRIBUTES, "k[0].numeric", "Value of numeric must be an array"),
    (one({"numeric": []}), ATTRIBUTES, "k[0].numeric", "Empty arrays are not allowed"),
    *(
        (one({"numeric": terms}), BODY, "k[0].numeric",
         "Value of numeric must be one or two bounds")
        for terms in ([1], [">"], [">", 1, "<"], [">", 1, "<", 2, "<", 3])
    ),
    *(
        (one({"numeric": terms}), BODY, f"k[0].numeric[{at}]",
         f"Unrecognized numeric range operator: {operator}")
        for terms, at, operator in (
            (["==", 1], 0, "=="), (["!=", 1], 0, "!="), ([5, 1], 0, "a number"),
            (["<", 5, ">", 1], 0, "<"), (["=", 5, "<", 9], 0, "="), ([">", 5, ">", 9], 2, ">"),
            ([">", 5, "=", 9], 2, "="), ([">=", 5, "<>", 9], 2, "<>"),
        )
    ),
    (one({"numeric": ["<", "5"]}), BODY, "k[0].numeric[1]", "Value of < must be numeric"),
    (one({"numeric": ["=", True]}), BODY, "k[0].numeric[1]", "Value of = must be numeric"),
    (one({"numeric": [">", None]}), BODY, "k[0].numeric[1]", "Value of > must be numeric"),
    (one({"numeric": [">", 5, "<=", [9]]}), BODY, "k[0].numeric[3]", "Value of <= must be numeric"),
    (one({"numeric": [">", 9, "<", 5]}), BODY, "k[0].numeric", "Bottom must be less than top"),
    (one({"numeric": [">=", 5, "<=", 5]}), BODY, "k[0].numeric", "Bottom must be less than top"),
    # anything-but.
    (one({"anything-but": []}), BODY, "k[0].anything-but", "Empty arrays are not allowed"),
    (one({"anything-but": ["a", 1]}), BODY, "k[0].anything-but", MIXED),
    (one({"anything-but": None}), BODY, "k[0].anything-but", NOT_BUT),
    (one({"anything-but": True}), BODY, "k[0].anything-but", NOT_BUT),
    (one({"anything-but": ["a", None]}), BODY, "k[0].anything-but[1]", NOT_BUT),
    (one({"anything-but": [["a"]]}), BODY, "k[0].anything-but[0]", NOT_BUT),
    (one({"anything-but": [{"prefix": "a"}]}), BODY, "k[0].anything-but[0]", NOT_BUT),
    (one({"anything-but": {}}), BODY, "k[0].anything-but", "Empty objects are not allowed"),
    (
        one({"anything-but": {"numeric": ["=", 1]}}),
        BODY,
        "k[0].anything-but.numeric",
        "Unsupported anything-but pattern: numeric",
    ),
    (
        one({"anything-but": {"prefix": ""}}),
        BODY,
        "k[0].anything-but.prefix",
        "Null prefix/suffix not allowed",
    ),
    (
        one({"anything-but": {"prefix": ["a"]}}),
        BODY,
        "k[0].anything-but.prefix",
        "prefix match pattern must be a string",
    ),
    (
        one({"anything-but": {"wildcard": "**"}}),
        BODY,
        "k[0].anything-but.wildcard",
        "Consecutive wildcard characters at pos 0",
    ),
    # $or, when it is none.
    ({"$or": [{"a": ["b"]}]}, BODY, "$or[0].a", "Unrecognized match type a"),
    ({"$or": []}, BODY, "$or", "Empty arrays are not allowed"),
    ({"$or": "a"}, BODY, "$or", '"$or" must be an object or an array'),
    ({"$or": [{"a": ["b"]}, "c"]}, BODY, "$or[0].a", "Unrecognized match type a"),
    ({"$or": [{"a": ["b"]}, {"prefix": ["c"]}]}, BODY, "$or[0].a", "Unrecognized match type a"),
    ({"$or": [{"a": ["b"]}, {"=": ["c"]}]}, BODY, "$or[0].a", "Unrecognized match type a"),
    # $or, when it is one.
    ({"$or": [{"a": ["b"]}, {}]}, BODY, "$or[1]", "Empty objects are not allowed"),
    ({"$or": [{"a": ["b"]}, {"c": "d"}]}, BODY, "$or[1].c", '"c" must be an object or an array'),
    ({"a": {"$or": [{"b": [{"x": 1}]}, {"c": [1]}]}}, BODY, "a.$or[0].b[0].x",
     "Unrecognized match type x"),
    # Limits.
    ({k: [k] for k in "abcdef"}, ATTRIBUTES, "", "Filter policy can not have more than 5 keys"),
    ({"a": {k: [k] for k in "abcdef"}}, BODY, "", "Filter policy can not have more than 5 keys"),
    (
        {"$or": [{k: [1] for k in "abc"}, {k: [1] for k in "def"}]},
        ATTRIBUTES,
        "",
        "Filter policy can not have more than 5 keys",
    ),
    ({"a": list(range(151))}, ATTRIBUTES, "", TOO_COMPLEX),
    ({"a": list(range(31)), "b": list(range(5))}, ATTRIBUTES, "", TOO_COMPLEX),
    ({"a": {"b": list(range(76))}}, BODY, "", TOO_COMPLEX),
    ({"$or": [{"a": list(range(16))}, {"b": list(range(10))}]}, ATTRIBUTES, "", TOO_COMPLEX),
    ({"a": [{"wildcard": f"{n}*"} for n in range(101)]}, ATTRIBUTES, "", TOO_COMPLEX),
    ({"a": [{"wildcard": f"{n}*{n}*"} for n in range(34)]}, ATTRIBUTES, "", TOO_COMPLEX),
    (
        {k: [{"wildcard": f"{n}*"} for n in range(5)] for k in "abc"},
        ATTRIBUTES,
        "",
        TOO_COMPLEX,
    ),
    ({"a": ["x" * 262_144]}, BODY, "", "Filter policy can not be larger than 262144 bytes"),
    ({"a": ["é" * 131_072]}, BODY, "", "Filter policy can not be larger than 262144 bytes"),
]  # fmt: skip


@pytest.mark.parametrize(("policy", "scope", "place", "reason"), REFUSED)
def test_a_bad_policy_is_refused_with_its_place_and_reason(policy, scope, place, reason):
    with pytest.raises(InvalidFilterPolicy) as caught:
        parse(policy, scope)

    error = caught.value
    assert (error.place, error.reason) == (place, reason)
    assert error.field == "filter_policy"
    assert str(error).startswith(f"filter_policy at {place} is " if place else "filter_policy is ")
    assert "; it must be " in str(error)
    assert len(str(error)) < 500
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error)):
        assert vars(again) == vars(error)
        assert str(again) == str(error)


@pytest.mark.parametrize(("policy", "scope", "place", "reason"), REFUSED)
def test_an_error_can_be_answered_as_xml(policy, scope, place, reason):
    """A reason goes to the wire: no half characters, no control characters."""
    assert reason.isprintable()
    assert reason.encode()


def test_a_dict_that_contains_itself_is_refused():
    policy: dict = {"a": {}}
    policy["a"]["b"] = policy
    with pytest.raises(InvalidFilterPolicy, match="not JSON"):
        parse(policy, BODY)


def test_a_dict_that_is_too_deep_is_refused():
    policy: dict = {"a": ["b"]}
    for _ in range(10_000):
        policy = {"a": policy}
    with pytest.raises(InvalidFilterPolicy):
        parse(policy, BODY)


@pytest.mark.parametrize("scope", ["MessageBody", "", None, "body"])
def test_another_scope_is_refused(scope):
    with pytest.raises(InvalidParameter, match="filter_policy_scope") as caught:
        parse({"a": ["b"]}, scope)
    assert not isinstance(caught.value, InvalidFilterPolicy)


@pytest.mark.parametrize("nothing", [None, "", "  \n", "{}", " { } ", {}])
@pytest.mark.parametrize("scope", [ATTRIBUTES, BODY])
def test_nothing_is_no_policy(nothing, scope):
    assert parse(nothing, scope) is None


# --- limits --------------------------------------------------------------------------------------

JUST_WITHIN = [
    ({k: [k] for k in "abcde"}, ATTRIBUTES),
    ({"a": {"b": [1], "c": {"d": [2]}}, "e": [3], "f": [4], "g": [5]}, BODY),
    ({"$or": [{"a": [1], "b": [1]}, {"b": [2], "c": [2]}], "d": [3], "e": [4]}, ATTRIBUTES),
    ({"a": list(range(150))}, ATTRIBUTES),
    ({"a": list(range(30)), "b": list(range(5))}, ATTRIBUTES),
    ({"a": {"b": {"c": ["1", "2", "3", "4"]}}, "d": {"e": ["1", "2", "3"]}}, BODY),
    ({"a": {"b": list(range(75))}}, BODY),
    ({"a": [{"anything-but": list(range(1000))}]}, ATTRIBUTES),
    ({"a": [{"wildcard": "*a*b*"}]}, ATTRIBUTES),
    ({"a": [{"wildcard": f"{n}*"} for n in range(100)]}, ATTRIBUTES),
    ({"a": [{"wildcard": f"{n}*{n}*"} for n in range(33)]}, ATTRIBUTES),
    ({"a": [10**9, -(10**9)]}, ATTRIBUTES),
    ({"a": ["x" * (262_144 - len('{"a":[""]}'))]}, BODY),
]


@pytest.mark.parametrize(("policy", "scope"), JUST_WITHIN)
def test_a_policy_just_within_its_limits_is_taken(policy, scope):
    assert parse(policy, scope) is not None
    assert parse(json.dumps(policy, separators=(",", ":")), scope) is not None


def test_combinations_grow_with_nesting():
    """Four values three deep and three values two deep are 72 (Filter policy constraints)."""
    policy = {"a": {"b": {"c": ["1", "2", "3", "4"]}}, "d": {"e": ["1", "2", "3"]}}
    assert parse(policy, BODY, FilterLimits(max_combinations=72)) is not None
    with pytest.raises(InvalidFilterPolicy, match="72 combinations; it must be of at most 71"):
        parse(policy, BODY, FilterLimits(max_combinations=71))


LIFTED = {
    "max_keys": {str(n): ["a"] for n in range(50)},
    "max_combinations": {"a": list(range(5000))},
    "max_bytes": {"a": ["x" * 300_000]},
    "max_number": {"a": [10**12, {"numeric": [">", 1e12]}]},
    "max_stars": {"a": [{"wildcard": "*a*b*c*d*"}]},
    "max_wildcard_points": {"a": [{"wildcard": f"{n}*"} for n in range(140)]},
}


@pytest.mark.parametrize("name", LIFTED)
def test_each_limit_is_lifted_by_its_name(name):
    with pytest.raises(InvalidFilterPolicy):
        parse(LIFTED[name])
    assert parse(LIFTED[name], limits=FilterLimits(**{name: None})) is not None
    assert parse(LIFTED[name], limits=FilterLimits.none()) is not None


def test_depth_is_limited_though_all_limits_are_lifted():
    def nested(levels):
        return '{"a":' * levels + '["b"]' + "}" * levels

    policy = parse(nested(DEEPEST), BODY, FilterLimits.none())
    assert policy is not None
    with pytest.raises(InvalidFilterPolicy, match="at most 100 levels"):
        parse(nested(DEEPEST + 1), BODY, FilterLimits.none())
