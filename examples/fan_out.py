"""One message, several queues: each gets what its filter lets through."""

import sys

import rmq

with rmq.connect(*sys.argv[1:]) as client:
    placed = client.create_topic("orders-placed")
    for name, policy in {
        "billing": None,
        "kitchen": {"kind": ["coffee", "tea"]},
        "large-orders": {"total": [{"numeric": [">=", 100]}]},
    }.items():
        client.create_queue(name)
        placed.subscribe(name, filter_policy=policy, raw_message_delivery=True)

    placed.publish("one coffee", attributes={"kind": "coffee", "total": 3})
    placed.publish("a table", attributes={"kind": "furniture", "total": 250})

    for name in ("billing", "kitchen", "large-orders"):
        print(name, [message.text for message in client.queue(name).peek()])

    print("why not in the kitchen?")
    for verdict in placed.explain(
        rmq.Notification("a table", attributes={"kind": "furniture", "total": 250})
    ):
        if not verdict:
            print(" ", verdict)

    client.delete_topic("orders-placed")
    for name in ("billing", "kitchen", "large-orders"):
        client.delete_queue(name)
