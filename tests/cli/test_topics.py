"""rmq topic create, list, show, set, rm: the topic itself."""

import pytest

import rmq as library


@pytest.fixture
def placed(rmq):
    """The command line, with a topic, two queues, and one that is subscribed."""
    for name in ("billing", "kitchen"):
        rmq("queue", "create", name)
    rmq("topic", "create", "placed")
    rmq("topic", "subscribe", "placed", "billing", "--filter", '{"kind": ["coffee"]}')
    return rmq


def test_create_says_that_the_topic_is_there(rmq):
    ran = rmq("topic", "create", "placed")

    assert (ran.status, ran.out) == (0, "topic placed is there\n")


def test_create_in_json_shows_all_attributes_with_durations_in_seconds(rmq):
    made = rmq.json("topic", "create", "placed")

    assert made["arn"] == "arn:aws:sns:us-east-1:000000000000:placed"
    assert made["attributes"] == {
        "display_name": "",
        "policy": None,
        "delivery_policy": None,
        "kms_master_key_id": None,
        "signature_version": None,
        "tracing_config": None,
        "maximum_message_size": None,
        "content_based_deduplication": False,
        "fifo_throughput_scope": "topic",
        "deduplication_window": 300,
        "archive_retention": None,
        "data_protection_policy": None,
        "feedback": {},
    }


POLICY = (
    '{"Statement": {"Effect": "Allow", "Principal": "*", "Action": "sns:Publish", '
    '"Resource": "arn:aws:sns:us-east-1:000000000000:placed.fifo"}}'
)
RETRIES = '{"http": {"defaultHealthyRetryPolicy": {"numRetries": 5}}}'
OPTIONS = [
    ("--display-name=Shop", "display_name", "Shop"),
    (f"--policy={POLICY}", "policy", POLICY),
    ("--policy=", "policy", None),
    ("--delivery-policy=", "delivery_policy", None),
    ("--kms-key=alias/aws/sns", "kms_master_key_id", "alias/aws/sns"),
    ("--signature-version=2", "signature_version", 2),
    ("--signature-version=", "signature_version", None),
    ("--max-size=2048", "maximum_message_size", 2048),
    ("--content-based-deduplication", "content_based_deduplication", True),
    ("--no-content-based-deduplication", "content_based_deduplication", False),
    ("--fifo-throughput-scope=message_group", "fifo_throughput_scope", "message_group"),
    ("--deduplication-window=5m", "deduplication_window", 300),
    ("--archive=7d", "archive_retention", 604800),
    ("--no-archive", "archive_retention", None),
    ('--data-protection-policy={"Name": "x"}', "data_protection_policy", '{"Name": "x"}'),
    (
        "--feedback=SQSSuccessFeedbackSampleRate=50",
        "feedback",
        {"SQSSuccessFeedbackSampleRate": "50"},
    ),
]


@pytest.mark.parametrize("command", ["create", "set"])
@pytest.mark.parametrize(("option", "attribute", "value"), OPTIONS)
def test_every_attribute_has_an_option_on_create_and_on_set(rmq, command, option, attribute, value):
    if command == "set":
        rmq("topic", "create", "placed.fifo")

    made = rmq.json("topic", command, "placed.fifo", option)

    assert made["attributes"][attribute] == value


def test_what_only_a_standard_topic_has_has_an_option_too(rmq):
    made = rmq.json("topic", "create", "placed", "--tracing=Active", "--delivery-policy", RETRIES)

    assert made["attributes"]["tracing_config"] == "Active"
    assert "numRetries" in made["attributes"]["delivery_policy"]


def test_set_adds_feedback_to_what_stands_and_takes_it_away(rmq):
    standing = ("SQSSuccessFeedbackSampleRate=50", "LambdaSuccessFeedbackSampleRate=30")
    rmq("topic", "create", "placed", *(f"--feedback={one}" for one in standing))

    made = rmq.json(
        "topic",
        "set",
        "placed",
        "--feedback=HTTPSuccessFeedbackSampleRate=10",
        "--feedback=SQSSuccessFeedbackSampleRate=",
    )

    assert made["attributes"]["feedback"] == {
        "HTTPSuccessFeedbackSampleRate": "10",
        "LambdaSuccessFeedbackSampleRate": "30",
    }


def test_what_is_given_twice_is_refused(rmq):
    """One of the values would be lost."""
    ran = rmq("topic", "create", "placed", "--tag=a=1", "--tag=a=2")
    assert ran.status == 2
    assert "tag 'a' is given twice" in ran.err

    rmq("topic", "create", "placed")
    ran = rmq("topic", "publish", "placed", "x", "--attribute=a=1", "--attribute=a:Number=2")
    assert ran.status == 2
    assert "attribute 'a' is given twice" in ran.err


def test_tags_are_set_and_removed(rmq):
    rmq("topic", "create", "placed", "--tag=team=blue", "--tag=stage=test")

    made = rmq.json("topic", "set", "placed", "--tag=team=red=ish", "--untag=stage")

    assert made["tags"] == {"team": "red=ish"}


def test_set_says_what_it_did(rmq):
    rmq("topic", "create", "placed")

    assert rmq("topic", "set", "placed", "--max-size=2048").out == "topic placed is changed\n"


def test_list_shows_subscriptions_and_what_was_published(placed):
    placed("topic", "create", "other")
    placed("topic", "publish", "placed", stdin="a\nb\n")

    ran = placed("topic", "list")
    headings = ["topic", "subscriptions", "pending", "published", "outbox"]
    assert ran.out.split()[:5] == headings
    [row] = [line.split() for line in ran.out.splitlines() if "placed" in line]
    assert row == ["placed", "1", "0", "2", "0"]
    [found] = placed.json("topic", "list", "pl")["topics"]
    assert (found["name"], found["subscriptions"], found["published"]) == ("placed", 1, 2)


def test_a_list_of_nothing_says_what_to_do_next(rmq):
    ran = rmq("topic", "list")

    assert (ran.status, ran.out) == (0, "")
    assert "rmq topic create NAME" in ran.err


def test_show_has_attributes_totals_tags_and_what_became_of_the_messages(placed):
    placed("topic", "set", "placed", "--tag=team=blue")
    placed("topic", "publish", "placed", "x", "--attribute=kind=coffee")
    placed("topic", "publish", "placed", "x", "--attribute=kind=tea")
    placed("topic", "publish", "placed", "x")

    ran = placed("topic", "show", "placed")
    for part in ("a standard topic", "262,144 bytes", "published", "team", "billing"):
        assert part in ran.out
    assert "1 by message attributes" in ran.out
    assert "1 by no message attributes" in ran.out
    found = placed.json("topic", "show", "placed")
    assert found["totals"]["published"] == 3
    assert found["tags"] == {"team": "blue"}
    [one] = found["subscriptions"]
    assert one["totals"]["delivered"] == 1
    assert one["totals"]["filtered_out"] == {"message_attributes": 1, "no_message_attributes": 1}
    assert one["totals"]["latency_ms"] >= 0


def test_show_has_the_backlog_of_what_waits_to_be_pushed(placed):
    placed("topic", "subscribe", "placed", "+15550100123", "--protocol=sms")
    placed("topic", "publish", "placed", stdin="a\nb\n")

    found = placed.json("topic", "show", "placed", "--subscription=+15550100123")

    assert (found["totals"]["backlog"], found["totals"]["delivered"]) == (2, 0)


def test_show_of_one_subscription_has_its_attributes(placed):
    ran = placed("topic", "show", "placed", "--subscription=billing")

    for part in ("A subscription of placed", '{"kind": ["coffee"]}', "raw message delivery", "sqs"):
        assert part in ran.out


def test_show_of_a_fifo_topic_has_what_only_that_has(rmq):
    rmq("topic", "create", "placed.fifo", "--archive=7d")

    ran = rmq("topic", "show", "placed.fifo")

    for part in ("a FIFO topic", "deduplication window", "for 7 d"):
        assert part in ran.out


def test_show_has_policies_where_there_are_some(rmq):
    rmq("topic", "create", "placed.fifo", "--policy", POLICY, "--kms-key=alias/k")

    ran = rmq("topic", "show", "placed.fifo")

    assert POLICY in ran.out
    assert "alias/k" in ran.out


def test_show_of_many_subscriptions_shows_some_and_says_how_many_more(rmq):
    rmq("topic", "create", "placed")
    with library.connect(rmq.url) as client:
        for n in range(5):
            client.topic("placed").subscribe(f"+155501001{n}0", "sms")

    ran = rmq("topic", "show", "placed", "-n", "2")

    assert ran.out.count("+15550100") == 2
    assert "3 more subscriptions" in ran.err


def test_rm_refuses_where_nobody_can_be_asked(placed):
    ran = placed("topic", "rm", "placed")

    assert ran.status == 2
    assert "--yes" in ran.err
    assert placed.json("topic", "show", "placed")["name"] == "placed"


def test_rm_removes_the_topic_with_its_subscriptions_and_leaves_the_queues(placed):
    assert placed("topic", "rm", "placed", "--yes").out == (
        "topic placed is gone, with 1 subscriptions\n"
    )

    assert placed.json("topic", "list")["topics"] == []
    assert placed("queue", "show", "billing").status == 0


def test_rm_of_a_topic_that_keeps_an_archive_is_refused_and_says_what_to_do(rmq):
    rmq("topic", "create", "placed.fifo", "--archive=7d")

    ran = rmq("topic", "rm", "placed.fifo", "--yes")

    assert ran.status == 1
    assert "rmq topic set NAME --no-archive" in ran.err
    rmq("topic", "set", "placed.fifo", "--no-archive")
    assert rmq.json("topic", "rm", "placed.fifo", "--yes")["removed"] is True
