"""The smallest program: one queue, one message, in this process. Give a URL to use a server."""

import sys

import rmq

with rmq.connect(*sys.argv[1:]) as client:
    orders = client.create_queue("orders", visibility_timeout=30)
    orders.send("one coffee")
    for message in orders.receive(max_messages=10, wait=20):
        with message:  # done: deleted; an error: received again
            print(message.text)
    client.delete_queue("orders")
