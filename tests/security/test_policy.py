"""Policies: what a document of IAM's language says to a request, rule by rule.

Source: Amazon IAM User Guide, "IAM JSON policy elements reference", "Policy evaluation logic".
"""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from rmq.errors import InvalidParameter
from rmq.security.policy import Request, Verdict, decide, parse
from rmq.security.principal import ANONYMOUS, Principal
from tests.security.policies import (
    BOB,
    OTHER,
    OWNER,
    QUEUE,
    ROLE,
    ROOT,
    SESSION,
    SNS,
    TOPIC,
    asked,
    said,
    statement,
    text,
)

ALLOW, DENY, SILENT = Verdict.ALLOW, Verdict.EXPLICIT_DENY, Verdict.IMPLICIT_DENY
IAM = f"arn:aws:iam::{OTHER}"
FEDERATED = Principal(federated="cognito-identity.amazonaws.com")
CANONICAL = Principal(canonical_user="79a59df900b949e55d96a1e698fbaced")
PATHED = Principal.of_arn(
    f"arn:aws:sts::{OTHER}:assumed-role/Deep/ann", role_arn=f"{IAM}:role/a/b/Deep"
)


# --- principals ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("element", "principal", "is_meant"),
    [
        ("*", BOB, True),
        ("*", ANONYMOUS, True),
        ("*", SNS, True),
        ({"AWS": "*"}, ANONYMOUS, True),
        ({"AWS": "*"}, SNS, True),
        ({"AWS": ["*"]}, SESSION, True),
        ({"AWS": OTHER}, BOB, True),
        ({"AWS": OTHER}, ROOT, True),
        ({"AWS": OTHER}, SESSION, True),
        ({"AWS": OTHER}, SNS, False),
        ({"AWS": OTHER}, ANONYMOUS, False),
        ({"AWS": OWNER}, BOB, False),
        ({"AWS": f"{IAM}:root"}, BOB, True),
        ({"AWS": f"arn:aws-cn:iam::{OTHER}:root"}, BOB, True),
        ({"AWS": [OWNER, OTHER]}, BOB, True),
        ({"AWS": f"{IAM}:user/team/bob"}, BOB, True),
        ({"AWS": f"{IAM}:user/team/Bob"}, BOB, False),
        ({"AWS": f"{IAM}:user/bob"}, BOB, False),
        ({"AWS": f"{IAM}:user/team/bob"}, ROOT, False),
        ({"AWS": "AIDACKCEVSQ6C2EXAMPLE"}, BOB, True),
        ({"AWS": "AIDACKCEVSQ6C2EXAMPLF"}, BOB, False),
        ({"AWS": f"{IAM}:role/Ops"}, ROLE, True),
        ({"AWS": f"{IAM}:role/Ops"}, SESSION, True),
        ({"AWS": f"{IAM}:role/Ops2"}, SESSION, False),
        ({"AWS": "AROACKCEVSQ6C2EXAMPLE"}, SESSION, True),
        ({"AWS": f"arn:aws:sts::{OTHER}:assumed-role/Ops/ann"}, SESSION, True),
        ({"AWS": f"arn:aws:sts::{OTHER}:assumed-role/Ops/eve"}, SESSION, False),
        ({"AWS": f"arn:aws:sts::{OTHER}:assumed-role/Ops/ann"}, ROLE, False),
        ({"AWS": f"{IAM}:role/a/b/Deep"}, PATHED, True),
        ({"AWS": f"{IAM}:role/Deep"}, PATHED, False),
        ({"Service": "sns.amazonaws.com"}, SNS, True),
        ({"Service": ["s3.amazonaws.com", "sns.amazonaws.com"]}, SNS, True),
        ({"Service": "s3.amazonaws.com"}, SNS, False),
        ({"Service": "sns.amazonaws.com"}, BOB, False),
        ({"Service": "sns.amazonaws.com"}, ANONYMOUS, False),
        ({"AWS": OTHER, "Service": "sns.amazonaws.com"}, SNS, True),
        ({"AWS": OTHER, "Service": "sns.amazonaws.com"}, BOB, True),
        ({"Federated": "cognito-identity.amazonaws.com"}, FEDERATED, True),
        ({"Federated": "accounts.google.com"}, FEDERATED, False),
        ({"CanonicalUser": "79a59df900b949e55d96a1e698fbaced"}, CANONICAL, True),
        ({"Federated": "79a59df900b949e55d96a1e698fbaced"}, CANONICAL, False),
    ],
)
def test_a_principal_goes_by_several_names(element, principal, is_meant):
    found = said(statement(Principal=element), principal=principal)

    assert found.verdict is (ALLOW if is_meant else SILENT)


@pytest.mark.parametrize(
    ("element", "principal", "is_denied"),
    [
        ({"AWS": OTHER}, ROOT, False),
        ({"AWS": OTHER}, BOB, True),  # his account is spared, and he is not
        ({"AWS": f"{IAM}:user/team/bob"}, BOB, True),  # he is spared, and his account is not
        ({"AWS": [OTHER, f"{IAM}:user/team/bob"]}, BOB, False),
        ({"AWS": [OTHER, "AIDACKCEVSQ6C2EXAMPLE"]}, BOB, False),
        ({"AWS": [OTHER, f"{IAM}:role/Ops"]}, ROLE, False),
        ({"AWS": [OTHER, f"{IAM}:role/Ops"]}, SESSION, True),
        (
            {"AWS": [OTHER, f"{IAM}:role/Ops", f"arn:aws:sts::{OTHER}:assumed-role/Ops/ann"]},
            SESSION,
            False,
        ),
        ({"AWS": [OTHER, f"arn:aws:sts::{OTHER}:assumed-role/Ops/ann"]}, SESSION, True),
        ({"Service": "sns.amazonaws.com"}, SNS, False),
        ({"Service": "sns.amazonaws.com"}, BOB, True),
        ({"AWS": OTHER}, SNS, True),
        ({"AWS": OTHER}, ANONYMOUS, True),
        ("*", BOB, False),
        ("*", ANONYMOUS, False),
    ],
)
def test_a_deny_of_not_principal_spares_whom_it_names_in_full(element, principal, is_denied):
    deny = statement(Effect="Deny", Principal=None, NotPrincipal=element)

    assert said(deny, principal=principal).verdict is (DENY if is_denied else SILENT)


@pytest.mark.parametrize(
    ("element", "principal", "is_allowed"),
    [
        ({"AWS": OTHER}, BOB, False),
        ({"AWS": OTHER}, ANONYMOUS, True),
        ({"AWS": OTHER}, SNS, True),
        ({"AWS": OWNER}, BOB, True),
        ({"AWS": f"{IAM}:role/Ops"}, SESSION, False),
        ({"Service": "sns.amazonaws.com"}, SNS, False),
        ("*", ANONYMOUS, False),
    ],
)
def test_an_allow_of_not_principal_leaves_out_whom_it_names_in_any_way(
    element, principal, is_allowed
):
    allow = statement(Principal=None, NotPrincipal=element)

    assert said(allow, principal=principal).is_allowed is is_allowed


# --- actions and resources -----------------------------------------------------------------------


@pytest.mark.parametrize(
    ("element", "action", "is_meant"),
    [
        ("sqs:SendMessage", "sqs:SendMessage", True),
        ("SQS:SendMessage", "sqs:sendmessage", True),
        ("sqs:sendmessage", "SQS:SENDMESSAGE", True),
        ("sqs:SendMessage", "sqs:SendMessageBatch", False),
        ("sqs:SendMessage", "sns:SendMessage", False),
        ("sqs:*", "sqs:SendMessage", True),
        ("sqs:*", "sns:Publish", False),
        ("*", "sns:Publish", True),
        ("*:*", "sns:Publish", True),
        ("sqs:Send*", "sqs:SendMessage", True),
        ("sqs:*Message", "sqs:SendMessage", True),
        ("sqs:*message", "sqs:SendMessage", True),
        ("sqs:*Queue", "sqs:SendMessage", False),
        ("sqs:Send?essage", "sqs:SendMessage", True),
        ("sqs:Send?Message", "sqs:SendMessage", False),
        ("sqs:S*M*e", "sqs:SendMessage", True),
        ("s?s:SendMessage", "sqs:SendMessage", True),
        (["sqs:ReceiveMessage", "sqs:SendMessage"], "sqs:SendMessage", True),
        (["sqs:ReceiveMessage", "sqs:DeleteMessage"], "sqs:SendMessage", False),
    ],
)
@pytest.mark.parametrize("is_not", [False, True])
def test_actions_compare_in_any_case(element, action, is_meant, is_not):
    """NotAction is all the others, of every service."""
    name, other = ("NotAction", "Action") if is_not else ("Action", "NotAction")

    found = said(statement(**{other: None, name: element}), action=action)

    assert found.is_allowed is (is_meant != is_not)


@pytest.mark.parametrize(
    ("element", "resource", "is_meant"),
    [
        (QUEUE, QUEUE, True),
        (QUEUE, QUEUE + "2", False),
        (QUEUE.upper().replace("ARN", "arn"), QUEUE, False),
        ("*", QUEUE, True),
        ("arn:*", QUEUE, True),
        ("arn:aws:sqs:*:orders", QUEUE, True),  # one glob over the colons
        (f"arn:aws:sqs:*:{OWNER}:ord*", QUEUE, True),
        ("arn:aws:sqs:*:*:Orders", QUEUE, False),
        ("arn:aws:sqs:*:*:order?", QUEUE, True),
        ("arn:aws:sqs:*:*:order??", QUEUE, False),
        ("arn:aws:sqs:*:*:*", TOPIC, False),
        ("arn:*/a/*", "arn:aws:kinesis:r:1:stream/a/b", True),
        ([TOPIC, QUEUE], QUEUE, True),
        ([TOPIC], QUEUE, False),
        ("arn:aws:sqs:us-east-1:${aws:PrincipalAccount}:orders", QUEUE, False),
        ("arn:aws:sqs:us-east-1:*:${aws:username}", f"arn:aws:sqs:us-east-1:{OWNER}:bob", True),
        ("arn:aws:sqs:us-east-1:*:${AWS:UserName}", f"arn:aws:sqs:us-east-1:{OWNER}:bob", True),
        ("arn:aws:sqs:us-east-1:*:${aws:nothing}", QUEUE, False),
        ("arn:aws:sqs:us-east-1:*:${aws:nothing, 'orders'}", QUEUE, True),
        ("arn:aws:sqs:us-east-1:*:${aws:username, 'orders'}", QUEUE, False),
        ("arn:aws:sqs:us-east-1:*:order${*}", QUEUE, False),
        ("arn:aws:sqs:us-east-1:*:order${*}", "arn:aws:sqs:us-east-1:1:order*", True),
        ("arn:aws:sqs:us-east-1:*:a${?}${$}", "arn:aws:sqs:us-east-1:1:a?$", True),
        ("arn:aws:sqs:us-east-1:*:a$b", "arn:aws:sqs:us-east-1:1:a$b", True),
    ],
)
@pytest.mark.parametrize("is_not", [False, True])
def test_resources_are_one_glob_in_their_own_case(element, resource, is_meant, is_not):
    """NotResource is all the others."""
    name, other = ("NotResource", "Resource") if is_not else ("Resource", "NotResource")

    found = said(statement(**{other: None, name: element}), resource=resource)

    assert found.is_allowed is (is_meant != is_not)


@pytest.mark.parametrize("version", ["2008-10-17", None])
def test_an_old_policy_has_no_variables(version):
    arn = "arn:aws:sqs:us-east-1:1:${aws:username}"
    allow = statement(Resource=arn)

    assert said(allow, version=version, resource=arn).is_allowed
    assert not said(allow, version=version, resource="arn:aws:sqs:us-east-1:1:bob").is_allowed
    broken = statement(Condition={"StringEquals": {"k": "${"}})
    assert said(broken, version=version, k="${").is_allowed


def test_what_a_variable_stands_for_is_no_pattern():
    """Or who may choose a user's name could choose the resources too."""
    eve = Principal.of_arn(f"{IAM}:user/eve")
    allow = statement(Resource="arn:aws:sqs:us-east-1:1:${aws:username}")
    named_star = Request(eve, "sqs:SendMessage", "arn:aws:sqs:us-east-1:1:a", {"aws:username": "*"})

    assert not parse(text(allow)).evaluate(named_star).is_allowed


def test_a_key_of_several_values_is_no_variable():
    allow = statement(Condition={"StringEquals": {"a": "${b}"}})

    assert said(allow, a="x", b=["x"]).is_allowed
    assert not said(allow, a="x", b=["x", "x"]).is_allowed


# --- conditions ----------------------------------------------------------------------------------

CONDITIONS: list[tuple[str, Any, Any, bool]] = [
    # operator, value in the policy, value in the request (None: absent), holds
    ("StringEquals", "a", "a", True),
    ("StringEquals", "a", "A", False),
    ("StringEquals", "a*", "ab", False),
    ("StringEquals", "a*", "a*", True),
    ("StringEquals", ["a", "b"], "b", True),
    ("StringEquals", ["a", "b"], "c", False),
    ("StringEquals", "a", None, False),
    ("StringEquals", "", "", True),
    ("StringEquals", 5, "5", True),
    ("StringEquals", True, "true", True),
    ("StringEquals", "${other}", "text", True),
    ("StringEquals", "${other}", "${other}", False),
    ("StringEquals", "${absent}", "x", False),
    ("StringEquals", "${absent, 'x'}", "x", True),
    ("StringEquals", "a${*}", "a*", True),
    ("StringNotEquals", "a", "a", False),
    ("StringNotEquals", "a", "b", True),
    ("StringNotEquals", ["a", "b"], "b", False),
    ("StringNotEquals", ["a", "b"], "c", True),
    ("StringNotEquals", "a", None, True),
    ("StringNotEquals", "${absent}", "x", True),
    ("StringEqualsIgnoreCase", "aB", "Ab", True),
    ("StringEqualsIgnoreCase", "aB", "Abc", False),
    ("StringNotEqualsIgnoreCase", "aB", "Ab", False),
    ("StringNotEqualsIgnoreCase", "aB", None, True),
    ("StringLike", "a*c", "abbc", True),
    ("StringLike", "a*c", "abbd", False),
    ("StringLike", "A*", "abc", False),
    ("StringLike", "a?c", "abc", True),
    ("StringLike", "a?c", "ac", False),
    ("StringLike", "*", "", True),
    ("StringLike", "a.c", "abc", False),
    ("StringLike", "a*", "a\nb", True),
    ("StringLike", "${other}*", "text and more", True),
    ("StringNotLike", "a*", "abc", False),
    ("StringNotLike", "a*", "bc", True),
    ("StringNotLike", "a*", None, True),
    ("NumericEquals", "10", "10.0", True),
    ("NumericEquals", 10, "1e1", True),
    ("NumericEquals", 10.5, "10.5", True),
    ("NumericEquals", "10", "ten", False),
    ("NumericNotEquals", "10", "11", True),
    ("NumericNotEquals", "10", "10", False),
    ("NumericNotEquals", "10", None, True),
    ("NumericLessThan", "10", "9.99", True),
    ("NumericLessThan", "10", "10", False),
    ("NumericLessThan", "10", None, False),
    ("NumericLessThanEquals", "10", "10", True),
    ("NumericLessThanEquals", "10", "-11", True),
    ("NumericGreaterThan", "10", "10", False),
    ("NumericGreaterThan", "10", "9", False),
    ("NumericGreaterThan", "9", "10", True),
    ("NumericGreaterThanEquals", ["10", "20"], "10", True),
    ("DateEquals", "2024-01-01", "2024-01-01T00:00:00Z", True),
    ("DateEquals", "2024", "2024-01-01T00:00:00Z", True),
    ("DateEquals", "2024-01-01T01:00:00+01:00", "2024-01-01T00:00Z", True),
    ("DateEquals", "1704067200", "2024-01-01T00:00:00Z", True),
    ("DateEquals", 1704067200, "1704067200", True),
    ("DateEquals", "2024-01-01T00:00:00.5Z", "2024-01-01T00:00:00Z", False),
    ("DateNotEquals", "2024-01-01", "2024-01-02", True),
    ("DateNotEquals", "2024-01-01", None, True),
    ("DateLessThan", "2024-01-01T00:00:00Z", "2023-12-31T23:59:59.999Z", True),
    ("DateLessThan", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z", False),
    ("DateLessThanEquals", "2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z", True),
    ("DateGreaterThan", "2024-01-01T00:00:00Z", "2024-01-01T00:00:01Z", True),
    ("DateGreaterThan", "2024-01-01T00:00:00Z", "yesterday", False),
    ("DateGreaterThan", "2024-01-01T00:00:00Z", "2024-13-01", False),
    ("DateGreaterThanEquals", "2024-01-01T00:00:00Z", "1704067199", False),
    ("Bool", "true", "true", True),
    ("Bool", True, "true", True),
    ("Bool", "True", "TRUE", True),
    ("Bool", "true", "false", False),
    ("Bool", False, "false", True),
    ("Bool", "false", None, False),
    ("BinaryEquals", "QmluYXJ5", "QmluYXJ5", True),
    ("BinaryEquals", "QmluYXJ5", "QmluYXJ6", False),
    ("BinaryEquals", "QmluYXJ5", "!", False),
    ("IpAddress", "203.0.113.0/24", "203.0.113.9", True),
    ("IpAddress", "203.0.113.0/24", "203.0.114.9", False),
    ("IpAddress", "203.0.113.9", "203.0.113.9", True),
    ("IpAddress", "203.0.113.9", "203.0.113.10", False),
    ("IpAddress", "203.0.113.9/24", "203.0.113.1", True),
    ("IpAddress", "203.0.113.0/24", "::ffff:203.0.113.9", True),
    ("IpAddress", "2001:db8::/32", "2001:db8:1::1", True),
    ("IpAddress", "2001:db8::/32", "203.0.113.9", False),
    ("IpAddress", ["10.0.0.0/8", "2001:db8::1"], "2001:db8::1", True),
    ("IpAddress", "10.0.0.0/8", "here", False),
    ("IpAddress", "10.0.0.0/8", None, False),
    ("NotIpAddress", "10.0.0.0/8", "10.1.2.3", False),
    ("NotIpAddress", "10.0.0.0/8", "11.1.2.3", True),
    ("NotIpAddress", ["10.0.0.0/8", "11.0.0.0/8"], "11.1.2.3", False),
    ("NotIpAddress", "10.0.0.0/8", None, True),
    ("ArnEquals", TOPIC, TOPIC, True),
    ("ArnEquals", "arn:aws:sns:*:*:prices", TOPIC, True),  # it is ArnLike
    ("ArnEquals", "arn:aws:sns:*:*:price?", TOPIC, True),
    ("ArnLike", "arn:aws:sns:*:x:prices", "arn:aws:sns:a:b:x:prices", False),
    ("ArnLike", "arn:aws:sns:*:*:*", TOPIC, True),
    ("ArnLike", "arn:*:*:*:*:*", TOPIC, True),
    ("ArnLike", "arn:aws:s*:us-east-1:*:prices", TOPIC, True),
    ("ArnLike", "arn:aws:sns:us-*:*:Prices", TOPIC, False),
    ("ArnLike", "arn:aws:sns:*:111122223333:*", "arn:aws:sns:a:9:111122223333:x", False),
    ("ArnLike", "arn:aws:s3:*:*:bucket", "arn:aws:s3:::bucket", True),
    ("ArnLike", "arn:aws:sns:*:*:a*", "arn:aws:sns:r:1:a:b:c", True),
    ("ArnLike", "arn:aws:sns:*:*:a:*:c", "arn:aws:sns:r:1:a:b:c", True),
    ("ArnLike", "*", TOPIC, True),
    ("ArnLike", "arn:aws:sns:*:*:*", "prices", False),
    ("ArnLike", "arn:aws:sns:*:*:${other}", "arn:aws:sns:r:1:text", True),
    ("ArnLike", "${whole}", TOPIC, True),
    ("ArnLike", [QUEUE, TOPIC], TOPIC, True),
    ("ArnLike", TOPIC, None, False),
    ("ArnNotEquals", TOPIC, TOPIC, False),
    ("ArnNotEquals", TOPIC, None, True),
    ("ArnNotLike", "arn:aws:sns:*:*:*", TOPIC, False),
    ("ArnNotLike", "arn:aws:sqs:*:*:*", TOPIC, True),
    ("ArnNotLike", "arn:aws:sqs:*:*:*", "no arn", True),
    ("Null", "true", None, True),
    ("Null", True, None, True),
    ("Null", "true", "x", False),
    ("Null", "true", [], True),
    ("Null", "false", "x", True),
    ("Null", "false", None, False),
    ("StringEqualsIfExists", "a", None, True),
    ("StringEqualsIfExists", "a", "a", True),
    ("StringEqualsIfExists", "a", "b", False),
    ("StringNotEqualsIfExists", "a", None, True),
    ("BoolIfExists", "true", None, True),
    ("BoolIfExists", "true", "false", False),
    ("IpAddressIfExists", "10.0.0.0/8", None, True),
    ("ArnLikeIfExists", "arn:aws:sns:*:*:*", QUEUE, False),
    ("NumericLessThanIfExists", "10", None, True),
    ("ForAnyValue:StringEquals", ["a", "b"], ["x", "b"], True),
    ("ForAnyValue:StringEquals", ["a", "b"], ["x", "y"], False),
    ("ForAnyValue:StringEquals", "a", None, False),
    ("ForAnyValue:StringEquals", "a", [], False),
    ("ForAnyValue:StringEqualsIfExists", "a", None, True),
    ("ForAnyValue:StringLike", "a*", ["x", "ab"], True),
    ("ForAnyValue:StringNotEquals", ["a", "b"], ["a", "x"], True),
    ("ForAnyValue:StringNotEquals", ["a", "b"], ["a", "b"], False),
    ("ForAnyValue:StringNotEquals", "a", None, False),
    ("ForAllValues:StringEquals", ["a", "b", "c"], ["a", "c"], True),
    ("ForAllValues:StringEquals", ["a", "b"], ["a", "x"], False),
    ("ForAllValues:StringEquals", "a", None, True),
    ("ForAllValues:StringEquals", "a", [], True),
    ("ForAllValues:StringEquals", "a", "a", True),
    ("ForAllValues:StringNotEquals", ["a", "b"], ["x", "y"], True),
    ("ForAllValues:StringNotEquals", ["a", "b"], ["x", "a"], False),
    ("ForAllValues:ArnLike", "arn:aws:sns:*:*:*", [TOPIC, QUEUE], False),
]


@pytest.mark.parametrize(("operator", "wanted", "value", "holds"), CONDITIONS)
def test_a_condition_holds_by_its_operator(operator, wanted, value, holds):
    allow = statement(Condition={operator: {"my:Key": wanted}})
    context = {"other": "text", "whole": TOPIC} | ({} if value is None else {"my__key": value})

    assert said(allow, **context).is_allowed is holds


@pytest.mark.parametrize(
    ("block", "holds"),
    [
        ({}, True),
        ({"StringEquals": {"a": "1"}, "Bool": {"b": "true"}}, True),
        ({"StringEquals": {"a": "1"}, "Bool": {"b": "false"}}, False),
        ({"StringEquals": {"a": "1", "b": "true"}}, True),
        ({"StringEquals": {"a": "1", "b": "x"}}, False),
        ({"StringEquals": {"A": "1"}}, True),
        ({"StringEquals": {"a": "1", "A": "2"}}, False),
    ],
)
def test_operators_and_keys_must_all_hold(block, holds):
    assert said(statement(Condition=block), a="1", b="true").is_allowed is holds


@pytest.mark.parametrize(
    ("key", "value", "principal"),
    [
        ("aws:PrincipalAccount", OTHER, BOB),
        ("aws:PrincipalArn", f"{IAM}:user/team/bob", BOB),
        ("aws:PrincipalArn", f"{IAM}:role/Ops", SESSION),
        ("aws:PrincipalType", "User", BOB),
        ("aws:PrincipalType", "Account", ROOT),
        ("aws:PrincipalType", "AssumedRole", SESSION),
        ("aws:PrincipalType", "Anonymous", ANONYMOUS),
        ("aws:PrincipalIsAWSService", "true", SNS),
        ("aws:PrincipalIsAWSService", "false", BOB),
        ("aws:PrincipalServiceName", "sns.amazonaws.com", SNS),
        ("aws:username", "bob", BOB),
        ("aws:userid", "AIDACKCEVSQ6C2EXAMPLE", BOB),
        ("aws:userid", "AROACKCEVSQ6C2EXAMPLE:ann", SESSION),
        ("aws:userid", OTHER, ROOT),
    ],
)
def test_conditions_may_ask_who_it_is(key, value, principal):
    allow = statement(Condition={"StringEquals": {key: value}})

    assert said(allow, principal=principal).is_allowed


# --- statements together -------------------------------------------------------------------------


def test_a_policy_that_says_nothing_denies():
    found = said(statement(Action="sqs:ReceiveMessage"))

    assert (found.verdict, found.index, found.statement) == (SILENT, None, "")
    assert str(found).endswith("no statement of a policy allows it")
    assert found.because == "because no resource-based policy allows the sqs:SendMessage action"


def test_a_deny_wins_over_every_allow():
    found = said(statement(Sid="yes"), statement(Sid="no", Effect="Deny"), statement(Sid="also"))

    assert (found.verdict, found.index, found.sid) == (DENY, 1, "no")
    assert found.because == "with an explicit deny in a resource-based policy"
    assert str(found) == (
        f"{IAM}:user/team/bob may not sqs:SendMessage on {QUEUE}: "
        "statement 'no' of the policy says so"
    )


def test_a_statement_without_a_sid_is_named_by_its_place():
    found = said(statement(Action="sqs:ReceiveMessage"), statement())

    assert (found.verdict, found.index, found.sid) == (ALLOW, 1, None)
    assert "Statement[1]" in str(found)


def test_a_single_statement_may_stand_alone():
    document = json.dumps({"Statement": statement()})

    assert parse(document).evaluate(asked()).is_allowed


def test_the_same_text_is_compiled_once():
    document = text(statement(Sid="the same text"))

    assert parse(document) is parse("".join(list(document)))


# --- whose resource it is ------------------------------------------------------------------------

OWNERS = [Principal.of_account(OWNER), Principal.of_arn(f"arn:aws:iam::{OWNER}:user/ann")]


@pytest.mark.parametrize("owner", OWNERS, ids=str)
@pytest.mark.parametrize(
    ("policy", "is_allowed"),
    [
        (None, True),
        (text(statement(Principal={"AWS": OTHER})), True),
        (text(statement(Effect="Deny")), False),
        (text(statement(Effect="Deny", Action="sqs:ReceiveMessage")), True),
    ],
)
def test_the_owner_may_do_what_is_not_denied(owner, policy, is_allowed):
    found = decide(policy and parse(policy), asked(owner), OWNER)

    assert found.is_allowed is is_allowed
    assert str(found)


@pytest.mark.parametrize("stranger", [BOB, ROOT, SESSION, SNS, ANONYMOUS], ids=str)
def test_others_may_do_what_is_allowed(stranger):
    request = asked(stranger)

    assert not decide(None, request, OWNER).is_allowed
    assert not decide(parse(text(statement(Action="sqs:Purge*"))), request, OWNER).is_allowed
    assert decide(parse(text(statement())), request, OWNER).is_allowed


def test_nobody_owns_what_has_no_owner():
    assert not decide(None, asked(ANONYMOUS), "").is_allowed


def test_a_queue_takes_what_a_topic_sends_if_its_policy_names_the_topic():
    policy = parse(
        text(
            statement(
                Principal={"Service": "sns.amazonaws.com"},
                Condition={"ArnLike": {"aws:SourceArn": TOPIC}},
            )
        )
    )

    def delivery(topic: str) -> Request:
        return asked(SNS, **{"aws:SourceArn": topic, "aws:SourceAccount": OWNER})

    assert decide(policy, delivery(TOPIC), OWNER).is_allowed
    assert not decide(policy, delivery(TOPIC + "2"), OWNER).is_allowed
    assert not decide(policy, asked(SNS), OWNER).is_allowed


@pytest.mark.parametrize(
    "make",
    [
        lambda: Principal.of_account("12"),
        lambda: Principal.of_account("\uff11" * 12),
        lambda: Principal.of_arn("arn:aws:sqs:us-east-1:111122223333:orders"),
        lambda: Principal.of_arn(f"{IAM}:user/*"),
        lambda: Principal.of_arn(f"{IAM}:assumed-role/Ops"),
        lambda: Principal.of_service("*"),
        lambda: Principal.of_service("sns"),
    ],
)
def test_what_is_no_principal_is_refused(make):
    with pytest.raises(InvalidParameter):
        make()


# --- cost ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern", ["a*" * 200 + "c", "*a" * 200 + "?c", "?*" * 200 + "c", "*" * 200 + "c"]
)
def test_no_pattern_takes_long(pattern):
    """The author of a policy chooses the pattern, and often the value: neither is to block us."""
    allow = statement(
        Condition={"StringLike": {"k": pattern}, "ArnLike": {"arn": f"a:::::{pattern}"}}
    )
    policy = parse(text(allow))
    value = "a" * 5000 + "b"
    request = asked(k=value, arn=f"a:::::{value}")
    started = time.process_time()

    assert not policy.evaluate(request).is_allowed
    assert time.process_time() - started < 1.0  # seconds; going back would take ages
