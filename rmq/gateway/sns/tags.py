"""Tags: what the three actions on them, and CreateTopic, share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rmq.gateway.caller import Caller
from rmq.gateway.errors import AwsError
from rmq.gateway.service import Given
from rmq.gateway.sns.errors import invalid, no_resource
from rmq.gateway.sns.place import arn_in, topic_of
from rmq.topics.aio import AsyncTopic


def tags_in(given: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """Tags as the library takes them. Raises AwsError."""
    found = {one["Key"]: one["Value"] for one in given}
    if len(found) < len(given):
        raise invalid("Duplicated keys are not allowed.")
    return found


def tagged(caller: Caller, given: Given) -> AsyncTopic:
    """The topic whose tags are meant. Raises AwsError."""
    arn_in(caller, given, "ResourceArn")
    try:
        return topic_of(caller, given, "ResourceArn")
    except AwsError:
        raise no_resource() from None
