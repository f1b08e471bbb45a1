"""GetEndpointAttributes: a device's token, whether it may be sent to, and the app's own words."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.phones import endpoint_of, endpoint_out


async def get_endpoint_attributes(caller: Caller, given: Given) -> Answer:
    mobile, arn = endpoint_of(caller, given)
    return {"Attributes": endpoint_out(await mobile.endpoint(arn))}
