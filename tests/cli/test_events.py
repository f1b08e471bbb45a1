"""rmq events s3: what is said before it listens; tests/gateway/test_events.py has the rest."""

from __future__ import annotations

import json

import pytest

import rmq as library


@pytest.fixture
def queue(rmq):
    rmq("queue", "create", "q")
    with library.connect(rmq.url) as client:
        yield client.queue("q")


def test_the_test_event_is_sent_to_a_queue(rmq, queue):
    ran = rmq("events", "s3", "--queue", "q", "--test-event", "--bucket", "pictures")
    assert (ran.status, ran.out) == (0, "the test event is sent to queue q\n")
    [one] = queue.peek()
    assert (one.json()["Event"], one.json()["Bucket"]) == ("s3:TestEvent", "pictures")


def test_the_test_event_is_sent_to_a_topic(rmq, queue):
    with library.connect(rmq.url) as client:
        client.create_topic("uploads").subscribe("q")
    found = rmq.json("events", "s3", "--topic", "uploads", "--test-event")
    assert found == {"sent": 1, "topic": "uploads", "queue": None}
    [one] = queue.peek()
    assert one.json()["Subject"] == "Amazon S3 Notification"
    assert json.loads(one.json()["Message"])["Event"] == "s3:TestEvent"


WRONG = [
    ((), 2, "--topic or --queue"),
    (("--topic", "t", "--queue", "q"), 2, "not both"),
    (("--topic", "none", "--test-event"), 3, "'none' does not exist"),
    (("--queue", "none", "--test-event"), 3, "rmq queue create none"),
    (("--queue", "q.fifo", "--test-event"), 2, "FIFO"),
    (("--queue", "q", "--event", "Created", "--event", "a b", "--test-event"), 2, "'a b'"),
    (("--queue", "q", "--test-event", "--bucket", "a b"), 2, "bucket"),
    (("--queue", "q"), 2, "memory://"),
]


@pytest.mark.parametrize(("words", "status", "said"), WRONG)
def test_a_mistake_is_one_line_that_says_what_to_do(rmq, queue, words, status, said):
    ran = rmq("events", "s3", *words)
    assert (ran.status, ran.out) == (status, "")
    assert said in ran.err
    assert len(ran.err.splitlines()) == 1


def test_a_port_that_is_taken_is_said(on_server):
    import socket

    on_server("queue", "create", "q")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ran = on_server("events", "s3", "--queue", "q", "--port", str(taken.getsockname()[1]))
    assert ran.status == 2
    assert "choose another --port" in ran.err
