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
from rmq.cli.stream.attributes import OPTIONS as STREAM
from rmq.cli.topic.attributes import ALL, SUBSCRIPTION, TOPIC

COMMANDS = {
    "queue": [
        *("create", "list", "show", "set", "send", "receive", "delete", "visibility", "peek"),
        *("purge", "rm", "redrive", "watch"),
    ],
    "topic": [
        *("create", "list", "show", "set", "rm", "subscribe", "confirm", "subscriptions"),
        *("unsubscribe", "replay", "publish", "listen", "explain"),
    ],
    "stream": [
        *("create", "list", "show", "set", "sweep", "rm", "split", "merge", "scale", "put"),
        *("tail", "tail-files", "consumers", "groups", "reset"),
    ],
}


def text(*args: str) -> str:
    ran = CliRunner().invoke(app, list(args), prog_name="rmq", env={"COLUMNS": "120"})
    assert ran.exit_code == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("args", [(), ("--help",), ("-h",)])
def test_the_first_page_shows_first_steps_statuses_settings_and_completion(args):
    page = text(*args)

    for line in (
        "rmq demo",
        "rmq queue create orders",
        "rmq topic subscribe",
        "RMQ_URL",
        "--install-completion",
    ):
        assert line in page
    for status in failures.STATUSES:
        assert f"  {status}  " in page


@pytest.mark.parametrize("noun", COMMANDS)
@pytest.mark.parametrize("how", [(), ("--help",)])
def test_the_page_of_a_noun_names_every_command(noun, how):
    page = text(noun, *how)

    for command in COMMANDS[noun]:
        assert f" {command} " in page


@pytest.mark.parametrize(
    ("noun", "command"), [(noun, one) for noun, commands in COMMANDS.items() for one in commands]
)
def test_every_command_has_a_page_without_an_error(noun, command):
    assert f"rmq {noun} {command}" in text(noun, command, "--help")


@pytest.mark.parametrize(
    ("words", "longest"),
    [
        ("queue create", "--no-content-based-deduplication"),
        ("queue set", "--no-content-based-deduplication"),
        ("topic create", "--no-content-based-deduplication"),
        ("topic set", "--no-content-based-deduplication"),
        ("topic subscribe", "--dead-letter-queue"),
        ("stream create", "--warm-throughput"),
        ("stream tail-files", "--no-aggregate"),
    ],
)
def test_no_name_of_an_option_is_cut_on_a_terminal_of_80_columns(words, longest):
    page = CliRunner().invoke(
        app, [*words.split(), "--help"], prog_name="rmq", env={"COLUMNS": "80"}
    )

    assert longest in page.stdout
    assert "…" not in page.stdout


def test_every_field_of_the_attributes_has_an_option():
    from dataclasses import fields

    from rmq import QueueAttributes, StreamAttributes, SubscriptionAttributes, TopicAttributes

    policies = {"redrive_policy", "redrive_allow_policy"}
    assert {field.name for field in fields(QueueAttributes)} - policies <= set(OPTIONS)
    assert {field.name for field in fields(TopicAttributes)} <= set(TOPIC)
    assert {field.name for field in fields(SubscriptionAttributes)} <= set(SUBSCRIPTION)
    named = {"retention_hours": "retention"}
    assert {named.get(field.name, field.name) for field in fields(StreamAttributes)} == set(STREAM)
    assert set(ALL) == set(TOPIC) | set(SUBSCRIPTION)


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


def test_names_of_topics_and_ids_of_subscriptions_are_completed(on_server):
    for name in ("placed", "plain", "other"):
        on_server("topic", "create", name)
    on_server("queue", "create", "orders")
    id = on_server.json("topic", "subscribe", "placed", "orders")["id"]

    assert complete("rmq", "topic", "show", "pl", RMQ_URL=on_server.url) == ["placed", "plain"]
    words = ("rmq", "topic", "unsubscribe", "placed", id[:4])
    assert complete(*words, RMQ_URL=on_server.url) == [id]


@pytest.mark.parametrize(
    "words", [("queue", "show", "o"), ("topic", "show", "o"), ("topic", "replay", "placed", "o")]
)
def test_no_error_reaches_the_prompt(words):
    assert complete("rmq", *words, RMQ_URL="redis://127.0.0.1:1") == []
