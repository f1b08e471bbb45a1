"""DeleteEndpoint: remove an endpoint; one that is not there is removed already."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.phones import endpoint_of


async def delete_endpoint(caller: Caller, given: Given) -> Answer:
    mobile, arn = endpoint_of(caller, given)
    await mobile.delete_endpoint(arn)
    return None
