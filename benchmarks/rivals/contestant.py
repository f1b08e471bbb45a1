"""Contestant: one task library at work on no-op jobs of 100 bytes, in a process of its own.

    python contestant.py NAME URL throughput|latency|memory COUNT

Needs nothing of this project but for the names that begin with rmq, so that it runs in any
library's own environment. Each is set up as its documentation says it is fastest, in one process;
the comment beside it says how. Prints one JSON object.

Throughput: all jobs are queued before the worker begins; the clock runs from the first job to the
last. Latency: jobs are sent one by one at RATE, by a thread that has nothing else to do, and each
carries the moment of its sending. Memory: what Redis has more for each queued job; these are
orders, the same for everybody (see orders.py). A library that takes arguments gets the object and
writes it its own way.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import threading
import time

from orders import orders

NAME, URL, MODE, COUNT = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])
BODY = "x" * 100
RATE = 200
"""Jobs a second where latency is measured: a fraction of what any of them can do."""

seen = 0
first = 0.0
waits: list[float] = []


def did(payload: str) -> None:
    """What every job does."""
    global seen, first
    now = time.perf_counter()
    if MODE == "latency":
        waits.append(time.time() - float(payload[:20]))
    if not seen:
        first = now
    seen += 1
    if seen == COUNT:
        end(now)


def end(now: float) -> None:
    if MODE == "throughput":
        say(per_second=(COUNT - 1) / (now - first))
    waits.sort()
    say(p50_ms=waits[len(waits) // 2] * 1000, p99_ms=waits[int(len(waits) * 0.99)] * 1000)


def say(**found: float) -> None:
    print(json.dumps(found), file=sys.__stdout__, flush=True)  # Celery has another one
    os._exit(0)


PAYLOADS = list(map(json.loads, orders(COUNT))) if MODE == "memory" else [BODY] * COUNT


def stamped() -> str:
    return f"{time.time():020.6f}".ljust(100, "x")


def paced(send) -> None:  # type: ignore[no-untyped-def]
    """Send at RATE, from a thread."""

    def work() -> None:
        time.sleep(1.0)
        begun = time.perf_counter()
        for number in range(COUNT):
            time.sleep(max(begun + number / RATE - time.perf_counter(), 0))
            send(stamped())

    threading.Thread(target=work, daemon=True).start()


def used() -> int:
    import redis

    info = redis.Redis.from_url(URL).info("memory")
    return int(info["used_memory"])


def queued(send_one, send_all) -> None:  # type: ignore[no-untyped-def]
    """Say what the jobs take while they wait, if that is what was asked. One is sent before: what a
    server keeps of scripts and connections is not the jobs'."""
    if MODE == "memory":
        send_one()
    before = used()
    send_all()
    if MODE == "memory":
        say(bytes_each=(used() - before) / COUNT)


def in_loop(loop, coroutine) -> None:  # type: ignore[no-untyped-def]
    asyncio.run_coroutine_threadsafe(coroutine, loop).result()


def arq() -> None:
    """uvloop, 100 jobs at a time (max_jobs), no results kept, polled as often as it allows without
    a busy loop (poll_delay 10 ms, documented default 500)."""
    import uvloop
    from arq import create_pool
    from arq.connections import RedisSettings
    from arq.worker import Worker

    uvloop.install()
    settings = RedisSettings.from_dsn(URL)

    async def job(ctx, payload):  # type: ignore[no-untyped-def]
        did(payload)

    async def work() -> None:
        pool = await create_pool(settings)
        if MODE == "latency":
            loop = asyncio.get_running_loop()
            paced(lambda body: in_loop(loop, pool.enqueue_job("job", body)))
        else:
            if MODE == "memory":
                await pool.enqueue_job("job", PAYLOADS[0])
            before = used()
            for start in range(0, COUNT, 100):
                await asyncio.gather(
                    *(pool.enqueue_job("job", one) for one in PAYLOADS[start : start + 100])
                )
            if MODE == "memory":
                say(bytes_each=(used() - before) / COUNT)
        worker = Worker(
            [_named(job)],
            redis_settings=settings,
            max_jobs=100,
            poll_delay=0.01,
            keep_result=0,
            handle_signals=False,
        )
        await worker.async_run()

    asyncio.run(work())


def _named(job):  # type: ignore[no-untyped-def]
    from arq.worker import func

    return func(job, name="job", keep_result=0)


def dramatiq() -> None:
    """8 threads (its default), a prefetch of 1,000, no middleware but what retries need."""
    os.environ["dramatiq_queue_prefetch"] = "1000"  # noqa: SIM112
    import dramatiq as library
    from dramatiq.brokers.redis import RedisBroker
    from dramatiq.middleware import Retries

    broker = RedisBroker(url=URL, middleware=[Retries()])
    library.set_broker(broker)

    @library.actor
    def job(payload: str) -> None:
        did(payload)

    if MODE == "latency":
        paced(job.send)
    else:
        queued(lambda: job.send(PAYLOADS[0]), lambda: [job.send(one) for one in PAYLOADS])
    worker = library.Worker(broker, worker_threads=8, worker_timeout=10)
    worker.start()
    time.sleep(600)


def taskiq() -> None:
    """uvloop, the list broker (its fastest), 100 tasks at a time and as many prefetched, no result
    backend."""
    import uvloop
    from taskiq.api import run_receiver_task
    from taskiq_redis import ListQueueBroker

    uvloop.install()
    broker = ListQueueBroker(URL)

    @broker.task(task_name="job")
    async def job(payload: str) -> None:
        did(payload)

    async def work() -> None:
        broker.is_worker_process = True
        await broker.startup()
        if MODE == "latency":
            loop = asyncio.get_running_loop()
            paced(lambda body: in_loop(loop, job.kiq(body)))
        else:
            if MODE == "memory":
                await job.kiq(PAYLOADS[0])
            before = used()
            for start in range(0, COUNT, 100):
                await asyncio.gather(*(job.kiq(one) for one in PAYLOADS[start : start + 100]))
            if MODE == "memory":
                say(bytes_each=(used() - before) / COUNT)
        await run_receiver_task(broker, max_async_tasks=100, max_prefetch=100)

    asyncio.run(work())


def rq() -> None:
    """SimpleWorker, which does not fork for each job; no results kept."""
    import redis
    from rq import Queue, SimpleWorker

    connection = redis.Redis.from_url(URL)
    queue = Queue(connection=connection)

    def send(body: str) -> None:
        queue.enqueue("contestant.did", body, result_ttl=0)

    if MODE == "latency":
        paced(send)
    else:
        data = [Queue.prepare_data("contestant.did", (one,), result_ttl=0) for one in PAYLOADS]
        queued(lambda: send(PAYLOADS[0]), lambda: queue.enqueue_many(data))
    import logging

    logging.disable(logging.CRITICAL)
    SimpleWorker([queue], connection=connection).work(logging_level="ERROR")


def celery() -> None:
    """The solo pool, prefetching as much as there is, no results, no gossip, mingle or
    heartbeat."""
    from celery import Celery

    app = Celery("contest", broker=URL)
    app.conf.update(
        task_ignore_result=True,
        worker_prefetch_multiplier=1000,
        worker_disable_rate_limits=True,
        task_store_errors_even_if_ignored=False,
        broker_connection_retry_on_startup=True,
    )

    @app.task(name="job")
    def job(payload: str) -> None:
        did(payload)

    if MODE == "latency":
        paced(job.delay)
    else:
        queued(lambda: job.delay(PAYLOADS[0]), lambda: [job.delay(one) for one in PAYLOADS])
    app.worker_main(
        [
            "worker",
            "--pool=solo",
            "--loglevel=ERROR",
            "--without-gossip",
            "--without-mingle",
            "--without-heartbeat",
        ]
    )


def rmq(kind: str) -> None:
    """uvloop, 500 jobs at a time, plain functions 100, in batches of 500; with -deflate behind its
    name the queue compresses."""
    import uvloop

    from rmq.worker import App, Batch

    kind, _, compression = kind.partition("-")
    compresses = {"compression": compression} if compression else {}

    async def work() -> None:
        app = App(URL, namespace="contest")
        if kind == "async":

            @app.task(queue="jobs", name="job")
            async def job(payload: str) -> None:
                did(payload)

            app.queue("jobs", concurrency=500, **compresses)
        elif kind == "threads":

            @app.task(queue="jobs", name="job")
            def job(payload: str) -> None:
                did(payload)

            app.queue("jobs", concurrency=100)
        elif kind == "handler":

            @app.handler("jobs", concurrency=500, **compresses)
            async def on_job(payload: str) -> None:
                did(payload)
        elif kind == "plain":

            @app.handler("jobs", concurrency=100)
            def on_plain(payload: str) -> None:
                did(payload)
        else:

            @app.handler("jobs", batch=Batch(500))
            async def on_jobs(payloads: list[str]) -> None:
                for one in payloads:
                    did(one)

        await app.client.wipe()
        await app.make_queues()
        queue = app.client.queue("jobs")

        async def send(body) -> None:  # type: ignore[no-untyped-def]
            if kind in ("async", "threads"):
                await job.send(body)
            else:
                await queue.send(body)

        # To a queue one sends text.
        payloads = orders(COUNT) if MODE == "memory" and kind == "handler" else PAYLOADS

        if MODE == "latency":
            loop = asyncio.get_running_loop()
            paced(lambda body: in_loop(loop, send(body)))
        else:
            if MODE == "memory":
                await send(payloads[0])
            before = used()
            for start in range(0, COUNT, 1000):
                await asyncio.gather(*(send(one) for one in payloads[start : start + 1000]))
            if MODE == "memory":
                say(bytes_each=(used() - before) / COUNT)
        async with app.worker() as worker:
            await worker.run(signals=False)

    uvloop.run(work())


if __name__ == "__main__":
    sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
    if NAME.startswith("rmq-"):
        rmq(NAME.removeprefix("rmq-"))
    else:
        # rq imports this module anew to find the job: what it counts is what counts.
        sys.modules["contestant"] = sys.modules["__main__"]
        {"arq": arq, "dramatiq": dramatiq, "taskiq": taskiq, "rq": rq, "celery": celery}[NAME]()
