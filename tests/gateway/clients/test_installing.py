"""The clients themselves: installed once, whoever asks, and no failure passes for a success."""

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests import clients


@pytest.fixture(autouse=True)
def prefix(monkeypatch, tmp_path):
    """Where the packages of the tests' environment are, and beside them the clients."""
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    return tmp_path


def test_two_that_ask_at_the_same_time_install_once():
    installed = []

    def install(folder, pins):
        folder.mkdir()
        installed.append(pins)

    with ThreadPoolExecutor() as pool:
        asked = [pool.submit(clients._installed, "client", ("a==1",), install) for _ in range(8)]

    assert len({each.result() for each in asked}) == 1
    assert installed == [("a==1",)]


def test_what_was_cut_short_is_installed_afresh():
    def cut_short(folder, pins):
        (folder / "half").mkdir(parents=True)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        clients._installed("client", ("a==1",), cut_short)
    folder = clients._installed("client", ("a==1",), lambda folder, pins: folder.mkdir())

    assert not (folder / "half").exists()


def test_a_registry_that_cannot_be_reached_fails_the_test(monkeypatch):
    for name in ("INDEX_URL", "EXTRA_INDEX_URL"):
        monkeypatch.setenv(f"PIP_{name}", "http://127.0.0.1:1")
    monkeypatch.setenv("PIP_FIND_LINKS", "")
    monkeypatch.setenv("PIP_RETRIES", "1")

    with pytest.raises(pytest.fail.Exception, match=r"Connection refused(?s:.)*boto3==1\."):
        clients.old_boto3()


@pytest.mark.parametrize(
    ("node", "why"), [(None, "no node on PATH"), ("v18.20.4", "node is v18.20.4")]
)
def test_a_machine_without_a_node_that_will_do_skips(monkeypatch, tmp_path, node, why):
    if node:
        for name in ("node", "npm"):
            (tmp_path / name).write_text(f"#!/bin/sh\necho {node}\n")
            (tmp_path / name).chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(pytest.skip.Exception, match=f"{why}: install Node 20 or newer, with npm"):
        clients.node_sdk()
