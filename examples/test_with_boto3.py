"""A test of code that makes its own boto3 clients. Run it with pytest, or as it stands."""

import boto3

import rmq.testing


def place_order(text: str) -> str:
    """Code under test: it knows AWS only."""
    queue = boto3.resource("sqs").create_queue(QueueName="orders")
    return queue.send_message(MessageBody=text)["MessageId"]


def test_an_order_is_received_again_when_nobody_deletes_it() -> None:
    with rmq.testing.aws() as here:
        place_order("one coffee")
        queue = boto3.resource("sqs").get_queue_by_name(QueueName="orders")
        assert [one.body for one in queue.receive_messages()] == ["one coffee"]
        assert queue.receive_messages() == []

        here.clock.move(31)  # its visibility timeout passes, and costs nothing

        assert [one.body for one in queue.receive_messages()] == ["one coffee"]


if __name__ == "__main__":
    test_an_order_is_received_again_when_nobody_deletes_it()
    print("received again after 31 seconds, at once")
