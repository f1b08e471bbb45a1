"""GetDataProtectionPolicy: the policy that PutDataProtectionPolicy set."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.place import topic_of


async def get_data_protection_policy(caller: Caller, given: Given) -> Answer:
    info = await topic_of(caller, given, "ResourceArn").info()
    policy = info.attributes.data_protection_policy
    return {} if policy is None else {"DataProtectionPolicy": policy}
