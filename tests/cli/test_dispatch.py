"""rmq dispatch: what it delivers, says, and how it ends."""

import json
import signal

import pytest

import rmq as library
from tests.cli.conftest import Rmq

HANDLERS = """
import pathlib

def note(event):
    pathlib.Path("called").write_text(event["Records"][0]["Sns"]["Message"])
"""


@pytest.fixture
def subscribed(on_server, tmp_path, monkeypatch):
    """A topic with a function as its subscriber, and one message for it."""
    (tmp_path / "functions_of_this_test.py").write_text(HANDLERS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RMQ_NAMESPACE", library.testing.private_namespace())
    with library.connect(on_server.url) as client:
        topic = client.create_topic("orders")
        topic.subscribe("note", "lambda")
        topic.publish("hello")
    return on_server


def test_once_delivers_what_is_due_and_ends(subscribed, tmp_path):
    ran = subscribed.run("dispatch", "--once", "--handlers", "functions_of_this_test")

    assert ran.status == 0
    assert "delivered 1, failed 0" in ran.out
    assert (tmp_path / "called").read_text() == "hello"


def test_once_in_json_is_one_line(subscribed):
    ran = subscribed.run("dispatch", "--once", "--handlers=functions_of_this_test", "--json")

    (line,) = ran.lines
    assert (line["delivered"], line["failed"], line["sending"]) == (1, 0, 0)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_runs_until_it_is_told_to_stop(subscribed, number, status):
    process = subscribed.start(
        *("dispatch", "--handlers", "functions_of_this_test", "--json", "--interval", "50ms")
    )
    try:
        for text in process.stdout:
            line = json.loads(text)
            if line["delivered"]:
                break
        process.send_signal(number)
        rest, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()

    assert line["per_second"].keys() == {"delivered", "failed", "retried"}
    assert process.returncode == status, err
    assert json.loads(rest.splitlines()[-1])["sending"] == 0
    assert "Traceback" not in err


def test_it_says_what_is_recorded_and_not_sent(subscribed):
    process = subscribed.start("dispatch", "--handlers", "functions_of_this_test")
    try:
        said = ""
        while "recorded" not in said:  # a server that is slow is said to be away, before that
            said += (line := process.stderr.readline())
            assert line, said
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()

    assert "delivers for" in said
    assert "recorded in Redis, and not sent: e-mail (RMQ_SMTP_HOST), SMS" in said
    assert "delivered" in out


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--handlers", "no_such_module"], "no_such_module"),
        (["--allow-address", "10.0.0.1/8"], "allow_addresses"),
        (["--concurrency", "0"], "concurrency"),
        (["--interval", "0s"], "--interval"),
        (["--stop-after", "soon"], "soon"),
    ],
)
def test_wrong_options_end_with_2_and_one_line(rmq, options, said):
    ran = rmq("dispatch", "--once", *options)

    assert ran.status == 2
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


def test_a_server_that_is_away_is_waited_for():
    process = Rmq("redis://127.0.0.1:1").start("dispatch")
    try:
        assert "Redis is not there yet" in process.stderr.readline()
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
    finally:
        process.kill()
        process.wait()
        for pipe in (process.stdin, process.stdout, process.stderr):
            pipe.close()
