"""Schema: every answer of SNS is what the service model says, to the letter, in every protocol."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest

from rmq.gateway.app import Endpoint
from rmq.gateway.dispatching import Dispatching
from rmq.gateway.sns import SERVICE
from rmq.push.settings import PushSettings
from rmq.testing import HeldClock
from tests.gateway import strict
from tests.gateway.conftest import OWN_ACCOUNT
from tests.gateway.sdk import SNS, Sdk
from tests.gateway.sns.drives import DRIVES


@pytest.fixture(autouse=True)
async def dispatching(gateway: Endpoint) -> AsyncIterator[Any]:
    """One-time passwords have to get to their numbers."""
    made = Dispatching(gateway.client, PushSettings(), deadline=1)
    made.start()
    yield made
    await made.stop()


def test_all_42_actions_are_there():
    assert set(SERVICE.operations) == set(SNS.model.operation_names) == set(DRIVES)
    assert len(DRIVES) == 42


@pytest.mark.parametrize("operation", SNS.model.operation_names)
async def test_each_answer_is_as_the_model_has_it(
    operation: str, sns: Sdk, sqs: Sdk, clock: HeldClock
):
    await DRIVES[operation](sns, sqs, clock)

    assert operation in sns.asked


async def test_every_member_of_every_answer_was_seen(
    protocol: str, gateway: Endpoint, clock: HeldClock
):
    """What no test has seen could have any form."""
    seen: set[tuple[str, str]] = set()
    for place, drive in enumerate(DRIVES.values()):
        sns = Sdk(protocol, gateway, region=f"region-{place}", service=SNS)
        sqs = Sdk(protocol, gateway, region=f"region-{place}", account=sns.account)
        await drive(sns, sqs, clock)
        seen |= sns.seen
    seen |= await _of_numbers(protocol, gateway)

    shapes = (SNS.model.operation_model(name).output_shape for name in SNS.model.operation_names)
    assert seen == {one for shape in shapes if shape for one in strict.all_members(shape)}


async def _of_numbers(protocol: str, gateway: Endpoint) -> set[tuple[str, str]]:
    """What is told of numbers that only the library can note: where messages come from, and who
    wants none."""
    sns = Sdk(protocol, gateway, account=OWN_ACCOUNT, service=SNS)
    sms = gateway.client.sms
    for number in range(101):
        await sms.opt_out(f"+1555010{number:04}")
    for number in ("+15550200001", "+15550200002"):
        await sms.add_origination_number(number, "US", capabilities=("SMS", "VOICE"))

    page = await sns.list_phone_numbers_opted_out()
    assert len(page["phoneNumbers"]) == 100
    rest = await sns.list_phone_numbers_opted_out(nextToken=page["nextToken"])
    assert rest == {"phoneNumbers": ["+15550100100"]}
    found = await sns.check_if_phone_number_is_opted_out(phoneNumber="+15550100100")
    assert found == {"isOptedOut": True}

    page = await sns.list_origination_numbers(MaxResults=1)
    (one,) = page["PhoneNumbers"]
    assert abs(one.pop("CreatedAt") - gateway.client.clock.now()) < timedelta(minutes=1)
    assert one == {
        "PhoneNumber": "+15550200001",
        "Status": "ACTIVE",
        "Iso2CountryCode": "US",
        "RouteType": "Transactional",
        "NumberCapabilities": ["SMS", "VOICE"],
    }
    rest = await sns.list_origination_numbers(MaxResults=1, NextToken=page["NextToken"])
    assert [one["PhoneNumber"] for one in rest["PhoneNumbers"]] == ["+15550200002"]
    return sns.seen
