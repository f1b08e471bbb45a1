"""Place: where a topic or a subscription is, by its ARN.

arn:aws:sns:<region>:<account>:<topic>
arn:aws:sns:<region>:<account>:<topic>:<id of a subscription>
arn:aws:sns:<region>:<account>:app/<platform>/<application>
arn:aws:sns:<region>:<account>:endpoint/<platform>/<application>/<id>
"""

from __future__ import annotations

from functools import lru_cache

from rmq.client.aio import AsyncClient
from rmq.core.place import ARN_PARTS, Arn, read_arn
from rmq.errors import InvalidParameter
from rmq.gateway.caller import Caller
from rmq.gateway.service import Given
from rmq.gateway.sns.errors import invalid
from rmq.topics.aio import AsyncTopic
from rmq.topics.subscription import ID


def arn_in(given: Given, parameter: str) -> Arn:
    """The ARN of something of SNS's. Raises AwsError."""
    text = given[parameter]
    parts = text.split(":", ARN_PARTS - 1)
    if len(parts) < ARN_PARTS:
        raise invalid(parameter, f"An ARN must have at least 6 elements, not {len(parts)}")
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


def client_at(caller: Caller, arn: Arn) -> AsyncClient:
    """The client of the place that an ARN names."""
    return caller.accounts.client(*arn.place)


def topic_of(caller: Caller, given: Given, parameter: str = "TopicArn") -> AsyncTopic:
    """The topic that an ARN names. Raises AwsError."""
    arn = arn_in(given, parameter)
    try:
        return client_at(caller, arn).topic(arn.resource)
    except InvalidParameter:
        raise invalid(parameter) from None


def subscription_of(
    caller: Caller, given: Given, parameter: str = "SubscriptionArn"
) -> tuple[AsyncTopic, str]:
    """The topic and the id of the subscription that an ARN names. Raises AwsError."""
    arn = arn_in(given, parameter)
    name, _, id = arn.resource.partition(":")
    if not ID.fullmatch(id):
        raise invalid("SubscriptionId")
    try:
        return client_at(caller, arn).topic(name), id
    except InvalidParameter:
        raise invalid(parameter) from None
