"""Topic policy: what a topic's policy may say, the one it starts with, how permissions change it.

Refusals carry Amazon SNS's own words in `aws_message`.
Source: Amazon SNS Developer Guide, "Amazon SNS access control", "Quotas"; AddPermission,
RemovePermission (API Reference).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import msgspec

from rmq.errors import InvalidPolicy, Words
from rmq.security.permissions import ACCOUNT, add_statement, allowing, remove_statement
from rmq.security.policy import OUT_OF_SCOPE, Policy, parse
from rmq.security.principal import NOT_FOUND

MOST_BYTES = 30 * 1024
MOST_STATEMENTS = 100
MOST_PRINCIPALS = 200
LONGEST_LABEL = 256

ACTIONS = (
    "AddPermission",
    "DeleteTopic",
    "GetDataProtectionPolicy",
    "GetTopicAttributes",
    "ListSubscriptionsByTopic",
    "ListTagsForResource",
    "Publish",
    "PutDataProtectionPolicy",
    "Receive",
    "RemovePermission",
    "SetTopicAttributes",
    "Subscribe",
)
"""What a topic's policy may speak of. Receive is no action any more, but the default policies of
old topics have it, and with them many that were written since."""

_NAMED = {action.lower(): action for action in ACTIONS}
_SCOPE = frozenset(f"sns:{action}" for action in _NAMED)
_RESOURCE = "Invalid parameter: Policy statement resource is not the topic"
_TOO_MUCH = "Invalid parameter: Policy Error: quota exceeded"


def default_policy(topic_arn: str) -> str:
    """The policy of a topic for which none was set: its owner may do everything with it."""
    account = topic_arn.split(":")[4]
    document = {
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [
            {
                "Sid": "__default_statement_ID",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": [
                    "SNS:GetTopicAttributes",
                    "SNS:SetTopicAttributes",
                    "SNS:AddPermission",
                    "SNS:RemovePermission",
                    "SNS:DeleteTopic",
                    "SNS:Subscribe",
                    "SNS:ListSubscriptionsByTopic",
                    "SNS:Publish",
                ],
                "Resource": topic_arn,
                "Condition": {"StringEquals": {"AWS:SourceOwner": account}},
            }
        ],
    }
    return msgspec.json.encode(document).decode()


def check(text: str, topic_arn: str) -> Policy:
    """The policy that *text* is, if the topic can have it.

    At most 30 KB, 100 statements and 200 principals, each Sid once, actions of a topic by their
    full names, and no resource but the topic. Raises InvalidPolicy.
    """
    policy = parse(text)
    if len(policy.statements) > MOST_STATEMENTS:
        raise InvalidPolicy(
            "policy.Statement",
            Words(f"{len(policy.statements)} statements"),
            f"at most {MOST_STATEMENTS} statements",
            _TOO_MUCH,
        )
    principals = sum(len(one.principals.names) for one in policy.statements)
    if principals > MOST_PRINCIPALS:
        raise InvalidPolicy(
            "policy.Principal",
            Words(f"{principals} principals"),
            f"at most {MOST_PRINCIPALS} principals in all",
            _TOO_MUCH,
        )
    for sid, times in Counter(one.sid for one in policy.statements if one.sid).items():
        if times > 1:
            raise InvalidPolicy("policy.Sid", sid, "each statement's own")
    for one in policy.statements:
        where = f"policy.Statement[{one.index}]"
        for action in one.actions:
            if one.is_not_action or action.lower() not in _SCOPE:
                element = "NotAction" if one.is_not_action else "Action"
                raise InvalidPolicy(
                    f"{where}.{element}", action, "an Action of a topic, without *", OUT_OF_SCOPE
                )
        for resource in one.resources:
            if one.is_not_resource or resource != topic_arn:
                element = "NotResource" if one.is_not_resource else "Resource"
                raise InvalidPolicy(
                    f"{where}.{element}", resource, f"a Resource: {topic_arn}", _RESOURCE
                )
    return policy


def add_permission(
    policy: str | None, topic_arn: str, label: str, accounts: Sequence[str], actions: Sequence[str]
) -> str:
    """The topic's policy with a statement more; None is the default policy.

    *accounts* are of 12 digits, *actions* named as `Publish`. Raises InvalidPolicy, whose field is
    `label`, `accounts`, `actions`, or a part of the policy that there would be.
    """
    if not 0 < len(label) <= LONGEST_LABEL or not label.isprintable():
        raise InvalidPolicy(
            "label",
            label,
            f"1 to {LONGEST_LABEL} printable characters",
            "Invalid parameter: Label",
        )
    if not accounts:
        raise InvalidPolicy(
            "accounts", Words("empty"), "one or more", "Invalid parameter: AWSAccountId"
        )
    for account in accounts:
        if not ACCOUNT.fullmatch(account):
            raise InvalidPolicy("accounts", account, "12 digits", NOT_FOUND)
    if not actions:
        raise InvalidPolicy(
            "actions", Words("empty"), "one or more", "Invalid parameter: ActionName"
        )
    for action in actions:
        if action.lower() not in _NAMED:
            raise InvalidPolicy("actions", action, f"one of {', '.join(ACTIONS)}", OUT_OF_SCOPE)
    named = [f"SNS:{_NAMED[action.lower()]}" for action in actions]
    changed = add_statement(
        policy or default_policy(topic_arn), allowing(label, accounts, named, topic_arn), new={}
    )
    check(changed, topic_arn)
    return changed


def remove_permission(policy: str | None, topic_arn: str, label: str) -> str | None:
    """The topic's policy without that statement; None where none is left, or before, is the
    default policy. Raises InvalidPolicy, with the field `label` where there is no such statement.
    """
    return remove_statement(policy or default_policy(topic_arn), label)
