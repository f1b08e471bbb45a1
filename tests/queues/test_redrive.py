"""Redrive: dead letters go back to where they came from, or elsewhere, as new messages."""

from __future__ import annotations

import asyncio

import pytest

from rmq.errors import InvalidParameter, QueueDoesNotExist, RedriveEnded, RedriveNotFound
from rmq.errors import RedriveRunning as Running
from rmq.queues import redrive
from tests.colours import ByHand, bare, until


def bodies(messages):
    return [one.body for one in messages]


async def everything(queue):
    got = []
    while batch := await queue.receive(10):
        got += batch
    return got


@pytest.fixture
async def dead(client):
    return await client.create_queue("dead")


@pytest.fixture
async def source(client, dead, clock):
    """Hands a message out once, then moves it to `dead`."""
    return await client.create_queue(
        "source", redrive_policy={"dead_letter_queue": "dead", "max_receive_count": 1}
    )


@pytest.fixture
async def letters(source, dead, clock):
    """Twelve dead letters of `source`."""
    await bury(source, clock, [b"%02d" % i for i in range(12)])
    assert (await dead.stats()).visible == 12
    return [b"%02d" % i for i in range(12)]


async def bury(source, clock, messages):
    await source.send_many(messages)
    await everything(source)
    clock.move(31)
    assert await source.receive(10) == []


def by_hand(client, task):
    """The task's driver, to be carried out step by step."""
    return ByHand(client, redrive.drive_redrive(bare(client)._registry, task))


async def started(client, dead, destination=None, rate=None):
    """A task that was noted and has no driver yet."""
    plan = redrive.start_redrive(bare(client)._registry, dead.name, destination, rate)
    return await ByHand(client, plan).finish()


async def test_a_redrive_moves_everything_back_to_where_it_came_from(source, dead, letters):
    task = await dead.redrive()

    assert (task.status, task.moved, task.to_move) == ("COMPLETED", 12, 12)
    assert (task.source, task.destination, task.failure) == ("dead", None, None)
    assert bodies(await everything(source)) == letters
    assert (await dead.stats()).visible == 0


async def test_each_message_goes_back_to_its_own_source(client, source, dead, clock):
    other = await client.create_queue(
        "other", redrive_policy={"dead_letter_queue": "dead", "max_receive_count": 1}
    )
    await bury(source, clock, [b"a"])
    await bury(other, clock, [b"b"])

    await dead.redrive()

    assert bodies(await everything(source)) == [b"a"]
    assert bodies(await everything(other)) == [b"b"]


async def test_a_redriven_message_is_a_new_one(source, dead, clock):
    sent = await source.send(b"x", attributes={"a": 1}, message_group_id="tenant")
    await source.receive()
    clock.move(31)
    await source.receive()
    clock.move(100)

    await dead.redrive()

    message = (await source.receive())[0]
    assert message.id != sent.id
    assert message.receive_count == 1
    assert abs((message.sent_at - clock.now()).total_seconds()) < 0.001
    assert message.first_received_at == clock.now()
    assert message.dead_letter_source is None
    assert message.attributes["a"].value == "1"
    assert message.message_group_id == "tenant"


async def test_a_redrive_may_go_elsewhere(client, source, dead, letters):
    hospital = await client.create_queue("hospital")
    task = await dead.redrive("hospital")
    assert (task.status, task.destination, task.moved) == ("COMPLETED", "hospital", 12)
    assert bodies(await everything(hospital)) == letters
    assert await source.receive() == []


async def test_a_redrive_elsewhere_takes_what_was_sent_to_the_dead_letter_queue_itself(
    client, source, dead
):
    hospital = await client.create_queue("hospital")
    await dead.send(b"by hand")
    assert (await dead.redrive("hospital")).moved == 1
    assert bodies(await everything(hospital)) == [b"by hand"]


async def test_a_message_without_a_source_fails_the_task_and_stays(source, dead):
    await dead.send(b"by hand")
    task = await dead.redrive()
    assert (task.status, task.moved) == ("FAILED", 0)
    assert task.failure == "CouldNotDetermineMessageSource"
    assert bodies(await dead.receive(10)) == [b"by hand"]


async def test_what_had_a_source_is_moved_before_the_task_fails(source, dead, letters):
    await dead.send(b"by hand")
    task = await dead.redrive()
    assert (task.status, task.moved) == ("FAILED", 12)
    assert bodies(await everything(source)) == letters


async def test_a_source_that_is_gone_fails_the_task_and_nothing_is_lost(
    client, source, dead, letters
):
    await client.create_queue("other", redrive_policy={"dead_letter_queue": "dead"})
    await source.delete_queue()
    task = await dead.redrive()
    assert (task.status, task.failure, task.moved) == ("FAILED", "NonExistentQueue", 0)
    assert sorted(bodies(await everything(dead))) == letters


async def test_messages_in_flight_are_left_alone(source, dead, letters):
    held = await dead.receive(2)
    task = await dead.redrive()
    assert (task.moved, task.status) == (10, "COMPLETED")
    assert await held[0].delete() is True
    assert (await dead.stats()).in_flight == 1


async def test_an_empty_dead_letter_queue_is_redriven_at_once(source, dead):
    task = await dead.redrive()
    assert (task.status, task.moved, task.to_move) == ("COMPLETED", 0, 0)


async def test_only_a_dead_letter_queue_can_be_redriven(queue):
    with pytest.raises(InvalidParameter, match="dead-letter queue"):
        await queue.redrive()


async def test_a_destination_must_exist_be_another_and_of_the_same_type(client, source, dead):
    with pytest.raises(QueueDoesNotExist):
        await dead.redrive("nowhere")
    with pytest.raises(InvalidParameter, match="destination"):
        await dead.redrive("dead")
    await client.create_queue("x.fifo")
    with pytest.raises(InvalidParameter, match="destination"):
        await dead.redrive("x.fifo")
    assert await dead.redrive_tasks() == []


# --- FIFO ---------------------------------------------------------------------------------------


@pytest.fixture
async def fifos(client, clock):
    dead = await client.create_queue("dead.fifo")
    source = await client.create_queue(
        "source.fifo",
        content_based_deduplication=True,
        redrive_policy={"dead_letter_queue": "dead.fifo", "max_receive_count": 1},
    )
    for i in range(12):
        await source.send(b"%02d" % i, message_group_id=f"g{i % 3}")
    for _ in range(3):  # a receive cuts the last group in two
        await everything(source)
        clock.move(31)
    assert (await dead.stats()).visible == 12
    return source, dead


ORDER = {"g0": [0, 3, 6, 9], "g1": [1, 4, 7, 10], "g2": [2, 5, 8, 11]}


async def by_group(queue):
    groups = {}
    while batch := await queue.receive(10):
        for one in batch:
            groups.setdefault(one.message_group_id, []).append(int(one.body))
        await queue.delete_many(batch)
    return groups


async def test_the_order_of_each_group_holds(fifos):
    source, dead = fifos
    task = await dead.redrive()
    assert (task.status, task.moved) == ("COMPLETED", 12)

    assert await by_group(source) == ORDER


async def test_the_order_holds_when_the_driver_dies_in_the_middle(client, fifos, clock):
    source, dead = fifos
    task = await started(client, dead, rate=5)
    driver = by_hand(client, task)
    await driver.through("queues.accept")
    clock.move(61)  # nobody heard of it for a minute

    task = await dead.redrive()

    assert task.status == "COMPLETED"
    assert await by_group(source) == ORDER


async def test_a_redriven_fifo_message_is_no_duplicate_of_itself(fifos, clock):
    """Its deduplication id is still in the window of the source."""
    source, dead = fifos
    await dead.redrive()
    assert (await source.stats()).visible == 12


# --- tasks --------------------------------------------------------------------------------------


async def test_progress_is_told(source, dead, letters):
    seen = []
    await dead.redrive(progress=lambda task: seen.append((task.status, task.moved)))
    assert seen[-1] == ("COMPLETED", 12)
    assert [moved for _, moved in seen] == sorted(moved for _, moved in seen)


async def test_a_rate_is_kept(client, source, dead, letters):
    """5 a second: a second's pause after each five."""
    driver = by_hand(client, await started(client, dead, rate=5))
    moved = []
    while await driver.through("Sleep"):
        moved.append((await source.stats()).visible)
    assert moved[:2] == [5, 10]
    assert driver.slept[:2] == [1.0, 1.0]
    assert driver.result.moved == 12


async def test_a_rate_lets_time_pass_between_steps(client, source, dead, letters, clock):
    task = asyncio.create_task(dead.redrive(max_per_second=6))

    async def visible(count):
        return (await source.stats()).visible == count

    await until(lambda: visible(6))
    clock.move(1)
    await until(lambda: visible(12))
    for _ in range(2):
        clock.move(1)
        await asyncio.sleep(0.02)
    assert (await task).moved == 12


async def test_a_task_in_the_background_is_listed_and_ends(client, source, dead, letters):
    task = await dead.start_redrive()
    assert task.status == "RUNNING"

    async def ended():
        return (await dead.redrive_tasks())[0].status != "RUNNING"

    await until(ended)
    [found] = await dead.redrive_tasks()
    assert (found.status, found.moved) == ("COMPLETED", 12)
    assert bodies(await everything(source)) == letters


async def test_a_task_that_ended_keeps_its_id(source, dead, letters):
    task = await dead.redrive()
    assert [one.id for one in await dead.redrive_tasks()] == [task.id]


async def slowly(dead):
    """A task in the background that has moved 5, and waits for the clock to move 5 more."""
    task = await dead.start_redrive(max_per_second=5)

    async def moved():
        return (await dead.redrive_tasks(limit=1))[0].moved == 5

    await until(moved)
    return task


async def ended(dead, clock):
    """Let time pass until the newest task does not run any more, and return it."""

    async def over():
        clock.move(1)
        [task] = await dead.redrive_tasks(limit=1)
        return task if task.status not in ("RUNNING", "CANCELLING") else None

    return await until(over)


async def test_a_task_in_the_background_can_be_cancelled(source, dead, letters, clock):
    task = await slowly(dead)

    asked = await dead.cancel_redrive(task.id)

    assert (asked.status, asked.moved) == ("CANCELLING", 5)
    found = await ended(dead, clock)
    assert found.status == "CANCELLED"
    assert (await source.stats()).visible == found.moved < 12
    assert (await dead.stats()).visible == 12 - found.moved


async def test_a_second_task_is_refused_while_one_runs_in_the_background(
    source, dead, letters, clock
):
    await slowly(dead)
    with pytest.raises(Running):
        await dead.redrive()
    with pytest.raises(Running):
        await dead.start_redrive()
    assert (await ended(dead, clock)).moved == 12


async def test_a_second_task_is_refused_while_one_runs(client, source, dead, letters):
    task = await started(client, dead)
    with pytest.raises(Running, match=task.id):
        await dead.redrive()
    await by_hand(client, task).finish()
    assert (await dead.redrive()).status == "COMPLETED"


async def test_a_task_can_be_cancelled(client, source, dead, letters):
    task = await started(client, dead, rate=5)
    driver = by_hand(client, task)
    await driver.through("queues.redrive_beat")

    asked = await dead.cancel_redrive(task.id)
    assert (asked.status, asked.moved) == ("CANCELLING", 5)
    ended = await driver.finish()

    assert ended.status == "CANCELLED"
    assert (await source.stats()).visible == ended.moved < 12
    assert (await dead.stats()).visible == 12 - ended.moved
    assert (await dead.redrive_tasks())[0].status == "CANCELLED"


async def test_only_a_running_task_can_be_cancelled(source, dead, letters):
    task = await dead.redrive()
    with pytest.raises(RedriveEnded):
        await dead.cancel_redrive(task.id)
    with pytest.raises(RedriveNotFound):
        await dead.cancel_redrive("no such task")


async def test_a_task_that_ended_is_refused_with_how_it_ended(backend, source, dead, letters):
    backend.beyond_aws("how a task ended that can not be cancelled")
    task = await dead.redrive()
    with pytest.raises(RedriveEnded, match="COMPLETED"):
        await dead.cancel_redrive(task.id)


async def test_a_task_whose_driver_died_can_be_cancelled_or_replaced(client, source, dead, clock):
    first = await started(client, dead)
    clock.move(61)
    assert (await dead.cancel_redrive(first.id)).status == "CANCELLED"

    second = await started(client, dead)
    clock.move(61)
    third = await dead.redrive()

    found = {one.id: one for one in await dead.redrive_tasks()}
    assert found[second.id].status == "FAILED"
    assert found[third.id].status == "COMPLETED"


async def test_tasks_are_listed_newest_first_and_ten_are_remembered(source, dead, clock):
    times = []
    for _ in range(12):
        times.append((await dead.redrive()).started_at)
        clock.move(1)
    assert [one.started_at for one in await dead.redrive_tasks()] == times[:1:-1]
    assert [one.started_at for one in await dead.redrive_tasks(limit=1)] == times[-1:]


async def test_a_driver_whose_queue_is_deleted_says_so(client, source, dead, letters):
    driver = by_hand(client, await started(client, dead, rate=5))
    await driver.through("queues.redrive_beat")
    await dead.delete_queue()
    with pytest.raises(QueueDoesNotExist):
        await driver.finish()


async def test_a_crash_between_accept_and_settle_moves_nothing_twice(
    client, source, dead, letters, clock
):
    driver = by_hand(client, await started(client, dead))
    await driver.through("queues.accept")
    clock.move(61)

    await dead.redrive()

    assert bodies(await everything(source)) == letters
    assert (await dead.stats()).visible == 0


async def test_messages_that_come_while_a_task_runs_are_moved_too(
    client, source, dead, letters, clock
):
    driver = by_hand(client, await started(client, dead, rate=5))
    await driver.through("queues.redrive_beat")
    await dead.send(b"no source")  # fails the task at its end
    ended = await driver.finish()
    assert (ended.status, ended.moved) == ("FAILED", 12)
