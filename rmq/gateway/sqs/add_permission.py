"""AddPermission: let other accounts do something with a queue."""

from __future__ import annotations

from rmq.errors import InvalidPolicy
from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.errors import invalid_value
from rmq.gateway.sqs.permissions import change, new_policy, statement
from rmq.gateway.sqs.place import arn_of, owner_of, queue_of
from rmq.security.permissions import add_statement


async def add_permission(caller: Caller, given: Given) -> Answer:
    queue, label = queue_of(caller, given), given["Label"]
    arn = arn_of(owner_of(caller, given), queue.name)
    added = statement(label, given["AWSAccountIds"], given["Actions"], arn)

    def add(policy: str | None) -> str:
        try:
            return add_statement(policy, added, new=new_policy(arn))
        except InvalidPolicy as refused:
            raise invalid_value(label, "Label", "Already exists.") from refused

    await change(queue, add)
    return None
