"""rmq topic subscribe, confirm, subscriptions, unsubscribe, set --subscription, replay."""

import os

import pytest

import rmq as library

COFFEE = '{"kind":["coffee"]}'


@pytest.fixture
def placed(rmq):
    """The command line, with a topic and two queues."""
    for name in ("billing", "kitchen"):
        rmq("queue", "create", name)
    rmq("topic", "create", "placed")
    return rmq


def test_subscribe_says_the_id_and_the_queue(placed):
    ran = placed("topic", "subscribe", "placed", "billing")

    [one] = placed.json("topic", "subscriptions", "placed")["subscriptions"]
    assert ran.out == f"subscribed to placed: {one['id']} (sqs billing)\n"
    assert one["endpoint"] == "arn:aws:sqs:us-east-1:000000000000:billing"


OPTIONS = [
    ("--raw", "raw_message_delivery", True),
    ("--no-raw", "raw_message_delivery", False),
    (f"--filter={COFFEE}", "filter_policy", COFFEE),
    ("--filter-scope=message_body", "filter_policy_scope", "message_body"),
    (
        "--dead-letter-queue=kitchen",
        "dead_letter_queue",
        "arn:aws:sqs:us-east-1:000000000000:kitchen",
    ),
    ("--dead-letter-queue=", "dead_letter_queue", None),
    ("--role=arn:aws:iam::000000000000:role/x", "subscription_role_arn", None),
]


@pytest.mark.parametrize("command", ["subscribe", "set"])
@pytest.mark.parametrize(("option", "attribute", "value"), OPTIONS)
def test_every_attribute_has_an_option_on_subscribe_and_on_set(
    placed, command, option, attribute, value
):
    if command == "set":
        placed("topic", "subscribe", "placed", "billing")
        made = placed.json("topic", "set", "placed", "--subscription=billing", option)
    else:
        made = placed.json("topic", "subscribe", "placed", "billing", option)

    if attribute == "subscription_role_arn":
        value = option.partition("=")[2]
    assert made["attributes"][attribute] == value


def test_a_delivery_policy_is_for_http(placed):
    policy = '{"healthyRetryPolicy": {"numRetries": 5}}'

    made = placed.json(
        "topic", "subscribe", "placed", "http://127.0.0.1:1/x", "--delivery-policy", policy
    )

    assert '"numRetries":5' in made["attributes"]["delivery_policy"]


def test_set_takes_a_filter_away(placed):
    placed("topic", "subscribe", "placed", "billing", "--filter", COFFEE)

    ran = placed("topic", "set", "placed", "--subscription=billing", "--filter=")

    assert ran.out.endswith("(sqs billing) is changed\n")
    [one] = placed.json("topic", "subscriptions", "placed")["subscriptions"]
    assert one["attributes"]["filter_policy"] is None


def test_a_subscription_is_said_by_id_arn_or_endpoint(placed):
    one = placed.json("topic", "subscribe", "placed", "billing")

    for which in (one["id"], one["arn"], one["endpoint"], "billing"):
        found = placed.json("topic", "show", "placed", f"--subscription={which}")
        assert found["id"] == one["id"]


def test_an_endpoint_that_two_protocols_have_is_no_name(placed):
    placed("topic", "subscribe", "placed", "a@example.com", "--protocol=email")
    placed("topic", "subscribe", "placed", "a@example.com", "--protocol=email-json")

    ran = placed("topic", "unsubscribe", "placed", "a@example.com")

    assert ran.status == 2
    assert "say which" in ran.err


def test_subscribing_again_with_another_filter_is_refused_and_says_how_to_change_it(placed):
    placed("topic", "subscribe", "placed", "billing", "--filter", COFFEE)

    ran = placed("topic", "subscribe", "placed", "billing", '--filter={"kind": ["tea"]}')

    assert ran.status == 2
    assert "rmq topic set NAME --subscription" in ran.err


def test_what_is_not_ours_waits_for_its_confirmation(placed):
    """The token goes to the endpoint; here we read it where a dispatcher would."""
    ran = placed("topic", "subscribe", "placed", "https://example.com/hook")
    assert ran.out.startswith("waits for its confirmation until ")
    with library.connect(placed.url) as client:
        [one] = client.topic("placed").subscriptions()
        token = client.topic("placed").subscription(one.id).token

    done = placed("topic", "confirm", "placed", token, "--authenticate-on-unsubscribe")

    assert done.out == f"confirmed: {one.id} (https https://example.com/hook)\n"
    assert placed.json("topic", "confirm", "placed", token)["confirmed"] is True


def test_no_token_is_shown(placed):
    made = placed("topic", "subscribe", "placed", "https://example.com/hook", "--json")

    assert "token" not in made.out + placed("topic", "subscriptions", "placed", "--json").out


def test_subscriptions_shows_state_and_filter(placed):
    placed("topic", "subscribe", "placed", "billing", "--filter", COFFEE)
    placed("topic", "subscribe", "placed", "a@example.com", "--protocol=email")

    lines = placed("topic", "subscriptions", "placed").out.splitlines()

    [billing] = [line.split()[1:] for line in lines if "billing" in line]
    [email] = [line.split()[1:] for line in lines if "email" in line]
    assert billing == ["sqs", "billing", "confirmed", COFFEE]
    assert email == ["email", "a@example.com", "unconfirmed"]


def test_subscriptions_of_nobody_says_what_to_do_next(placed):
    assert "rmq topic subscribe placed QUEUE" in placed("topic", "subscriptions", "placed").err


def test_many_subscriptions_come_page_by_page(rmq):
    """A page of the library holds 1,000."""
    rmq("topic", "create", "placed")
    with library.connect(rmq.url) as client:
        topic = client.topic("placed")
        made = sorted(topic.subscribe(f"f{n}", "lambda").id for n in range(1003))

    ran = rmq("topic", "subscriptions", "placed", "-n", "2")
    first = rmq.json("topic", "subscriptions", "placed", "-n", "1001")
    rest = rmq.json("topic", "subscriptions", "placed", "--after", first["next"])

    assert f"--after {made[1]}" in ran.err
    assert [one["id"] for one in first["subscriptions"]] == made[:1001]
    assert [one["id"] for one in rest["subscriptions"]] == made[1001:]
    assert rest["next"] is None


def test_unsubscribe_ends_it(placed):
    placed("topic", "subscribe", "placed", "billing")

    ran = placed("topic", "unsubscribe", "placed", "billing")

    assert ran.out.startswith("ended: ")
    assert placed.json("topic", "subscriptions", "placed")["subscriptions"] == []


def test_unsubscribe_asks_before_it_drops_what_waits_to_be_pushed(placed):
    placed("topic", "subscribe", "placed", "+15550100123", "--protocol=sms")
    placed("topic", "publish", "placed", "x")
    end = ("topic", "unsubscribe", "placed", "+15550100123")

    assert placed(*end).status == 2
    assert placed.json(*end, "--yes")["dropped"] == 1


def test_unsubscribe_asks_on_a_terminal_and_does_as_told(on_server):
    on_server("topic", "create", "placed")
    on_server("topic", "subscribe", "placed", "+15550100123", "--protocol=sms")
    on_server("topic", "publish", "placed", "x")
    keyboard, terminal = os.openpty()
    process = on_server.start("topic", "unsubscribe", "placed", "+15550100123", stdin=terminal)

    os.write(keyboard, b"n\n")
    _, err = process.communicate(timeout=30)

    os.close(keyboard)
    os.close(terminal)
    assert "Drop 1 messages that wait for +15550100123?" in err
    assert process.returncode == 1
    assert len(on_server.json("topic", "subscriptions", "placed")["subscriptions"]) == 1


def test_a_farewell_keeps_the_way_back_open(placed):
    one = placed.json("topic", "subscribe", "placed", "https://example.com/hook")
    with library.connect(placed.url) as client:
        token = client.topic("placed").subscription(one["id"]).token
    assert placed.json("topic", "confirm", "placed", token)["confirmed"] is True

    placed("topic", "unsubscribe", "placed", "https://example.com/hook", "--farewell")

    [one] = placed.json("topic", "subscriptions", "placed")["subscriptions"]
    assert one["confirmed"] is False


# --- replay ---


@pytest.fixture
def archived(rmq):
    """The command line, with a FIFO topic that keeps an archive, a queue, and two messages."""
    rmq("queue", "create", "map.fifo")
    rmq("topic", "create", "positions.fifo", "--archive=7d", "--content-based-deduplication")
    rmq("topic", "subscribe", "positions.fifo", "map.fifo", "--raw")
    rmq("topic", "publish", "positions.fifo", "--group=truck-1", stdin="a\nb\n")
    return rmq


def began(rmq):
    return rmq.json("topic", "show", "positions.fifo")["archived_since"]


def test_a_replay_delivers_again_in_order_and_shows_its_status(archived):
    ran = archived("topic", "replay", "positions.fifo", "map.fifo", "--from", began(archived))

    assert ran.out.startswith("completed, from ")
    bodies = [one["body"] for one in archived.lines("queue", "peek", "map.fifo")]
    assert bodies == ["a", "b", "a", "b"]
    again = archived.json("topic", "replay", "positions.fifo", "map.fifo")
    assert again["replay_status"] == "Completed"
    assert again["replay"]["start"][:19] == began(archived)[:19]


def test_a_replay_ends_where_it_is_told(archived):
    archived(
        *("topic", "replay", "positions.fifo", "map.fifo"),
        *("--from", began(archived), "--to", "2999-01-01T00:00:00+01:00"),
    )

    found = archived.json("topic", "replay", "positions.fifo", "map.fifo")
    assert found["replay_status"] == "In progress"
    ran = archived("topic", "replay", "positions.fifo", "map.fifo", "--stop")
    assert ran.out.startswith("no replay: ")


def test_no_replay_is_an_answer(archived):
    ran = archived("topic", "replay", "positions.fifo", "map.fifo")

    assert (ran.status, ran.out.partition(":")[0]) == (0, "no replay")


def test_a_start_before_the_archive_is_refused_and_names_its_beginning(archived):
    ran = archived("topic", "replay", "positions.fifo", "map.fifo", "--from=4d")

    assert ran.status == 2
    assert "the archive begins" in ran.err


def test_a_start_in_the_future_is_refused(archived):
    """Up to then the subscription would get nothing."""
    ran = archived("topic", "replay", "positions.fifo", "map.fifo", "--from=2999-01-01")

    assert ran.status == 2
    assert "a moment of the past" in ran.err
    archived("topic", "publish", "positions.fifo", "c", "--group=truck-1")
    assert [one["body"] for one in archived.lines("queue", "peek", "map.fifo")] == ["a", "b", "c"]
