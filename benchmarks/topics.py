"""Topics: fan-out to queues, filters, and live listeners."""

from __future__ import annotations

import statistics
import threading
import time
from collections.abc import Callable, Iterator

import rmq
from benchmarks.bench import BODIES, Bench
from benchmarks.figure import Figure, Row, Side, Target, compare

BATCH = 100
"""Messages in one publish."""
FANS = {1: 20, 10: 6, 100: 1}
"""Queues, and batches in a round."""
MATCHING = 3


def fan_out(bench: Bench) -> Iterator[Row]:
    """Messages delivered a second by publish_many of 100, beside as many sent with send_many of 100
    to each queue.

    Fair: the same bytes end in the same queues, in the same batches; beside our envelopes the
    floor sends bodies of an envelope's size. What we add is the topic: a message is written to its
    outbox first, and matched. In an envelope it is also rendered for each queue; without a
    signature, which the library leaves out for queues unless a topic asks for it.
    """
    for queues, batches in FANS.items():
        for raw in (True, False):
            with bench.client() as client:
                made = [client.create_queue(f"{bench.name()}") for _ in range(queues)]
                topic = client.create_topic(bench.name())
                for queue in made:
                    topic.subscribe(queue, raw_message_delivery=raw)
                message = BODIES["100 B"]
                topic.publish(message)
                (arrived,) = made[0].receive()

                def clean(made: list[rmq.Queue] = made) -> None:
                    for queue in made:
                        queue.purge()

                def ours(
                    topic: rmq.Topic = topic,
                    queues: int = queues,
                    batches: int = batches,
                    message: bytes = message,
                ) -> int:
                    for _ in range(batches):
                        topic.publish_many([message] * BATCH)
                    return queues * batches * BATCH

                def direct(
                    made: list[rmq.Queue] = made,
                    batches: int = batches,
                    body: bytes = arrived.body,
                ) -> int:
                    for _ in range(batches):
                        for queue in made:
                            queue.send_many([body] * BATCH)
                    return len(made) * batches * BATCH

                result = compare(Side(ours, clean), Side(direct, clean), rounds=bench.rounds())
                client.delete_topic(topic.name)
            form = "raw" if raw else "in envelopes"
            yield result.speed(
                bench.case(f"{queues} queue{'s' if queues > 1 else ''}, {form}"), Target(0.5)
            )


def filtered(bench: Bench) -> Iterator[Row]:
    """One publish at a time on a topic with many filtered subscriptions of which 3 match, beside
    the same on a topic that has only these 3.

    Fair: the same 3 queues get the same message. What differs is how many do not want it.
    """
    for count in (1_000, 100_000 if not bench.quick else 10_000):
        with bench.client(max_filter_policies=None) as client:
            few = _filtered_topic(bench, client, 0)
            many = _filtered_topic(bench, client, count)

            def work(topic: rmq.Topic) -> Callable[[], int]:
                def publish() -> int:
                    for _ in range(100):
                        topic.publish("position", attributes={"truck": "matching"})
                    return 100

                return publish

            result = compare(Side(work(many)), Side(work(few)), rounds=bench.rounds())
            for topic in (few, many):
                client.delete_topic(topic.name)
        yield result.cost(
            bench.case(f"{count:,} filtered subscriptions, 3 match"),
            Target(2, at_most=True),
            "floor: 3 subscriptions",
        )


def _filtered_topic(bench: Bench, client: rmq.Client, others: int) -> rmq.Topic:
    """A topic with 3 subscriptions that match and so many that do not."""
    topic = client.create_topic(bench.name())
    queue = client.create_queue(bench.name())
    for _ in range(MATCHING):
        topic.subscribe(
            client.create_queue(bench.name()),
            raw_message_delivery=True,
            filter_policy={"truck": ["matching"]},
        )
    _plant(bench, topic, queue.name, others)
    return topic


def _plant(bench: Bench, topic: rmq.Topic, queue: str, others: int) -> None:
    """Subscriptions that nobody could make one by one in a benchmark's time: written as the script
    would, to queues that need not exist because nothing is ever sent there."""
    from rmq.core.keys import TopicKeys
    from rmq.topics.subscription import Subscription, SubscriptionAttributes, pack_subscription

    keys = TopicKeys(bench.namespace, topic.name)
    place = topic._registry.place
    pipe = bench.admin.pipeline(transaction=False)
    for number in range(others):
        one = Subscription(
            id=f"00000000-0000-4000-8000-{number:012x}",
            topic=topic.name,
            place=place,
            protocol="sqs",
            endpoint=place.arn("sqs", f"{queue}-{number}"),
            account=place.account,
            attributes=SubscriptionAttributes(
                filter_policy=f'{{"truck":["truck-{number}"],"speed":[{{"numeric":[">",90]}}]}}'
            ),
        )
        pipe.hset(keys.subscriptions, one.id, b"0 0 0 0 " + pack_subscription(one))
        if number % 5_000 == 4_999:
            pipe.execute()
    pipe.execute()
    # More than the list of changes holds: whoever knows less reads them all.
    bench.admin.hincrby(keys.state, "number", 10_000)


def listening(bench: Bench) -> Iterator[Row]:
    """From publish to a live listener, beside bare redis-py Pub/Sub. One message at a time.

    Fair: both publish from one thread and hear in another, over one connection each.
    """
    count = 300
    with bench.client() as client:
        topic = client.create_topic(bench.name())
        heard: list[float] = []
        there = threading.Event()

        def listen() -> None:
            for _ in topic.listen():
                heard.append(time.perf_counter())
                there.set()
                if len(heard) > count:
                    return

        thread = threading.Thread(target=listen, daemon=True)
        thread.start()
        while not heard:
            topic.publish("are you there?")
            there.wait(0.05)
        ours = _latencies(lambda: topic.publish("position 52.5200 13.4050"), heard, there, count)
        thread.join()
        client.delete_topic(topic.name)

    plain = bench.admin.pubsub()
    plain.subscribe(f"{bench.namespace}:plain")
    heard_bare: list[float] = []
    there_bare = threading.Event()

    def hear() -> None:
        for found in plain.listen():
            if found["type"] == "message":
                heard_bare.append(time.perf_counter())
                there_bare.set()
                if len(heard_bare) > count:
                    return

    thread = threading.Thread(target=hear, daemon=True)
    thread.start()
    while not heard_bare:
        bench.admin.publish(f"{bench.namespace}:plain", "are you there?")
        there_bare.wait(0.05)
    bare = _latencies(
        lambda: bench.admin.publish(f"{bench.namespace}:plain", "position 52.5200 13.4050"),
        heard_bare,
        there_bare,
        count,
    )
    thread.join()
    plain.close()
    for percent in (50, 99):
        mine, theirs = (
            statistics.quantiles(side, n=100)[percent - 1] * 1e6 for side in (ours, bare)
        )
        yield Row(
            case=bench.case(f"publish to listener, p{percent}"),
            measured=mine / theirs,
            target=None,
            ours=f"{mine:,.0f} µs",
            floor=f"{theirs:,.0f} µs",
            note="floor: bare redis-py Pub/Sub",
        )


def _latencies(
    publish: Callable[[], object], heard: list[float], there: threading.Event, count: int
) -> list[float]:
    took = []
    for _ in range(count):
        there.clear()
        begun = time.perf_counter()
        publish()
        there.wait(5)
        took.append(heard[-1] - begun)
    return took


FIGURES = (
    Figure("fan-out", "Publish to queues, in batches of 100", fan_out),
    Figure("filtered-publish", "Publish past filtered subscriptions", filtered),
    Figure("listen", "Live listeners", listening),
)
