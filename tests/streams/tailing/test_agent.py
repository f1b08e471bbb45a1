"""The agent: from files into a stream, and the state that says how far it is."""

from __future__ import annotations

import asyncio

import pytest

from rmq.errors import InvalidParameter, ServerError
from rmq.streams.tailing.agent import Agent
from rmq.streams.tailing.keys import file_name
from rmq.streams.tailing.state import State
from tests.colours import PATIENCE


class Producer:
    """Takes records; answers when it is told to, or at once."""

    def __init__(self) -> None:
        self.records: list[tuple[bytes, str]] = []
        self.waiting: list[asyncio.Future[None]] = []
        self.answers = True
        self.refusal: Exception | None = None
        self.room = asyncio.Event()
        self.room.set()
        self.came = asyncio.Event()

    async def put(self, data: bytes, partition_key: str) -> asyncio.Future[None]:
        await self.room.wait()
        self.records.append((data, partition_key))
        self.came.set()
        future = asyncio.get_running_loop().create_future()
        if self.refusal is not None:
            future.set_exception(self.refusal)
        elif self.answers:
            future.set_result(None)
        else:
            self.waiting.append(future)
        return future

    async def flush(self) -> None:
        while self.waiting:
            self.waiting.pop().set_result(None)
        await asyncio.sleep(0)

    async def until(self, data: bytes) -> None:
        while not self.records or self.records[-1][0] != data:
            self.came.clear()
            await self.came.wait()


@pytest.fixture
def producer():
    return Producer()


@pytest.fixture
def agent(tmp_path, producer):
    """Makes an agent for tmp_path/*.log."""
    states = []

    def make(**options):
        for state in states:
            state.__exit__()
        states.append(State(tmp_path / "state.json", "logs").__enter__())
        options = {"max_record_size": 2048, "poll_s": 0.005, "key": file_name} | options
        return Agent(producer, [str(tmp_path / "*.log")], states[-1], **options)

    yield make
    for state in states:
        state.__exit__()


async def test_drain_brings_in_what_is_there_and_goes_on_there_the_next_time(
    agent, producer, tmp_path
):
    (tmp_path / "a.log").write_text("1\n\n2\nhalf")
    await agent().drain()
    assert producer.records == [(b"1", "a.log"), (b"2", "a.log")]
    (tmp_path / "a.log").write_text("1\n\n2\nhalf a line\n")

    again = agent()
    await again.drain()

    assert producer.records[2:] == [(b"half a line", "a.log")]
    assert again.counters.as_dict() == {
        "files": 1,
        "bytes": 12,
        "read": 1,
        "accepted": 1,
        "refused": 0,
        "cut": 0,
    }


async def test_run_follows_until_it_is_stopped(agent, producer, tmp_path):
    stop = asyncio.Event()
    running = asyncio.create_task(agent(at_end=True).run(stop))
    await asyncio.sleep(0.02)
    for number in range(3):
        (tmp_path / "a.log").write_text("".join(f"{n}\n" for n in range(number + 1)))
        await asyncio.wait_for(producer.until(b"%d" % number), PATIENCE)
    stop.set()
    await running

    assert [data for data, _ in producer.records] == [b"0", b"1", b"2"]


async def test_a_change_wakes_the_agent_without_a_look_by_time(agent, producer, tmp_path):
    pytest.importorskip("watchfiles")
    stop = asyncio.Event()
    (tmp_path / "a.log").write_text("first\n")
    running = asyncio.create_task(agent(poll_s=60).run(stop))
    await asyncio.wait_for(producer.until(b"first"), PATIENCE)
    (tmp_path / "a.log").write_text("first\nsecond\n")
    await asyncio.wait_for(producer.until(b"second"), PATIENCE)
    stop.set()
    await running


async def test_what_is_on_its_way_when_it_is_stopped_is_waited_for(agent, producer, tmp_path):
    (tmp_path / "a.log").write_text("1\n")
    producer.answers = False
    stop = asyncio.Event()
    running = asyncio.create_task(agent().run(stop))
    await producer.until(b"1")
    stop.set()
    await running
    producer.answers = True

    await agent().drain()

    assert len(producer.records) == 1


async def test_a_line_that_waits_for_room_when_it_is_stopped_is_read_the_next_time(
    agent, producer, tmp_path
):
    (tmp_path / "a.log").write_text("1\n")
    producer.room.clear()
    stop = asyncio.Event()
    running = asyncio.create_task(agent().run(stop))
    await asyncio.sleep(0.02)
    stop.set()
    await running
    assert producer.records == []
    producer.room.set()

    await agent().drain()

    assert producer.records == [(b"1", "a.log")]


async def test_trouble_that_does_not_end_ends_the_agent_and_nothing_is_passed_over(
    agent, producer, tmp_path
):
    (tmp_path / "a.log").write_text("1\n2\n")
    producer.refusal = ServerError("no")
    with pytest.raises(ServerError, match="no"):
        await agent().run(asyncio.Event())
    producer.refusal, producer.records = None, []

    await agent().drain()

    assert [data for data, _ in producer.records] == [b"1", b"2"]


async def test_a_record_that_the_stream_can_not_have_is_passed_over_and_told(
    agent, producer, tmp_path, caplog
):
    (tmp_path / "a.log").write_text("1\n")
    producer.refusal = InvalidParameter("data", b"1", "something else")
    made = agent()
    await made.drain()

    assert made.counters.refused == 1
    assert "a record that ends at 2 is refused" in caplog.text


async def test_what_is_longer_than_a_record_is_cut_and_told(agent, producer, tmp_path, caplog):
    (tmp_path / "a.log").write_bytes(b"x" * 3000 + b"\n")
    made = agent()
    await made.drain()

    assert producer.records == [(b"x" * 1024, "a.log")]
    assert made.counters.cut == 1
    assert "a record of 3001 bytes was cut" in caplog.text


async def test_records_of_several_lines_are_told_apart_by_their_first(agent, producer, tmp_path):
    (tmp_path / "a.log").write_text("1 failed\n  at line 7\n2 ok\n3 ok\n")
    await agent(start_pattern=r"^\d").drain()

    assert [data for data, _ in producer.records] == [b"1 failed\n  at line 7", b"2 ok"]


async def test_what_is_no_pattern_is_refused(agent):
    with pytest.raises(InvalidParameter, match="start_pattern"):
        agent(start_pattern="(")
