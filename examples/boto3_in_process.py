"""boto3 as you know it, on queues of ours: no AWS, no HTTP, no server beside your Redis."""

import sys

import rmq

sqs = rmq.boto3_session(*sys.argv[1:]).resource("sqs")
queue = sqs.create_queue(QueueName="orders-boto3")
queue.send_message(
    MessageBody="one coffee",
    MessageAttributes={
        "table": {"DataType": "Number", "StringValue": "7"},
    },
)
for message in queue.receive_messages(MessageAttributeNames=["All"], WaitTimeSeconds=5):
    print(message.body, message.message_attributes["table"]["StringValue"])
    message.delete()
queue.delete()
