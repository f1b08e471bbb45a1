"""What tests of SMS get: the room."""

from __future__ import annotations

from typing import Any

import pytest


@pytest.fixture
def sms(client: Any) -> Any:
    return client.sms
