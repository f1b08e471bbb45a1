"""rmq stream tail-files: what is written to files, in a stream."""

import json
import signal

import pytest


@pytest.fixture
def logs(rmq, tmp_path):
    """Brings in what the files have now. Returns what the command left behind."""
    rmq("stream", "create", "logs", "--shards", "2")

    def bring(*options):
        return rmq(
            *("stream", "tail-files", str(tmp_path / "*.log"), "--stream=logs", "--once"),
            f"--state={tmp_path / 'state.json'}",
            *options,
        )

    bring.rmq, bring.path = rmq, tmp_path
    return bring


def records(rmq, *options):
    return rmq.lines("stream", "tail", "logs", "--start=TRIM_HORIZON", "--no-follow", *options)


def test_lines_are_brought_in_once_over_several_runs_and_a_rotation(logs):
    (logs.path / "a.log").write_text("1\n2\nhalf")
    ran = logs("--start=start", "--key-file")
    assert (ran.status, ran.out) == (0, "2 records of 1 files are in the stream\n")

    (logs.path / "a.log").rename(logs.path / "a-old.log")
    with open(logs.path / "a-old.log", "a") as file:
        file.write(" a line\n")
    (logs.path / "a.log").write_text("3\n")
    assert logs("--key-file").out == "2 records of 2 files are in the stream\n"
    assert logs("--key-file").out == "0 records of 2 files are in the stream\n"

    found = {(one["data"], one["partition_key"]) for one in records(logs.rmq)}
    assert found == {
        ("1", "a.log"),
        ("2", "a.log"),
        ("half a line", "a-old.log"),
        ("3", "a.log"),
    }


def test_what_stands_before_the_first_run_is_passed_over_unless_it_is_told(logs):
    (logs.path / "a.log").write_text("old\n")
    assert logs().out == "0 records of 1 files are in the stream\n"
    with open(logs.path / "a.log", "a") as file:
        file.write("new\n")
    logs()

    assert [one["data"] for one in records(logs.rmq)] == ["new"]


def test_keys_by_pattern_records_of_several_lines_and_no_aggregation(logs):
    (logs.path / "a.log").write_text("1 ann failed\n  here\n2 bob ok\n3 ann ok\n4 end\n")

    ran = logs(
        "--start=start", "--no-aggregate", r"--multi-line=^\d", r"--key-pattern=^\d (\w+)", "--json"
    )

    counters = json.loads(ran.out)
    assert (counters["read"], counters["accepted"], counters["cut"]) == (3, 3, 0)
    found = [(one["partition_key"], one["data"]) for one in records(logs.rmq, "--packed")]
    assert sorted(found) == [
        ("ann", "1 ann failed\n  here"),
        ("ann", "3 ann ok"),
        ("bob", "2 bob ok"),
    ]


def test_the_state_is_kept_at_home_for_each_stream_and_patterns(logs, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "home"))
    (tmp_path / "a.log").write_text("1\n")
    pattern = str(tmp_path / "*.log")
    logs.rmq("stream", "create", "other")
    for stream in ("logs", "other", "logs"):
        logs.rmq("stream", "tail-files", pattern, "-s", stream, "--once", "--start=start")

    assert len(records(logs.rmq)) == 1
    states = list((tmp_path / "home" / "rmq" / "tail-files").glob("*.json"))
    assert len(states) == 2


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (("--start=middle",), 2, "--start is start or end, not 'middle'"),
        (("--multi-line=(",), 2, "--multi-line is '('; it must be a regular expression"),
        (("",), 2, "it must be one or more, none of them empty"),
        (("--key=a", "--key-file"), 2, "there is one partition key"),
        (("--interval=0",), 2, "--interval must be longer than 0"),
        (("--state=/dev/null/state",), 2, "no state can be kept in"),
        (("--stream=nowhere",), 3, "rmq stream create nowhere"),
    ],
)
def test_what_can_not_be_ends_with_a_sentence(logs, options, status, said):
    ran = logs(*options)

    assert ran.status == status
    assert said in ran.err


def test_it_follows_until_it_is_stopped_and_goes_on_there(on_server, tmp_path):
    on_server("stream", "create", "logs")
    state = f"--state={tmp_path / 'state.json'}"
    words = ("stream", "tail-files", str(tmp_path / "*.log"), "-s", "logs", state, "--key=k")
    process = on_server.start(*words)
    try:
        assert "following" in process.stderr.readline()
        (tmp_path / "a.log").write_text("1\n2\n")
        assert [one["data"] for one in follow(on_server, 2)] == ["1", "2"]
        process.send_signal(signal.SIGTERM)
        out, _ = process.communicate(timeout=20)
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 0
    assert out == "2 records of 1 files are in the stream\n"
    (tmp_path / "a.log").write_text("1\n2\n3\n")

    on_server(*words, "--once")

    assert [one["data"] for one in records(on_server)] == ["1", "2", "3"]


def follow(rmq, count):
    """So many records, when they are there."""
    return rmq.lines("stream", "tail", "logs", "--start=TRIM_HORIZON", "-n", str(count))
