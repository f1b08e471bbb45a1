"""Place: where a topic or a subscription is, by its ARN.

arn:aws:sns:<region>:<account>:<topic>
arn:aws:sns:<region>:<account>:<topic>:<id of a subscription>
arn:aws:sns:<region>:<account>:app/<platform>/<application>
arn:aws:sns:<region>:<account>:endpoint/<platform>/<application>/<id>
"""

from __future__ import annotations

from functools import lru_cache

from rmq.core.place import ARN_PARTS, Arn, read_arn
from rmq.errors import InvalidParameter
from rmq.gateway.caller import Accounts, Caller
from rmq.gateway.service import Given
from rmq.gateway.sns.errors import invalid
from rmq.topics.aio import AsyncTopic
from rmq.topics.subscription import ID


def arn_in(given: Given, parameter: str) -> Arn:
    """The ARN of something of SNS's that a parameter names. Raises AwsError."""
    return _read(given[parameter], parameter)


def topic_of(caller: Caller, given: Given, parameter: str = "TopicArn") -> AsyncTopic:
    """The topic that a parameter names. Raises AwsError."""
    return read_topic(caller.accounts, given[parameter], parameter)


def subscription_of(caller: Caller, given: Given) -> tuple[AsyncTopic, str]:
    """The topic and the id of the subscription that SubscriptionArn names. Raises AwsError."""
    return read_subscription(caller.accounts, given["SubscriptionArn"])


def read_topic(accounts: Accounts, text: str, parameter: str = "TopicArn") -> AsyncTopic:
    """The topic that an ARN names. Raises AwsError."""
    arn = _read(text, parameter)
    try:
        return accounts.client(*arn.place).topic(arn.resource)
    except InvalidParameter:
        raise invalid(parameter) from None


def read_subscription(accounts: Accounts, text: str) -> tuple[AsyncTopic, str]:
    """The topic and the id of the subscription that an ARN names. Raises AwsError."""
    arn = _read(text, "SubscriptionArn")
    name, _, id = arn.resource.partition(":")
    if not ID.fullmatch(id):
        raise invalid("SubscriptionId")
    try:
        return accounts.client(*arn.place).topic(name), id
    except InvalidParameter:
        raise invalid("SubscriptionArn") from None


def _read(text: str, parameter: str) -> Arn:
    parts = text.count(":") + 1
    if parts < ARN_PARTS:
        raise invalid(parameter, f"An ARN must have at least 6 elements, not {parts}")
    found = _arn(text)
    if found is None:
        raise invalid(parameter)
    return found


@lru_cache(maxsize=4096)
def _arn(text: str) -> Arn | None:
    try:
        found = read_arn("arn", text)
    except InvalidParameter:
        return None
    return found if found.service == "sns" else None
