"""Every example runs, on memory:// and on a server."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.servers import single_server

EXAMPLES = sorted((Path(__file__).parent.parent / "examples").glob("*.py"))


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = single_server()
    yield server.url
    server.stop()


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
@pytest.mark.parametrize("place", ["memory", "server"])
def test_an_example_runs(
    example: Path, place: str, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("RMQ_URL", raising=False)
    arguments = [request.getfixturevalue("url")] if place == "server" else []
    done = subprocess.run(
        [sys.executable, str(example), *arguments], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert not done.stderr
