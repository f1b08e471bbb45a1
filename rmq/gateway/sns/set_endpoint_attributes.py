"""SetEndpointAttributes: change some attributes of an endpoint, or none of them."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.phones import endpoint_attributes_in, endpoint_of


async def set_endpoint_attributes(caller: Caller, given: Given) -> Answer:
    mobile, arn = endpoint_of(caller, given)
    await mobile.set_endpoint(arn, **endpoint_attributes_in(given["Attributes"]))
    return None
