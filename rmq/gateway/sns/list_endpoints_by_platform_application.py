"""ListEndpointsByPlatformApplication: the endpoints of one application, page by page."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.pages import MOST, after_of, paged
from rmq.gateway.sns.phones import application_of, endpoint_out


async def list_endpoints_by_platform_application(caller: Caller, given: Given) -> Answer:
    mobile, arn = application_of(caller, given)
    page = await mobile.endpoints(arn, limit=MOST, token=after_of(given, arn))
    found = [{"EndpointArn": one.arn, "Attributes": endpoint_out(one)} for one in page]
    return paged("Endpoints", found, page.next_token, arn)
