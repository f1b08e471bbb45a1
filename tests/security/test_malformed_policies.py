"""Malformed policies: each is refused as a whole, with the field, the value and what it must be.

Never a half of it that is judged by, and never another error.
"""

from __future__ import annotations

import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from rmq.errors import InvalidPolicy
from rmq.security.policy import MOST_BYTES, Policy, parse
from tests.security.policies import CALM, OTHER, QUEUE, statement, text

S = "policy.Statement[0]"


@pytest.mark.parametrize(
    ("document", "field"),
    [
        ("", "policy"),
        ("{", "policy"),
        ("[]", "policy"),
        ("null", "policy"),
        ('"text"', "policy"),
        ("{}", "policy.Statement"),
        ('{"Statement": []}', "policy.Statement"),
        ('{"Statement": "x"}', "policy.Statement"),
        ('{"Statement": ["x"]}', S),
        ('{"Statement": [{}]}', f"{S}.Effect"),
        ('{"Statement": [], "Statement": []}', "policy"),
        ('{"Statement": NaN}', "policy"),
        ("[" * 20_000, "policy"),
        ('{"Statement": ' + "9" * 5000 + "}", "policy"),
        ("[" * (MOST_BYTES + 1), "policy"),
        (text(statement(), version="2012-10-18"), "policy.Version"),
        (text(statement(), version=""), "policy.Version"),
        (json.dumps({"Version": 2012, "Statement": [statement()]}), "policy.Version"),
        (json.dumps({"version": "2012-10-17", "Statement": [statement()]}), "policy.version"),
        (json.dumps({"Id": 5, "Statement": [statement()]}), "policy.Id"),
    ],
)
def test_a_document_that_is_no_policy_is_refused(document, field):
    with pytest.raises(InvalidPolicy) as refused:
        parse(document)

    assert refused.value.field == field
    assert len(str(refused.value)) < 400


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"Effect": None}, "Effect"),
        ({"Effect": "allow"}, "Effect"),
        ({"Effect": "DENY"}, "Effect"),
        ({"Effect": ["Allow"]}, "Effect"),
        ({"Sid": 5}, "Sid"),
        ({"Conditions": {}}, "Conditions"),
        ({"effect": "Deny"}, "effect"),
        ({"Principal": None}, "Principal"),
        ({"NotPrincipal": "*"}, "Principal"),
        ({"Principal": "everyone"}, "Principal"),
        ({"Principal": []}, "Principal"),
        ({"Principal": {}}, "Principal"),
        ({"Principal": {"Aws": "*"}}, "Principal.Aws"),
        ({"Principal": {"AWS": []}}, "Principal.AWS"),
        ({"Principal": {"AWS": 5}}, "Principal.AWS"),
        ({"Principal": {"AWS": ["*", None]}}, "Principal.AWS[1]"),
        ({"Principal": {"AWS": "12345"}}, "Principal.AWS"),
        ({"Principal": {"AWS": f"arn:aws:iam::{OTHER}:user/*"}}, "Principal.AWS"),
        ({"Principal": {"AWS": f"arn:aws:iam::{OTHER}:user/b?b"}}, "Principal.AWS"),
        ({"Principal": {"AWS": f"arn:aws:sts::{OTHER}:assumed-role/Ops/*"}}, "Principal.AWS"),
        ({"Principal": {"AWS": "arn:aws:iam::*:root"}}, "Principal.AWS"),
        ({"Principal": {"AWS": QUEUE}}, "Principal.AWS"),
        ({"Principal": {"Service": "*"}}, "Principal.Service"),
        ({"Principal": {"Service": "sns.*.com"}}, "Principal.Service"),
        ({"Principal": {"Service": ""}}, "Principal.Service"),
        ({"Principal": {"Federated": "*"}}, "Principal.Federated"),
        ({"Principal": {"CanonicalUser": ""}}, "Principal.CanonicalUser"),
        ({"Principal": None, "NotPrincipal": {"AWS": "x"}}, "NotPrincipal.AWS"),
        ({"Action": None}, "Action"),
        ({"NotAction": "sqs:*"}, "Action"),
        ({"Action": []}, "Action"),
        ({"Action": {}}, "Action"),
        ({"Action": ["sqs:SendMessage", 5]}, "Action"),
        ({"Action": "SendMessage"}, "Action"),
        ({"Action": "sqs:"}, "Action"),
        ({"Action": ":SendMessage"}, "Action"),
        ({"Action": "sqs:Send Message"}, "Action"),
        ({"Action": "sqs:SendMessage\n"}, "Action"),
        ({"Action": "**"}, "Action"),
        ({"Resource": None}, "Resource"),
        ({"NotResource": "*"}, "Resource"),
        ({"Resource": []}, "Resource"),
        ({"Resource": 5}, "Resource"),
        ({"Resource": "orders"}, "Resource"),
        ({"Resource": ""}, "Resource"),
        ({"Resource": "arn:aws:sqs:${aws:username"}, "Resource"),
        ({"Resource": "arn:aws:sqs:${}"}, "Resource"),
        ({"Resource": "arn:aws:sqs:${a, b}"}, "Resource"),
        ({"Condition": []}, "Condition"),
        ({"Condition": {"StringEqual": {"a": "b"}}}, "Condition.StringEqual"),
        ({"Condition": {"stringequals": {"a": "b"}}}, "Condition.stringequals"),
        ({"Condition": {"ForSome:StringEquals": {"a": "b"}}}, "Condition.ForSome:StringEquals"),
        ({"Condition": {"ForAnyValue:Null": {"a": "true"}}}, "Condition.ForAnyValue:Null"),
        ({"Condition": {"NullIfExists": {"a": "true"}}}, "Condition.NullIfExists"),
        ({"Condition": {"IfExists": {"a": "true"}}}, "Condition.IfExists"),
        ({"Condition": {"StringEquals": {}}}, "Condition.StringEquals"),
        ({"Condition": {"StringEquals": "a"}}, "Condition.StringEquals"),
        ({"Condition": {"StringEquals": {"": "a"}}}, "Condition.StringEquals"),
        ({"Condition": {"StringEquals": {"a": []}}}, "Condition.StringEquals.a"),
        ({"Condition": {"StringEquals": {"a": None}}}, "Condition.StringEquals.a"),
        ({"Condition": {"StringEquals": {"a": ["b", {}]}}}, "Condition.StringEquals.a[1]"),
        ({"Condition": {"StringEquals": {"a": "${"}}}, "Condition.StringEquals.a"),
        ({"Condition": {"NumericEquals": {"a": "ten"}}}, "Condition.NumericEquals.a"),
        ({"Condition": {"NumericEquals": {"a": "NaN"}}}, "Condition.NumericEquals.a"),
        ({"Condition": {"NumericEquals": {"a": "1" * 65}}}, "Condition.NumericEquals.a"),
        ({"Condition": {"NumericEquals": {"a": "1e99999999"}}}, "Condition.NumericEquals.a"),
        ({"Condition": {"NumericEquals": {"a": "${b}"}}}, "Condition.NumericEquals.a"),
        ({"Condition": {"DateLessThan": {"a": "tomorrow"}}}, "Condition.DateLessThan.a"),
        ({"Condition": {"DateLessThan": {"a": "2024-02-30"}}}, "Condition.DateLessThan.a"),
        ({"Condition": {"Bool": {"a": "yes"}}}, "Condition.Bool.a"),
        ({"Condition": {"Null": {"a": "yes"}}}, "Condition.Null.a"),
        ({"Condition": {"BinaryEquals": {"a": "!"}}}, "Condition.BinaryEquals.a"),
        ({"Condition": {"IpAddress": {"a": "10.0.0.0/33"}}}, "Condition.IpAddress.a"),
        ({"Condition": {"IpAddress": {"a": "here"}}}, "Condition.IpAddress.a"),
        ({"Condition": {"ArnLike": {"a": "prices"}}}, "Condition.ArnLike.a"),
        ({"Condition": {"ArnNotLike": {"a": "arn:aws:sns:*"}}}, "Condition.ArnNotLike.a"),
    ],
)
def test_a_statement_that_breaks_a_rule_is_refused_by_its_field(changes, field):
    good, bad = statement(), statement(**changes)
    parse(text(good))

    with pytest.raises(InvalidPolicy) as refused:
        parse(text(good, bad))

    assert refused.value.field == f"policy.Statement[1].{field}"
    assert "must be" in str(refused.value)


def test_what_stands_twice_is_refused():
    """Another reader might take the one that we would skip."""
    twice = text(statement()).replace('"Effect": "Allow"', '"Effect": "Deny", "Effect": "Allow"')

    with pytest.raises(InvalidPolicy, match="Effect"):
        parse(twice)


def test_an_error_is_short_whatever_its_author_wrote():
    with pytest.raises(InvalidPolicy) as refused:
        parse(text(statement(**{"x" * 20_000: "y" * 5_000})))

    assert len(str(refused.value)) < 500
    assert str(pickle.loads(pickle.dumps(refused.value))) == str(refused.value)
    assert refused.value.aws_message == "Invalid parameter: Policy Error: null"


# --- by chance -----------------------------------------------------------------------------------

anything: Any = some.recursive(
    some.none()
    | some.booleans()
    | some.integers()
    | some.floats(allow_nan=False, allow_infinity=False)
    | some.text(max_size=8)
    | some.sampled_from(["*", "Allow", "Deny", "sqs:*", QUEUE, OTHER, "${a}", "${"]),
    lambda inner: (
        some.lists(inner, max_size=3)
        | some.dictionaries(
            some.text(max_size=5)
            | some.sampled_from(["AWS", "Service", "StringEquals", "ArnLike", "Null", "Bool"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
ELEMENTS = ["Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource"]
ELEMENTS += ["NotResource", "Condition", "Other"]


def _read_or_refused(document: str) -> None:
    try:
        found = parse(document)
    except InvalidPolicy as error:
        refused = error
    else:
        assert isinstance(found, Policy)
        return
    assert refused.field.startswith("policy")
    assert len(str(refused)) < 600


@CALM
@given(some.dictionaries(some.sampled_from(ELEMENTS), anything))
def test_a_statement_with_anything_in_it_is_read_or_refused(changes):
    _read_or_refused(json.dumps({"Version": "2012-10-17", "Statement": statement() | changes}))


@CALM
@given(anything)
def test_any_json_is_read_or_refused(document):
    _read_or_refused(json.dumps(document))


@CALM
@given(some.text())
def test_any_text_is_read_or_refused(document):
    _read_or_refused(document)


@CALM
@given(some.data())
def test_a_damaged_policy_is_read_or_refused(data):
    whole = text(statement(Condition={"ArnLike": {"aws:SourceArn": "arn:aws:sns:*:*:${a, 'b'}"}}))
    at = data.draw(some.integers(0, len(whole) - 1))
    cut = data.draw(some.integers(0, 12))

    _read_or_refused(whole[:at] + data.draw(some.text(max_size=3)) + whole[at + cut :])
