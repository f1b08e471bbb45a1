"""Schema: every answer of Kinesis is as the service model has it, in JSON and in CBOR."""

from __future__ import annotations

import pytest

from rmq.gateway.app import Endpoint
from rmq.gateway.kinesis import SERVICE
from rmq.testing import HeldClock
from tests.gateway import strict
from tests.gateway.kinesis.drives import DRIVES
from tests.gateway.kinesis.wire import MODEL, Kinesis

NEVER = {
    # A channel that failed would say why; ours deliver nothing, so none fails.
    ("ChannelDescription", "ChannelStatusReason"),
    ("ChannelSummary", "ChannelStatusReason"),
    # Not in use at AWS either.
    ("StreamDescriptionSummary", "StreamId"),
}


def test_every_action_is_there():
    assert set(SERVICE.operations) == set(MODEL.operation_names) == set(DRIVES)
    assert len(DRIVES) == 57


@pytest.mark.parametrize("operation", MODEL.operation_names)
async def test_each_answer_is_as_the_model_has_it(
    operation: str, kinesis: Kinesis, clock: HeldClock
):
    await DRIVES[operation](kinesis, clock)

    assert operation in kinesis.asked


async def test_every_member_of_every_answer_was_seen(
    protocol: str, gateway: Endpoint, clock: HeldClock
):
    """What no test has seen could have any form."""
    seen: set[tuple[str, str]] = set()
    for place, drive in enumerate(DRIVES.values()):
        kinesis = Kinesis(protocol, gateway, region=f"region-{place}")
        await drive(kinesis, clock)
        seen |= kinesis.seen

    shapes = (MODEL.operation_model(name).output_shape for name in MODEL.operation_names)
    every = {one for shape in shapes if shape for one in strict.all_members(shape)}
    errors = {one for one in every if one[1].endswith("Exception") or one[1].startswith("KMS")}
    exceptions = {one for one in every if one[0].endswith("Exception") or one[0].startswith("KMS")}
    assert every - errors - exceptions - seen == NEVER
