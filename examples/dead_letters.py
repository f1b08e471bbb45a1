"""A message that fails every time ends in the dead-letter queue, and goes back when mended."""

import sys

import rmq

with rmq.connect(*sys.argv[1:]) as client:
    dead = client.create_queue("orders-dead")
    orders = client.create_queue(
        "orders",
        redrive_policy=rmq.RedrivePolicy(dead_letter_queue="orders-dead", max_receive_count=2),
    )
    orders.send("a broken order")
    while messages := orders.receive():
        try:
            with messages[0] as message:
                raise ValueError(f"can not read {message.text!r}")
        except ValueError as error:
            print(f"attempt {message.receive_count}: {error}")

    print("dead letters:", [letter.text for letter in dead.peek()])
    print("moved back:", dead.redrive().moved)
    print("in the queue again:", [message.text for message in orders.peek()])
    for name in ("orders", "orders-dead"):
        client.delete_queue(name)
