"""rmq stream consumers, groups, reset: who reads a stream, and how far they are."""

import asyncio

import pytest

import rmq as library
from rmq.streams.groups import worker as worker_module
from tests.colours import PATIENCE, until


@pytest.fixture
def positions(rmq):
    """The command line, with a stream of two shards."""
    rmq("stream", "create", "positions", "--shards", "2")
    return rmq


def test_a_consumer_is_registered_listed_and_removed(positions):
    made = positions.json(
        "stream", "consumers", "positions", "--register=billing", "--tag=team=blue"
    )
    assert made["arn"].startswith(
        "arn:aws:kinesis:us-east-1:000000000000:stream/positions/consumer"
    )
    assert (made["status"], made["tags"]) == ("ACTIVE", {"team": "blue"})
    positions("stream", "consumers", "positions", "--register=kitchen")

    ran = positions("stream", "consumers", "positions")
    assert [line.split()[0] for line in ran.out.splitlines() if "ACTIVE" in line] == [
        "billing",
        "kitchen",
    ]
    ran = positions("stream", "consumers", "positions", "--deregister", made["arn"])
    assert ran.out.endswith(" of positions is gone\n")
    [left] = positions.json("stream", "consumers", "positions")["consumers"]
    assert left["name"] == "kitchen"


def test_no_consumers_and_no_groups_say_what_to_do_next(positions):
    assert "--register CONSUMER" in positions("stream", "consumers", "positions").err
    assert "first worker of a group" in positions("stream", "groups", "positions").err
    assert positions.json("stream", "groups", "positions") == {"groups": []}


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("consumers", "positions", "--register=no/name"), 2, "consumer name is 'no/name'"),
        (("consumers", "positions", "--register=there"), 2, "see rmq stream consumers NAME"),
        (("consumers", "positions", "--deregister=x"), 3, "see rmq stream consumers NAME"),
        (("consumers", "positions", "--register=a", "--deregister=b"), 2, "exclude each other"),
        (("consumers", "positions", "--tag=a=b"), 2, "--tag goes with --register"),
        (("consumers", "nowhere"), 3, "rmq stream create nowhere"),
        (("groups", "nowhere"), 3, "rmq stream create nowhere"),
        (("groups", "positions", "x"), 3, "see rmq stream groups NAME"),
        (("groups", "positions", "--rm"), 2, "--rm needs a GROUP"),
        (("groups", "positions", "x", "--rm", "--yes"), 3, "see rmq stream groups NAME"),
        (("reset", "positions", "x", "--to=LATEST", "--yes"), 3, "see rmq stream groups NAME"),
        (("reset", "positions", "x", "--to=now"), 2, "'now' is not a start"),
        (("reset", "positions", "x"), 2, "--to"),
    ],
)
def test_what_can_not_be_done_ends_with_a_sentence(positions, words, status, said):
    positions("stream", "consumers", "positions", "--register=there")

    ran = positions("stream", *words)

    assert ran.status == status
    assert said in ran.err


@pytest.fixture(autouse=True)
def patience(monkeypatch):
    """A worker that leaves waits for its answer: tests look at what it left."""
    monkeypatch.setattr(worker_module, "LEAVE_S", PATIENCE)


def consume(rmq, count):
    """A worker of the group billing handles so many records, and ends."""

    async def work():
        seen = []

        async def handle(record):
            seen.append(record.data.decode())

        async with library.connect_async(rmq.url) as client:
            stream = client.stream("positions")
            async with stream.consumer("billing", handle, start="TRIM_HORIZON"):
                await until(lambda: len(seen) >= count)
        return seen

    return asyncio.run(work())


@pytest.fixture
def consumed(positions):
    """The command line, with a group that has handled two records of three."""
    positions("stream", "put", "positions", "--key=k", stdin="1\n2\n")
    consume(positions, 2)
    positions("stream", "put", "positions", "3", "--key=k")
    return positions


def test_groups_have_their_lag(consumed):
    [found] = consumed.json("stream", "groups", "positions")["groups"]
    assert (found["name"], found["start"], found["workers"]) == ("billing", "TRIM_HORIZON", [])
    assert found["lag"]["records"] == 1
    assert found["lag"]["seconds"] >= 0

    ran = consumed("stream", "groups", "positions")
    [row] = [line.split() for line in ran.out.splitlines() if "billing" in line]
    assert row[:4] == ["billing", "0", "2", "2"]
    assert "billing" in consumed("stream", "show", "positions").out


def test_a_group_is_shown_with_its_leases(consumed):
    found = consumed.json("stream", "groups", "positions", "billing")
    assert sorted(one["lag"]["records"] for one in found["leases"]) == [0, 1]
    assert {one["owner"] for one in found["leases"]} == {None}

    ran = consumed("stream", "groups", "positions", "billing")
    for part in ("a consumer group of positions", "without owner", "shardId-000000000001"):
        assert part in ran.out


def test_reset_sends_a_group_back(consumed):
    ran = consumed("stream", "reset", "positions", "billing", "--to=TRIM_HORIZON")
    assert (ran.status, "--yes" in ran.err) == (2, True)

    ran = consumed("stream", "reset", "positions", "billing", "--to=trim_horizon", "--yes")
    assert ran.out == "group billing of positions goes on at TRIM_HORIZON\n"

    assert consume(consumed, 3) == ["1", "2", "3"]
    found = consumed.json("stream", "reset", "positions", "billing", "--to=1h", "--yes")
    assert found["start"].endswith("Z")


def test_a_group_is_removed(consumed):
    assert consumed("stream", "groups", "positions", "billing", "--rm").status == 2

    ran = consumed("stream", "groups", "positions", "billing", "--rm", "--yes")

    assert ran.out == "group billing of positions is gone\n"
    assert consumed.json("stream", "groups", "positions")["groups"] == []
