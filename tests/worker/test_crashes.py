"""Crashes: what becomes of a message whose worker is lost, told apart from what fails."""

from __future__ import annotations

import asyncio
import time
from contextlib import closing
from dataclasses import dataclass
from datetime import timedelta

import msgspec
import pytest
import tenacity

from rmq.core.codec import Crash
from rmq.worker import App, Concurrency, Context, Retry, Worker, fleet, leases
from rmq.worker import trials as trial
from rmq.worker.leases import STUCK_S
from rmq.worker.processes import Processes
from tests.colours import PATIENCE
from tests.worker import jobs
from tests.worker.conftest import at_work, until


@dataclass
class Order:
    id: int


async def lose(work) -> None:  # type: ignore[no-untyped-def]
    """Let a worker receive what is due, and be lost with it."""
    (consumer,) = work._worker.consumers
    await consumer.receiver.hold(await consumer.receiver.receive(10, 0))
    consumer.hand.clear()
    consumer.slots.used = 0
    work.clock.move(31)


async def test_crashes_are_counted_apart_from_failures(app, work):
    seen = []

    @app.handler("orders", wait=tenacity.wait_fixed(1), crashes=3)
    async def on_order(order: Order, context: Context) -> None:
        seen.append((context.attempt, context.crashes))
        if len(seen) < 3:
            raise Retry

    async with work:
        await app.client.queue("orders").send('{"id": 1}')
        await lose(work)
        await work.run()
        work.clock.move(1)
        await lose(work)
        await work.run()
        work.clock.move(1)
        await work.run()
        assert (await app.client.queue("orders").stats()).messages == 0
        assert (
            await app.client._executor._link.client.exists(
                app.client._registry.keys("orders").trials
            )
            == 0
        )
    assert seen == [(1, 1), (2, 2), (3, 2)]


async def test_a_message_that_was_lost_too_often_is_a_dead_letter_with_the_evidence(app, work):
    @app.handler("orders", crashes=3)
    async def on_order(order: Order) -> None:
        raise AssertionError("it is not run any more")

    async with work:
        await app.client.queue("orders").send('{"id": 1}')
        for _ in range(3):
            await lose(work)
        (ran,) = await work.run()
        (dead,) = await work.dead_letters("orders")
        name = work._worker.name
    assert ran.outcome == "crashed"
    assert dead.failure.reason == "crashed"
    assert dead.failure.failures == 0
    # Who had it first nobody knows: most messages are received once, and cost no note of it.
    assert [(one.worker, one.what) for one in dead.failure.crashes] == [
        (name, "its lease ended")
    ] * 2


async def test_a_supervisors_word_names_the_worker_and_counts_once(app, work):
    @app.handler("orders", crashes=1)
    async def on_order(order: Order) -> None:
        raise AssertionError("it is not run any more")

    async with work:
        queue = app.client.queue("orders")
        await queue.send('{"id": 1}')
        (message,) = await queue.receive()
        crash = Crash(worker="host:7", at_ms=5, what="was killed by SIGKILL", log="last line")
        for _ in range(2):
            await app.client._executor.run(
                trial.release(
                    app.client._registry, "orders", trial.CRASHED, [(message.receipt, 0)], crash
                )
            )
        (ran,) = await work.run()
        (dead,) = await work.dead_letters("orders")
    assert ran.outcome == "crashed"
    assert dead.failure.crashes == (crash,)


async def test_what_was_with_a_lost_worker_never_runs_beside_another_of_its_kind(app):
    running, most, done = 0, 0, []

    @app.handler("orders", crashes=3)
    async def on_order(order: Order, context: Context) -> None:
        nonlocal running, most
        running += bool(context.crashes)
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= bool(context.crashes)
        done.append(context.crashes)

    await app.make_queues()
    queue = app.client.queue("orders")
    await queue.send_many([b'{"id": 1}'] * 5)
    await queue.receive(5, visibility_timeout=0)  # somebody had them, and said nothing
    await queue.send_many([b'{"id": 2}'] * 5)
    async with at_work(app):
        await until(lambda: len(done) == 10)
    assert sorted(done) == [0] * 5 + [1] * 5
    assert most == 1


async def test_a_suspect_in_a_process_of_its_own_waits_for_the_others_as_well(app, monkeypatch):
    """It would be counted again with each that kills the worker beside it."""
    running, most, done = 0, 0, []

    async def work(*_: object) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0.01)
        running -= 1
        done.append(1)

    @app.handler("orders")
    def on_order(order: Order) -> None: ...

    app.handler("alone", process=True)(jobs.alone)
    await app.make_queues()
    for name in ("orders", "alone"):
        await app.client.queue(name).send_many([b'{"id": 1}'] * 3)
        await app.client.queue(name).receive(3, visibility_timeout=0)
    async with at_work(app) as worker:
        monkeypatch.setattr(worker.processes, "call", work)
        monkeypatch.setattr(worker.threads, "call", work)
        await until(lambda: len(done) == 6)
    assert most == 1


async def test_a_process_that_is_slow_to_begin_is_not_taken_for_a_stuck_handler(app, monkeypatch):
    """Its time limit begins when it is ready, and is a kill."""
    begun, given_up = asyncio.Event(), []

    async def begin(*_: object) -> None:
        begun.set()
        await asyncio.Event().wait()

    app.handler("alone", process=True, timeout=0.001)(jobs.alone)
    await app.make_queues()
    async with app.worker(stop_deadline=0.01) as worker:
        monkeypatch.setattr(worker.processes, "call", begin)
        worker.stuck = lambda consumer, held, where: given_up.append(where)
        await worker.start()
        await app.client.queue("alone").send('{"id": 1}')
        await begun.wait()
        monkeypatch.setattr(leases, "STUCK_S", -3600)
        worker._leases.beat(all=True)
    assert given_up == []


async def test_what_is_given_back_counts_neither_as_failure_nor_as_crash(app):
    began, seen = asyncio.Event(), []

    @app.handler("orders", concurrency=2)
    async def on_order(order: Order, context: Context) -> None:
        seen.append((order.id, context.attempt, context.crashes))
        began.set()
        if len(seen) < 3:
            await asyncio.Event().wait()

    await app.make_queues()
    await app.client.queue("orders").send_many([b'{"id": 1}', b'{"id": 2}'])
    async with app.worker(stop_deadline=0.05) as worker:
        await worker.start()
        await until(lambda: len(seen) == 2)
        worker.stop()
    found = await app.client.queue("orders").stats()
    assert (found.visible, found.in_flight) == (2, 0)
    async with at_work(app):
        await until(lambda: len(seen) == 4)
    assert sorted(seen[2:]) == [(1, 1, 0), (2, 1, 0)]


async def test_a_stop_lets_finish_what_runs_and_a_second_one_gives_it_back(app):
    release, ended = asyncio.Event(), []

    @app.handler("orders")
    async def on_order(order: Order) -> None:
        if order.id == 1:
            await release.wait()
        else:
            await asyncio.Event().wait()
        ended.append(order.id)

    async with app.worker() as worker:
        running = asyncio.create_task(worker.run(signals=False))
        await until(lambda: worker.consumers and worker.consumers[0].receivers)
        queue = app.client.queue("orders")
        await queue.send_many([b'{"id": 1}', b'{"id": 2}'])
        await until(lambda: worker.consumers[0].tally.running == 2)
        worker._signalled()
        await queue.send('{"id": 3}')
        release.set()
        await until(lambda: ended == [1])
        assert not running.done()
        worker._signalled()
        await running
        found = await queue.stats()
    assert (found.visible, found.in_flight, found.deleted) == (2, 0, 1)


async def test_a_job_ten_times_longer_than_the_visibility_timeout_runs_once(
    backend, namespace, clock
):
    release, runs = asyncio.Event(), []
    app = App(backend.url, namespace=namespace, clock=clock)

    @app.handler("orders", visibility_timeout=30)
    async def on_order(order: Order) -> None:
        runs.append(order.id)
        await release.wait()

    async with app, at_work(app) as worker:
        queue = app.client.queue("orders")
        await queue.send('{"id": 1}')
        await until(lambda: runs)
        for _ in range(20):
            clock.move(15)
            assert await asyncio.to_thread(worker._leases.beat, all=True) == 1
            assert await queue.receive() == []
        release.set()
        await until(lambda: not worker.consumers[0].hand)
        assert runs == [1]
        assert (await queue.stats()).messages == 0
        await app.client.wipe()


async def test_a_handler_that_blocks_the_event_loop_keeps_all_that_it_holds(
    backend, namespace, clock, monkeypatch
):
    """Its message, its place of a limit, and its worker's place in the registry; there it is still
    seen for how long the worker has asked for nothing."""
    monkeypatch.setattr(leases, "PART", 1000)  # of 30 s: all is due every 30 ms
    app, found = App(backend.url, namespace=namespace, clock=clock), []
    shared = Concurrency("db", 1)

    @app.handler("orders", visibility_timeout=30, limits=[shared])
    async def on_order(order: Order) -> None:
        began = time.monotonic()
        for _ in range(3):
            clock.move(20)
            _block_until_renewed(worker)
        silent_s = worker.presence.beaten - began
        with closing(app.new_sync_client()) as other:
            run = other._executor.call
            (info,) = run(fleet.workers(worker.presence.keys, app.name))
            found.append(
                (
                    other.queue("orders").receive(),
                    run(shared.made(app.client)._hold(["other"])).holders,
                    info.beat_at == clock.now(),
                    (clock.now() - info.polled_at).total_seconds() >= silent_s - 0.002,
                )
            )

    async with app, at_work(app) as worker:
        await app.client.queue("orders").send('{"id": 1}')
        await until(lambda: worker.consumers[0].tally.handled == 1)
        await app.client.wipe()
    assert found == [([], (), True, True)]


def _block_until_renewed(worker: Worker) -> None:
    """Until all that is held now was renewed, from whatever thread does it."""
    since = time.monotonic()
    (held,), (places,) = worker.consumers[0].hand.values(), worker.gate.held.values()
    while min(held.extended, places.renewed, worker.presence.beaten) < since:
        assert time.monotonic() < since + PATIENCE
        time.sleep(0.001)


async def test_a_handler_that_can_not_be_interrupted_is_given_up(app):
    import threading

    begun, release, given_up = threading.Event(), threading.Event(), []

    @app.handler("orders", timeout=0.01)
    def on_order(order: Order) -> None:
        begun.set()
        release.wait(20)

    await app.make_queues()
    async with app.worker(stop_deadline=0.01) as worker:
        worker.stuck = lambda consumer, held, where: given_up.append(where)
        await worker.start()
        await app.client.queue("orders").send('{"id": 1}')
        await until(begun.is_set)
        held = list(worker.consumers[0].hand.values())
        held[0].deadline -= STUCK_S
        await until(lambda: worker._leases.beat(all=True) is not None and given_up)
        release.set()
    assert "in on_order" in given_up[0]
    assert held[0].is_lost


@pytest.mark.parametrize("backend", ["async-valkey"], indirect=True)
async def test_a_poison_in_a_process_of_its_own_harms_nobody_else(
    backend, namespace, tmp_path, monkeypatch
):
    """Each kind ends in the dead-letter queue, with its story, and the neighbours are processed."""
    journal = tmp_path / "journal"
    monkeypatch.setenv("JOBS_JOURNAL", str(journal))
    app = jobs.app
    monkeypatch.setattr(app, "_client", None)
    monkeypatch.setattr(app, "_settings", App(backend.url, namespace=namespace)._settings)
    for name in ("alone", "late"):
        # Only what hangs has a time limit that matters.
        intake = app.intakes[name]
        policy = type(intake.callee.policy)(crashes=1, retries=0, wait=tenacity.wait_none())
        hurried = type(intake)(_with(intake.callee, policy=policy), intake.options)
        monkeypatch.setitem(app.intakes, name, hurried)
    deeds = ["exit", "leave", "kill", "fill", "odd"]
    async with app, app.worker(queues=["alone", "late"]) as worker:
        await worker.start()
        queue = app.client.queue("alone")
        for id, deed in enumerate([*deeds, "nothing", "nothing"]):
            await queue.send(msgspec.json.encode(jobs.Job(id, deed)))
        await queue.send("{")
        await app.client.queue("late").send(msgspec.json.encode(jobs.Job(100, "hang")))
        alone, late = (one.tally for one in worker.consumers)
        await until(lambda: (alone.handled, alone.dead, late.dead) == (2, 6, 1), 60)
        await until(lambda: not any(one.hand for one in worker.consumers))  # all is deleted
        assert (await queue.stats()).messages == 0
        dead = [
            *await app.client.queue("alone-dead").peek(),
            *await app.client.queue("late-dead").peek(),
        ]
        await app.client.wipe()
    found = {
        msgspec.json.decode(one.body)["deed"] if one.body != b"{" else "": one.failure
        for one in dead
    }
    assert {deed: one.reason for deed, one in found.items()} == {
        "exit": "crashed",
        "leave": "failed",
        "kill": "crashed",
        "fill": "failed",
        "hang": "failed",
        "odd": "failed",
        "": "unreadable",
    }
    assert "exited with status 3" in found["exit"].crashes[0].what
    assert "killed by SIGKILL" in found["kill"].crashes[0].what
    assert found["fill"].error == "MemoryError"
    assert found["hang"].error == "rmq.worker.TimeLimitExceeded"
    assert "x4" in found["odd"].text
    assert "jobs.py" in found["odd"].traceback
    assert len(journal.read_text().splitlines()) == 2


class Answering:
    """Stands for a process that answers at once, or is dead."""

    def __init__(self, exitcode=None):  # type: ignore[no-untyped-def]
        self.process, self.exitcode = self, exitcode
        self.is_late = self.is_killed = self.is_closed = False

    def exchange(self, request):  # type: ignore[no-untyped-def]
        return True, request.args[0]

    def kill(self) -> None:
        self.is_killed = True

    def close(self) -> None:
        self.is_closed = True

    def join(self, timeout=None) -> None:  # type: ignore[no-untyped-def]
        pass


async def test_a_process_that_is_dead_or_was_killed_late_gets_no_other_call(monkeypatch):
    """Its time was over as it answered, or it was killed while it had nothing to do: that is not
    the fault of the next message."""
    callee, made = jobs.app.intakes["alone"].callee, []
    processes = Processes(1, {})

    async def start(*_: object) -> Answering:
        made.append(next(kinds)())
        return made[-1]

    monkeypatch.setattr(processes, "_start", start)

    class Late(Answering):
        def exchange(self, request):  # type: ignore[no-untyped-def]
            processes._late(self)
            return super().exchange(request)

    kinds = iter([Late, Answering, Answering])
    assert await processes.call(callee, (6,), {}, {}) == 6
    assert await processes.call(callee, (7,), {}, {}) == 7
    late, second = made
    assert late.is_closed
    second.exitcode = -9
    assert await processes.call(callee, (8,), {}, {}) == 8
    assert len(made) == 3
    assert second.is_closed
    processes.close()


def _with(callee, **changes):  # type: ignore[no-untyped-def]
    from dataclasses import replace

    return replace(callee, **changes)


async def test_the_record_of_what_somebody_else_removed_is_forgotten(app, work):
    @app.handler("orders", wait=tenacity.wait_fixed(60))
    async def on_order(order: Order) -> None:
        raise ValueError

    async with work:
        queue = app.client.queue("orders")
        await queue.send('{"id": 1}')
        await queue.send('{"id": 2}')
        (first, _) = await work.run()
        assert await queue.delete(first.message)
        keys = app.client._registry.keys("orders")
        await work._worker.consumers[0].tidy()
        left = await app.client._executor._link.client.hkeys(keys.trials)
        assert len(left) == 1
        work.clock.move(timedelta(seconds=60))
        (ran,) = await work.run()
    assert ran.before.failures == 1


async def test_what_is_stored_and_broken_is_a_dead_letter_and_holds_nobody_up(app, work):
    """Bytes in Redis that are no message of ours: for a payload, a message, and a task."""
    done = []

    @app.handler("payloads")
    async def on_payload(order: Order) -> None:
        done.append(order.id)

    @app.handler("messages", retries=0)
    async def on_message(message) -> None:  # type: ignore[no-untyped-def]
        done.append(len(message.body))

    @app.task(queue="tasks", name="note")
    async def note() -> None:
        done.append("note")

    bodies = {"payloads": '{"id": 1}', "messages": "xyz", "tasks": '{"task": "note"}'}
    async with work:
        for name, body in bodies.items():
            queue = app.client.queue(name)
            await queue.send("x")
            keys = app.client._registry.keys(name)
            raw = app.client._executor._link.client
            ((entry, _),) = await raw.xrange(keys.log)
            await _restore(raw, keys.log, entry, b"\x09broken")
            await queue.send(body)
        ran = await work.run()
        dead = [one for name in bodies for one in await work.dead_letters(name)]
    assert done == [1, 3, "note"]
    assert (
        sorted(one.outcome for one in ran if one.outcome != "done")
        == ["failed"] + ["unreadable"] * 2
    )
    assert len(dead) == 3


async def _restore(raw, log, entry, packed) -> None:  # type: ignore[no-untyped-def]
    """Put broken bytes where a message was; a stream's own order forbids it, so it is made anew."""
    await raw.delete(log)
    await raw.xadd(log, {"m": packed}, id=entry)


async def test_a_policy_that_fails_itself_is_replaced_by_the_usual_one(app, work):
    def wait(state):  # type: ignore[no-untyped-def]
        raise ZeroDivisionError

    @app.handler("orders", wait=wait)
    async def on_order(order: Order) -> None:
        raise ValueError

    async with work:
        await app.client.queue("orders").send('{"id": 1}')
        (ran,) = await work.run()
    assert ran.outcome == "retried"
    assert ran.again.total_seconds() >= 1


async def test_a_receiver_survives_what_nobody_thought_of(app, monkeypatch):
    from rmq.worker import trouble
    from rmq.worker.consuming import receiver

    monkeypatch.setattr(trouble, "TROUBLE_S", 0.01)
    done = []

    @app.handler("orders", visibility_timeout=0.2)
    async def on_order(order: Order) -> None:
        done.append(order.id)

    await app.make_queues()
    await app.client.queue("orders").send('{"id": 1}')
    await app.client.queue("orders").receive(visibility_timeout=0)
    look, failed = receiver.Receiver._look, []

    async def look_badly(self, held) -> None:  # type: ignore[no-untyped-def]
        if not failed:
            failed.append(len(held))
            raise RuntimeError("nobody thought of it")
        await look(self, held)

    monkeypatch.setattr(receiver.Receiver, "_look", look_badly)
    async with at_work(app) as worker:
        (one,) = worker.consumers
        await until(lambda: done == [1])
        await until(lambda: not one.hand)
        assert one.slots.used == one.slots.asked
    assert failed == [1]
