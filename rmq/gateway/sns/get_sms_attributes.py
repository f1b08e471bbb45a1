"""GetSMSAttributes: what SetSMSAttributes said; all of it, or what is asked for."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.sms import attributes_out


async def get_sms_attributes(caller: Caller, given: Given) -> Answer:
    found, names = attributes_out(await caller.client.sms.attributes()), given.get("attributes")
    if names:
        found = {name: value for name, value in found.items() if name in names}
    return {"attributes": found}
