"""rmq queue create, list, show, set, purge, rm: the queue itself."""

import os
import subprocess
import sys

import pytest

import rmq as library


def test_create_says_that_the_queue_is_there(rmq):
    ran = rmq("queue", "create", "orders")

    assert (ran.status, ran.out) == (0, "queue orders is there\n")


def test_create_in_json_shows_all_attributes_with_durations_in_seconds(rmq):
    made = rmq.json("queue", "create", "orders")

    assert made["name"] == "orders"
    assert made["attributes"] == {
        "visibility_timeout": 30,
        "delay": 0,
        "message_retention_period": 345600,
        "maximum_message_size": 1048576,
        "receive_message_wait_time": 0,
        "redrive_policy": None,
        "redrive_allow_policy": None,
        "content_based_deduplication": False,
        "deduplication_scope": "queue",
        "fifo_throughput_limit": "per_queue",
        "deduplication_window": 300,
        "policy": None,
        "kms_master_key_id": None,
        "kms_data_key_reuse_period": 300,
        "sqs_managed_sse_enabled": True,
        "compression": "none",
    }
    assert made["dictionary_bytes"] == 0


OPTIONS = [
    ('--policy={"Statement": []}', "policy", '{"Statement": []}'),
    ("--policy=", "policy", None),
    ("--kms-key=alias/aws/sqs", "kms_master_key_id", "alias/aws/sqs"),
    ("--kms-reuse=1h", "kms_data_key_reuse_period", 3600),
    ("--managed-sse", "sqs_managed_sse_enabled", True),
    ("--no-managed-sse", "sqs_managed_sse_enabled", False),
    ("--visibility-timeout=90s", "visibility_timeout", 90),
    ("--visibility-timeout=12h", "visibility_timeout", 43200),
    ("--visibility-timeout=250ms", "visibility_timeout", 0.25),
    ("--delay=15m", "delay", 900),
    ("--retention=4d", "message_retention_period", 345600),
    ("--max-size=2048", "maximum_message_size", 2048),
    ("--compression=deflate", "compression", "deflate"),
    ("--wait=20", "receive_message_wait_time", 20),
    ("--content-based-deduplication", "content_based_deduplication", True),
    ("--deduplication-scope=message_group", "deduplication_scope", "message_group"),
    ("--fifo-throughput-limit=per_queue", "fifo_throughput_limit", "per_queue"),
    ("--deduplication-window=5m", "deduplication_window", 300),
    (
        "--redrive-permission=deny_all",
        "redrive_allow_policy",
        {"permission": "deny_all", "source_queues": []},
    ),
    (
        "--redrive-source=a.fifo",
        "redrive_allow_policy",
        {"permission": "by_queue", "source_queues": ["a.fifo"]},
    ),
]


@pytest.mark.parametrize("command", ["create", "set"])
@pytest.mark.parametrize(("option", "attribute", "value"), OPTIONS)
def test_every_attribute_has_an_option_on_create_and_on_set(rmq, command, option, attribute, value):
    if command == "set":
        rmq("queue", "create", "orders.fifo")

    made = rmq.json("queue", command, "orders.fifo", option)

    assert made["attributes"][attribute] == value


def test_a_dead_letter_queue_is_given_by_name_and_count(rmq):
    rmq("queue", "create", "dead")

    made = rmq.json(
        "queue", "create", "orders", "--dead-letter-queue=dead", "--max-receive-count=3"
    )

    policy = {"dead_letter_queue": "dead", "max_receive_count": 3}
    assert made["attributes"]["redrive_policy"] == policy
    assert rmq.json("queue", "show", "dead")["dead_letter_sources"] == ["orders"]


def test_set_changes_the_receive_count_and_keeps_the_dead_letter_queue(rmq):
    rmq("queue", "create", "dead")
    rmq("queue", "create", "orders", "--dead-letter-queue=dead", "--max-receive-count=3")

    made = rmq.json("queue", "set", "orders", "--max-receive-count=7")

    policy = {"dead_letter_queue": "dead", "max_receive_count": 7}
    assert made["attributes"]["redrive_policy"] == policy


def test_set_changes_the_dead_letter_queue_and_keeps_the_receive_count(rmq):
    for name in ("dead", "deader"):
        rmq("queue", "create", name)
    rmq("queue", "create", "orders", "--dead-letter-queue=dead", "--max-receive-count=3")

    made = rmq.json("queue", "set", "orders", "--dead-letter-queue=deader")

    policy = {"dead_letter_queue": "deader", "max_receive_count": 3}
    assert made["attributes"]["redrive_policy"] == policy


def test_set_takes_the_dead_letter_queue_away(rmq):
    rmq("queue", "create", "dead")
    rmq("queue", "create", "orders", "--dead-letter-queue=dead")

    made = rmq.json("queue", "set", "orders", "--no-dead-letter-queue")

    assert made["attributes"]["redrive_policy"] is None


def test_set_switches_content_based_deduplication_off(rmq):
    rmq("queue", "create", "orders.fifo", "--content-based-deduplication")

    made = rmq.json("queue", "set", "orders.fifo", "--no-content-based-deduplication")

    assert made["attributes"]["content_based_deduplication"] is False


def test_tags_are_set_and_removed(rmq):
    rmq("queue", "create", "orders", "--tag=team=blue", "--tag=stage=test")

    made = rmq.json("queue", "set", "orders", "--tag=team=red=ish", "--untag=stage")

    assert made["tags"] == {"team": "red=ish"}


def test_set_says_what_it_did(rmq):
    rmq("queue", "create", "orders")

    assert rmq("queue", "set", "orders", "--delay=1").out == "queue orders is changed\n"


def test_list_shows_what_is_in_each_queue(rmq):
    for name in ("orders", "other"):
        rmq("queue", "create", name)
    rmq("queue", "send", "orders", "one coffee")
    rmq("queue", "send", "orders", "later", "--delay=60")
    rmq("queue", "receive", "orders")

    ran = rmq("queue", "list")
    assert ran.out.split()[:6] == ["queue", "visible", "in", "flight", "delayed", "oldest"]
    [orders] = [line.split() for line in ran.out.splitlines() if "orders" in line]
    assert orders[:4] == ["orders", "0", "1", "1"]
    [found] = rmq.json("queue", "list", "or")["queues"]
    assert (found["name"], found["in_flight"], found["delayed"]) == ("orders", 1, 1)


def test_list_goes_through_all_pages(rmq):
    """A page holds 1,000 names."""
    with library.connect(rmq.url) as client:
        for n in range(1001):
            client.create_queue(f"q{n:04}")

    names = [one["name"] for one in rmq.json("queue", "list")["queues"]]

    assert names == [f"q{n:04}" for n in range(1001)]


def test_a_list_of_nothing_says_what_to_do_next(rmq):
    ran = rmq("queue", "list")

    assert (ran.status, ran.out) == (0, "")
    assert "rmq queue create NAME" in ran.err


def test_show_has_attributes_counts_totals_and_tags(rmq):
    rmq("queue", "create", "orders", "--tag=team=blue")
    rmq("queue", "send", "orders", "one coffee")

    ran = rmq("queue", "show", "orders")
    for part in ("a standard queue", "visibility timeout", "30 s", "visible", "sent", "team"):
        assert part in ran.out
    found = rmq.json("queue", "show", "orders")
    assert found["counts"]["visible"] == 1
    assert found["totals"]["sent"] == 1
    assert found["tags"] == {"team": "blue"}
    assert found["redrive_tasks"] == []


def test_show_has_the_policy_and_the_key_where_there_is_one(rmq):
    rmq("queue", "create", "plain")
    rmq("queue", "create", "orders", '--policy={"Id": "x"}', "--kms-key=alias/aws/sqs")

    assert "managed SSE" in rmq("queue", "show", "plain").out
    ran = rmq("queue", "show", "orders")
    for part in ('{"Id": "x"}', "alias/aws/sqs, data keys for 5 m"):
        assert part in ran.out


def test_show_says_of_a_queue_that_compresses_whether_it_has_its_dictionary(rmq):
    rmq("queue", "create", "plain")
    rmq("queue", "create", "orders", "--compression=deflate")
    lines = "".join(f"an order of {number} pieces\n" for number in range(40))

    assert "compression" not in rmq("queue", "show", "plain").out
    assert "not made yet" in rmq("queue", "show", "orders").out
    rmq("queue", "send", "orders", stdin=lines)
    size = rmq.json("queue", "show", "orders")["dictionary_bytes"]
    assert size > 10
    assert f"{size:,} bytes" in rmq("queue", "show", "orders").out
    rmq("queue", "send", "orders", "an order of 41 pieces")
    (ran,) = rmq("queue", "peek", "orders", "--max=41", "--json").lines[40:]
    assert ran["body"] == "an order of 41 pieces"


def test_show_of_a_fifo_queue_has_what_only_that_has(rmq):
    rmq("queue", "create", "orders.fifo")

    ran = rmq("queue", "show", "orders.fifo")

    assert "a FIFO queue" in ran.out
    assert "deduplication window" in ran.out


def test_show_names_sources_and_redrives_of_a_dead_letter_queue(rmq):
    rmq("queue", "create", "dead")
    rmq("queue", "create", "orders", "--dead-letter-queue=dead")
    rmq("queue", "redrive", "dead")

    ran = rmq("queue", "show", "dead")

    assert "Dead letters come from" in ran.out
    assert "orders" in ran.out
    assert "COMPLETED" in ran.out


@pytest.mark.parametrize("command", ["purge", "rm"])
def test_purge_and_rm_refuse_where_nobody_can_be_asked(rmq, command):
    rmq("queue", "create", "orders")
    rmq("queue", "send", "orders", "one coffee")

    ran = rmq("queue", command, "orders")

    assert ran.status == 2
    assert "--yes" in ran.err
    assert rmq.json("queue", "show", "orders")["counts"]["visible"] == 1


@pytest.mark.parametrize(("answer", "status", "left"), [(b"n\n", 1, 1), (b"y\n", 0, 0)])
def test_purge_asks_on_a_terminal_and_does_as_told(on_server, answer, status, left):
    on_server("queue", "create", "orders")
    on_server("queue", "send", "orders", "one coffee")
    keyboard, terminal = os.openpty()
    process = on_server.start("queue", "purge", "orders", stdin=terminal)

    os.write(keyboard, answer)
    _, err = process.communicate(timeout=30)

    os.close(keyboard)
    os.close(terminal)
    assert "Drop all 1 messages of orders?" in err
    assert process.returncode == status
    assert on_server.json("queue", "show", "orders")["counts"]["visible"] == left


def test_purge_drops_all_messages(rmq):
    rmq("queue", "create", "orders")
    rmq("queue", "send", "orders", stdin="a\nb\n")

    assert "2 messages dropped" in rmq("queue", "purge", "orders", "--yes").out
    assert rmq.json("queue", "purge", "orders", "-y") == {"name": "orders", "purged": 0}


def test_rm_removes_the_queue(rmq):
    for name in ("orders", "other"):
        rmq("queue", "create", name)

    assert rmq("queue", "rm", "orders", "--yes").out == "queue orders is gone, with 0 messages\n"
    assert rmq.json("queue", "rm", "other", "--yes")["removed"] is True
    assert rmq.json("queue", "list")["queues"] == []


def test_no_limits_lifts_a_limit(rmq):
    assert rmq("queue", "create", "orders", "--delay=1d").status == 2

    assert rmq("queue", "create", "orders", "--delay=1d", "--no-limits").status == 0


def test_a_namespace_keeps_queues_apart(rmq):
    rmq("--namespace=a", "queue", "create", "orders")

    assert rmq.json("--namespace=b", "queue", "list")["queues"] == []


def test_the_environment_says_where_and_in_which_namespace(on_server):
    """Two commands in two processes, with no option at all."""
    where = {"RMQ_URL": on_server.url, "RMQ_NAMESPACE": "shop"}
    on_server.run("--namespace=shop", "queue", "create", "orders")

    ran = subprocess.run(
        [sys.executable, "-m", "rmq.cli.main", "queue", "list"],
        env={**os.environ, **where},
        capture_output=True,
        text=True,
    )

    assert "orders" in ran.stdout
