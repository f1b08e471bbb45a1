"""Help and completion: what a newcomer reads, and what their shell asks."""

import os
import subprocess
import sys

import pytest
from typer.testing import CliRunner

from rmq import __version__
from rmq.cli import failures
from rmq.cli.main import app
from rmq.cli.queue.attributes import OPTIONS

COMMANDS = [
    *("create", "list", "show", "set", "send", "receive", "delete", "visibility", "peek"),
    *("purge", "rm", "redrive", "watch"),
]


def text(*args: str) -> str:
    ran = CliRunner().invoke(app, list(args), prog_name="rmq", env={"COLUMNS": "120"})
    assert ran.exit_code == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("args", [(), ("--help",), ("-h",)])
def test_the_first_page_shows_first_steps_statuses_settings_and_completion(args):
    page = text(*args)

    for line in ("rmq demo", "rmq queue create orders", "RMQ_URL", "--install-completion"):
        assert line in page
    for status in failures.STATUSES:
        assert f"  {status}  " in page


@pytest.mark.parametrize("args", [("queue",), ("queue", "--help")])
def test_the_page_of_the_noun_names_every_command(args):
    page = text(*args)

    for command in COMMANDS:
        assert f" {command} " in page


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_a_page_without_an_error(command):
    assert f"rmq queue {command}" in text("queue", command, "--help")


@pytest.mark.parametrize("command", ["create", "set"])
def test_no_name_of_an_option_is_cut_on_a_terminal_of_80_columns(command):
    page = CliRunner().invoke(
        app, ["queue", command, "--help"], prog_name="rmq", env={"COLUMNS": "80"}
    )

    for name in ("--visibility-timeout", "--no-content-based-deduplication"):
        assert name in page.stdout
    assert "…" not in page.stdout


def test_every_field_of_the_attributes_has_an_option():
    from dataclasses import fields

    from rmq import QueueAttributes

    policies = {"redrive_policy", "redrive_allow_policy"}
    assert {field.name for field in fields(QueueAttributes)} - policies <= set(OPTIONS)


def test_the_version_is_the_package_s():
    assert text("--version") == f"rmq {__version__}\n"


def complete(*words: str, **environment: str) -> list[str]:
    """What bash is answered when somebody presses the tabulator behind *words*."""
    ran = subprocess.run(
        [sys.executable, "-c", "from rmq.cli.main import app; app(prog_name='rmq')"],
        env={
            **os.environ,
            "_RMQ_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(words),
            "COMP_CWORD": str(len(words) - 1),
            **environment,
        },
        capture_output=True,
        text=True,
    )
    assert ran.stderr == ""
    return ran.stdout.split()


def test_a_completion_script_is_produced():
    ran = subprocess.run(
        [sys.executable, "-c", "from rmq.cli.main import app; app(prog_name='rmq')"],
        env={**os.environ, "_RMQ_COMPLETE": "source_bash"},
        capture_output=True,
        text=True,
    )

    assert "complete -o default -F _rmq_completion rmq" in ran.stdout


def test_commands_are_completed():
    assert complete("rmq", "queue", "re") == ["receive", "redrive"]


def test_options_are_completed():
    assert complete("rmq", "queue", "create", "orders", "--visib") == ["--visibility-timeout"]


def test_names_of_queues_are_completed(on_server):
    for name in ("orders", "other", "orders.fifo"):
        on_server("queue", "create", name)

    assert complete("rmq", "queue", "show", "ord", RMQ_URL=on_server.url) == [
        "orders",
        "orders.fifo",
    ]


def test_no_error_reaches_the_prompt():
    assert complete("rmq", "queue", "show", "o", RMQ_URL="redis://127.0.0.1:1") == []
