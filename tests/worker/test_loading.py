"""Loading: an app by its name, and what is said where that is none; and lines of the log."""

from __future__ import annotations

import logging
import sys
from itertools import count

import pytest

from rmq.errors import ConfigurationError
from rmq.worker import App
from rmq.worker.child import TextFormatter
from rmq.worker.loading import load

names = (f"jobs_that_are_loaded_{one}" for one in count())


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module, and give its name."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])

    def write(text):
        name = next(names)
        (tmp_path / f"{name}.py").write_text(text)
        return name

    return write


def test_an_app_is_found_by_module_and_name(module):
    name = module("from rmq.worker import App\napp = App('memory://')\n")
    assert isinstance(load(f"{name}:app"), App)
    assert load(name) is load(f"{name}:app")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("\nraise RuntimeError('boom')", r"RuntimeError: boom \(in jobs\w+\.py:2\)"),
        ("def (", r"SyntaxError: invalid syntax"),
        ("import no_such_library", r"No module named 'no_such_library' \(in jobs\w+\.py:1\)"),
        ("raise SystemExit(3)", r"SystemExit: 3"),
        ("app = 5", r"names int"),
        ("", r"names nothing"),
    ],
)
def test_a_module_that_is_no_app_is_told_in_one_line(module, text, why):
    with pytest.raises(ConfigurationError, match=why) as refused:
        load(f"{module(text)}:app")
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("path", ["", ":app", ".jobs:app", "jobs.:app"])
def test_a_path_without_a_module_is_refused(path):
    with pytest.raises(ConfigurationError, match="names no module"):
        load(path)


def test_a_module_that_is_not_there_is_named():
    with pytest.raises(ConfigurationError, match="there is no module 'no_such_module'"):
        load("no_such_module.jobs:app")


def test_a_line_for_people_says_which_message_it_is_about():
    record = logging.makeLogRecord({"msg": "hello", "levelname": "INFO", "name": "x"})
    assert TextFormatter().format(record).endswith("x: hello")
    record = logging.makeLogRecord({"msg": "hello", "name": "x", "queue": "orders", "attempt": 2})
    assert TextFormatter().format(record).endswith("x: hello [queue=orders attempt=2]")
