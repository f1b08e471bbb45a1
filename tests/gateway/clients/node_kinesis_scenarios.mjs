// What test_node_kinesis.py runs in Node: one scenario, then the end. This SDK speaks HTTP/2.
//
//     node --input-type=module - <scenario> <endpoint URL> < node_kinesis_scenarios.mjs
//
// Each gets an account with no streams in it.

import assert from "node:assert/strict";

import * as aws from "@aws-sdk/client-kinesis";

const BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte);
const StreamName = "orders";
const ShardId = "shardId-000000000000";

const scenarios = {
  async a_stream_is_made_waited_for_described_and_deleted(kinesis) {
    await kinesis.createStream({ StreamName, ShardCount: 2, Tags: { team: "größe" } });
    await aws.waitUntilStreamExists({ client: kinesis, maxWaitTime: 30 }, { StreamName });
    const { StreamDescriptionSummary: summary } = await kinesis.describeStreamSummary({
      StreamName,
    });
    assert.equal(summary.OpenShardCount, 2);
    assert.ok(Math.abs(Date.now() - summary.StreamCreationTimestamp) < 86_400_000);
    const { Tags } = await kinesis.listTagsForStream({ StreamName });
    assert.deepEqual(Tags, [{ Key: "team", Value: "größe" }]);
    await kinesis.deleteStream({ StreamName });
    await aws.waitUntilStreamNotExists({ client: kinesis, maxWaitTime: 30 }, { StreamName });
  },

  async records_come_back_as_they_were_put(kinesis) {
    await kinesis.createStream({ StreamName, ShardCount: 1 });
    const put = await kinesis.putRecord({ StreamName, Data: BYTES, PartitionKey: "日本 🎉" });
    const { Records, FailedRecordCount } = await kinesis.putRecords({
      StreamName,
      Records: Array.from({ length: 500 }, (_, n) => ({
        Data: Buffer.from(`${n}`),
        PartitionKey: "a",
      })),
    });
    assert.equal(FailedRecordCount, 0);
    assert(BigInt(Records[0].SequenceNumber) > BigInt(put.SequenceNumber));

    const { ShardIterator } = await kinesis.getShardIterator({
      StreamName,
      ShardId,
      ShardIteratorType: "TRIM_HORIZON",
    });
    const got = await kinesis.getRecords({ ShardIterator });
    assert.equal(got.Records.length, 501);
    assert.deepEqual(Uint8Array.from(got.Records[0].Data), BYTES);
    assert.equal(got.Records[0].PartitionKey, "日本 🎉");
    assert.equal(Buffer.from(got.Records[500].Data).toString(), "499");
    assert.equal(got.MillisBehindLatest, 0);
  },

  async a_shard_is_subscribed_to_over_http_2(kinesis) {
    await kinesis.createStream({ StreamName, ShardCount: 1 });
    const { StreamDescriptionSummary: summary } = await kinesis.describeStreamSummary({
      StreamName,
    });
    const { Consumer } = await kinesis.registerStreamConsumer({
      StreamARN: summary.StreamARN,
      ConsumerName: "reader",
    });
    const { EventStream } = await kinesis.subscribeToShard({
      ConsumerARN: Consumer.ConsumerARN,
      ShardId,
      StartingPosition: { Type: "TRIM_HORIZON" },
    });
    await kinesis.putRecord({ StreamName, Data: BYTES, PartitionKey: "a" });
    const found = [];
    let isSplit = false;
    let last;
    for await (const { SubscribeToShardEvent: event } of EventStream) {
      found.push(...event.Records);
      last = event;
      if (found.length === 1 && !isSplit) {
        isSplit = true;
        await kinesis.splitShard({
          StreamName,
          ShardToSplit: ShardId,
          NewStartingHashKey: `${2n ** 127n}`,
        });
      }
    }
    assert.deepEqual(Uint8Array.from(found[0].Data), BYTES);
    assert.equal(found.length, 1);
    assert.equal(last.ChildShards.length, 2);
  },

  async errors_are_classes_of_their_own(kinesis) {
    await assert.rejects(
      kinesis.putRecord({ StreamName: "none", Data: BYTES, PartitionKey: "a" }),
      aws.ResourceNotFoundException,
    );
    await assert.rejects(
      kinesis.getRecords({ ShardIterator: "nonsense" }),
      aws.InvalidArgumentException,
    );
    await assert.rejects(kinesis.createStream({ StreamName: "a b" }), aws.ValidationException);
  },
};

const [name, endpoint] = process.argv.slice(2);
const kinesis = new aws.Kinesis({ endpoint });
await scenarios[name](kinesis);
kinesis.destroy();
