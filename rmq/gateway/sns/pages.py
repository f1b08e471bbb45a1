"""Pages: NextToken of the listing actions, of which each page has 100. A token says behind what the
next page begins. Source: ListTopics, ListSubscriptions (Amazon SNS API Reference).
"""

from __future__ import annotations

from typing import Any

from rmq.gateway.service import Given
from rmq.gateway.sns.errors import invalid
from rmq.gateway.tokens import read_token, write_token

MOST = 100


def after_of(given: Given, question: str, parameter: str = "NextToken") -> str | None:
    """Behind what to go on; None for the first page. Raises AwsError."""
    text = given.get(parameter)
    if not text:
        return None
    after = read_token(question, text)
    if after is None:
        raise invalid(parameter)
    return after


def paged(
    member: str, found: list[Any], after: str | None, question: str, parameter: str = "NextToken"
) -> dict[str, Any]:
    """An answer: what was found, and where the next page begins, if there is one."""
    if after is None:
        return {member: found}
    return {member: found, parameter: write_token(question, after)}
