"""Place: where a topic or a subscription is, by its ARN.

arn:aws:sns:<region>:<account>:<topic>
arn:aws:sns:<region>:<account>:<topic>:<id of a subscription>
arn:aws:sns:<region>:<account>:app/<platform>/<application>
arn:aws:sns:<region>:<account>:endpoint/<platform>/<application>/<id>

An ARN says in which account it is, whoever asks. Its region has to be the one that the request was
signed for: AWS has an endpoint in each, which knows its own only. A link is not signed.
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


def arn_in(caller: Caller, given: Given, parameter: str) -> Arn:
    """The ARN of something of SNS's that a parameter names. Raises AwsError."""
    found = _read(given[parameter], parameter)
    if caller.is_signed and found.place.region != caller.region:
        raise invalid(parameter)
    return found


def topic_of(caller: Caller, given: Given, parameter: str = "TopicArn") -> AsyncTopic:
    """The topic that a parameter names. Raises AwsError."""
    return _topic(caller.accounts, arn_in(caller, given, parameter), parameter)


def subscription_of(caller: Caller, given: Given) -> tuple[AsyncTopic, str]:
    """The topic and the id of the subscription that SubscriptionArn names. Raises AwsError."""
    return _subscription(caller.accounts, arn_in(caller, given, "SubscriptionArn"))


def read_topic(accounts: Accounts, text: str, parameter: str = "TopicArn") -> AsyncTopic:
    """The topic that an ARN names. Raises AwsError."""
    return _topic(accounts, _read(text, parameter), parameter)


def _topic(accounts: Accounts, arn: Arn, parameter: str) -> AsyncTopic:
    try:
        return accounts.client(*arn.place).topic(arn.resource)
    except InvalidParameter:
        raise invalid(parameter) from None


def read_subscription(accounts: Accounts, text: str) -> tuple[AsyncTopic, str]:
    """The topic and the id of the subscription that an ARN names. Raises AwsError."""
    return _subscription(accounts, _read(text, "SubscriptionArn"))


def _subscription(accounts: Accounts, arn: Arn) -> tuple[AsyncTopic, str]:
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
