"""rmq queue send from stdin: one message a line, at full speed; a bad line stops nobody."""

import json
import time

import pytest

from rmq.cli.lines import Failures, pieces
from rmq.cli.queue.lines import from_json
from rmq.errors import InvalidParameter


@pytest.fixture
def orders(rmq):
    rmq("queue", "create", "orders")
    return rmq


def bodies(rmq, queue="orders"):
    return [one["body"] for one in rmq.lines("queue", "peek", queue, "-n", "5000")]


@pytest.mark.parametrize("how", [(), ("-",)])
def test_every_line_is_a_message(orders, how):
    ran = orders("queue", "send", "orders", *how, stdin="a\nb\nlast without a break")

    assert ran.status == 0
    assert ran.out.startswith("3 lines: 3 sent in ")
    assert bodies(orders) == ["a", "b", "last without a break"]


def test_the_order_of_thousands_of_lines_is_kept(orders):
    orders("queue", "send", "orders", stdin="".join(f"{n}\n" for n in range(2500)))

    assert bodies(orders) == [str(n) for n in range(2500)]


def test_a_refused_line_is_named_and_the_others_are_sent(orders):
    ran = orders("queue", "send", "orders", stdin="a\n\nb\n")

    assert ran.status == 1
    assert "line 2: body is " in ran.err
    assert ran.out.startswith("3 lines: 2 sent, 1 failed")
    assert bodies(orders) == ["a", "b"]


def test_refused_lines_in_json_have_number_and_code(orders):
    ran = orders("queue", "send", "orders", "--json", stdin="a\n\n")

    assert ran.status == 1
    assert (ran.json["lines"], ran.json["sent"], ran.json["failed"]) == (2, 1, 1)
    [failure] = ran.json["failures"]
    assert (failure["line"], failure["error"]) == (2, "RMQ_INVALID_PARAMETER")


def test_options_hold_for_all_lines(orders):
    orders("queue", "send", "orders", "--attribute=colour=red", "--delay=1m", stdin="a\nb\n")

    seen = orders.lines("queue", "peek", "orders")

    assert [(one["state"], one["attributes"]["colour"]["value"]) for one in seen] == [
        ("delayed", "red"),
        ("delayed", "red"),
    ]


def test_json_lines_bring_their_own_attributes_delay_group_and_id(rmq):
    rmq("queue", "create", "orders.fifo")
    line = {
        "body": "x",
        "attributes": {"weight": 7, "photo": {"type": "Binary", "value_base64": "AAE="}},
        "group": "truck-1",
        "dedup_id": "1",
    }

    rmq("queue", "send", "orders.fifo", "--format=jsonl", stdin=json.dumps(line) + "\n")

    [seen] = rmq.lines("queue", "peek", "orders.fifo")
    assert (seen["message_group_id"], seen["deduplication_id"]) == ("truck-1", "1")
    assert seen["attributes"]["weight"] == {"type": "Number", "value": "7"}
    assert seen["attributes"]["photo"] == {"type": "Binary", "value_base64": "AAE="}


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (b"nope", "line"),
        (b"\xff", "line"),
        (b"[1]", "line"),
        (b"{}", "body"),
        (b'{"bdy": "x"}', "field"),
        (b'{"body_base64": "?"}', "body_base64"),
        (b'{"body_base64": 7}', "body_base64"),
        (b'{"body": "x", "attributes": 7}', "attributes"),
        (
            b'{"body": "x", "attributes": {"a": {"type": "Binary", "value_base64": "?"}}}',
            "attributes['a']",
        ),
    ],
)
def test_a_line_that_is_no_message_is_refused_by_name(line, named):
    with pytest.raises(InvalidParameter) as refused:
        from_json(line)

    assert refused.value.field == named


@pytest.mark.parametrize(
    "line",
    [
        '{"body": 7}',
        '{"body": "x", "delay": "soon"}',
        '{"body": "x", "group": 7}',
        '{"body": "x", "attributes": {"a": {"type": 7, "value": "x"}}}',
        '{"body": "x", "attributes": {"a": null}}',
        '{"body": "x", "trace_header": 7}',
    ],
)
def test_a_value_of_the_wrong_type_fails_that_line_alone(orders, line):
    good = '{"body": "good"}'

    ran = orders("queue", "send", "orders", "--format=jsonl", stdin=f"{line}\n{good}\n")

    assert ran.status == 1
    assert ran.err.splitlines()[-1].startswith("line 1: ")
    assert bodies(orders) == ["good"]


def test_what_receive_prints_can_be_sent_on(orders):
    orders("queue", "create", "copy")
    orders("queue", "send", "orders", "x", "--attribute=weight:Number=7")
    printed = orders("queue", "receive", "orders", "--json").out

    ran = orders("queue", "send", "copy", "--format=jsonl", stdin=printed)

    assert ran.status == 0
    [seen] = orders.lines("queue", "peek", "copy")
    assert seen["attributes"] == {"weight": {"type": "Number", "value": "7"}}


def test_a_stream_that_broke_off_can_be_sent_again(rmq):
    """--dedup-id is completed by the number of the line."""
    rmq("queue", "create", "orders.fifo")
    send = ("queue", "send", "orders.fifo", "--group=g", "--dedup-id=import")
    rmq(*send, stdin="same\nsame\n")

    ran = rmq(*send, stdin="same\nsame\nsame\n")

    assert "3 sent, 2 of them sent before" in ran.out
    assert bodies(rmq, "orders.fifo") == ["same"] * 3


def test_a_queue_that_is_missing_ends_the_stream(rmq):
    ran = rmq("queue", "send", "orders", stdin="a\nb\n")

    assert ran.status == 3
    assert "0 sent" in ran.out


def test_only_the_first_failures_are_kept():
    failures = Failures()

    kept = [failures.add(n, InvalidParameter("body", "", "longer")) for n in range(1001)]

    assert (kept.count(True), failures.count, len(failures.first)) == (1000, 1001, 1000)


class Pipe:
    """A stream that gives what its writer wrote, write by write."""

    def __init__(self, *writes):
        self.writes = list(writes)

    def read1(self, size, /):
        return self.writes.pop(0) if self.writes else b""


def test_a_line_is_handed_on_as_soon_as_it_is_complete():
    stream = pieces(Pipe(b"a\nb", b"b", b"b\nc\n", b"d"))

    assert list(stream) == [[b"a"], [b"bbb", b"c"], [b"d"]]


def test_a_slow_writer_does_not_wait_for_a_full_piece(on_server):
    """The first line can be received while the stream is still open."""
    on_server("queue", "create", "orders")
    process = on_server.start("queue", "send", "orders")
    process.stdin.write("first\n")
    process.stdin.flush()

    ran = on_server("queue", "receive", "orders", "--wait=20")

    assert ran.out == "first\n"
    process.communicate(timeout=30)
    assert process.returncode == 0


def test_plain_lines_go_at_full_speed(on_server, scripts):
    """Many in one trip, and with little work: 20,000 lines a second of the processor are far below
    what it does, which is 100,000. What else the machine is busy with does not count."""
    on_server("queue", "create", "orders")
    lines = "".join(f"line number {n}\n" for n in range(40_000))

    before, begun = scripts(), time.process_time()
    ran = on_server.json("queue", "send", "orders", stdin=lines)
    seconds, trips = time.process_time() - begun, scripts() - before

    assert ran["sent"] == 40_000
    assert trips < 1_000
    assert seconds < 8
