"""rmq topic publish, listen, explain: messages on a topic by hand."""

import json
import re
import signal
import time

import pytest

from rmq.cli.topic.lines import from_json
from rmq.errors import InvalidParameter

COLOUR = re.compile(r"\x1b\[[0-9;]*m")


@pytest.fixture
def placed(rmq):
    """The command line, with a topic, and two queues subscribed to it, one with a filter."""
    subscribed(rmq)
    return rmq


def subscribed(rmq):
    for name in ("all", "heavy"):
        rmq("queue", "create", name)
    rmq("topic", "create", "placed")
    rmq("topic", "subscribe", "placed", "all", "--raw")
    rmq("topic", "subscribe", "placed", "heavy", '--filter={"weight": [{"numeric": [">", 5]}]}')


def bodies(rmq, queue="all"):
    return [one["body"] for one in rmq.lines("queue", "peek", queue, "-n", "5000")]


# --- publish ---


def test_publish_says_the_message_id_and_for_how_many(placed):
    ran = placed("topic", "publish", "placed", "one coffee", "--attribute=weight:Number=7")

    assert ran.status == 0
    assert ran.out.startswith("published ")
    assert ran.out.endswith(" for 2 subscriptions\n")
    assert placed("topic", "publish", "placed", "x").out.endswith(" for 1 subscription\n")


def test_publish_in_json_is_the_id_that_the_envelope_has(placed):
    published = placed.json(
        "topic", "publish", "placed", "one coffee", "--subject=hi", "--attribute=weight:Number=7"
    )

    [body] = bodies(placed, "heavy")
    envelope = json.loads(body)
    assert envelope["MessageId"] == published["id"]
    assert (envelope["Subject"], envelope["Message"]) == ("hi", "one coffee")
    assert published["matched"] == 2


def test_publish_by_protocol_gives_each_its_text(placed):
    placed("topic", "publish", "placed", '{"default": "x", "sqs": "for queues"}', "--by-protocol")

    assert bodies(placed) == ["for queues"]


def test_publish_to_a_fifo_topic_shows_the_sequence_number_and_knows_a_repeat(rmq):
    rmq("topic", "create", "placed.fifo")
    publish = ("topic", "publish", "placed.fifo", "x", "--group=g", "--dedup-id=1")

    assert "sequence number" in rmq(*publish).out
    assert "published before" in rmq(*publish).out
    assert rmq.json(*publish)["is_duplicate"] is True


@pytest.mark.parametrize("how", [(), ("-",)])
def test_every_line_is_a_message(placed, how):
    ran = placed("topic", "publish", "placed", *how, stdin="a\nb\nlast without a break")

    assert ran.status == 0
    assert ran.out.startswith("3 lines: 3 published in ")
    assert bodies(placed) == ["a", "b", "last without a break"]


def test_the_order_of_thousands_of_lines_is_kept(placed):
    placed("topic", "publish", "placed", stdin="".join(f"{n}\n" for n in range(2500)))

    assert bodies(placed) == [str(n) for n in range(2500)]


def test_a_refused_line_is_named_and_the_others_are_published(placed):
    ran = placed("topic", "publish", "placed", stdin=b"a\n\n\xff\nb\n")

    assert ran.status == 1
    assert "line 2: message is empty" in ran.err
    assert "line 3: message is " in ran.err
    assert ran.out.startswith("4 lines: 2 published, 2 failed")
    assert bodies(placed) == ["a", "b"]


def test_options_hold_for_all_lines(placed):
    placed(
        *("topic", "publish", "placed", "--attribute=weight:Number=7", "--subject=hi"),
        stdin="a\nb\n",
    )

    assert [json.loads(one)["Subject"] for one in bodies(placed, "heavy")] == ["hi", "hi"]


def test_json_lines_bring_their_own(placed):
    lines = [
        {"message": "heavy", "attributes": {"weight": 7}, "subject": "own"},
        {"message": "light", "attributes": {"weight": 1}},
        {"message": '{"default": "d", "sqs": "q"}', "by_protocol": True},
    ]

    placed(
        *("topic", "publish", "placed", "--format=jsonl", "--subject=shared"),
        stdin="".join(json.dumps(line) + "\n" for line in lines),
    )

    assert bodies(placed) == ["heavy", "light", "q"]
    [seen] = [json.loads(one) for one in bodies(placed, "heavy")]
    assert (seen["Message"], seen["Subject"]) == ("heavy", "own")


@pytest.mark.parametrize(
    ("line", "named"),
    [
        (b"nope", "line"),
        (b"{}", "message"),
        (b'{"body": "x"}', "field"),
        (b'{"message": "x", "attributes": 7}', "attributes"),
        (b'{"message": "x", "by_protocol": "yes"}', "by_protocol"),
    ],
)
def test_a_line_that_is_no_message_is_refused_by_name(line, named):
    with pytest.raises(InvalidParameter) as refused:
        from_json(line)

    assert refused.value.field == named


@pytest.mark.parametrize(
    "line",
    [
        '{"message": 7}',
        '{"message": "x", "subject": 7}',
        '{"message": "x", "group": 7}',
        '{"message": "x", "attributes": {"a": null}}',
    ],
)
def test_a_value_of_the_wrong_type_fails_that_line_alone(placed, line):
    ran = placed(
        "topic", "publish", "placed", "--format=jsonl", stdin=line + '\n{"message": "good"}\n'
    )

    assert ran.status == 1
    assert ran.err.splitlines()[-1].startswith("line 1: ")
    assert bodies(placed) == ["good"]


def test_a_stream_that_broke_off_can_be_published_again(rmq):
    """--dedup-id is completed by the number of the line."""
    rmq("queue", "create", "all.fifo")
    rmq("topic", "create", "placed.fifo")
    rmq("topic", "subscribe", "placed.fifo", "all.fifo", "--raw")
    publish = ("topic", "publish", "placed.fifo", "--group=g", "--dedup-id=import")
    rmq(*publish, stdin="same\nsame\n")

    ran = rmq(*publish, stdin="same\nsame\nsame\n")

    assert "3 published, 2 of them published before" in ran.out
    assert bodies(rmq, "all.fifo") == ["same"] * 3


def test_a_topic_that_is_missing_ends_the_stream(rmq):
    ran = rmq("topic", "publish", "placed", stdin="a\nb\n")

    assert ran.status == 3
    assert "0 published" in ran.out


def test_plain_lines_go_at_full_speed(on_server, scripts):
    """Many in one trip, and with little work: 5,000 lines a second of the processor into two queues
    are far below what it does."""
    subscribed(on_server)
    lines = "".join(f"line number {n}\n" for n in range(20_000))

    before, begun = scripts(), time.process_time()
    ran = on_server.json("topic", "publish", "placed", stdin=lines)
    seconds, trips = time.process_time() - begun, scripts() - before

    assert ran["published"] == 20_000
    assert trips < 2_000
    assert seconds < 8


# --- listen ---


@pytest.fixture
def listening(on_server, server):
    """A way to begin to listen: it returns when the listener is there, and ends it at last."""
    started = []

    def begin(*options):
        with server.client() as raw:

            def listened():
                return raw.hget("default:{t:placed}:state", "listened")

            before = listened()
            process = on_server.start("topic", "listen", "placed", *options)
            started.append(process)
            # It says so itself, a moment after it has subscribed; publishers go by that.
            while listened() == before:
                assert process.poll() is None
        return process

    on_server("topic", "create", "placed")
    yield begin
    for process in started:
        process.kill()
        process.communicate()


def test_listen_prints_what_is_published_as_it_is_and_ends_after_so_many(on_server, listening):
    process = listening("-n", "2")

    for message in ("one coffee", "one tea"):
        on_server("topic", "publish", "placed", message)
    out, err = process.communicate(timeout=30)

    assert (process.returncode, out, err) == (0, "one coffee\none tea\n", "")


def test_listen_in_json_has_all_the_rest_and_follows_live(on_server, listening):
    """Each line is there before the next message is published."""
    process = listening("--json")

    for message in ("a", "b"):
        published = on_server.json(
            "topic", "publish", "placed", message, "--subject=hi", "--attribute=weight:Number=7"
        )
        heard = json.loads(process.stdout.readline())
        assert heard.pop("published_at").endswith("Z")
        assert heard == {
            "id": published["id"],
            "message": message,
            "subject": "hi",
            "attributes": {"weight": {"type": "Number", "value": "7"}},
        }


def test_listen_hears_what_its_filter_lets_in(on_server, listening):
    process = listening("-n", "2", '--filter={"weight": [{"numeric": [">", 5]}]}')

    for weight in (7, 5, 9):
        on_server("topic", "publish", "placed", str(weight), f"--attribute=weight:Number={weight}")

    assert process.communicate(timeout=30)[0] == "7\n9\n"


def test_listen_can_filter_by_the_body(on_server, listening):
    process = listening("-n", "1", '--filter={"weight": [7]}', "--filter-scope=message_body")

    for weight in (5, 7):
        on_server("topic", "publish", "placed", json.dumps({"weight": weight}))

    assert process.communicate(timeout=30)[0] == '{"weight": 7}\n'


def test_what_listen_prints_can_be_published_on(on_server, listening):
    on_server("queue", "create", "all")
    on_server("topic", "create", "copy")
    on_server("topic", "subscribe", "copy", "all", "--raw")
    process = listening("-n", "1", "--json")
    on_server("topic", "publish", "placed", "x", "--attribute=weight:Number=7")
    printed = process.communicate(timeout=30)[0]

    on_server("topic", "publish", "copy", "--format=jsonl", stdin=printed)

    [seen] = on_server.lines("queue", "peek", "all")
    assert seen["body"] == "x"
    assert seen["attributes"] == {"weight": {"type": "Number", "value": "7"}}


def test_ctrl_c_ends_listening_with_130_and_without_a_word(on_server, listening):
    process = listening()

    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)

    assert (process.returncode, out, err) == (130, "", "")


def test_a_terminal_shows_a_panel_and_no_control_character_of_a_publisher_s(
    on_server, listening, monkeypatch
):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "100")
    process = listening("-n", "1")

    on_server("topic", "publish", "placed", "\x1b]0;owned\x07 [bold]x[/bold]", "--subject=hi")
    out, err = process.communicate(timeout=30)

    assert "\\x1b]0;owned\\x07 [bold]x[/bold]" in COLOUR.sub("", out)
    assert "hi" in out
    assert "Ctrl-C ends" in err


# --- explain ---


def test_explain_says_for_each_subscription_whether_and_why_not(placed):
    ran = placed("topic", "explain", "placed", "x", "--attribute=weight:Number=3")

    lines = ran.out.splitlines()
    [everything] = [line for line in lines if " all " in line]
    [heavy] = [line for line in lines if " heavy " in line]
    assert " yes " in everything
    assert " no " in heavy
    assert 'weight must be {"numeric": [">", 5]}; the message has 3' in heavy
    assert bodies(placed) == []


def test_explain_in_json_has_outcome_and_reason(placed):
    found = placed.json("topic", "explain", "placed", "x")

    by_queue = {one["endpoint"].rpartition(":")[2]: one for one in found["verdicts"]}
    assert by_queue["all"]["matched"] is True
    assert by_queue["heavy"]["matched"] is False
    assert by_queue["heavy"]["outcome"] == "no_message_attributes"


def test_explain_can_ask_for_one_and_read_the_message_from_stdin(placed):
    placed(
        *("topic", "set", "placed", "--subscription=heavy"),
        *('--filter={"weight": [7]}', "--filter-scope=message_body"),
    )

    found = placed.json(
        "topic", "explain", "placed", "-", "--subscription=heavy", stdin='{"weight":\n7}'
    )

    assert [one["matched"] for one in found["verdicts"]] == [True]


def test_explain_knows_who_has_not_confirmed(placed):
    placed("topic", "subscribe", "placed", "https://example.com/hook")

    ran = placed("topic", "explain", "placed", "x", "--subscription=https://example.com/hook")

    assert "not confirmed yet" in ran.out


def test_explain_on_a_fifo_topic_needs_no_group(rmq):
    rmq("queue", "create", "all.fifo")
    rmq("topic", "create", "placed.fifo")
    rmq("topic", "subscribe", "placed.fifo", "all.fifo")

    [verdict] = rmq.json("topic", "explain", "placed.fifo", "x")["verdicts"]

    assert verdict["matched"] is True


def test_explain_for_nobody_says_what_to_do_next(rmq):
    rmq("topic", "create", "placed")

    assert "rmq topic subscribe placed QUEUE" in rmq("topic", "explain", "placed", "x").err
