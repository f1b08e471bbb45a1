"""rmq stream put and tail: records by hand."""

import json
import re
import signal
import time

import pytest

from rmq.cli.stream.lines import from_json
from rmq.cli.stream.tail import shown_record
from rmq.errors import InvalidParameter
from rmq.streams.record import StreamRecord


@pytest.fixture
def positions(rmq):
    """The command line, with a stream of two shards."""
    rmq("stream", "create", "positions", "--shards", "2")
    return rmq


def records(rmq, *options):
    return rmq.lines("stream", "tail", "positions", "--start=TRIM_HORIZON", "--no-follow", *options)


def data(rmq, *options):
    return [one["data"] for one in records(rmq, *options)]


# --- put ---


def test_put_says_where_the_record_is(positions):
    ran = positions("stream", "put", "positions", "52.5, 13.4", "--key", "truck-17")
    assert (ran.status, ran.out[:26]) == (0, "put into shardId-000000000")

    put = positions.json("stream", "put", "positions", "52.6, 13.4", "-k", "truck-17")
    found = records(positions)
    assert [one["data"] for one in found] == ["52.5, 13.4", "52.6, 13.4"]
    assert found[1]["sequence_number"] == put["sequence_number"]
    assert {one["partition_key"] for one in found} == {"truck-17"}


@pytest.mark.parametrize("how", [(), ("-",), ("--aggregate",)])
def test_every_line_is_a_record_and_the_order_of_a_key_is_kept(positions, how):
    lines = "".join(f"{n}\n" for n in range(2500)) + "last without a break"

    ran = positions("stream", "put", "positions", *how, "--key=truck", stdin=lines)

    assert ran.status == 0
    assert ran.out.startswith("2,501 lines: 2,501 put in ")
    assert data(positions) == [*map(str, range(2500)), "last without a break"]


def test_without_a_key_records_are_spread(positions):
    positions("stream", "put", "positions", stdin="x\n" * 200)

    shards = [one["shard_id"] for one in records(positions)]
    assert 50 < shards.count("shardId-000000000000") < 150


def test_a_pattern_takes_the_key_out_of_the_line(positions):
    positions("stream", "put", "positions", r"--key-pattern=^(\w+),", stdin="a,1\nbc,2\na,3\n")

    found = sorted((one["partition_key"], one["data"]) for one in records(positions))
    assert found == [("a", "a,1"), ("a", "a,3"), ("bc", "bc,2")]


def test_a_hash_key_decides_the_shard(positions):
    put = positions.json("stream", "put", "positions", "x", "--hash-key", str(2**128 - 1))

    assert put["shard_id"] == "shardId-000000000001"


def test_aggregated_lines_are_few_records(positions):
    positions("stream", "put", "positions", "--aggregate", stdin="x\n" * 500)

    assert len(records(positions)) == 500
    packed = records(positions, "--packed")
    assert len(packed) < 50
    # One that had to leave alone is as it was put.
    alone = [one for one in packed if "data_base64" not in one]
    assert len(alone) < len(packed)
    assert all(one["data"] == "x" for one in alone)


@pytest.mark.parametrize("how", [(), ("--aggregate",)])
def test_json_lines_bring_their_own_and_bad_ones_are_named(positions, how):
    lines = [
        '{"data": "a", "key": "own"}',
        '{"data": 5}',
        '{"data_base64": "/w==", "hash_key": "0"}',
        "nope",
        '{"data": "b", "partition_key": ""}',
    ]

    ran = positions(
        *("stream", "put", "positions", "--format=jsonl", "--key=shared", *how),
        stdin="\n".join(lines),
    )

    assert ran.status == 1
    assert ran.out.startswith("5 lines: 2 put, 3 failed")
    assert {line.split(":")[0] for line in ran.err.splitlines()[1:]} == {
        "line 2",
        "line 4",
        "line 5",
    }
    found = {one.get("data"): one for one in records(positions)}
    assert found["a"]["partition_key"] == "own"
    assert (found[None]["data_base64"], found[None]["partition_key"]) == ("/w==", "shared")


def test_what_tail_prints_as_json_can_be_put_again(positions):
    positions("stream", "put", "positions", stdin=b"\xff\nx\n")
    before = records(positions)
    lines = "".join(json.dumps(one) + "\n" for one in before)
    positions("stream", "create", "copy")

    ran = positions("stream", "put", "copy", "--format=jsonl", stdin=lines)

    assert ran.status == 0
    again = positions.lines("stream", "tail", "copy", "--start=TRIM_HORIZON", "--no-follow")
    own = ("data", "data_base64", "partition_key")
    assert [{name: one.get(name) for name in own} for one in again] == [
        {name: one.get(name) for name in own} for one in before
    ]


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (b"nope", "line"),
        (b"{}", "data"),
        (b'{"body": "x"}', "field"),
        (b'{"data_base64": "?"}', "data_base64"),
    ],
)
def test_a_line_that_is_no_record_is_refused_by_name(line, named):
    with pytest.raises(InvalidParameter) as refused:
        from_json(line)

    assert refused.value.field == named


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (("positions", "x", "--key", ""), 2, "key is ''"),
        (("positions", "x", "--key-pattern=("), 2, "a regular expression"),
        (("positions", "x", "--key=a", "--key-pattern=b"), 2, "there is one partition key"),
        (("positions", "x", "--hash-key=-1"), 2, "explicit_hash_key"),
        (("positions", "x" * 1_048_576), 2, "record size is"),
        (("nowhere", "x"), 3, "rmq stream create nowhere"),
        (("nowhere",), 3, "rmq stream create nowhere"),
    ],
)
def test_what_can_not_be_put_ends_with_a_sentence(positions, options, status, said):
    ran = positions("stream", "put", *options, stdin="x\n")

    assert ran.status == status
    assert said in ran.err


def test_plain_lines_go_at_full_speed(on_server, server):
    """10,000 lines for a second of our own work, far below what any machine does, and thousands in
    each call of the server."""
    on_server("stream", "create", "positions", "--shards=5")
    lines = "".join(f"line number {n}\n" for n in range(50_000))
    with server.client() as raw:
        raw.config_resetstat()

        begun = time.process_time()
        found = on_server.json("stream", "put", "positions", stdin=lines)

        assert found["put"] == 50_000
        assert time.process_time() - begun < 5
        told = raw.info("commandstats")
        calls = [told.get(f"cmdstat_{one}", {"calls": 0})["calls"] for one in ("eval", "evalsha")]
        assert sum(calls) < 50


# --- tail ---


def test_tail_in_a_pipe_prints_data_as_it_is(positions):
    positions("stream", "put", "positions", "--key=k", stdin=b"a\n\xff\n")

    ran = positions("stream", "tail", "positions", "--start=trim_horizon", "--no-follow")

    assert ran.out.encode("utf-8", "surrogateescape") in (b"a\n\xff\n", b"a\n\xef\xbf\xbd\n")


def test_tail_ends_after_so_many(positions):
    positions("stream", "put", "positions", "--key=k", stdin="a\nb\nc\n")

    assert data(positions, "-n", "2") == ["a", "b"]


def test_tail_of_one_key_and_of_one_shard(positions):
    for key in "abcdefgh":
        positions("stream", "put", "positions", key, "--key", key)

    assert data(positions, "--key=c") == ["c"]
    parts = [data(positions, "--shard", shard) for shard in ("0", "shardId-000000000001")]
    assert sorted(parts[0] + parts[1]) == list("abcdefgh")
    assert all(parts)


def test_tail_from_a_time_on(on_server):
    on_server("stream", "create", "positions")
    on_server("stream", "put", "positions", "old")
    on_server("stream", "put", "positions", "new")
    new = records(on_server)[1]

    from_new = ("stream", "tail", "positions", "--no-follow", f"--start={new['arrived_at']}")
    assert "new" in [one["data"] for one in on_server.lines(*from_new)]
    ago = ("stream", "tail", "positions", "--no-follow", "--start=1h")
    assert [one["data"] for one in on_server.lines(*ago)] == ["old", "new"]
    assert on_server.lines("stream", "tail", "positions", "--no-follow") == []


def test_tail_goes_on_over_a_split(positions):
    positions("stream", "put", "positions", "--key=k", stdin="1\n2\n")
    for shard in ("0", "1"):
        positions("stream", "split", "positions", shard)
    positions("stream", "put", "positions", "--key=k", stdin="3\n")

    assert data(positions) == ["1", "2", "3"]


@pytest.mark.parametrize(
    ("options", "status", "said"),
    [
        (("positions", "--start=yesterday"), 2, "'yesterday' is not a start"),
        (("positions", "--shard=7"), 3, "see rmq stream show NAME"),
        (("nowhere",), 3, "rmq stream create nowhere"),
    ],
)
def test_what_can_not_be_read_ends_with_a_sentence(positions, options, status, said):
    ran = positions("stream", "tail", *options)

    assert ran.status == status
    assert said in ran.err


def test_tail_follows_until_it_is_interrupted(on_server):
    on_server("stream", "create", "positions")
    on_server("stream", "put", "positions", "0")
    process = on_server.start("stream", "tail", "positions", "--start=TRIM_HORIZON", "--json")
    try:
        assert json.loads(process.stdout.readline())["data"] == "0"
        on_server("stream", "put", "positions", "--aggregate", "--key=k", stdin="1\n2\n")
        found = [json.loads(process.stdout.readline())["data"] for _ in range(2)]
        assert found == ["1", "2"]
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    finally:
        process.kill()
        process.communicate()

    assert process.returncode == 130


def test_on_a_terminal_a_record_is_one_line_without_control_characters():
    record = StreamRecord(b"one\x1b[31m", "truck-17", 12, 1_700_000_000_123_456)

    line = shown_record(record)

    assert line.plain == r"22:13:20.123  12 truck-17 one\x1b[31m"
    assert len({span.style for span in line.spans}) == 3


def test_on_a_terminal_the_lag_stands_below(on_server):
    on_server("stream", "create", "positions")
    on_server("stream", "put", "positions", "--key=k", stdin="one\ntwo\n")

    ran = on_server.run(
        *("stream", "tail", "positions", "--start=TRIM_HORIZON", "--no-follow"),
        FORCE_COLOR="1",
        TERM="xterm-256color",
    )

    assert ran.status == 0
    shown = re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", ran.out)
    assert " 0 k one\n" in shown
    assert "lag " in shown
