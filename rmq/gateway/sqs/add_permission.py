"""AddPermission: let other accounts do something with a queue."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.errors import invalid_value
from rmq.gateway.sqs.permissions import Policy, change, new_policy, statement, statements_of
from rmq.gateway.sqs.place import arn_of, owner_of, queue_of


async def add_permission(caller: Caller, given: Given) -> Answer:
    queue, label = queue_of(caller, given), given["Label"]
    arn = arn_of(owner_of(caller, given), queue.name)
    added = statement(label, given["AWSAccountIds"], given["Actions"], arn)

    def add(policy: Policy | None) -> Policy:
        policy = policy or new_policy(arn)
        statements = statements_of(policy)
        if any(one.get("Sid") == label for one in statements):
            raise invalid_value(label, "Label", "Already exists.")
        return policy | {"Statement": [*statements, added]}

    await change(queue, add)
    return None
