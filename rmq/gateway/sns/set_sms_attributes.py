"""SetSMSAttributes: say what holds for all SMS of the account."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.sms import attributes_in


async def set_sms_attributes(caller: Caller, given: Given) -> Answer:
    await caller.client.sms.set_attributes(**attributes_in(given["attributes"]))
    return {}
