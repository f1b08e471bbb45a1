"""Permissions: what SQS lets the two permission actions write into a queue's access policy.

The policy is kept and returned; this endpoint does not judge by it.
Source: AddPermission, RemovePermission (Amazon SQS API Reference).
"""

from __future__ import annotations

import re
from collections.abc import Callable

from rmq.errors import InvalidParameter, StaleConfig
from rmq.gateway.sqs.errors import error, invalid_value
from rmq.queues.aio import AsyncQueue
from rmq.security.permissions import ACCOUNT, Document, allowing

LABEL = re.compile(r"[A-Za-z0-9_-]{1,80}")
MOST_ACTIONS = 7
TRIES = 20
ACTIONS = frozenset(
    {
        "*",
        "ChangeMessageVisibility",
        "DeleteMessage",
        "GetQueueAttributes",
        "GetQueueUrl",
        "ListDeadLetterSourceQueues",
        "PurgeQueue",
        "ReceiveMessage",
        "SendMessage",
    }
)


def check_label(label: str) -> None:
    """Raise AwsError for what can not be a label."""
    if not LABEL.fullmatch(label):
        raise invalid_value(
            label,
            "Label",
            "Can only include alphanumeric characters, hyphens, or underscores. 1 to 80 in length.",
        )


def statement(label: str, accounts: list[str], actions: list[str], arn: str) -> Document:
    """What AddPermission appends. Raises AwsError."""
    check_label(label)
    if len(actions) > MOST_ACTIONS:
        raise error(
            "OverLimit",
            f"{len(actions)} Actions were found, maximum allowed is {MOST_ACTIONS}.",
        )
    if not actions:
        raise invalid_value("[]", "ActionName", "Must name at least one action.")
    if not accounts:
        raise invalid_value("[]", "PrincipalId", "Must name at least one account.")
    for action in actions:
        if action not in ACTIONS:
            raise invalid_value(action, "ActionName", "Please refer to the appropriate WSDL.")
    for account in accounts:
        if not ACCOUNT.fullmatch(account):
            raise invalid_value(account, "PrincipalId", "Unable to verify.")
    return allowing(label, accounts, [f"SQS:{action}" for action in actions], arn)


def new_policy(arn: str) -> Document:
    return {"Version": "2012-10-17", "Id": f"{arn}/SQSDefaultPolicy", "Statement": []}


async def change(queue: AsyncQueue, make: Callable[[str | None], str | None]) -> None:
    """Replace a queue's policy by what *make* makes of it, with nobody's change lost between."""
    for _ in range(TRIES):
        info = await queue.info()
        policy = make(info.attributes.policy or None)
        try:
            await queue.set_attributes(if_version=info.version, policy=policy)
        except StaleConfig:
            continue
        except InvalidParameter as refused:
            raise error("OverLimit", f"The policy would become too large: {refused}") from refused
        return
    raise StaleConfig(f"the policy of queue {queue.name!r} changes faster than it can be set")
