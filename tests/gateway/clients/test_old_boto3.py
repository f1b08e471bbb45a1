"""A boto3 from before SQS spoke JSON: what it asks in forms, it is answered in XML."""

import re
from pathlib import Path

import pytest

from tests import clients

pytestmark = pytest.mark.timeout(clients.FIRST_RUN_DEADLINE)

SCRIPT = Path(__file__).with_name("old_boto3_scenarios.py")
SCENARIOS = re.findall(r"^def (\w+)\(sqs\):", SCRIPT.read_text("utf-8"), re.MULTILINE)
assert SCENARIOS, "none found, so none would run"


@pytest.fixture(scope="module")
def python() -> Path:
    return clients.old_boto3()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_old_boto3(scenario, python, endpoint_url):
    """Each scenario is a function of the script beside this file; it fails by raising."""
    clients.run(python, "-I", SCRIPT, scenario, endpoint_url, env=clients.environment())
