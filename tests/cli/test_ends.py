"""How commands end: exit statuses, and one line on stderr that says what to do."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from typer.testing import CliRunner

from rmq import errors
from rmq.cli import failures, values
from rmq.cli.main import app, hoisted
from rmq.cli.session import Session

NOWHERE = "redis://user:secret@127.0.0.1:1"

MISTAKES = [
    (2, ("queue", "create", "two words")),
    (2, ("queue", "create", "orders", "--visibility-timeout=13h")),
    (2, ("queue", "create", "orders", "--visibility-timeout=soon")),
    (2, ("queue", "create", "orders", "--visibility-timeout=999999999999d")),
    (2, ("queue", "create", "orders", "--delay=-1")),
    (2, ("queue", "create", "orders", "--max-receive-count=3")),
    (2, ("queue", "create", "orders", "--dead-letter-queue=missing")),
    (2, ("queue", "create", "orders", "--redrive-permission=perhaps")),
    (2, ("queue", "create", "orders", "--redrive-permission=deny_all", "--redrive-source=a")),
    (2, ("queue", "create", "orders", "--content-based-deduplication")),
    (
        2,
        (
            *("queue", "create", "orders.fifo"),
            *("--content-based-deduplication", "--no-content-based-deduplication"),
        ),
    ),
    (2, ("queue", "create", "orders", "--deduplication-scope=galaxy")),
    (2, ("queue", "create", "orders", "--tag=novalue")),
    (2, ("queue", "create", "there", "--delay=7")),
    (2, ("queue", "create")),
    (2, ("queue", "set", "there")),
    (2, ("queue", "set", "there", "--no-dead-letter-queue", "--dead-letter-queue=there")),
    (2, ("queue", "send", "there", "x", "--attribute=novalue")),
    (2, ("queue", "send", "there", "x", "--attribute=a:Binary=?")),
    (2, ("queue", "send", "there", "x", "--attribute=a:Odd=x")),
    (2, ("queue", "send", "there", "x", "--attribute=a:Number=x")),
    (2, ("queue", "send", "there", "x", "--format=xml")),
    (2, ("queue", "send", "there.fifo", "x")),
    (2, ("queue", "receive", "there", "-n", "0")),
    (2, ("queue", "receive", "there", "--wait=21")),
    (2, ("queue", "visibility", "there", "alien", "1m")),
    (2, ("queue", "peek", "there", "--after=alien")),
    (2, ("queue", "redrive", "there")),
    (2, ("queue", "wach")),
    (2, ("--colour", "queue", "list")),
    (2, ("queue", "list", "--namespace=two words")),
    (2, ("--url",)),
    (2, ("demo", "--trucks=0")),
    (2, ("topic", "create", "two words")),
    (2, ("topic", "create", "news", "--archive=7d")),
    (2, ("topic", "create", "news.fifo", "--archive=400d")),
    (2, ("topic", "create", "news.fifo", "--archive=7d", "--no-archive")),
    (2, ("topic", "create", "news.fifo", "--tracing=Active")),
    (2, ("topic", "create", "news.fifo", "--fifo-throughput-scope=galaxy")),
    (2, ("topic", "create", "news", "--signature-version=3")),
    (2, ("topic", "create", "news", "--signature-version=two")),
    (2, ("topic", "create", "news", "--feedback=novalue")),
    (2, ("topic", "create", "news", "--feedback=Odd=1")),
    (2, ("topic", "create", "news", "--policy=nope")),
    (2, ("topic", "create", "news", "--delivery-policy=nope")),
    (2, ("topic", "create", "news", "--tag=novalue")),
    (2, ("topic", "create", "topical", "--display-name=x")),
    (2, ("topic", "set", "topical")),
    (2, ("topic", "set", "topical", "--filter={}")),
    (2, ("topic", "set", "topical", "--subscription=there", "--display-name=x")),
    (2, ("topic", "set", "topical", "--subscription=there", "--tag=a=b")),
    (2, ("topic", "set", "topical", "--subscription=there", "--raw", "--no-raw")),
    (2, ("topic", "subscribe", "topical", "arn:aws:lambda:us-east-1:000000000000:function:x")),
    (2, ("topic", "subscribe", "topical", "there", "--protocol=pigeon")),
    (2, ("topic", "subscribe", "topical", "there.fifo")),
    (2, ("topic", "subscribe", "topical", "+1", "--protocol=sms")),
    (2, ("topic", "subscribe", "topical", "there", '--filter={"a": [{"prefx": "x"}]}')),
    (2, ("topic", "subscribe", "topical", "there", "--filter-scope=galaxy")),
    (2, ("topic", "confirm", "topical", "alien")),
    (2, ("topic", "subscriptions", "topical", "--after=alien")),
    (2, ("topic", "publish", "topical", "x", "--attribute=novalue")),
    (2, ("topic", "publish", "topical", "x", "--attribute=a:Number=x")),
    (2, ("topic", "publish", "topical", "x", "--dedup-id=1")),
    (2, ("topic", "publish", "topical", "x", "--by-protocol")),
    (2, ("topic", "publish", "topical", "x", f"--subject={'x' * 101}")),
    (2, ("topic", "publish", "topical", "")),
    (2, ("topic", "listen", "topical", "--filter=nope")),
    (2, ("topic", "listen", "topical", "--filter-scope=galaxy")),
    (2, ("topic", "listen", "topical", "-n", "0")),
    (2, ("topic", "explain", "topical", "")),
    (2, ("topic", "replay", "topical", "there", "--from=yesterday")),
    (2, ("topic", "replay", "topical", "there", "--from=1h")),
    (2, ("topic", "replay", "topical", "there", "--from=999999999d")),
    (2, ("topic", "replay", "topical", "there", "--to=1h")),
    (2, ("topic", "replay", "topical", "there", "--stop", "--from=1h")),
    (3, ("queue", "show", "missing")),
    (3, ("queue", "set", "missing", "--delay=1")),
    (3, ("queue", "send", "missing", "x")),
    (3, ("queue", "receive", "missing")),
    (3, ("queue", "delete", "missing", "alien")),
    (3, ("queue", "visibility", "missing", "alien", "1m")),
    (3, ("queue", "peek", "missing")),
    (3, ("queue", "purge", "missing", "--yes")),
    (3, ("queue", "rm", "missing", "--yes")),
    (3, ("queue", "redrive", "missing")),
    (3, ("topic", "show", "missing")),
    (3, ("topic", "set", "missing", "--display-name=x")),
    (3, ("topic", "subscribe", "missing", "there")),
    (3, ("topic", "subscribe", "topical", "missing")),
    (3, ("topic", "confirm", "missing", "0" * 64)),
    (3, ("topic", "subscriptions", "missing")),
    (3, ("topic", "unsubscribe", "missing", "there")),
    (3, ("topic", "unsubscribe", "topical", "missing")),
    (3, ("topic", "unsubscribe", "topical", "0" * 8 + "-0000-4000-8000-" + "0" * 12)),
    (3, ("topic", "set", "topical", "--subscription=missing", "--raw")),
    (3, ("topic", "publish", "missing", "x")),
    (3, ("topic", "listen", "missing")),
    (3, ("topic", "explain", "missing", "x")),
    (3, ("topic", "explain", "topical", "x", "--subscription=missing")),
    (3, ("topic", "replay", "missing", "there")),
    (3, ("topic", "rm", "missing", "--yes")),
    (3, ("queue", "redrive", "missing", "--list")),
]


@pytest.fixture
def there(rmq):
    rmq("queue", "create", "there")
    rmq("queue", "create", "there.fifo")
    rmq("topic", "create", "topical")
    rmq("topic", "subscribe", "topical", "there")
    return rmq


@pytest.mark.parametrize(("status", "args"), MISTAKES, ids=lambda one: " ".join(map(str, [one])))
def test_a_mistake_is_one_line_and_a_status(there, status, args):
    ran = there(*args)

    said = [line for line in ran.err.splitlines() if "memory://" not in line]
    assert (ran.status, ran.out) == (status, "")
    assert len(said) == 1
    assert said[0].startswith("rmq: ")
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("status", "args"), [MISTAKES[0], MISTAKES[2], MISTAKES[-1]], ids=["value", "usage", "missing"]
)
def test_a_mistake_in_json_is_one_object_on_stderr(there, status, args):
    ran = there(*args, "--json")

    assert (ran.status, ran.out) == (status, "")
    problem = json.loads(ran.err)
    assert problem["status"] == status
    assert problem["error"].startswith("RMQ_")
    assert problem["message"]


def run(*args, **environment):
    return CliRunner().invoke(app, list(args), env=environment, prog_name="rmq")


def test_a_server_that_is_not_there_ends_with_4_and_says_how_to_say_where():
    ran = run("queue", "list", "--url", NOWHERE, RMQ_RETRY_TIMEOUT="0.1")

    assert ran.exit_code == 4
    assert "Say where with --url or RMQ_URL" in ran.stderr
    assert ran.stderr.count("\n") == 1


def test_trouble_is_retried_for_5_seconds_unless_the_environment_says():
    assert Session(url="memory://").connect().settings.retry_timeout == 5
    assert run("queue", "list", "--url", NOWHERE, RMQ_RETRY_TIMEOUT="0.1").exit_code == 4


def test_the_retry_timeout_of_the_environment_holds(monkeypatch):
    monkeypatch.setenv("RMQ_RETRY_TIMEOUT", "7")

    assert Session(url="memory://").connect().settings.retry_timeout == 7


@pytest.mark.parametrize("url", ["nothing", "http://localhost", "redis+cluster://"])
def test_a_url_that_can_not_be_used_ends_with_2(url):
    ran = run("queue", "list", "--url", url)

    assert ran.exit_code == 2
    assert "redis://" in ran.stderr


def test_no_password_is_printed():
    error = errors.ConnectionLost(f"no answer from {NOWHERE}")

    assert "secret" not in failures.sentence(error)
    assert "127.0.0.1:1" in failures.sentence(error)


@pytest.mark.parametrize(
    ("error", "status"),
    [
        (errors.RmqError("x"), 4),
        (errors.ServerError("x"), 4),
        (errors.OutOfMemory("x"), 4),
        (errors.ConnectionLost("x"), 4),
        (errors.CallerError("x"), 1),
        (errors.StaleReceipt("x"), 1),
        (errors.MessageNotInFlight("x"), 1),
        (errors.OverLimit("x"), 1),
        (errors.RedriveRunning("x"), 1),
        (errors.RedriveEnded("x"), 1),
        (errors.InvalidReceipt("x"), 2),
        (errors.QueueExists("x"), 2),
        (errors.ConfigurationError("x"), 2),
        (errors.MessageDoesNotExist("x"), 3),
        (errors.QueueDoesNotExist("x"), 3),
        (errors.RedriveNotFound("x"), 3),
        (errors.TopicExists("x"), 2),
        (errors.SubscriptionExists("x"), 2),
        (errors.ArchiveActive("x"), 1),
        (errors.TooManySubscriptions("x"), 1),
        (errors.TooManyFilterPolicies("x"), 1),
        (errors.TopicDoesNotExist("x"), 3),
        (errors.SubscriptionDoesNotExist("x"), 3),
    ],
    ids=lambda one: type(one).__name__,
)
def test_every_error_has_its_status(error, status):
    assert failures.status_of(error) == status


def test_an_error_of_several_lines_becomes_one():
    assert failures.sentence(errors.CallerError("a\n  b\n")) == "a b"


def test_a_bug_of_ours_is_not_dressed_up_as_a_mistake(monkeypatch):
    def broken(self):
        raise ZeroDivisionError

    monkeypatch.setattr(Session, "connect", broken)

    assert isinstance(run("queue", "list").exception, ZeroDivisionError)


def test_memory_says_once_that_nothing_outlives_the_command(rmq):
    ran = rmq("queue", "create", "orders")

    assert ran.err.count("memory://") == 1
    assert "rmq --url redis://localhost" in ran.err


def test_memory_is_silent_in_json(rmq):
    assert rmq("queue", "create", "orders", "--json").err == ""


def test_a_server_is_used_without_a_word(on_server):
    assert on_server("queue", "create", "orders").err == ""


@pytest.mark.parametrize(
    ("given", "read"),
    [
        (["queue", "list", "--json"], ["--json", "queue", "list"]),
        (["queue", "list", "--url", "x"], ["--url", "x", "queue", "list"]),
        (["queue", "list", "--url=x"], ["--url=x", "queue", "list"]),
        (["queue", "send", "q", "--", "--json"], ["queue", "send", "q", "--", "--json"]),
        (["queue", "list", "--url"], ["--url", "queue", "list"]),
    ],
)
def test_common_options_may_stand_anywhere_but_behind_dashes(given, read):
    assert hoisted(given) == read


def test_a_time_is_utc_unless_it_says_otherwise_or_how_long_ago():
    assert values.moment("2026-01-31T15:00:00") == datetime(2026, 1, 31, 15, tzinfo=UTC)
    assert values.moment("2026-01-31T15:00:00+02:00") == datetime(2026, 1, 31, 13, tzinfo=UTC)
    assert values.moment("2026-01-31") == datetime(2026, 1, 31, tzinfo=UTC)
    ago = datetime.now(UTC) - values.moment("15m")
    assert timedelta(minutes=14) < ago < timedelta(minutes=16)
