"""AWS's SDK for JavaScript, in Node: for Kinesis it speaks HTTP/2, also without TLS."""

import re
from pathlib import Path

import pytest

from tests import clients

pytestmark = pytest.mark.timeout(clients.FIRST_RUN_DEADLINE)

SCRIPT = Path(__file__).with_name("node_kinesis_scenarios.mjs")
SCENARIOS = re.findall(r"^  async (\w+)\(kinesis\) {", SCRIPT.read_text("utf-8"), re.MULTILINE)
assert SCENARIOS, "none found, so none would run"


@pytest.fixture(scope="module")
def sdk() -> Path:
    return clients.node_sdk()


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_node(scenario, sdk, endpoint_url):
    """Each scenario is a method in the script beside this file; it fails by throwing."""
    with SCRIPT.open() as script:
        clients.run(
            *("node", "--no-warnings", "--input-type=module", "-", scenario, endpoint_url),
            cwd=sdk,
            stdin=script,
            env=clients.environment(),
        )
