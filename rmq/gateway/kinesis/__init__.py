"""Kinesis: the table of its actions. Each is a module; the others here are what they share."""

from __future__ import annotations

from rmq.gateway.kinesis import errors
from rmq.gateway.kinesis.acknowledge_dead_letter_queue_records import (
    acknowledge_dead_letter_queue_records,
)
from rmq.gateway.kinesis.acknowledge_queue_records import acknowledge_queue_records
from rmq.gateway.kinesis.add_tags_to_stream import add_tags_to_stream
from rmq.gateway.kinesis.create_channel import create_channel
from rmq.gateway.kinesis.create_queue import create_queue
from rmq.gateway.kinesis.create_stream import create_stream
from rmq.gateway.kinesis.decrease_stream_retention_period import decrease_stream_retention_period
from rmq.gateway.kinesis.delete_channel import delete_channel
from rmq.gateway.kinesis.delete_queue import delete_queue
from rmq.gateway.kinesis.delete_resource_policy import delete_resource_policy
from rmq.gateway.kinesis.delete_stream import delete_stream
from rmq.gateway.kinesis.deregister_stream_consumer import deregister_stream_consumer
from rmq.gateway.kinesis.describe_account_settings import describe_account_settings
from rmq.gateway.kinesis.describe_channel import describe_channel
from rmq.gateway.kinesis.describe_limits import describe_limits
from rmq.gateway.kinesis.describe_queue import describe_queue
from rmq.gateway.kinesis.describe_stream import describe_stream
from rmq.gateway.kinesis.describe_stream_consumer import describe_stream_consumer
from rmq.gateway.kinesis.describe_stream_summary import describe_stream_summary
from rmq.gateway.kinesis.disable_enhanced_monitoring import disable_enhanced_monitoring
from rmq.gateway.kinesis.enable_enhanced_monitoring import enable_enhanced_monitoring
from rmq.gateway.kinesis.get_records import get_records
from rmq.gateway.kinesis.get_resource_policy import get_resource_policy
from rmq.gateway.kinesis.get_shard_iterator import get_shard_iterator
from rmq.gateway.kinesis.increase_stream_retention_period import increase_stream_retention_period
from rmq.gateway.kinesis.list_channels import list_channels
from rmq.gateway.kinesis.list_queues import list_queues
from rmq.gateway.kinesis.list_shards import list_shards
from rmq.gateway.kinesis.list_stream_consumers import list_stream_consumers
from rmq.gateway.kinesis.list_streams import list_streams
from rmq.gateway.kinesis.list_tags_for_resource import list_tags_for_resource
from rmq.gateway.kinesis.list_tags_for_stream import list_tags_for_stream
from rmq.gateway.kinesis.merge_shards import merge_shards
from rmq.gateway.kinesis.put_record import put_record
from rmq.gateway.kinesis.put_records import put_records
from rmq.gateway.kinesis.put_resource_policy import put_resource_policy
from rmq.gateway.kinesis.receive_dead_letter_queue_records import receive_dead_letter_queue_records
from rmq.gateway.kinesis.receive_queue_records import receive_queue_records
from rmq.gateway.kinesis.register_stream_consumer import register_stream_consumer
from rmq.gateway.kinesis.remove_tags_from_stream import remove_tags_from_stream
from rmq.gateway.kinesis.restore_dead_letter_queue_records import restore_dead_letter_queue_records
from rmq.gateway.kinesis.split_shard import split_shard
from rmq.gateway.kinesis.start_stream_encryption import start_stream_encryption
from rmq.gateway.kinesis.stop_stream_encryption import stop_stream_encryption
from rmq.gateway.kinesis.subscribe_to_shard import subscribe_to_shard
from rmq.gateway.kinesis.tag_resource import tag_resource
from rmq.gateway.kinesis.untag_resource import untag_resource
from rmq.gateway.kinesis.update_account_settings import update_account_settings
from rmq.gateway.kinesis.update_channel import update_channel
from rmq.gateway.kinesis.update_dead_letter_queue_records_visibility import (
    update_dead_letter_queue_records_visibility,
)
from rmq.gateway.kinesis.update_max_record_size import update_max_record_size
from rmq.gateway.kinesis.update_queue import update_queue
from rmq.gateway.kinesis.update_queue_records_visibility import update_queue_records_visibility
from rmq.gateway.kinesis.update_shard_count import update_shard_count
from rmq.gateway.kinesis.update_stream_mode import update_stream_mode
from rmq.gateway.kinesis.update_stream_record_distribution_strategy import (
    update_stream_record_distribution_strategy,
)
from rmq.gateway.kinesis.update_stream_warm_throughput import update_stream_warm_throughput
from rmq.gateway.service import Service

SERVICE = Service(
    name="kinesis",
    model_name="kinesis",
    operations={
        "AcknowledgeDeadLetterQueueRecords": acknowledge_dead_letter_queue_records,
        "AcknowledgeQueueRecords": acknowledge_queue_records,
        "AddTagsToStream": add_tags_to_stream,
        "CreateChannel": create_channel,
        "CreateQueue": create_queue,
        "CreateStream": create_stream,
        "DecreaseStreamRetentionPeriod": decrease_stream_retention_period,
        "DeleteChannel": delete_channel,
        "DeleteQueue": delete_queue,
        "DeleteResourcePolicy": delete_resource_policy,
        "DeleteStream": delete_stream,
        "DeregisterStreamConsumer": deregister_stream_consumer,
        "DescribeAccountSettings": describe_account_settings,
        "DescribeChannel": describe_channel,
        "DescribeLimits": describe_limits,
        "DescribeQueue": describe_queue,
        "DescribeStream": describe_stream,
        "DescribeStreamConsumer": describe_stream_consumer,
        "DescribeStreamSummary": describe_stream_summary,
        "DisableEnhancedMonitoring": disable_enhanced_monitoring,
        "EnableEnhancedMonitoring": enable_enhanced_monitoring,
        "GetRecords": get_records,
        "GetResourcePolicy": get_resource_policy,
        "GetShardIterator": get_shard_iterator,
        "IncreaseStreamRetentionPeriod": increase_stream_retention_period,
        "ListChannels": list_channels,
        "ListQueues": list_queues,
        "ListShards": list_shards,
        "ListStreamConsumers": list_stream_consumers,
        "ListStreams": list_streams,
        "ListTagsForResource": list_tags_for_resource,
        "ListTagsForStream": list_tags_for_stream,
        "MergeShards": merge_shards,
        "PutRecord": put_record,
        "PutRecords": put_records,
        "PutResourcePolicy": put_resource_policy,
        "ReceiveDeadLetterQueueRecords": receive_dead_letter_queue_records,
        "ReceiveQueueRecords": receive_queue_records,
        "RegisterStreamConsumer": register_stream_consumer,
        "RemoveTagsFromStream": remove_tags_from_stream,
        "RestoreDeadLetterQueueRecords": restore_dead_letter_queue_records,
        "SplitShard": split_shard,
        "StartStreamEncryption": start_stream_encryption,
        "StopStreamEncryption": stop_stream_encryption,
        "SubscribeToShard": subscribe_to_shard,
        "TagResource": tag_resource,
        "UntagResource": untag_resource,
        "UpdateAccountSettings": update_account_settings,
        "UpdateChannel": update_channel,
        "UpdateDeadLetterQueueRecordsVisibility": update_dead_letter_queue_records_visibility,
        "UpdateMaxRecordSize": update_max_record_size,
        "UpdateQueue": update_queue,
        "UpdateQueueRecordsVisibility": update_queue_records_visibility,
        "UpdateShardCount": update_shard_count,
        "UpdateStreamMode": update_stream_mode,
        "UpdateStreamRecordDistributionStrategy": update_stream_record_distribution_strategy,
        "UpdateStreamWarmThroughput": update_stream_warm_throughput,
    },
    error=errors.error,
    refuse=errors.refuse,
    translate=errors.translate,
    speaks_forms=False,
)
