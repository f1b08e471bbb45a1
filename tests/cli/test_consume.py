"""rmq stream consume: what it calls, says, and how it ends."""

import json
import signal

import pytest

import rmq as library

HANDLERS = """
async def note(record):
    with open("called", "a") as file:
        print(record.partition_key, record.data.decode(), file=file)

def fail(record):
    raise ValueError("never")

nothing = None
"""


@pytest.fixture
def filled(on_server, tmp_path, monkeypatch):
    """A stream with two records, and handlers in the current folder."""
    (tmp_path / "handlers_of_this_test.py").write_text(HANDLERS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RMQ_NAMESPACE", library.testing.private_namespace())
    with library.connect(on_server.url) as client:
        stream = client.create_stream("orders")
        stream.put("one", "a")
        stream.put("two", "b")
    return on_server


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_it_calls_the_function_until_it_is_told_to_stop(filled, tmp_path, number, status):
    process = filled.start(
        *("stream", "consume", "orders", "billing", "--start", "TRIM_HORIZON"),
        *("--handler", "handlers_of_this_test:note", "--json", "--interval", "50ms"),
    )
    try:
        for text in process.stdout:
            if json.loads(text)["handled"] == 2:
                break
        process.send_signal(number)
        rest, err = process.communicate(timeout=20)
    finally:
        process.kill()
        process.wait()

    assert process.returncode == status, err
    assert json.loads(rest.splitlines()[-1])["handled"] == 2
    assert (tmp_path / "called").read_text() == "a one\nb two\n"
    assert "Traceback" not in err


def test_a_record_that_fails_for_good_ends_it_with_1_and_says_where(filled):
    ran = filled.run(
        *("stream", "consume", "orders", "billing", "--start", "TRIM_HORIZON"),
        *("--handler", "handlers_of_this_test:fail", "--attempts", "1"),
    )

    assert ran.status == 1
    assert "stopped in front of record 49" in ran.err
    assert "ValueError" in ran.err
    assert "Traceback" not in ran.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--handler", "no_such_module:f"], "no_such_module"),
        (["--handler", "json"], "module:function"),
        (["--handler", "json:nothing"], "module:function"),
        (["--handler", "json:loads", "--concurrency", "0"], "concurrency"),
        (["--handler", "json:loads", "--checkpoint", "never"], "checkpoint"),
        (["--handler", "json:loads", "--on-failure", "cry"], "on_failure"),
        (["--handler", "json:loads", "--interval", "0s"], "--interval"),
        (["--handler", "json:loads", "--start", "soon"], "soon"),
    ],
)
def test_wrong_options_end_with_2_and_one_line(rmq, options, said):
    ran = rmq("stream", "consume", "orders", "billing", *options)

    assert ran.status == 2
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


def test_a_stream_that_is_not_there_ends_it_with_3(rmq):
    ran = rmq("stream", "consume", "orders", "billing", "--handler", "json:loads")

    assert ran.status == 3
    assert "orders" in ran.err
