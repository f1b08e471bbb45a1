"""rmq stream create, list, show, set, sweep, rm, split, merge, scale: the stream itself."""

import pytest

from rmq import connect_async
from rmq.outlets.queues import stream_queues


@pytest.fixture
def positions(rmq):
    """The command line, with a stream of two shards."""
    rmq("stream", "create", "positions", "--shards", "2")
    return rmq


def test_create_says_that_the_stream_is_there(rmq):
    ran = rmq("stream", "create", "positions")

    assert (ran.status, ran.out) == (0, "stream positions is there, with 1 shard\n")


def test_create_in_json_shows_all_attributes(rmq):
    made = rmq.json("stream", "create", "positions", "-n", "3", "--tag=team=blue")

    assert made["arn"] == "arn:aws:kinesis:us-east-1:000000000000:stream/positions"
    assert (made["status"], made["open_shards"], made["consumers"]) == ("ACTIVE", 3, 0)
    assert made["tags"] == {"team": "blue"}
    assert made["attributes"] == {
        "mode": "PROVISIONED",
        "retention_hours": 24,
        "max_record_size": 1048576,
        "encryption_type": "NONE",
        "kms_key_id": None,
        "record_distribution": "USER_PARTITION_KEY",
        "warm_throughput_mib": None,
        "shard_level_metrics": [],
        "policy": None,
    }


def test_create_refuses_a_name_that_stands_and_says_where_to_look(positions):
    ran = positions("stream", "create", "positions")

    assert ran.status == 2
    assert "rmq stream show NAME" in ran.err


POLICY = (
    '{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Principal": "*", '
    '"Action": "kinesis:PutRecord", '
    '"Resource": "arn:aws:kinesis:us-east-1:000000000000:stream/positions"}}'
)
OPTIONS = [
    (("--retention=7d",), "retention_hours", 168),
    (("--max-size=2097152",), "max_record_size", 2097152),
    (("--mode=ON_DEMAND",), "mode", "ON_DEMAND"),
    (("--mode=ON_DEMAND", "--distribution=AUTO"), "record_distribution", "AUTO"),
    (("--mode=ON_DEMAND", "--warm-throughput=5"), "warm_throughput_mib", 5),
    (("--encryption=KMS", "--kms-key=alias/k"), "kms_key_id", "alias/k"),
    (("--encryption=KMS", "--kms-key=alias/k"), "encryption_type", "KMS"),
    (("--metric=IncomingBytes",), "shard_level_metrics", ["IncomingBytes"]),
    (("--metric=",), "shard_level_metrics", []),
    ((f"--policy={POLICY}",), "policy", POLICY),
    (("--policy=",), "policy", None),
]


@pytest.mark.parametrize("command", ["create", "set"])
@pytest.mark.parametrize(("options", "attribute", "value"), OPTIONS)
def test_every_attribute_has_an_option_on_create_and_on_set(
    rmq, command, options, attribute, value
):
    if command == "set":
        rmq("stream", "create", "positions")

    made = rmq.json("stream", command, "positions", *options)

    assert made["attributes"][attribute] == value


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--retention=90m",), "--retention is in whole hours"),
        (("--retention=1h",), "retention_hours is 1; it must be 24 to 8760"),
        (("--max-size=5",), "max_record_size"),
        (("--mode=NONE",), "'NONE' is not one of PROVISIONED, ON_DEMAND"),
        (("--encryption=KMS",), "kms_key_id is missing"),
        (("--mode=ON_DEMAND", "--shards=2"), "shard_count"),
        (("--tag=x",), "'x' is not a tag"),
        (("--shards=0",), "greater than or equal to 1"),
    ],
)
def test_what_can_not_be_is_refused_in_a_sentence(rmq, options, said):
    ran = rmq("stream", "create", "positions", *options)

    assert ran.status == 2
    assert said in ran.err


def test_tags_are_set_and_removed(rmq):
    rmq("stream", "create", "positions", "--tag=team=blue", "--tag=stage=test")

    made = rmq.json("stream", "set", "positions", "--tag=team=red=ish", "--untag=stage")

    assert made["tags"] == {"team": "red=ish"}


def test_set_says_what_it_did_and_refuses_nothing(positions):
    ran = positions("stream", "set", "positions", "--retention=48h")
    assert ran.out == "stream positions is changed\n"

    assert positions("stream", "set", "positions").status == 2


def test_list_shows_shards_and_readers(positions):
    positions("stream", "create", "other", "--mode=ON_DEMAND")
    positions("stream", "split", "positions", "0")
    positions("stream", "consumers", "positions", "--register=billing")

    ran = positions("stream", "list")
    [row] = [line.split() for line in ran.out.splitlines() if "positions" in line]
    assert row == ["positions", "ACTIVE", "provisioned", "3", "1", "1", "d", "0", "1"]
    [found] = positions.json("stream", "list", "pos")["streams"]
    assert (found["name"], found["open_shards"], found["closed_shards"]) == ("positions", 3, 1)
    assert "on demand" in ran.out


def test_a_list_of_nothing_says_what_to_do_next(rmq):
    ran = rmq("stream", "list")

    assert (ran.status, ran.out) == (0, "")
    assert "rmq stream create NAME" in ran.err


def test_show_has_attributes_tags_readers_and_shards(positions):
    positions("stream", "set", "positions", "--tag=team=blue", f"--policy={POLICY}")
    positions("stream", "split", "positions", "1")

    ran = positions("stream", "show", "positions")
    for part in ("a stream provisioned", "1,048,576 bytes", "team", POLICY, "consumer groups"):
        assert part in ran.out
    rows = [line.split() for line in ran.out.splitlines() if "shardId-" in line]
    assert [(row[0][-1], row[1], row[2]) for row in rows] == [
        ("0", "open", "50.0%"),
        ("1", "closed", "50.0%"),
        ("2", "open", "25.0%"),
        ("3", "open", "25.0%"),
    ]
    found = positions.json("stream", "show", "positions")
    assert found["groups"] == []
    assert found["shards"][3]["parent_id"] == "shardId-000000000001"
    assert found["shards"][3]["ending_hash_key"] == str(2**128 - 1)


def test_show_of_many_shards_shows_some_and_says_how_many_more(rmq):
    rmq("stream", "create", "positions", "--shards=20")

    ran = rmq("stream", "show", "positions", "-n", "3")

    assert ran.out.count("shardId-") == 3
    assert "17 more shards" in ran.err


@pytest.mark.parametrize("shard", ["1", "shardId-000000000001"])
def test_split_shows_the_two_that_it_made(positions, shard):
    ran = positions("stream", "split", "positions", shard)

    rows = [line.split() for line in ran.out.splitlines() if "shardId-" in line]
    assert [(row[0], row[2]) for row in rows] == [
        ("shardId-000000000002", "25.0%"),
        ("shardId-000000000003", "25.0%"),
    ]


def test_split_at_a_hash_key_and_merge_again(positions):
    low, high = positions.json("stream", "split", "positions", "0", "--at=1000")["shards"]
    assert (low["ending_hash_key"], high["starting_hash_key"]) == ("999", "1000")

    [made] = positions.json("stream", "merge", "positions", "3", "2")["shards"]

    assert (made["parent_id"], made["adjacent_parent_id"]) == (high["id"], low["id"])


def test_scale_brings_the_stream_to_so_many_shards(positions):
    assert positions("stream", "scale", "positions", "4").out == "stream positions has 4 shards\n"

    found = positions.json("stream", "scale", "positions", "3")
    assert found["open_shards"] == len(found["shards"]) == 3


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        (("split", "positions", "9"), 3, "see rmq stream show NAME"),
        (("split", "positions", "first"), 2, "'first' is not a shard"),
        (("split", "positions", "0", "--at=x"), 2, "'x' is not a hash key"),
        (("split", "positions", "0", "--at=1"), 2, "1"),
        (("merge", "positions", "0", "0"), 2, ""),
        (("scale", "positions", "9"), 2, "9"),
        (("show", "nowhere"), 3, "rmq stream create nowhere"),
        (("set", "nowhere", "--tag=a=b"), 3, "rmq stream create nowhere"),
        (("sweep", "nowhere"), 3, "rmq stream create nowhere"),
        (("rm", "nowhere", "--yes"), 3, "rmq stream create nowhere"),
        (("show", "no/name"), 2, "1 to 128 of"),
    ],
)
def test_what_can_not_be_done_ends_with_a_sentence_and_its_status(positions, words, status, said):
    ran = positions("stream", *words)

    assert ran.status == status
    assert said in ran.err


def test_a_stream_on_demand_is_not_split_by_hand_and_says_what_to_do(rmq):
    rmq("stream", "create", "positions", "--mode=ON_DEMAND")

    ran = rmq("stream", "split", "positions", "0")

    assert ran.status == 1
    assert "rmq stream set NAME --mode PROVISIONED" in ran.err


def test_sweep_says_what_it_did(positions):
    assert positions("stream", "sweep", "positions").out.startswith("0 blocks of records and 0")
    assert positions.json("stream", "sweep", "positions") == {
        "blocks": 0,
        "shards": 0,
        "changes": 0,
    }


def test_rm_refuses_where_nobody_can_be_asked(positions):
    ran = positions("stream", "rm", "positions")

    assert ran.status == 2
    assert "--yes" in ran.err
    assert positions.json("stream", "show", "positions")["name"] == "positions"


def test_rm_removes_the_stream_with_its_records(positions):
    assert positions("stream", "rm", "positions", "--yes").out == "stream positions is gone\n"

    assert positions.json("stream", "list")["streams"] == []


def test_rm_of_a_stream_with_registered_consumers_wants_force(positions):
    positions("stream", "consumers", "positions", "--register=billing")

    ran = positions("stream", "rm", "positions", "--yes")
    assert ran.status == 1
    assert "--force" in ran.err

    found = positions.json("stream", "rm", "positions", "--yes", "--force")
    assert found == {"name": "positions", "removed": True}


async def test_rm_of_a_stream_with_queues_is_refused_and_show_counts_them(rmq):
    rmq("stream", "create", "positions", "--mode=ON_DEMAND")
    client = connect_async(rmq.url)
    async with client:
        await stream_queues(client).create("q", client.stream("positions"))

    ran = rmq("stream", "rm", "positions", "--yes", "--force")

    assert ran.status == 1
    assert "it has 1 queues; delete them first" in ran.err
    shown = rmq.json("stream", "show", "positions")
    assert (shown["queues"], shown["channels"]) == (1, 0)
    assert "queues" in rmq("stream", "show", "positions").out
