"""Results, progress, cancel, unique tasks, chains and groups, with workers that run."""

from __future__ import annotations

import asyncio
from collections import Counter
from contextlib import asynccontextmanager
from datetime import timedelta
from typing import Any

import pytest

from rmq.errors import InvalidParameter, ResultTimeout, TaskCancelled, TaskFailed
from rmq.worker import App, Chain, Context, Group, Reject, Unique, groups, steps
from rmq.worker.app import LIMITS
from rmq.worker.following import Following
from rmq.worker.worker import Worker
from tests.colours import ByHand, until


@pytest.fixture
def client(connect):
    return connect(limits=LIMITS)


@pytest.fixture
def app(client):
    return App(client=client, name="app")


@asynccontextmanager
async def working(app, count=1):
    """Workers that run, and stop at the end."""
    made = [Worker(app) for _ in range(count)]
    for one in made:
        await one.start()
    try:
        yield made
    finally:
        for one in made:
            one.stop(now=True)
            await one.close()


def double(app, **options):
    @app.task(name="double", **options)
    async def double(value: int) -> int:
        return value * 2

    return double


async def test_a_result_is_waited_for_without_polling(app, clock):
    task = double(app, result_ttl=60)
    await app.make_queues()
    handle = await task.send(21)
    assert (await handle.status()).state == "unknown"
    waiting = [asyncio.create_task(handle.result(timeout=60)) for _ in range(3)]
    async with working(app):
        assert await asyncio.gather(*waiting) == [42, 42, 42]
    status = await handle.status()
    assert (status.state, status.result) == ("done", 42)
    clock.move(60)
    assert (await handle.status()).state == "unknown"


async def test_a_wait_that_is_too_long_says_so(app, clock):
    task = double(app, result_ttl=60)
    await app.make_queues()
    handle = await task.send(1)
    with pytest.raises(ResultTimeout, match=handle.id):
        await handle.result(timeout=0)


async def test_a_failure_is_raised_where_the_result_is_asked_for(app):
    @app.task(result_ttl=60)
    async def breaks() -> None:
        raise Reject("no such thing")

    await app.make_queues()
    handle = await breaks.send()
    async with working(app):
        with pytest.raises(TaskFailed, match="no such thing"):
            await handle.result(timeout=20)


async def test_progress_is_seen_while_it_runs(app):
    go_on = asyncio.Event()

    @app.task(result_ttl=60)
    async def long(context: Context) -> None:
        await context.progress(0.5, "half")
        await go_on.wait()

    await app.make_queues()
    handle = await long.send()
    async with working(app) as (worker,):

        async def half():
            status = await handle.status()
            return status if status.part else None

        status = await until(half)
        assert (status.state, status.part, status.text) == ("running", 0.5, "half")
        assert status.worker == worker.presence.id
        go_on.set()
        await handle.result(timeout=20)


async def test_a_task_that_is_cancelled_before_it_begins_is_not_run(app):
    ran = []

    @app.task(result_ttl=60)
    async def note(value: int) -> None:
        ran.append(value)

    await app.make_queues()
    unwanted, wanted = await note.send(1), await note.send(2)
    assert await unwanted.cancel()
    assert not await unwanted.cancel()
    async with working(app):
        await wanted.result(timeout=20)
        await until(lambda: _is_empty(app, "tasks"))
    assert ran == [2]
    with pytest.raises(TaskCancelled):
        await unwanted.result(timeout=0)


async def _is_empty(app, queue):
    return (await app.client.queue(queue).stats()).messages == 0


async def test_a_task_that_runs_is_ended_wherever_it_runs(app):
    begun, ended = asyncio.Event(), []

    @app.task(result_ttl=60)
    async def forever() -> None:
        begun.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(True)
            raise

    await app.make_queues()
    handle = await forever.send()
    async with working(app, 2):
        await begun.wait()
        assert await handle.cancel()
        with pytest.raises(TaskCancelled):
            await handle.result(timeout=20)
        await until(lambda: _is_empty(app, "tasks"))
    assert ended == [True]
    assert not await handle.cancel()


async def test_a_task_whose_message_was_not_deleted_does_not_run_again(app, client):
    ran = []

    @app.task(result_ttl=60)
    async def note() -> str:
        ran.append(1)
        return "x"

    await app.make_queues()
    call = note.options(id="7").with_()
    await call.send()
    async with working(app):
        await app.results.wait("7", 20)
        await call.send()  # as a redelivery
        await until(lambda: _is_empty(app, "tasks"))
    assert ran == [1]


async def test_a_message_that_can_not_be_read_fails_for_who_waits(app, client):
    double(app)
    await app.make_queues()
    body = '{"task": "double", "id": "7", "args": ["x", "y"], "result_ttl": 60}'
    await client.queue("tasks").send(body)
    async with working(app):
        with pytest.raises(TaskFailed, match="do not fit"):
            await app.results.wait("7", 20)


# --- unique -------------------------------------------------------------------------------------


async def test_of_calls_that_are_alike_one_is_sent_until_it_is_done(app):
    task = double(app, unique="done", result_ttl=60)
    await app.make_queues()
    first, again, other = await task.send(1), await task.send(1), await task.send(2)
    assert again.id == first.id
    assert other.id != first.id
    assert (await app.client.queue("tasks").stats()).visible == 2
    async with working(app):
        assert await again.result(timeout=20) == 2

        async def sent():
            return (await task.send(1)).id != first.id

        await until(sent)


async def test_a_program_without_asyncio_sends_unique_tasks_too(app):
    task = double(app, unique="done")
    await app.make_queues()
    first = await asyncio.to_thread(task.send_sync, 1)
    assert (await asyncio.to_thread(task.send_sync, 1)).id == first.id
    assert (await task.send(1)).id == first.id


async def test_until_it_has_started(app):
    begun, go_on = asyncio.Event(), asyncio.Event()

    @app.task(unique="started")
    async def wait() -> None:
        begun.set()
        await go_on.wait()

    await app.make_queues()
    first = await wait.send()
    assert (await wait.send()).id == first.id
    async with working(app):
        await begun.wait()
        assert (await wait.send()).id != first.id
        go_on.set()


async def test_for_a_time_however_it_ends(app, clock):
    task = double(app, unique=Unique(until="time", keep=timedelta(minutes=5)))
    await app.make_queues()
    first = await task.send(1)
    async with working(app):
        await until(lambda: _is_empty(app, "tasks"))
    assert (await task.send(1)).id == first.id
    clock.move(299)
    assert (await task.send(1)).id == first.id
    clock.move(1)
    assert (await task.send(1)).id != first.id


async def test_a_key_says_what_is_alike(app):
    unique = Unique(key=lambda value: str(value % 10))
    task = double(app, unique=unique)
    await app.make_queues()
    first = await task.send(3)
    assert (await task.send(13)).id == first.id
    assert (await task.send(4)).id != first.id


async def test_a_task_that_is_given_up_gives_its_place_back(app):
    @app.task(unique="done")
    async def breaks() -> None:
        raise Reject("no")

    await app.make_queues()
    first = await breaks.send()
    async with working(app):

        async def sent():
            return (await breaks.send()).id != first.id

        await until(sent)


async def test_a_sender_that_dies_blocks_nobody_for_long(app, client, clock):
    task = double(app, unique="done")
    await app.make_queues()
    call = task.with_(1)
    dying = ByHand(client, app._unique(client._registry, call, call.message()))
    assert await dying.step() == "worker.unique_take"
    await task.send(1)
    assert (await client.queue("tasks").stats()).visible == 0
    clock.move(30)
    await task.send(1)
    assert (await client.queue("tasks").stats()).visible == 1


# --- chains and groups --------------------------------------------------------------------------


async def test_a_chain_hands_each_result_on(app):
    task = double(app, result_ttl=60)

    @app.task(result_ttl=60, queue="others")
    async def add(value: int, more: int) -> int:
        return value + more

    await app.make_queues()
    handle = await app.chain(
        task.with_(5), add.with_(1), add.options(with_result=False).with_(2, 3), task.with_()
    )
    async with working(app):
        assert await handle.result(timeout=20) == 10


async def test_whoever_waits_for_the_end_of_a_chain_hears_that_it_broke(app):
    task = double(app, result_ttl=60)

    @app.task()
    async def breaks(value: int) -> None:
        raise Reject("no such thing")

    await app.make_queues()
    handle = await app.chain(task.with_(5), breaks.with_(), task.with_(), task.with_())
    async with working(app):
        with pytest.raises(TaskFailed, match="no such thing"):
            await handle.result(timeout=20)
    cancelled = await app.chain(task.options(id="first").with_(1), task.with_())
    await app.results.cancel("first")
    async with working(app):
        with pytest.raises(TaskCancelled):
            await cancelled.result(timeout=20)


async def test_a_group_that_nobody_knows_is_not_waited_for(app):
    with pytest.raises(ResultTimeout, match="unknown"):
        await groups.GroupHandle("6f9c", (), app).wait()


async def test_a_chain_whose_arguments_do_not_fit_is_refused_before_anything_is_sent(app):
    task = double(app)
    await app.make_queues()
    with pytest.raises(InvalidParameter, match="arguments"):
        await app.chain(task.with_(1), task.with_(2))
    assert await _is_empty(app, "tasks")


async def test_a_group_calls_back_once_with_all_results_in_order(app):
    task, called = double(app, result_ttl=60), []

    @app.task()
    async def total(values: list[int]) -> None:
        called.append(values)

    await app.make_queues()
    group = await app.group(*(task.with_(one) for one in range(20)), then=total.with_())
    async with working(app, 2):
        assert await group.wait(timeout=20) == [2 * one for one in range(20)]
        await until(lambda: called)
        await until(lambda: _is_empty(app, "tasks"))
    assert called == [[2 * one for one in range(20)]]


async def test_a_group_of_unique_calls_that_are_alike_ends(app):
    task = double(app, unique="done")
    await app.make_queues()
    group = await app.group(task.with_(1), task.with_(1))
    async with working(app):
        assert await group.wait(timeout=20) == [2, 2]


async def test_a_group_with_a_failure_calls_the_other_one(app):
    task, called = double(app), []

    @app.task()
    async def breaks() -> None:
        raise Reject("no")

    @app.task()
    async def total(values: list[int]) -> None:
        called.append(values)

    @app.task()
    async def sorry(errors: list[str | None]) -> None:
        called.append(errors)

    await app.make_queues()
    group = await app.group(task.with_(1), breaks.with_(), then=total.with_(), failed=sorry.with_())
    async with working(app):
        with pytest.raises(TaskFailed, match="no"):
            await group.wait(timeout=20)
        await until(lambda: called)
    ((first, second),) = called
    assert first is None
    assert second.endswith("Reject: no")


async def test_how_a_member_ended_first_stays_and_a_closed_group_calls_no_more(app, client):
    task, after = double(app), app.task(name="after")(_takes)
    await app.make_queues()
    group = await app.group(task.with_(1), then=after.with_())
    await client.queue("tasks").purge()
    run, member = client._executor.run, f"{group.id}:0"
    await run(steps.tell(client._registry, member, {"state": "done", "result": 2}))
    await run(steps.tell(client._registry, member, {"state": "failed", "error": "late"}))
    assert await group.wait(timeout=0) == [2]
    assert (await client.queue("tasks").stats()).visible == 1
    names = []
    repeat = ByHand(client, steps.tell(client._registry, member, {"state": "done"}))
    while (name := await repeat.step()) is not None:
        names.append(name)
    assert names == ["worker.group_end"]


@pytest.mark.parametrize("kind", ["standard", "fifo"])
async def test_what_follows_is_sent_once_wherever_the_worker_dies(app, client, kind):
    """Two groups, one behind the other, with a chain within and one behind: each task is killed
    after each of its steps, and then run again, twice, by other workers."""
    target = "after" if kind == "standard" else "after.fifo"
    task = double(app, result_ttl=60)
    names = ("next", "side", "deep", "total")
    after = [app.task(queue=target, name=name)(_takes) for name in names]
    await app.make_queues()
    most, died = 0, True
    while died:
        most, died = most + 1, False
        following, side, deep, total = (one.with_() for one in after)
        group = await app.group(
            Chain(task.with_(1), Group(following, Chain(side, Group(deep)))), then=total
        )
        seen: Counter[str] = Counter()
        for queue in ["tasks", *[target] * 4]:
            for message in await client.queue(queue).receive(10):
                said = app.intakes[queue].route(message).task
                seen[said.task] += 1
                dying = ByHand(client, _whole(client, said))
                died |= [await dying.step() for _ in range(most)][-1] is not None
                for _ in range(2):
                    await client._executor.run(_whole(client, said))
                await message.delete()
        assert seen == dict.fromkeys(["double", *names], 1), most
        assert await group.wait(timeout=0) == [[2, [2]]]
    assert most > 6


async def test_members_of_a_group_are_chains_and_its_callback_gets_what_each_end_returned(app):
    task, called = double(app), []

    @app.task(queue="others")
    async def add(value: int, more: int) -> int:
        return value + more

    @app.task()
    async def total(values: list[int]) -> None:
        called.append(values)

    await app.make_queues()
    group = await app.group(
        Chain(task.with_(1), add.with_(10)),
        task.with_(5),
        Chain(add.with_(1, 2), task.with_(), task.with_()),
        then=total.with_(),
    )
    async with working(app):
        assert await group.wait(timeout=20) == [12, 10, 12]
        await until(lambda: called)
    assert called == [[12, 10, 12]]


async def test_a_group_in_a_chain_hands_on_the_list_of_its_results(app):
    task = double(app, result_ttl=60)

    @app.task(result_ttl=60)
    async def total(values: list[Any]) -> Any:
        return values

    await app.make_queues()
    handle = await app.chain(
        task.with_(1),  # 2
        Group(task.with_(), Chain(task.with_(), Group(task.with_(), task.with_()))),  # 4, [8, 8]
        Group(total.with_(), total.options(with_result=False).with_([7])),
    )
    last = await app.chain(Group(task.with_(1), task.with_(2)), total.with_())
    async with working(app, 2):
        assert await handle.wait(timeout=20) == [[4, [8, 8]], [7]]
        assert await last.result(timeout=20) == [2, 4]


async def test_a_step_that_fails_ends_its_chain_and_tells_every_group_around_it(app):
    task, called = double(app, result_ttl=60), []

    @app.task()
    async def breaks(value: Any) -> None:
        raise Reject("no such thing")

    @app.task()
    async def sorry(errors: list[str | None]) -> None:
        called.append(errors)

    await app.make_queues()
    inner = Group(task.with_(), Chain(breaks.with_(), Group(task.with_(), task.with_())))
    group = await app.group(
        task.with_(1),
        Chain(task.with_(2), inner, task.with_(), Group(task.with_())),
        failed=sorry.with_(),
    )
    last = await app.chain(breaks.with_(1), Group(task.with_(), Chain(task.with_(), task.with_())))
    async with working(app):
        with pytest.raises(TaskFailed, match="no such thing"):
            await group.wait(timeout=20)
        await until(lambda: called)
        # Whoever waits for what never begins hears so, wherever it stands.
        (never,) = (end := group.handles[1]).handles
        for one in (end.wait, never.result, last.wait, last.handles[1].result):
            with pytest.raises(TaskFailed, match="no such thing"):
                await one(timeout=20)
        assert await until(lambda: _is_empty(app, "tasks"))
    ((first, second),) = called
    assert first is None
    assert second.endswith("Reject: no such thing")


async def test_a_group_that_was_sent_is_not_broken_off_by_a_repeat_that_fails(app, client):
    task = double(app)
    await app.make_queues()
    group = await app.chain(task.options(id="first").with_(1), Group(task.with_(), task.with_()))
    (message,) = await client.queue("tasks").receive()
    said = app.intakes["tasks"].route(message).task
    await client._executor.run(Following.of(client._registry, said, "first").done(2))
    await client._executor.run(Following.of(client._registry, said, "first").failed("again"))
    async with working(app):
        assert await group.wait(timeout=20) == [4, 4]


async def test_a_flow_that_is_wrong_is_refused_before_anything_is_sent(app):
    task = double(app)
    await app.make_queues()
    deep = task.with_(1)
    for _ in range(21):
        deep = Group(deep)
    for wrong, match in [
        (Group(Chain(task.with_(1), task.with_(2))), "arguments"),
        (Chain(Group(task.with_(1)), Group(task.options(delay=1).with_())), "delay"),
        (Chain(task.with_(), task.with_()), "arguments"),
        (deep, "nested at most 20"),
        (Group(*[Group(*[task.with_(1)] * 1000)] * 11), "at most 10000"),
    ]:
        with pytest.raises(InvalidParameter, match=match):
            await app.chain(wrong)
    for wrong in ((), (7,), (task,)):
        for kind in (Chain, Group):
            with pytest.raises(InvalidParameter, match="calls"):
                kind(*wrong)
    assert await _is_empty(app, "tasks")


async def _takes(value: Any) -> Any:
    return value


def _whole(client, said):
    following = Following.of(client._registry, said, said.id)
    if following is not None and (yield from following.begin("worker")):
        yield from following.done(2)
