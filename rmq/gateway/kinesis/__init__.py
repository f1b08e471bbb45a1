"""Kinesis: the table of its actions. Each is a module; the others here are what they share."""

from __future__ import annotations

from rmq.gateway.kinesis import errors
from rmq.gateway.kinesis.acknowledge_dead_letter_queue_records import (
    acknowledge_dead_letter_queue_records,
)
from rmq.gateway.kinesis.acknowledge_queue_records import acknowledge_queue_records
from rmq.gateway.kinesis.create_channel import create_channel
from rmq.gateway.kinesis.create_queue import create_queue
from rmq.gateway.kinesis.create_stream import create_stream
from rmq.gateway.kinesis.delete_channel import delete_channel
from rmq.gateway.kinesis.delete_queue import delete_queue
from rmq.gateway.kinesis.delete_stream import delete_stream
from rmq.gateway.kinesis.describe_channel import describe_channel
from rmq.gateway.kinesis.describe_queue import describe_queue
from rmq.gateway.kinesis.describe_stream import describe_stream
from rmq.gateway.kinesis.describe_stream_summary import describe_stream_summary
from rmq.gateway.kinesis.get_records import get_records
from rmq.gateway.kinesis.get_shard_iterator import get_shard_iterator
from rmq.gateway.kinesis.list_channels import list_channels
from rmq.gateway.kinesis.list_queues import list_queues
from rmq.gateway.kinesis.list_streams import list_streams
from rmq.gateway.kinesis.put_record import put_record
from rmq.gateway.kinesis.put_records import put_records
from rmq.gateway.kinesis.receive_dead_letter_queue_records import receive_dead_letter_queue_records
from rmq.gateway.kinesis.receive_queue_records import receive_queue_records
from rmq.gateway.kinesis.restore_dead_letter_queue_records import restore_dead_letter_queue_records
from rmq.gateway.kinesis.update_channel import update_channel
from rmq.gateway.kinesis.update_dead_letter_queue_records_visibility import (
    update_dead_letter_queue_records_visibility,
)
from rmq.gateway.kinesis.update_queue import update_queue
from rmq.gateway.kinesis.update_queue_records_visibility import update_queue_records_visibility
from rmq.gateway.service import Service

SERVICE = Service(
    name="kinesis",
    model_name="kinesis",
    operations={
        "AcknowledgeDeadLetterQueueRecords": acknowledge_dead_letter_queue_records,
        "AcknowledgeQueueRecords": acknowledge_queue_records,
        "CreateChannel": create_channel,
        "CreateQueue": create_queue,
        "CreateStream": create_stream,
        "DeleteChannel": delete_channel,
        "DeleteQueue": delete_queue,
        "DeleteStream": delete_stream,
        "DescribeChannel": describe_channel,
        "DescribeQueue": describe_queue,
        "DescribeStream": describe_stream,
        "DescribeStreamSummary": describe_stream_summary,
        "GetRecords": get_records,
        "GetShardIterator": get_shard_iterator,
        "ListChannels": list_channels,
        "ListQueues": list_queues,
        "ListStreams": list_streams,
        "PutRecord": put_record,
        "PutRecords": put_records,
        "ReceiveDeadLetterQueueRecords": receive_dead_letter_queue_records,
        "ReceiveQueueRecords": receive_queue_records,
        "RestoreDeadLetterQueueRecords": restore_dead_letter_queue_records,
        "UpdateChannel": update_channel,
        "UpdateDeadLetterQueueRecordsVisibility": update_dead_letter_queue_records_visibility,
        "UpdateQueue": update_queue,
        "UpdateQueueRecordsVisibility": update_queue_records_visibility,
    },
    error=errors.error,
    refuse=errors.refuse,
    translate=errors.translate,
)
