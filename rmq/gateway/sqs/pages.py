"""Pages: the two listing actions' MaxResults and NextToken.

A token names the last queue of the page before. There is one only where MaxResults was given.
Source: ListQueues (Amazon SQS API Reference).
"""

from __future__ import annotations

from rmq.core.paging import Page
from rmq.gateway.service import Given
from rmq.gateway.sqs.errors import invalid, invalid_value
from rmq.gateway.tokens import read_token, write_token

MOST = 1000


def after_of(given: Given, question: str) -> tuple[int, str | None]:
    """How many to list, and behind which name. Raises AwsError."""
    limit = given.get("MaxResults", MOST)
    if not 1 <= limit <= MOST:
        raise invalid_value(limit, "MaxResults", f"Must be between 1 and {MOST}, if provided.")
    text = given.get("NextToken")
    if not text:
        return limit, None
    after = read_token(question, text)
    if after is None:
        raise invalid("Invalid or expired next token.")
    return limit, after


def paged(page: Page, given: Given, question: str) -> dict[str, str]:
    """The answer's NextToken, where there is one."""
    if page.next_token is None or "MaxResults" not in given:
        return {}
    return {"NextToken": write_token(question, page.next_token)}
