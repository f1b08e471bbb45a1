"""rmq queue redrive: from the dead-letter queue back, or elsewhere."""

import pytest

import rmq as library


@pytest.fixture
def dead(rmq):
    """The command line, with one dead letter of the queue orders in the queue dead."""
    rmq("queue", "create", "dead")
    options = ("--dead-letter-queue=dead", "--max-receive-count=1", "--visibility-timeout=0")
    rmq("queue", "create", "orders", *options)
    rmq("queue", "send", "orders", "poison")
    for _ in range(2):
        rmq("queue", "receive", "orders")
    return rmq


def test_a_message_received_too_often_is_in_the_dead_letter_queue(dead):
    [letter] = dead.lines("queue", "peek", "dead")

    assert (letter["body"], letter["dead_letter_source"]) == ("poison", "orders")


def test_redrive_moves_it_back(dead):
    ran = dead("queue", "redrive", "dead")

    assert ran.status == 0
    assert ran.out.startswith("completed: 1 moved, task ")
    assert dead.json("queue", "show", "orders")["counts"]["visible"] == 1


def test_redrive_moves_it_elsewhere_at_a_rate(dead):
    dead("queue", "create", "elsewhere")

    task = dead.json("queue", "redrive", "dead", "--to=elsewhere", "--rate=100")

    assert (task["status"], task["moved"], task["destination"]) == ("COMPLETED", 1, "elsewhere")
    assert task["max_per_second"] == 100
    assert dead.json("queue", "show", "elsewhere")["counts"]["visible"] == 1


def test_the_list_shows_the_tasks(dead):
    assert "begin one" in dead("queue", "redrive", "dead", "--list").err
    task = dead.json("queue", "redrive", "dead")

    [row] = [x.split() for x in dead("queue", "redrive", "dead", "--list").out.splitlines()[3:4]]
    assert row[:2] == [task["id"], "completed"]
    assert dead.json("queue", "redrive", "dead", "--list")["redrive_tasks"] == [task]


def test_cancel_stops_a_running_task(dead):
    with library.connect(dead.url) as client:
        queue = client.queue("dead")
        queue.send_many([b"more"] * 50)
        task = queue.start_redrive("orders", max_per_second=1)

        ran = dead.json("queue", "redrive", "dead", "--cancel", task.id)

        assert ran["id"] == task.id
        assert ran["status"] in ("CANCELLING", "CANCELLED")


def test_cancel_of_a_task_that_has_ended_is_refused(dead):
    task = dead.json("queue", "redrive", "dead")

    assert dead("queue", "redrive", "dead", "--cancel", task["id"]).status == 1
    assert dead("queue", "redrive", "dead", "--cancel", "alien").status == 3


def test_list_and_cancel_stand_alone(dead):
    assert dead("queue", "redrive", "dead", "--list", "--cancel=x").status == 2
    assert dead("queue", "redrive", "dead", "--list", "--rate=3").status == 2


def test_a_redrive_whose_destination_goes_away_fails_with_status_1(dead):
    """The message stays where it is."""
    dead("queue", "rm", "orders", "--yes")
    dead("queue", "create", "new", "--dead-letter-queue=dead")

    ran = dead("queue", "redrive", "dead")

    assert ran.status == 1
    assert ran.out.startswith("failed (")
    assert dead.json("queue", "show", "dead")["counts"]["visible"] == 1
