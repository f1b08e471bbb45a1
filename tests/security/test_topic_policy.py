"""Topic policies: the one a topic starts with, what another may say, and permissions.

Source: sns.md; policies.md, "Service limits and validation".
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from rmq.errors import InvalidPolicy
from rmq.security import topic_policy
from rmq.security.permissions import add_statement, remove_statement
from rmq.security.policy import OUT_OF_SCOPE, Verdict, parse
from rmq.security.principal import Principal
from tests.security.policies import BOB, OTHER, OWNER, QUEUE, TOPIC, asked, statement, text

OWN = Principal.of_account(OWNER)


def on_topic(**changes: Any) -> dict[str, Any]:
    return statement(**({"Action": "SNS:Publish", "Resource": TOPIC} | changes))


def test_a_topic_starts_with_amazons_policy_to_the_letter():
    assert topic_policy.default_policy(TOPIC) == (
        '{"Version":"2008-10-17","Id":"__default_policy_ID","Statement":[{'
        '"Sid":"__default_statement_ID","Effect":"Allow","Principal":{"AWS":"*"},'
        '"Action":["SNS:GetTopicAttributes","SNS:SetTopicAttributes","SNS:AddPermission",'
        '"SNS:RemovePermission","SNS:DeleteTopic","SNS:Subscribe","SNS:ListSubscriptionsByTopic",'
        f'"SNS:Publish"],"Resource":"{TOPIC}",'
        '"Condition":{"StringEquals":{"AWS:SourceOwner":"111122223333"}}}]}'
    )


@pytest.mark.parametrize(
    ("account", "verdict"), [(OWNER, Verdict.ALLOW), (OTHER, Verdict.IMPLICIT_DENY)]
)
def test_the_default_policy_allows_its_owner_and_nobody_else(account, verdict):
    policy = topic_policy.check(topic_policy.default_policy(TOPIC), TOPIC)
    request = asked(
        Principal.of_account(account), "sns:Publish", TOPIC, **{"aws:SourceOwner": account}
    )

    assert policy.evaluate(request).verdict is verdict


@pytest.mark.parametrize(
    "found",
    [
        on_topic(),
        on_topic(Action=["sns:publish", "SNS:Subscribe", "SNS:Receive"]),
        on_topic(Effect="Deny", Condition={"Bool": {"aws:SecureTransport": "false"}}),
        on_topic(Principal={"Service": "s3.amazonaws.com"}, Sid="a b"),
        on_topic(Principal={"AWS": [f"{n:012}" for n in range(200)]}),
    ],
)
def test_what_a_topics_policy_may_say(found):
    topic_policy.check(text(found), TOPIC)
    topic_policy.check(json.dumps({"Statement": found}), TOPIC)


@pytest.mark.parametrize(
    ("found", "field", "message"),
    [
        ([on_topic(Action="SNS:*")], "Statement[0].Action", OUT_OF_SCOPE),
        ([on_topic(Action="*")], "Statement[0].Action", OUT_OF_SCOPE),
        ([on_topic(Action="SNS:Pub*")], "Statement[0].Action", OUT_OF_SCOPE),
        ([on_topic(Action="Publish")], "Statement[0].Action", OUT_OF_SCOPE),
        ([on_topic(Action="sqs:SendMessage")], "Statement[0].Action", OUT_OF_SCOPE),
        ([on_topic(Action="SNS:CreateTopic")], "Statement[0].Action", OUT_OF_SCOPE),
        ([on_topic(Action=["SNS:Publish", "SNS:ListTopics"])], "Statement[0].Action", OUT_OF_SCOPE),
        (
            [on_topic(Action=None, NotAction="SNS:Publish")],
            "Statement[0].NotAction",
            OUT_OF_SCOPE,
        ),
        ([on_topic(), on_topic(Resource="*")], "Statement[1].Resource", topic_policy._RESOURCE),
        ([on_topic(Resource=TOPIC + "2")], "Statement[0].Resource", topic_policy._RESOURCE),
        ([on_topic(Resource=[TOPIC, QUEUE])], "Statement[0].Resource", topic_policy._RESOURCE),
        (
            [on_topic(Resource=None, NotResource=TOPIC)],
            "Statement[0].NotResource",
            topic_policy._RESOURCE,
        ),
        (
            [on_topic(Sid="a"), on_topic(), on_topic(Sid="a")],
            "Sid",
            "Invalid parameter: Policy Error: null",
        ),
        ([on_topic()] * 101, "Statement", "Invalid parameter: Policy Error: quota exceeded"),
        (
            [
                on_topic(Principal={"AWS": [f"{n:012}" for n in range(101)]}),
                on_topic(Principal={"AWS": [f"{n:012}" for n in range(100)]}),
            ],
            "Principal",
            "Invalid parameter: Policy Error: quota exceeded",
        ),
        (
            [on_topic(Principal={"AWS": "bob"})],
            "Statement[0].Principal.AWS",
            "Invalid parameter: Policy Error: PrincipalNotFound",
        ),
        (
            [on_topic(Effect="allow")],
            "Statement[0].Effect",
            "Invalid parameter: Policy Error: null",
        ),
    ],
)
def test_what_a_topics_policy_may_not_say(found, field, message):
    with pytest.raises(InvalidPolicy) as refused:
        topic_policy.check(text(*found), TOPIC)

    assert refused.value.field == f"policy.{field}"
    assert refused.value.aws_message == message


def test_a_topics_policy_has_at_most_30_kb():
    room = topic_policy.MOST_BYTES - len(text(on_topic(Sid="")))
    topic_policy.check(text(on_topic(Sid="x" * room)), TOPIC)

    with pytest.raises(InvalidPolicy, match="30720 bytes"):
        topic_policy.check(text(on_topic(Sid="x" * (room + 1))), TOPIC)


# --- permissions ---------------------------------------------------------------------------------


def test_a_permission_is_appended_to_the_default_policy():
    changed = topic_policy.add_permission(None, TOPIC, "label", [OTHER], ["Publish"])

    default, added = json.loads(changed)["Statement"]
    assert default["Sid"] == "__default_statement_ID"
    assert added == {
        "Sid": "label",
        "Effect": "Allow",
        "Principal": {"AWS": f"arn:aws:iam::{OTHER}:root"},
        "Action": "SNS:Publish",
        "Resource": TOPIC,
    }
    assert parse(changed).evaluate(asked(BOB, "sns:Publish", TOPIC)).sid == "label"


def test_several_accounts_and_actions_are_lists():
    changed = topic_policy.add_permission(
        None, TOPIC, "label", [OTHER, OWNER], ["publish", "Subscribe"]
    )

    added = json.loads(changed)["Statement"][-1]
    assert added["Principal"] == {"AWS": [f"arn:aws:iam::{one}:root" for one in (OTHER, OWNER)]}
    assert added["Action"] == ["SNS:Publish", "SNS:Subscribe"]


def test_a_permission_that_is_removed_leaves_the_others():
    policy = None
    for label in ("one", "two"):
        policy = topic_policy.add_permission(policy, TOPIC, label, [OTHER], ["Publish"])

    left = topic_policy.remove_permission(policy, TOPIC, "one")

    sids = [one["Sid"] for one in json.loads(left)["Statement"]]
    assert sids == ["__default_statement_ID", "two"]


def test_the_last_statement_takes_the_policy_with_it():
    assert topic_policy.remove_permission(None, TOPIC, "__default_statement_ID") is None


@pytest.mark.parametrize(
    ("label", "accounts", "actions", "field", "message"),
    [
        ("__default_statement_ID", [OTHER], ["Publish"], "label", "Statement already exists"),
        ("", [OTHER], ["Publish"], "label", "Label"),
        ("x" * 257, [OTHER], ["Publish"], "label", "Label"),
        ("a\nb", [OTHER], ["Publish"], "label", "Label"),
        ("a", [], ["Publish"], "accounts", "AWSAccountId"),
        ("a", ["12"], ["Publish"], "accounts", "Policy Error: PrincipalNotFound"),
        (
            "a",
            [f"arn:aws:iam::{OTHER}:root"],
            ["Publish"],
            "accounts",
            "Policy Error: PrincipalNotFound",
        ),
        ("a", [OTHER], [], "actions", "ActionName"),
        ("a", [OTHER], ["*"], "actions", "Policy statement action out of service scope!"),
        ("a", [OTHER], ["SNS:Publish"], "actions", "Policy statement action out of service scope!"),
        (
            "a",
            [OTHER],
            ["Publish", "CreateTopic"],
            "actions",
            "Policy statement action out of service scope!",
        ),
        (
            "a",
            [OTHER] * 2 + [f"{n:012}" for n in range(200)],
            ["Publish"],
            "policy.Principal",
            "Policy Error: quota exceeded",
        ),
        ("a", [OTHER] * 2000, ["Publish"], "policy", "Policy Error: null"),
    ],
)
def test_what_cannot_be_permitted(label, accounts, actions, field, message):
    with pytest.raises(InvalidPolicy) as refused:
        topic_policy.add_permission(None, TOPIC, label, accounts, actions)

    assert refused.value.field == field
    assert refused.value.aws_message == f"Invalid parameter: {message}"


def test_a_label_that_is_not_there_cannot_be_removed():
    with pytest.raises(InvalidPolicy) as refused:
        topic_policy.remove_permission(None, TOPIC, "label")

    assert refused.value.field == "label"


@pytest.mark.parametrize("policy", ['{"Statement":["odd",{"Sid":5}]}', '{"Statement":"odd"}'])
def test_statements_that_nobody_understands_are_kept(policy):
    """What was kept before policies were read is not lost to a permission."""
    changed = add_statement(policy, {"Sid": "new"}, new={})

    assert json.loads(changed)["Statement"][-1] == {"Sid": "new"}
    assert json.loads(changed)["Statement"][0] == "odd"
    assert json.loads(remove_statement(changed, "new") or "")["Statement"][0] == "odd"


@pytest.mark.parametrize("policy", ["", "[]", "{", "5", "[" * 5000])
def test_a_text_that_is_no_policy_is_not_changed(policy):
    for change in (
        lambda: add_statement(policy, {"Sid": "a"}, new={}),
        lambda: remove_statement(policy, "a"),
    ):
        with pytest.raises(InvalidPolicy, match="policy"):
            change()
