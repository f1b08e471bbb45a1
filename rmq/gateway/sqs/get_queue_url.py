"""GetQueueUrl: from a name to a URL."""

from __future__ import annotations

import re

from rmq.errors import InvalidParameter
from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sqs.errors import invalid_value, no_such_queue
from rmq.gateway.sqs.place import url_of

_ACCOUNT = re.compile(r"[0-9]{12}")


async def get_queue_url(caller: Caller, given: Given) -> Answer:
    account = given.get("QueueOwnerAWSAccountId") or caller.account
    if not _ACCOUNT.fullmatch(account):
        raise invalid_value(account, "QueueOwnerAWSAccountId", "Must be 12 digits.")
    name = given["QueueName"]
    try:
        queue = caller.accounts.client(account, caller.region).queue(name)
    except InvalidParameter:
        raise no_such_queue() from None
    await queue.info()
    return {"QueueUrl": url_of(caller, name, account)}
