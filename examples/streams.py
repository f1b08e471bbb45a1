"""A stream: records in order for each key, read by whoever likes, from where they like."""

import sys

import rmq

with rmq.connect(*sys.argv[1:]) as client:
    positions = client.create_stream("positions", 3)
    positions.put_many(
        rmq.Record(f"km {km}", f"truck-{truck}") for km in range(3) for truck in range(4)
    )

    print("each truck's records lie in one shard, in order:")
    for shard in positions.shards():
        batch = positions.read(shard.id)
        print(" ", shard.id, [(one.partition_key, one.data.decode()) for one in batch])

    print("a shard is split, and nobody has to notice:")
    first = next(iter(positions.shards()))
    positions.split(first.id)
    positions.put_many(rmq.Record("km 3", f"truck-{truck}") for truck in range(4))

    print("everything, parents before children:")
    for seen, record in enumerate(positions.records(start="TRIM_HORIZON"), 1):
        print(" ", record.shard_id, record.partition_key, record.data.decode())
        if seen == 16:
            break

    client.delete_stream("positions")
