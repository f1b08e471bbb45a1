"""pytest's plugin: the fixture `rmq_aws`. It loads nothing until a test asks for it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest


@pytest.fixture
def rmq_aws() -> Iterator[Any]:
    """Every boto3 client that is made during the test works on queues and topics of its own.

    The fixture's value is the rmq.testing.aws that is at work: `.clock`, `.reset()`.
    """
    from rmq.testing import aws

    with aws() as here:
        yield here
