"""Schema: every answer of SNS is what the service model says, to the letter, in every protocol."""

from __future__ import annotations

import pytest

from rmq.gateway.app import Endpoint
from rmq.gateway.sns import SERVICE
from rmq.testing import HeldClock
from tests.gateway import strict
from tests.gateway.sdk import SNS, Sdk
from tests.gateway.sns.drives import DRIVES


def test_all_42_actions_are_there():
    assert set(SERVICE.operations) == set(SNS.model.operation_names) == set(DRIVES)
    assert len(DRIVES) == 42


@pytest.mark.parametrize("operation", SNS.model.operation_names)
async def test_each_answer_is_as_the_model_has_it(
    operation: str, sns: Sdk, sqs: Sdk, clock: HeldClock
):
    await DRIVES[operation](sns, sqs, clock)

    assert operation in sns.asked


NEVER = {"PhoneNumberInformation"}
"""What answers never have: there are no origination numbers here."""


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

    shapes = (SNS.model.operation_model(name).output_shape for name in SNS.model.operation_names)
    wanted = {one for shape in shapes if shape for one in strict.all_members(shape)}
    never = {one for one in wanted if one[0] in NEVER}
    # A number's own list is empty, and so are the tokens behind it.
    never |= {("ListOriginationNumbersResult", "NextToken")}
    never |= {("ListPhoneNumbersOptedOutResponse", "nextToken")}
    assert seen == wanted - never
