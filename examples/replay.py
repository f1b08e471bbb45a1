"""A FIFO topic that keeps an archive: a queue that comes later gets what was published before."""

import sys
from datetime import timedelta

import rmq

with rmq.connect(*sys.argv[1:]) as client:
    positions = client.create_topic(
        "positions.fifo",
        archive_retention=timedelta(days=7),
        content_based_deduplication=True,
    )
    began = positions.info().archived_since
    assert began is not None
    for km in range(3):
        positions.publish(f"kilometre {km}", message_group_id="truck-7")

    late = client.create_queue("late.fifo")
    subscription = positions.subscribe(late, raw_message_delivery=True)
    print("before:", [message.text for message in late.peek()])

    positions.replay(subscription.id, began)
    print("replay:", positions.replay_status(subscription.id))
    print("after:", [message.text for message in late.peek()])

    positions.set_attributes(archive_retention=None)
    client.delete_topic("positions.fifo")
    client.delete_queue("late.fifo")
