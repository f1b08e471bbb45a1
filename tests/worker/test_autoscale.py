"""The autoscaler: more at once, fewer slowly, and no flapping in a day of traffic; the signal."""

from __future__ import annotations

import asyncio
import importlib.util
import json
import urllib.error
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest

from rmq.core.keys import FleetKeys
from rmq.errors import InvalidParameter
from rmq.worker.autoscale import Autoscaler, Policy
from rmq.worker.fleet import QueueWork, command, workers
from rmq.worker.load import Gauge, Signal
from rmq.worker.presence import Presence
from tests.worker.jobs import Job
from tests.worker.test_supervisor import fleet

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def picture():
    """docs/autoscaling.py, which simulates the day."""
    spec = importlib.util.spec_from_file_location("autoscaling", ROOT / "docs/autoscaling.py")
    module = importlib.util.module_from_spec(spec)
    import sys

    sys.modules["autoscaling"] = module
    spec.loader.exec_module(module)
    return module


def test_a_day_of_traffic_is_served_without_flapping(picture):
    moments = picture.day()
    assert picture.turns(moments) <= 3
    assert max(one.workers for one in moments) >= 15
    assert {one.workers for one in moments if one.at_s > 23 * 3600} == {1}
    # A message waits for its 5 seconds, but where traffic doubles at once.
    slow = [one for one in moments if one.backlog > 2 * one.workers * picture.POLICY.target]
    assert len(slow) * picture.STEP_S < 60
    # What was started is used: on average it has more to do than it has not.
    busy = sum(one.arriving for one in moments) / sum(one.workers for one in moments)
    assert busy > 0.6 * picture.PER_WORKER


@pytest.mark.parametrize("seed", range(2, 6))
def test_no_day_flaps(picture, seed):
    assert picture.turns(picture.day(seed)) <= 4


def test_the_picture_is_that_of_the_day(picture):
    assert (ROOT / "docs/autoscaling.svg").read_text() == picture.drawn(picture.day())


def scaler(**policy):
    return Autoscaler(Policy(**{"min": 1, "max": 20, "target": 100, "in_cooldown": 300} | policy))


def test_a_backlog_is_answered_at_once():
    one = scaler()
    assert one.decide(0, 50, 0, 1).workers == 1
    assert one.decide(5, 750, 0, 1).workers == 8


def test_the_next_step_up_waits_until_the_last_one_can_show():
    one = scaler(out_cooldown=30)
    assert one.decide(0, 200, 0, 1).workers == 2
    assert one.decide(20, 900, 10, 2).workers == 2
    assert one.decide(30, 900, 10, 2).workers == 9


def test_steps_are_bounded_where_that_is_said():
    one = scaler(step_out=3, step_in=2, out_cooldown=0)
    assert one.decide(0, 2000, 0, 1).workers == 4
    assert one.decide(1, 2000, 0, 4).workers == 7
    for now in range(2, 301):
        assert one.decide(now, 0, 0, 7).workers == 7
    assert one.decide(301, 0, 0, 7).workers == 5


def test_an_idle_fleet_shrinks_only_when_it_was_idle_for_long():
    one = scaler()
    one.decide(0, 950, 0, 10)
    for now in range(5, 300, 5):
        assert one.decide(now, 0, 0, 10).workers == 10
    assert one.decide(305, 0, 0, 10).workers == 1


def test_one_peak_within_the_time_keeps_what_it_needed():
    one = scaler()
    for now in range(0, 300, 5):
        one.decide(now, 600 if now == 200 else 0, 0, 10)
    assert one.decide(300, 0, 0, 10).workers == 6
    assert one.decide(500, 0, 0, 6).workers == 6  # a step was made at 300
    assert one.decide(600, 0, 0, 6).workers == 1


def test_a_fleet_without_a_backlog_is_not_taken_from_its_traffic():
    """Ten do 80 a second each of the 100 that they can: that there is no backlog is their merit."""
    one = scaler()
    for now in range(0, 100, 5):
        one.decide(now, 900, 1000, 10)  # all busy: each can do 100
    for now in range(100, 1000, 5):
        assert one.decide(now, 5, 800, 10).workers == 10


def test_where_it_is_not_known_what_a_worker_can_do_one_is_taken_away_at_a_time():
    one = scaler()
    workers, seen = 10, []
    for now in range(0, 1000, 5):
        workers = one.decide(now, 0, 50, workers).workers
        seen.append(workers)
    assert sorted(set(seen), reverse=True) == [10, 9, 8, 7]


def test_it_keeps_to_its_limits_and_can_go_to_none():
    one = scaler(min=0, max=5)
    assert one.decide(0, 10_000, 0, 0).workers == 5
    assert one.decide(1, 10_000, 0, 9).workers == 5
    two = scaler(min=0, in_cooldown=10)
    two.decide(0, 0, 0, 1)
    assert two.decide(11, 0, 0, 1).workers == 0


@pytest.mark.parametrize(
    "wrong", [{"min": -1}, {"max": 0}, {"min": 5, "max": 4}, {"target": 0}, {"step_in": 0}]
)
def test_a_policy_that_makes_no_sense_is_refused(wrong):
    with pytest.raises(InvalidParameter):
        Policy(**wrong)


# --- the load, and the signal -------------------------------------------------------------------


async def test_the_load_is_that_of_all_queues_and_of_all_workers(client, clock):
    orders, mail = await client.create_queue("orders"), await client.create_queue("mail")
    worker = Presence(
        client,
        "app",
        look=lambda: {"orders": QueueWork(buffered=2), "others": QueueWork(buffered=9)},
        obey=lambda word, rest: None,
    )
    await worker.beat()
    gauge = Gauge(client, "app", ["orders", "mail", "not-there"])
    await orders.send_many(["x"] * 10)
    clock.move(5)
    await mail.send("y")
    await mail.send("z", delay=60)
    await gauge.look()
    done = await orders.receive(4)
    await orders.delete_many(done)
    await orders.receive(2)
    clock.move(2)
    load = await gauge.look()
    assert load.as_dict(3) == {
        "backlog": 5,
        "in_flight": 2,
        "buffered": 2,
        "delayed": 1,
        "oldest_age": 7.0,
        "done_per_second": 2.0,
        "time_to_drain": 3.5,
        "workers": 1,
        "workers_wanted": 3,
    }


def test_the_signal_is_json_and_says_nothing_that_is_old():
    said = {"workers_wanted": 3}
    signal = Signal("127.0.0.1", 0, lambda: said)
    try:
        url = f"http://127.0.0.1:{signal.port}/"
        with urllib.request.urlopen(url) as answer:
            assert json.load(answer) == said
        said = None
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(url)
    finally:
        signal.close()


def test_processes_come_and_go_with_the_backlog_and_end_when_they_are_told(servers, tmp_path):
    options = (
        "--max",
        "2",
        "--interval",
        "200ms",
        "--out-cooldown",
        "0",
        "--in-cooldown",
        "1s",
    )
    with fleet(
        servers.url("valkey"),
        tmp_path,
        *(*options, "--target-backlog-per-worker", "20", "--queues", "jobs"),
        command=("worker", "autoscale"),
    ) as made:
        made.send(*(Job(one, "wait") for one in range(160)))
        made.until(lambda: len({pid for _, pid in made.lines("began")}) == 2)
        made.go()
        made.until(made.is_empty)
        keys, call = FleetKeys(made.client.namespace, "app"), made.client._executor.call

        def live():
            return [one.id for one in call(workers(keys, "app"))]

        made.until(lambda: len(live()) == 1)
        (last,) = live()
        call(command(keys, "app", last, "drain"))
        assert made.process.wait(30) == 0
        assert sorted(id for id, _ in made.lines("ended")) == list(range(160))


async def test_what_is_decided_is_done_by_the_supervisor():
    from datetime import timedelta

    from rmq.cli.output import Output
    from rmq.cli.worker.autoscale import Scaling

    asked, stopped = [], asyncio.Event()
    supervisor = SimpleNamespace(scale=asked.append, run=stopped.wait)
    backlogs = iter([0, 900, 900])

    async def look():
        from rmq.worker.load import Load

        return Load(next(backlogs), 0, 0, 0, 0.0, 0.0, None, 1)

    session = SimpleNamespace(output=Output())
    gauge = SimpleNamespace(look=look)
    scaling = Scaling(session, scaler(), gauge, supervisor, timedelta(seconds=5))
    assert scaling.said() is None
    for _ in range(3):
        await scaling.look()
    assert asked == [9]
    assert scaling.said()["workers_wanted"] == 9
