"""RemovePermission: take back what AddPermission gave."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.errors import invalid_value
from rmq.gateway.sqs.permissions import Policy, change, check_label, statements_of
from rmq.gateway.sqs.place import queue_of


async def remove_permission(caller: Caller, given: Given) -> Answer:
    queue, label = queue_of(caller, given), given["Label"]
    check_label(label)

    def remove(policy: Policy | None) -> Policy | None:
        statements = statements_of(policy or {})
        left = [one for one in statements if one.get("Sid") != label]
        if policy is None or len(left) == len(statements):
            raise invalid_value(label, "Label", "can't find label on existing policy")
        return policy | {"Statement": left} if left else None

    await change(queue, remove)
    return None
