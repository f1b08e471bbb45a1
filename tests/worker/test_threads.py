"""Plain functions in threads: one row of jobs, and a loop that is woken once for all that ended."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rmq.worker import Context, Middleware, threads
from rmq.worker.blackbox import BUFFERED, DONE, FAILING, RUNNING, BlackBox
from rmq.worker.callee import Callee
from rmq.worker.consuming.held import Held
from rmq.worker.policy import Policy
from rmq.worker.threads import Job, Threads
from rmq.worker.verdicts import TimeLimitExceeded
from tests.colours import PATIENCE
from tests.worker.conftest import at_work, until


class Row:
    """Threads, and what was heard of their jobs."""

    def __init__(self, most: int, box: BlackBox | None = None) -> None:
        self.threads = Threads(most, box)
        self.heard: list[Job] = []

    def job(self, function: Callable[..., Any], *args: Any, timeout: float | None = None) -> Job:
        made = Callee(
            name=function.__name__,
            function=function,
            mode="thread",
            policy=Policy(),
            timeout=timeout,
        )
        held: Any = Held(None, 0.0)  # type: ignore[arg-type]
        return Job(held, made, args, {}, self.heard.append)

    def put(self, function: Callable[..., Any], *args: Any, timeout: float | None = None) -> Job:
        job = self.job(function, *args, timeout=timeout)
        self.threads.put([job])
        return job

    async def all(self, count: int) -> None:
        await until(lambda: len(self.heard) == count, PATIENCE)


@pytest.fixture
def rows() -> Iterator[Callable[..., Row]]:
    made: list[Row] = []

    def make(most: int, box: BlackBox | None = None) -> Row:
        made.append(Row(most, box))
        return made[-1]

    yield make
    for one in made:
        one.threads.close()


async def test_the_loop_is_woken_once_for_all_that_ended_since_it_looked(rows, monkeypatch):
    row, told, last = rows(1), [], threading.Event()
    tell = row.threads._in_loop
    monkeypatch.setattr(row.threads, "_in_loop", lambda work: told.append(work) or tell(work))
    row.threads.put([row.job(int) for _ in range(100)] + [row.job(last.set)])
    assert last.wait(PATIENCE)  # the loop does not run meanwhile
    await row.all(101)
    assert len(told) <= 2  # the last one's end may come after we looked


async def test_jobs_that_wait_for_each_other_have_a_thread_each(rows):
    row, together = rows(20), threading.Barrier(20, timeout=PATIENCE)
    row.threads.put([row.job(together.wait) for _ in range(20)])
    await row.all(20)
    assert [one.error for one in row.heard] == [None] * 20


async def test_every_job_is_heard_of_however_they_come(rows):
    row, count = rows(4), 0
    for size in [1, 2, 50, 3, 200, 1, 1, 7] * 12:
        row.threads.put([row.job(int, str(number)) for number in range(size)])
        count += size
        if size != 50:
            await asyncio.sleep(0)
    await row.all(count)
    assert row.threads._count <= 4


async def test_what_a_function_sets_is_not_seen_by_the_next_one_in_its_thread(rows):
    row, mark = rows(1), contextvars.ContextVar("mark", default="none")
    row.put(mark.set, "one")
    row.put(mark.get)
    await row.all(2)
    assert row.heard[1].result == "none"


async def test_a_time_limit_begins_when_the_function_does(rows):
    row, release = rows(1), threading.Event()
    row.put(release.wait, PATIENCE)

    def for_ever() -> None:
        while True:
            pass

    job = row.put(for_ever, timeout=0.02)
    first = job.timer
    await until(lambda: job.timer is not first, PATIENCE)
    assert not job.is_begun
    assert not row.heard
    release.set()
    await row.all(2)
    assert isinstance(job.error, TimeLimitExceeded)
    assert "for_ever took longer than 0.02 s" in str(job.error)
    row.put(int)
    await row.all(3)
    assert row.heard[2].error is None  # nothing is left behind in the thread


async def test_more_time_for_a_function_moves_the_end_of_its_thread(app):
    release, begun = threading.Event(), threading.Event()

    @app.handler("orders", timeout=60)
    def on_order(body: bytes, context: Context) -> None:
        context.wait(context.extend(3600))
        begun.set()
        release.wait(PATIENCE)

    async with at_work(app) as worker:
        await app.client.queue("orders").send("1")
        await until(begun.is_set, PATIENCE)
        (job,) = worker.consumers[0]._way._plain._jobs
        job._look(asyncio.get_running_loop())
        assert job.timer.when() - asyncio.get_running_loop().time() > 3000
        release.set()
        await until(lambda: worker.consumers[0].tally.handled == 1, PATIENCE)


async def test_who_is_cancelled_takes_his_job_along(rows):
    row, release, runs = rows(1), threading.Event(), []
    row.put(release.wait, PATIENCE)
    await until(lambda: not row.threads._waiting, PATIENCE)
    job = row.job(runs.append, 1)
    calling = asyncio.create_task(row.threads.call(job.held, job.callee, job.args, {}))
    await until(lambda: row.threads._waiting, PATIENCE)
    calling.cancel()
    await asyncio.wait([calling])
    release.set()
    row.put(int)
    await row.all(2)
    assert runs == []


async def test_a_row_that_is_recalled_keeps_what_somebody_waits_for(rows):
    row, release = rows(1), threading.Event()
    row.put(release.wait, PATIENCE)
    await until(lambda: not row.threads._waiting, PATIENCE)
    alone = row.put(int)
    calling = asyncio.create_task(row.threads.call(alone.held, alone.callee, ("7",), {}))
    await until(lambda: len(row.threads._waiting) == 2, PATIENCE)
    row.threads.recall()
    assert row.heard == [alone]
    assert not alone.is_begun
    release.set()
    assert await calling == 7


async def test_the_black_box_knows_what_ended_before_the_loop_does(rows):
    box = BlackBox.made(["orders"], 3)
    row, seen, last = rows(1, box), [], threading.Event()

    def states() -> list[int]:
        return [box._map[box._states_at + slot] for slot in range(3)]

    def good() -> None:
        seen.append(states())

    def look() -> None:
        seen.append(states())
        last.set()

    jobs = [row.job(good), row.job(int, "no number"), row.job(look)]
    for slot, job in enumerate(jobs):
        job.held.slot = slot
        box.mark(slot, BUFFERED)
    row.threads.put(jobs)
    assert last.wait(PATIENCE)
    assert seen == [[RUNNING, BUFFERED, BUFFERED], [DONE, FAILING, RUNNING]]
    await row.all(3)
    row.threads.close()
    box.close()


async def test_a_function_with_middleware_may_raise_even_stop_iteration(app, work):
    """A future can not hold that one, and its handler would never end."""

    class Nothing(Middleware):
        def before(self, context: Context) -> None: ...

    app.middleware.append(Nothing())

    @app.handler("orders", retries=0)
    def on_order(body: bytes) -> None:
        next(iter(()))

    async with work:
        await app.client.queue("orders").send("1")
        (ran,) = await work.run()
    assert ran.outcome == "failed"


async def test_what_no_thread_has_begun_is_buffered_and_goes_back_at_a_stop(app):
    release, begun = threading.Event(), []

    @app.handler("orders", concurrency=3)
    def on_order(body: bytes) -> None:
        begun.append(body)
        release.wait(PATIENCE)

    await app.make_queues()
    queue = app.client.queue("orders")
    async with app.worker() as worker:
        worker.threads._most = 1
        await worker.start()
        (consumer,) = worker.consumers
        await queue.send_many(["1", "2", "3", "4"])
        await until(lambda: begun and len(consumer.hand) == 3, PATIENCE)
        assert (consumer.running, consumer.hand.buffered) == (1, 2)
        worker.stop()
        await until(lambda: consumer.tally.returned == 2, PATIENCE)
        release.set()
    assert len(begun) == 1
    assert consumer.tally.handled == 1
    found = await queue.stats()
    assert (found.visible, found.in_flight) == (3, 0)


async def test_an_end_that_nobody_waited_for_changes_nothing(app):
    release, begun = threading.Event(), threading.Event()

    @app.handler("orders")
    def on_order(body: bytes) -> None:
        begun.set()
        release.wait(PATIENCE)

    await app.make_queues()
    queue = app.client.queue("orders")
    async with app.worker(stop_deadline=0.01) as worker:
        await worker.start()
        await queue.send("1")
        await until(begun.is_set, PATIENCE)
        (job,) = worker.consumers[0]._way._plain._jobs
    assert (await queue.stats()).visible == 1
    release.set()
    await until(lambda: not worker.consumers[0]._way._plain._jobs, PATIENCE)
    assert job.is_begun
    assert worker.consumers[0].tally.handled == 0
    assert (await queue.stats()).visible == 1


async def test_a_job_waits_where_the_system_gives_no_thread(rows, monkeypatch):
    row, asked, start = rows(2), [], threading.Thread.start

    def refuse(thread):
        asked.append(thread)
        if len(asked) < 3:
            raise RuntimeError("can't start new thread")
        start(thread)

    monkeypatch.setattr(threads, "AGAIN_S", 0.001)
    monkeypatch.setattr(threading.Thread, "start", refuse)
    job = row.put(int, "7")

    await row.all(1)

    assert job.result == 7
    assert len(asked) == 3


@pytest.mark.parametrize("fails", [False, True])
async def test_a_coroutine_that_a_function_returned_is_run_before_its_message_is_done(app, fails):
    ran, release = [], asyncio.Event()

    async def late(body: bytes) -> None:
        await release.wait()
        ran.append(body)
        if fails:
            raise ValueError("no good")

    @app.handler("orders", retries=0, timeout=PATIENCE)
    def on_order(body: bytes) -> Any:
        return late(body)

    await app.make_queues()
    queue = app.client.queue("orders")
    async with at_work(app) as worker:
        (consumer,) = worker.consumers
        await queue.send("1")
        await until(lambda: consumer.running, PATIENCE)
        await until(lambda: not consumer._way._plain._jobs, PATIENCE)
        assert (await queue.stats()).in_flight == 1
        release.set()
        await until(lambda: not consumer.hand, PATIENCE)
    assert ran == [b"1"]
    assert (consumer.tally.handled, consumer.tally.failed) == (1 - fails, int(fails))
