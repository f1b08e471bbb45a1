"""PutDataProtectionPolicy: say what messages must not hold. It is kept, and nothing is masked."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.place import topic_of


async def put_data_protection_policy(caller: Caller, given: Given) -> Answer:
    policy = given["DataProtectionPolicy"] or None
    await topic_of(caller, given, "ResourceArn").set_attributes(data_protection_policy=policy)
    return None
