"""rmq queue send, receive, delete, visibility, peek: messages by hand."""

import base64
import re

import pytest

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def orders(rmq):
    """The command line, with a standard queue."""
    rmq("queue", "create", "orders")
    return rmq


@pytest.fixture
def fifo(rmq):
    """The command line, with a FIFO queue."""
    rmq("queue", "create", "orders.fifo")
    return rmq


def test_send_says_the_message_id(orders):
    ran = orders("queue", "send", "orders", "one coffee")

    assert ran.status == 0
    assert ran.out.startswith("sent ")


def test_send_in_json_is_the_id_that_receive_shows(orders):
    sent = orders.json("queue", "send", "orders", "one coffee")

    [message] = orders.lines("queue", "receive", "orders")
    assert message["id"] == sent["id"]
    assert message["body"] == "one coffee"


def test_send_of_something_that_looks_like_an_option_stands_behind_dashes(orders):
    orders("queue", "send", "orders", "--", "--json")

    assert orders("queue", "receive", "orders").out == "--json\n"


def test_attributes_are_typed(orders):
    orders(
        "queue",
        "send",
        "orders",
        "x",
        "--attribute=colour=red=ish",
        "--attribute=weight:Number.kg=7",
        "--attribute=photo:Binary=AAE=",
        "--trace-header=Root=1",
    )

    [message] = orders.lines("queue", "receive", "orders")
    assert message["attributes"] == {
        "colour": {"type": "String", "value": "red=ish"},
        "weight": {"type": "Number.kg", "value": "7"},
        "photo": {"type": "Binary", "value_base64": "AAE="},
    }
    assert message["trace_header"] == "Root=1"


def test_a_delayed_message_is_not_received(orders):
    orders("queue", "send", "orders", "later", "--delay=1m")

    ran = orders("queue", "receive", "orders")

    assert (ran.status, ran.out) == (0, "")
    assert "no message is visible" in ran.err


def test_a_group_on_a_standard_queue_does_not_wait_for_the_backlog_of_another(orders):
    for body in ("n1", "n2", "n3"):
        orders("queue", "send", "orders", body, "--group=noisy")
    orders("queue", "receive", "orders")
    orders("queue", "send", "orders", "q1", "--group=quiet")

    shown = orders("queue", "peek", "orders").out
    assert shown.count("noisy") == 3
    assert shown.count("quiet") == 1

    found = orders.lines("queue", "receive", "orders", "--max=2")
    assert [one["message_group_id"] for one in found] == ["quiet", "noisy"]


def test_send_to_a_fifo_queue_shows_the_sequence_number_and_knows_a_repeat(fifo):
    send = ("queue", "send", "orders.fifo", "x", "--group=g", "--dedup-id=1")

    assert "sequence number" in fifo(*send).out
    assert "sent before" in fifo(*send).out
    assert fifo.json(*send)["is_duplicate"] is True


def test_receive_prints_bodies_and_nothing_else(orders):
    orders("queue", "send", "orders", stdin="a\nb\nc\n")

    ran = orders("queue", "receive", "orders", "-n", "3")

    assert (ran.status, ran.out, ran.err.count("\n")) == (0, "a\nb\nc\n", 1)


def test_a_terminal_shows_a_panel_with_the_receipt_handle(on_server):
    on_server("queue", "create", "orders")
    on_server("queue", "send", "orders", "one [bold]coffee[/bold]", "--attribute=colour=red")

    ran = on_server.run("queue", "receive", "orders", FORCE_COLOR="1", COLUMNS="100")

    assert "one [bold]coffee[/bold]" in ran.out
    assert "colour (String): red" in ran.out
    handle = next(word for word in COLOUR.sub("", ran.out).split() if len(word) == 44)
    assert on_server("queue", "delete", "orders", handle).out == "1 deleted\n"


def test_receive_of_more_than_10_takes_several_receives(orders):
    orders("queue", "send", "orders", stdin="".join(f"{n}\n" for n in range(25)))

    ran = orders("queue", "receive", "orders", "-n", "23")

    assert ran.out.split() == [str(n) for n in range(23)]


def test_a_body_that_is_no_text_is_base64_in_json_and_itself_in_a_pipe(orders):
    body = b"\xff\x00\x01"
    orders("queue", "send", "orders", stdin=body)

    [seen] = orders.lines("queue", "peek", "orders")
    [message] = orders.lines("queue", "receive", "orders", "--visibility-timeout=0")

    assert base64.b64decode(seen["body_base64"]) == body
    assert base64.b64decode(message["body_base64"]) == body
    assert "body" not in message


def test_receive_with_delete_leaves_nothing(orders):
    orders("queue", "send", "orders", stdin="a\nb\n")

    orders("queue", "receive", "orders", "-n", "5", "--delete")

    found = orders.json("queue", "show", "orders")
    assert found["counts"]["in_flight"] == 0
    assert found["totals"]["deleted"] == 2


def test_receive_with_delete_says_when_a_lease_had_ended(fifo):
    """With no visibility timeout the lease ends before the delete."""
    fifo("queue", "send", "orders.fifo", "x", "--group=g", "--dedup-id=1")

    ran = fifo("queue", "receive", "orders.fifo", "--delete", "--visibility-timeout=0")

    assert (ran.status, ran.out) == (1, "x\n")
    assert "receive the message again" in ran.err


def test_the_same_attempt_gets_the_same_messages(fifo):
    fifo("queue", "send", "orders.fifo", "x", "--group=g", "--dedup-id=1")
    receive = ("queue", "receive", "orders.fifo", "--attempt-id=a")

    assert fifo(*receive).out == "x\n"
    assert fifo(*receive).out == "x\n"


def test_an_attempt_is_one_receive(fifo):
    ran = fifo("queue", "receive", "orders.fifo", "--attempt-id=a", "-n", "11")

    assert ran.status == 2


def test_delete_takes_handles(orders):
    orders("queue", "send", "orders", stdin="a\nb\n")
    one, two = orders.lines("queue", "receive", "orders", "-n", "2")

    assert orders("queue", "delete", "orders", one["receipt_handle"]).out == "1 deleted\n"
    ran = orders.json("queue", "delete", "orders", one["receipt_handle"], two["receipt_handle"])
    assert ran == {"deleted": 1, "gone": 1, "failures": []}


def test_delete_reads_what_receive_printed(orders):
    orders("queue", "send", "orders", stdin="a\nb\n")
    received = orders("queue", "receive", "orders", "-n", "2", "--json").out

    ran = orders("queue", "delete", "orders", "-", stdin=received)

    assert (ran.status, ran.out) == (0, "2 deleted\n")


def test_delete_of_an_alien_handle_fails_for_that_one_alone(orders):
    orders("queue", "send", "orders", "a")
    [one] = orders.lines("queue", "receive", "orders")

    ran = orders("queue", "delete", "orders", "alien", one["receipt_handle"], "--json")

    assert ran.status == 1
    assert ran.json["deleted"] == 1
    assert [one["receipt_handle"] for one in ran.json["failures"]] == ["alien"]


def test_visibility_zero_gives_a_message_back(orders):
    orders("queue", "send", "orders", "a")
    [one] = orders.lines("queue", "receive", "orders")

    ran = orders("queue", "visibility", "orders", one["receipt_handle"], "0")

    assert ran.out.startswith("invisible until ")
    [again] = orders.lines("queue", "receive", "orders")
    assert again["receive_count"] == 2


def test_visibility_in_json_is_the_moment(orders):
    orders("queue", "send", "orders", "a")
    [one] = orders.lines("queue", "receive", "orders")

    found = orders.json("queue", "visibility", "orders", one["receipt_handle"], "1h")

    [seen] = orders.lines("queue", "peek", "orders")
    assert found["visible_at"] == seen["visible_at"]


def test_peek_shows_all_states_and_changes_nothing(orders):
    orders("queue", "send", "orders", stdin="a\nb\n")
    orders("queue", "send", "orders", "c", "--delay=1m")
    orders("queue", "receive", "orders")

    rows = orders("queue", "peek", "orders").out.splitlines()[3:6]
    for state, row in zip(("in flight", "visible", "delayed"), rows, strict=True):
        assert f" {state} " in row
    seen = orders.lines("queue", "peek", "orders")
    assert [(one["body"], one["receive_count"]) for one in seen] == [("a", 1), ("b", 0), ("c", 0)]


def test_peek_goes_on_behind_a_position(orders):
    orders("queue", "send", "orders", stdin="a\nb\nc\n")
    [first] = orders.lines("queue", "peek", "orders", "-n", "1")

    rest = orders.lines("queue", "peek", "orders", "--after", first["position"])

    assert [one["body"] for one in rest] == ["b", "c"]


def test_peek_of_more_than_1000_takes_several_looks(orders):
    orders("queue", "send", "orders", stdin="".join(f"{n}\n" for n in range(1500)))

    seen = orders.lines("queue", "peek", "orders", "-n", "1200")

    assert [one["body"] for one in seen] == [str(n) for n in range(1200)]


def test_peek_of_an_empty_queue_says_so(orders):
    assert "empty" in orders("queue", "peek", "orders").err


def test_a_sender_can_not_write_to_the_terminal_of_who_looks(orders):
    orders("queue", "send", "orders", "\x1b]0;owned\x07 [bold]x[/bold]")

    shown = orders("queue", "peek", "orders").out

    assert "\x1b" not in shown
    assert "\\x1b]0;owned\\x07 [bold]x[/bold]" in shown
