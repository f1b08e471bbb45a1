"""Direct: what Publish sends to one device or one number, past all topics."""

from __future__ import annotations

from rmq.gateway.caller import Caller
from rmq.gateway.service import Answer, Given
from rmq.gateway.sns.messages import notification
from rmq.gateway.sns.phones import endpoint_of


async def to_endpoint(caller: Caller, given: Given) -> Answer:
    """To the platform endpoint that TargetArn names."""
    mobile, arn = endpoint_of(caller, given, "TargetArn")
    one = notification(given)
    sent = await mobile.publish(
        arn,
        one.message,
        subject=one.subject,
        attributes=one.attributes,
        by_protocol=one.by_protocol,
    )
    return {"MessageId": sent.id}


async def to_number(caller: Caller, given: Given) -> Answer:
    """To PhoneNumber, by SMS."""
    one = notification(given)
    sent = await caller.client.sms.publish(
        given["PhoneNumber"],
        one.message,
        attributes=one.attributes,
        by_protocol=one.by_protocol,
    )
    return {"MessageId": sent.id}
