"""Consuming: a worker handles records, notes how far it came, and goes on there."""

from __future__ import annotations

import asyncio
import threading
from datetime import timedelta

import pytest

import rmq
from rmq.core.paging import Page
from rmq.errors import (
    ConfigurationError,
    ConnectionLost,
    GroupDoesNotExist,
    InvalidParameter,
    LeaseLost,
    QueueDoesNotExist,
    RmqError,
    StreamDoesNotExist,
)
from rmq.streams.groups import reading
from rmq.streams.groups import worker as worker_module
from rmq.streams.producing.aggregation import UserRecord, aggregated
from rmq.streams.shard import hash_key
from tests.colours import until
from tests.streams.groups.consuming import Handler, checkpointed, put

# --- where a group starts ---


async def test_a_group_reads_everything_from_the_trim_horizon_on(stream, consume, handler):
    await put(stream, "a-1", "b-1", "a-2")
    await consume()
    await put(stream, "a-3")
    await handler.reach(4)
    assert handler.texts == ["a-1", "b-1", "a-2", "a-3"]


async def test_a_group_that_starts_at_the_latest_gets_what_is_put_from_then_on(
    stream, consume, handler
):
    await put(stream, "a-1")
    worker = await consume(start="LATEST")
    await until(lambda: worker.shards)
    await put(stream, "a-2")
    await handler.reach(1)
    assert handler.texts == ["a-2"]


async def test_latest_counts_from_when_the_group_was_made(stream, consume, handler):
    """What is put while no worker runs is not lost."""
    worker = await consume(start="LATEST")
    await until(lambda: worker.shards)
    await worker.__aexit__(None, None, None)
    await put(stream, "a-1")
    await consume(start="LATEST")
    await handler.reach(1)
    assert handler.texts == ["a-1"]


async def test_a_group_can_start_at_a_moment(stream, consume, handler, clock):
    await put(stream, "a-1")
    clock.move(60)
    moment = clock.now()
    await put(stream, "a-2")
    await consume(start=moment)
    await handler.reach(1)
    assert handler.texts == ["a-2"]


async def test_a_group_goes_on_where_it_was_whatever_start_says(stream, consume, handler):
    await put(stream, "a-1", "a-2")
    worker = await consume()
    await handler.reach(2)
    await worker.__aexit__(None, None, None)
    await put(stream, "a-3")
    await consume(start="TRIM_HORIZON")
    await handler.reach(3)
    assert handler.texts == ["a-1", "a-2", "a-3"]


async def test_no_group_starts_at_a_moment_to_come(stream, handler, clock):
    """What is put until then would be left out."""
    worker = stream.consumer("billing", handler, start=clock.now() + timedelta(seconds=1))
    with pytest.raises(InvalidParameter, match="start"):
        await worker.run()


async def test_groups_do_not_know_of_each_other(stream, consume, handler):
    await put(stream, "a-1")
    await consume()
    other = Handler()
    async with stream.consumer("shipping", other, start="TRIM_HORIZON"):
        await other.reach(1)
        await handler.reach(1)
    assert (await stream.groups()).names == ("billing", "shipping")
    assert (await stream.groups("s")).names == ("shipping",)
    assert (await stream.groups(limit=1)).next_token == "billing"
    assert (await stream.groups(limit=1, token="billing")).names == ("shipping",)


async def test_all_shards_are_read(client, consume):
    wide = await client.create_stream("wide", 4)
    handler = Handler()
    await consume(handler, of=wide)
    await put(wide, *(f"k{n % 40}-{n}" for n in range(400)))
    await handler.reach(400)
    for key, texts in handler.by_key().items():
        assert texts == [f"{key}-{n}" for n in range(400) if f"k{n % 40}" == key]


# --- handlers ---


async def test_a_plain_function_runs_in_a_thread(stream, consume):
    threads = []
    await consume(lambda record: threads.append(threading.current_thread().name))
    await put(stream, "a-1")
    await until(lambda: threads)
    assert threads[0].startswith("rmq-consumer")


async def test_a_batch_handler_gets_what_is_there(stream, consume):
    batches = []

    async def handle(records):
        batches.append([one.data.decode() for one in records])

    await put(stream, *(f"a-{n}" for n in range(7)))
    await consume(handle, batch_size=3)
    await until(lambda: sum(map(len, batches)) == 7)
    assert batches == [["a-0", "a-1", "a-2"], ["a-3", "a-4", "a-5"], ["a-6"]]


async def test_keys_are_handled_at_the_same_time_and_each_in_order(stream, consume):
    running, most, done = set(), [], []

    async def handle(record):
        key = record.partition_key
        assert key not in running
        running.add(key)
        most.append(len(running))
        await asyncio.sleep(0)
        running.discard(key)
        done.append(record.data.decode())

    await put(stream, *(f"k{n % 5}-{n:02}" for n in range(50)))
    await consume(handle, concurrency=3)
    await until(lambda: len(done) == 50)
    assert max(most) == 3
    for key in range(5):
        mine = [text for text in done if text.startswith(f"k{key}-")]
        assert mine == sorted(mine)


async def test_one_key_that_hangs_holds_up_no_other(stream, consume):
    gate, done = asyncio.Event(), []

    async def handle(record):
        if record.partition_key == "slow":
            await gate.wait()
        done.append(record.data.decode())

    await put(stream, "slow-1", "slow-2", "a-1", "b-1")
    await consume(handle, concurrency=2, checkpoint="record")
    await until(lambda: len(done) == 2)
    assert done == ["a-1", "b-1"]
    assert await checkpointed(stream) == [None], "it does not pass what is not done"
    gate.set()
    await until(lambda: len(done) == 4)


async def test_no_more_is_read_than_can_be_handled(stream, consume):
    """A slow handler does not fill the memory, and what waits is handled all the same."""
    gate, done = asyncio.Event(), []

    async def handle(record):
        await gate.wait()
        done.append(record.data.decode())

    await put(stream, *(f"a-{n:03}" for n in range(100)))
    worker = await consume(handle, read_limit=5)
    await until(lambda: worker._readings and worker._readings[0]._is_full)
    assert worker._readings[0]._order.ahead <= 15
    gate.set()
    await until(lambda: len(done) == 100)
    assert done == sorted(done)


async def test_nor_while_too_much_is_done_behind_one_that_is_not(stream, consume, monkeypatch):
    monkeypatch.setattr(reading, "MOST_AHEAD", 20)
    gate, done = asyncio.Event(), []

    async def handle(record):
        if record.partition_key == "slow":
            await gate.wait()
        done.append(record.data.decode())

    await put(stream, "slow-1", *(f"k{n}-1" for n in range(60)))
    worker = await consume(handle, read_limit=5, concurrency=2)
    await until(lambda: worker._readings and worker._readings[0]._is_full)
    await until(lambda: 0 < len(done) == worker._readings[0]._order.ahead - 1)
    assert len(done) < 40
    gate.set()
    await until(lambda: len(done) == 61)


async def test_the_lease_comes_with_the_record_if_the_handler_wants_it(stream, consume):
    leases = []

    async def handle(record, lease):
        leases.append(lease)

    await put(stream, "a-1")
    await consume(handle)
    await until(lambda: leases)
    assert leases[0].shard_id == "shardId-000000000000"
    assert leases[0].group == "positions/billing"
    assert leases[0].token > 0
    assert not leases[0].is_lost


# --- checkpoints ---


async def test_a_checkpoint_is_noted_when_a_read_is_done(stream, consume, handler):
    await put(stream, "a-1", "a-2")
    await consume(lease=60)
    await handler.reach(2)
    wanted = handler.records[-1].sequence_number
    await until(lambda: _is(checkpointed(stream), [wanted]))


async def test_and_after_each_record_where_that_is_wanted(stream, consume):
    gate, seen = asyncio.Event(), []

    async def handle(record):
        seen.append(record)
        if len(seen) == 2:
            await gate.wait()

    await put(stream, "a-1", "a-2")
    await consume(handle, checkpoint="record", lease=60)
    await until(lambda: len(seen) == 2)
    await until(lambda: _is(checkpointed(stream), [seen[0].sequence_number]))
    gate.set()


async def test_a_read_that_takes_long_is_noted_with_the_heartbeat(stream, consume):
    gate, seen = asyncio.Event(), []

    async def handle(record):
        seen.append(record)
        if len(seen) == 2:
            await gate.wait()

    await put(stream, "a-1", "a-2")
    await consume(handle, checkpoint="batch")
    await until(lambda: len(seen) == 2)
    await until(lambda: _is(checkpointed(stream), [seen[0].sequence_number]))
    gate.set()


async def test_by_hand_only_what_the_handler_says_is_noted(stream, consume):
    seen = []

    async def handle(records, lease):
        seen.extend(records)
        if len(seen) == 3:
            await lease.checkpoint(records[1])

    await put(stream, "a-1", "a-2", "a-3")
    worker = await consume(handle, checkpoint="manual", batch_size=10)
    await until(lambda: len(seen) == 3)
    await worker.__aexit__(None, None, None)
    assert await checkpointed(stream) == [seen[1].sequence_number]
    await consume(handle, checkpoint="manual", batch_size=10)
    await until(lambda: len(seen) == 4)
    assert [one.data for one in seen] == [b"a-1", b"a-2", b"a-3", b"a-3"]


async def test_by_hand_from_a_thread_too(stream, consume):
    seen = []

    def handle(record, lease):
        lease.checkpoint(record)
        seen.append(record.sequence_number)

    await put(stream, "a-1")
    await consume(handle, checkpoint="manual")
    await until(lambda: seen)
    assert await checkpointed(stream) == seen


async def test_by_hand_it_does_not_go_back_nor_to_what_was_not_given(stream, consume):
    refused, seen = [], []

    async def handle(records, lease):
        seen.extend(records)
        if len(seen) < 4:
            return
        await lease.checkpoint(records[0])
        await lease.checkpoint(records[0])
        await lease.checkpoint(records[1])
        for wrong in (records[0], seen[0], "a-1", None):
            try:
                await lease.checkpoint(wrong)
            except InvalidParameter as error:
                refused.append(error.field)

    await put(stream, *(f"a-{n}" for n in range(4)))
    await consume(handle, checkpoint="manual", batch_size=2)
    await until(lambda: len(refused) == 4)
    assert refused == ["record"] * 4


async def test_by_hand_who_lost_the_lease_is_told_so(stream, consume):
    gate, lost = asyncio.Event(), []

    async def handle(record, lease):
        if lost:
            return
        await gate.wait()
        try:
            await lease.checkpoint(record)
        except LeaseLost as error:
            lost.append((error.group, error.shard_id, lease.is_lost))

    await put(stream, "a-1")
    worker = await consume(handle, checkpoint="manual", lease=60)
    await until(lambda: worker._readings and worker._readings[0]._given)
    await stream.reset_group("billing", "TRIM_HORIZON")
    gate.set()
    await until(lambda: lost)
    assert lost == [("positions/billing", "shardId-000000000000", True)]


async def test_who_makes_none_by_hand_is_told_so(stream, consume):
    refused = []

    async def handle(record, lease):
        try:
            await lease.checkpoint(record)
        except InvalidParameter as error:
            refused.append(error.field)

    await put(stream, "a-1")
    await consume(handle)
    await until(lambda: refused == ["checkpoint"])


# --- aggregated records ---


def packed(*texts):
    return aggregated([UserRecord(one.partition("-")[0], one.encode()) for one in texts])


async def test_what_a_producer_packed_comes_one_by_one(stream, consume, handler):
    await stream.put(packed("a-1", "b-1", "a-2"), "any")
    await stream.put("c-1", "c")
    await consume()
    await handler.reach(4)
    assert handler.texts == ["a-1", "b-1", "a-2", "c-1"]
    assert [one.sub_sequence_number for one in handler.records] == [0, 1, 2, 0]
    assert [one.partition_key for one in handler.records] == ["a", "b", "a", "c"]
    assert len({one.sequence_number for one in handler.records}) == 2


async def test_a_checkpoint_may_lie_between_two_of_them(stream, consume, handler):
    gate, seen = asyncio.Event(), []

    async def handle(record):
        seen.append(record)
        if len(seen) == 3:
            await gate.wait()

    await stream.put(packed("a-1", "a-2", "a-3", "a-4"), "any")
    worker = await consume(handle, checkpoint="record", grace=0)
    await until(lambda: len(seen) == 3)
    await worker.stop()
    (lease,) = (await stream.group_info("billing")).leases
    assert (lease.sequence_number, lease.sub_sequence_number) == (seen[1].sequence_number, 1)
    assert lease.lag.records == 1
    await consume()
    await handler.reach(2)
    assert handler.texts == ["a-3", "a-4"]

    async def checkpoint():
        (lease,) = (await stream.group_info("billing")).leases
        return lease.sequence_number, lease.sub_sequence_number

    await until(lambda: _is(checkpoint(), (seen[0].sequence_number, None)))


async def test_what_belongs_to_another_shard_is_left_out(stream, consume, handler):
    """It was packed before a reshard; its producer puts it again."""
    low, high = await stream.split("shardId-000000000000")
    texts = [f"k{n}-1" for n in range(20)]
    kept = [
        one
        for one in texts
        if int.from_bytes(hash_key(one[:-2].encode()), "big") < high.starting_hash_key
    ]
    assert 0 < len(kept) < 20
    await stream.put(packed(*texts), "any", explicit_hash_key=0)
    await stream.put("last-1", "last", explicit_hash_key=0)
    await consume()
    await handler.reach(len(kept) + 1)
    assert handler.texts == [*kept, "last-1"]
    assert low.number == handler.records[0].shard


async def test_by_hand_what_is_left_out_notes_nothing_that_was_not_said(stream, consume):
    """All that was packed belongs to another shard; what was handled before it stays open."""
    await stream.split("shardId-000000000000")
    seen = []

    async def handle(record, lease):
        seen.append(record)

    worker = await consume(handle, checkpoint="manual")
    await stream.put("a-1", "a", explicit_hash_key=0)
    await until(lambda: seen)
    strays = [f"k{n}-1" for n in range(20) if hash_key(f"k{n}".encode()) >= b"\x80"]
    put = await stream.put(packed(*strays), "any", explicit_hash_key=0)
    await until(lambda: worker._readings[1].position > put.position)
    await worker.stop()
    lease = (await stream.group_info("billing")).leases[1]
    assert (lease.shard_id, lease.sequence_number) == (seen[0].shard_id, None)


# --- stopping ---


async def test_who_stops_finishes_what_is_in_hand_and_frees_its_shards(stream, consume):
    gate, seen = asyncio.Event(), []

    async def handle(record):
        seen.append(record)
        await gate.wait()

    await put(stream, "a-1", "a-2")
    worker = await consume(handle)
    await until(lambda: seen)
    stopping = asyncio.create_task(worker.stop())
    await until(lambda: worker.shards == [])
    assert not stopping.done()
    gate.set()
    await stopping
    assert len(seen) == 1, "nothing new is begun"
    info = await stream.group_info("billing")
    assert info.workers == ()
    assert (info.leases[0].owner, info.leases[0].sequence_number) == (
        None,
        seen[0].sequence_number,
    )


async def test_what_does_not_finish_in_time_is_broken_off_and_done_by_the_next(
    stream, consume, handler
):
    started = asyncio.Event()

    async def hang(record):
        started.set()
        await asyncio.Event().wait()

    await put(stream, "a-1")
    worker = await consume(hang, grace=0)
    await started.wait()
    await worker.stop()
    await consume()
    await handler.reach(1)


async def test_a_worker_can_run_again(stream, handler):
    worker = stream.consumer("billing", handler, start="TRIM_HORIZON")
    for count in (1, 2):
        async with worker:
            await put(stream, f"a-{count}")
            await handler.reach(count)
    assert worker.handled == 2


async def test_a_worker_that_runs_is_not_started_twice(stream, consume):
    worker = await consume()
    await until(lambda: worker.shards)
    with pytest.raises(ConfigurationError, match="runs already"):
        await worker.run()


async def test_a_worker_that_is_cancelled_lets_go_at_once(stream, consume, handler):
    worker = stream.consumer("billing", handler, start="TRIM_HORIZON")
    task = asyncio.create_task(worker.run())
    await until(lambda: worker.shards)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (await stream.group_info("billing")).workers == ()


# --- what is not there ---


async def test_a_stream_that_is_not_there_ends_the_worker(client, handler):
    with pytest.raises(StreamDoesNotExist):
        await client.stream("nothing").consumer("billing", handler).run()


async def test_a_stream_that_is_deleted_ends_it_too(client, stream, consume):
    worker = await consume()
    await until(lambda: worker.shards)
    await client.delete_stream(stream.name)
    await until(lambda: worker._task.done())
    with pytest.raises(StreamDoesNotExist):
        await worker.__aexit__(None, None, None)


async def test_a_stream_that_is_made_anew_is_read_from_its_beginning(
    stream, consume, handler, backend, namespace, clock
):
    """Nothing of it was done yet, whatever was done of the one before."""
    await put(stream, "a-1")
    await consume()
    await handler.reach(1)
    # In one breath: the worker has no time to see that it is away.
    with rmq.connect(backend.url, namespace=namespace, clock=clock) as other:
        other.delete_stream(stream.name)
        other.create_stream(stream.name).put("b-1", "b")
    await until(lambda: "b-1" in handler.texts)
    await until(lambda: _is(stream.groups(), Page(("billing",), None)))


@pytest.mark.parametrize("is_made_anew", [False, True])
async def test_that_is_so_at_any_moment_of_a_heartbeat(
    stream, consume, handler, backend, namespace, clock, is_made_anew
):
    """It goes, with its groups, when the worker has looked and its heartbeat is on the way."""
    await put(stream, "a-1")
    worker = await consume()
    await handler.reach(1)
    beat, is_over = worker._beat, False

    async def late(most):
        nonlocal is_over
        if not is_over:
            is_over = True
            with rmq.connect(backend.url, namespace=namespace, clock=clock) as other:
                other.delete_stream(stream.name)
                if is_made_anew:
                    other.create_stream(stream.name).put("b-1", "b")
        return await beat(most)

    worker._beat = late
    if is_made_anew:
        await until(lambda: "b-1" in handler.texts)
        return
    await until(lambda: worker._task.done())
    with pytest.raises(StreamDoesNotExist):
        await worker.__aexit__(None, None, None)


async def test_trouble_while_it_is_joined_anew_is_waited_out(
    stream, consume, handler, backend, namespace, clock, monkeypatch
):
    await put(stream, "a-1")
    await consume()
    await handler.reach(1)
    join, tries = worker_module.joining.join, []

    def troubled(*args):
        tries.append(args)
        if len(tries) == 1:
            raise ConnectionLost("away")
        return (yield from join(*args))

    monkeypatch.setattr(worker_module.joining, "join", troubled)
    with rmq.connect(backend.url, namespace=namespace, clock=clock) as other:
        other.delete_stream(stream.name)
        other.create_stream(stream.name).put("b-1", "b")
    await until(lambda: "b-1" in handler.texts)


async def test_a_stream_takes_its_groups_with_it(client, stream, consume, handler):
    await put(stream, "a-1")
    worker = await consume()
    await handler.reach(1)
    await worker.__aexit__(None, None, None)
    await client.delete_stream(stream.name)
    assert (await stream.groups()).names == ()
    again = await client.create_stream(stream.name)
    with pytest.raises(GroupDoesNotExist):
        await again.group_info("billing")


async def test_a_group_that_is_deleted_ends_its_workers(stream, consume):
    worker = await consume()
    await until(lambda: worker.shards)
    assert await stream.delete_group("billing", force=True)
    await until(lambda: worker._task.done())
    with pytest.raises(GroupDoesNotExist):
        await worker.__aexit__(None, None, None)


async def test_a_dead_letter_queue_that_is_not_there_is_told_before_anything_is_read(
    stream, handler
):
    await put(stream, "a-1")
    worker = stream.consumer("billing", handler, dead_letter_queue="none")
    with pytest.raises(QueueDoesNotExist):
        await worker.run()
    assert (await stream.groups()).names == ()


# --- what is refused ---


@pytest.mark.parametrize(
    ("options", "field"),
    [
        ({"start": "BEGINNING"}, "start"),
        ({"start": 5}, "start"),
        ({"batch_size": 0}, "batch_size"),
        ({"batch_size": 10_001}, "batch_size"),
        ({"concurrency": 0}, "concurrency"),
        ({"concurrency": 1.5}, "concurrency"),
        ({"checkpoint": "never"}, "checkpoint"),
        ({"checkpoint": "manual", "concurrency": 2}, "concurrency"),
        ({"checkpoint": "manual"}, "handler"),
        ({"lease": 0.01}, "lease"),
        ({"lease": timedelta(hours=2)}, "lease"),
        ({"attempts": 0}, "attempts"),
        ({"retry_after": -1}, "retry_after"),
        ({"retry_after_most": "1"}, "retry_after_most"),
        ({"on_failure": "ignore"}, "on_failure"),
        ({"max_shards": 0}, "max_shards"),
        ({"alarm_after": timedelta(days=2)}, "alarm_after"),
        ({"grace": -1}, "grace"),
        ({"read_limit": 0}, "read_limit"),
        ({"worker": "with space"}, "worker"),
        ({"worker": ""}, "worker"),
        ({"worker": "x" * 65}, "worker"),
        ({"colour": "red"}, "option"),
        ({"dead_letter_queue": "no name!"}, "queue name"),
    ],
)
def test_an_option_out_of_its_limits_is_refused(options, field):
    client = rmq.connect_async("memory://")
    with pytest.raises(InvalidParameter) as refused:
        client.stream("orders").consumer("billing", Handler(), **options)
    assert refused.value.field == field


@pytest.mark.parametrize(
    "handler", [None, "print", lambda: None, lambda *, lease: None, lambda a, b, c: None]
)
def test_what_is_no_handler_is_refused(handler):
    with pytest.raises(InvalidParameter, match="handler"):
        rmq.connect_async("memory://").stream("orders").consumer("billing", handler)


@pytest.mark.parametrize("handler", [print, [].append, lambda *all: None, lambda r=None: None])
def test_what_can_be_called_with_a_record_is_a_handler(handler):
    assert rmq.connect_async("memory://").stream("orders").consumer("billing", handler)


@pytest.mark.parametrize("name", ["", "a/b", "a b", "ü", "x" * 129, None])
async def test_what_is_no_group_name_is_refused_everywhere(name):
    stream = rmq.connect_async("memory://").stream("orders")
    with pytest.raises(InvalidParameter, match="group"):
        stream.consumer(name, Handler())
    for ask in (
        stream.group_info(name),
        stream.reset_group(name, "LATEST"),
        stream.delete_group(name),
    ):
        with pytest.raises(InvalidParameter, match="group"):
            await ask


async def test_what_is_asked_of_a_group_that_is_not_there_is_refused(stream):
    with pytest.raises(GroupDoesNotExist, match="positions/none"):
        await stream.group_info("none")
    with pytest.raises(GroupDoesNotExist):
        await stream.reset_group("none", "LATEST")
    with pytest.raises(InvalidParameter, match="start"):
        await stream.reset_group("none", "YESTERDAY")
    assert await stream.delete_group("none") is False


async def _is(found, wanted):
    try:
        return await found == wanted
    except RmqError:
        return False
