"""RemovePermission: take back what AddPermission gave."""

from __future__ import annotations

from rmq.errors import InvalidPolicy
from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.errors import invalid_value
from rmq.gateway.sqs.permissions import change, check_label
from rmq.gateway.sqs.place import queue_of
from rmq.security.permissions import remove_statement


async def remove_permission(caller: Caller, given: Given) -> Answer:
    queue, label = queue_of(caller, given), given["Label"]
    check_label(label)

    def remove(policy: str | None) -> str | None:
        try:
            return remove_statement(policy, label)
        except InvalidPolicy as refused:
            raise invalid_value(label, "Label", "can't find label on existing policy") from refused

    await change(queue, remove)
    return None
