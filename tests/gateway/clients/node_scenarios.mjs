// What test_node.py runs in Node: one scenario, then the end.
//
//     node --input-type=module - <scenario> <endpoint URL> < node_scenarios.mjs
//
// Each gets an account with no queues in it. No clock can be held from here, so nothing waits for a
// lease to end: a visibility timeout of zero ends it at once.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";

import * as topics from "@aws-sdk/client-sns";
import * as aws from "@aws-sdk/client-sqs";

// What JSON escapes, what others normalise (a carriage return), and what is long in UTF-8.
const BODY = " \t\"Grüße\" & <b>'日本'</b> \\ 🎉\r\nnext line\rand\n";

const BYTES = Uint8Array.from({ length: 256 }, (_, byte) => byte);

const DEADLINE = 20_000; // milliseconds for what the endpoint does in its own time

const scenarios = {
  async a_queue_is_made_found_changed_and_deleted(sqs) {
    const { QueueUrl } = await sqs.createQueue({
      QueueName: "orders",
      Attributes: { VisibilityTimeout: "45" },
      tags: { team: "größe & <co>", stage: "test" },
    });
    assert.equal((await sqs.getQueueUrl({ QueueName: "orders" })).QueueUrl, QueueUrl);

    await sqs.setQueueAttributes({ QueueUrl, Attributes: { MessageRetentionPeriod: "120" } });
    const { Attributes } = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["All"] });
    assert.equal(Attributes.VisibilityTimeout, "45");
    assert.equal(Attributes.MessageRetentionPeriod, "120");
    assert.equal(Attributes.MaximumMessageSize, "1048576");
    assert.match(Attributes.QueueArn, /^arn:aws:sqs:us-east-1:\d{12}:orders$/);
    assert.equal(Attributes.RedrivePolicy, undefined);
    assert.equal((await sqs.getQueueAttributes({ QueueUrl })).Attributes, undefined);

    await sqs.tagQueue({ QueueUrl, Tags: { stage: "live" } });
    assert.deepEqual((await sqs.listQueueTags({ QueueUrl })).Tags, {
      team: "größe & <co>",
      stage: "live",
    });
    await sqs.untagQueue({ QueueUrl, TagKeys: ["team", "stage", "unknown"] });
    assert.deepEqual((await sqs.listQueueTags({ QueueUrl })).Tags ?? {}, {});

    await sqs.deleteQueue({ QueueUrl });
    assert.deepEqual((await sqs.listQueues({})).QueueUrls ?? [], []);
  },

  async queues_are_listed_in_pages(sqs) {
    const names = ["page-0", "page-1", "page-2", "page-3", "page-4"];
    const made = await Promise.all(names.map((QueueName) => sqs.createQueue({ QueueName })));
    await sqs.createQueue({ QueueName: "other" });

    const everything = await sqs.listQueues({});
    assert.equal(everything.QueueUrls.length, 6);
    assert.equal(everything.NextToken, undefined);

    const pages = [];
    const asked = { QueueNamePrefix: "page-" };
    for await (const page of aws.paginateListQueues({ client: sqs, pageSize: 2 }, asked)) {
      pages.push(page.QueueUrls);
    }
    assert.deepEqual(pages.map((page) => page.length), [2, 2, 1]);
    assert.deepEqual(pages.flat().sort(), made.map(({ QueueUrl }) => QueueUrl).sort());
  },

  async a_message_comes_back_as_it_was_sent(sqs) {
    const { QueueUrl } = await sqs.createQueue({ QueueName: "orders" });
    const MessageAttributes = {
      Text: { DataType: "String", StringValue: BODY },
      "Label.one_two-3": { DataType: "String.json", StringValue: '{"a": "<b>"}' },
      Number: { DataType: "Number.int", StringValue: "0012.50" },
      Bytes: { DataType: "Binary.png", BinaryValue: BYTES },
    };
    const trace = "Root=1-5759e988-bd862e3fe1be46a994272793";
    const sent = await sqs.sendMessage({
      QueueUrl,
      MessageBody: BODY,
      MessageAttributes,
      MessageSystemAttributes: { AWSTraceHeader: { DataType: "String", StringValue: trace } },
    });

    const [message] = await receive(sqs, QueueUrl, {
      MessageSystemAttributeNames: ["All"],
      MessageAttributeNames: [".*"],
      WaitTimeSeconds: 5,
    });
    assert.equal(message.MessageId, sent.MessageId);
    assert.equal(message.Body, BODY);
    assert.equal(message.MD5OfBody, createHash("md5").update(BODY).digest("hex"));
    const { Bytes, ...others } = message.MessageAttributes;
    const { Bytes: bytesSent, ...othersSent } = MessageAttributes;
    assert.deepEqual(others, othersSent);
    assert.equal(Bytes.DataType, bytesSent.DataType);
    assert.deepEqual(Uint8Array.from(Bytes.BinaryValue), BYTES);
    assert.equal(message.MD5OfMessageAttributes, sent.MD5OfMessageAttributes);
    assert.equal(message.Attributes.AWSTraceHeader, trace);
    assert.equal(message.Attributes.ApproximateReceiveCount, "1");
    assert(Math.abs(Date.now() - Number(message.Attributes.SentTimestamp)) < 60_000);

    await sqs.deleteMessage({ QueueUrl, ReceiptHandle: message.ReceiptHandle });
    assert.deepEqual(await receive(sqs, QueueUrl), []);
  },

  async a_batch_says_which_of_its_entries_failed(sqs) {
    const { QueueUrl } = await sqs.createQueue({ QueueName: "orders" });
    const sent = await sqs.sendMessageBatch({
      QueueUrl,
      Entries: [
        {
          Id: "first",
          MessageBody: "This is a test message",
          MessageAttributes: {
            Population: { DataType: "Number", StringValue: "1250800" },
            City: { DataType: "String", StringValue: "Any City" },
            Binary: { DataType: "Binary", BinaryValue: Uint8Array.of(0, 1) },
          },
        },
        { Id: "too-late", MessageBody: "late", DelaySeconds: 901 },
        { Id: "second", MessageBody: BODY },
      ],
    });
    assert.deepEqual(sent.Successful.map(({ Id }) => Id), ["first", "second"]);
    const [first] = sent.Successful;
    assert.equal(first.MD5OfMessageBody, "fafb00f5732ab283681e124bf8747ed1");
    assert.equal(first.MD5OfMessageAttributes, "04150213f46934cece42ec4f30a4689f");
    assert.deepEqual(failures(sent), [["too-late", "InvalidParameterValue", true]]);

    const messages = await receive(sqs, QueueUrl, { MaxNumberOfMessages: 10 });
    assert.deepEqual(messages.map(({ Body }) => Body).sort(), [BODY, "This is a test message"]);
    const handles = [...messages.map(({ ReceiptHandle }) => ReceiptHandle), "made up"];
    const Entries = handles.map((ReceiptHandle, i) => ({ Id: `${i}`, ReceiptHandle }));

    const changed = await sqs.changeMessageVisibilityBatch({
      QueueUrl,
      Entries: Entries.map((entry) => ({ ...entry, VisibilityTimeout: 60 })),
    });
    const deleted = await sqs.deleteMessageBatch({ QueueUrl, Entries });
    for (const answer of [changed, deleted]) {
      assert.deepEqual(answer.Successful.map(({ Id }) => Id), ["0", "1"]);
      assert.deepEqual(failures(answer), [["2", "ReceiptHandleIsInvalid", true]]);
    }
  },

  async a_lease_can_be_given_back(sqs) {
    const { QueueUrl } = await sqs.createQueue({ QueueName: "orders" });
    await sqs.sendMessage({ QueueUrl, MessageBody: "again" });
    const [{ ReceiptHandle }] = await receive(sqs, QueueUrl);
    assert.deepEqual(await receive(sqs, QueueUrl), []);

    await sqs.changeMessageVisibility({ QueueUrl, ReceiptHandle, VisibilityTimeout: 0 });

    const [again] = await receive(sqs, QueueUrl, { AttributeNames: ["ApproximateReceiveCount"] });
    assert.deepEqual(again.Attributes, { ApproximateReceiveCount: "2" });
    assert.notEqual(again.ReceiptHandle, ReceiptHandle);

    await sqs.purgeQueue({ QueueUrl });
    const { Attributes } = await sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["All"] });
    assert.equal(Attributes.ApproximateNumberOfMessagesNotVisible, "0");
    await assert.rejects(sqs.purgeQueue({ QueueUrl }), aws.PurgeQueueInProgress);
  },

  async a_long_poll_ends_when_a_message_comes(sqs) {
    const { QueueUrl } = await sqs.createQueue({ QueueName: "orders" });
    const began = Date.now();
    assert.deepEqual(await receive(sqs, QueueUrl, { WaitTimeSeconds: 1 }), []);
    assert(Date.now() - began >= 1_000);

    const waiting = receive(sqs, QueueUrl, { WaitTimeSeconds: 20 });
    await sqs.sendMessage({ QueueUrl, MessageBody: "hello" });
    assert.deepEqual((await waiting).map(({ Body }) => Body), ["hello"]);
    assert(Date.now() - began < 15_000);
  },

  async a_permission_is_a_statement_of_the_policy(sqs) {
    const { QueueUrl } = await sqs.createQueue({ QueueName: "orders" });
    const policy = async () => {
      const AttributeNames = ["Policy", "QueueArn"];
      const { Attributes } = await sqs.getQueueAttributes({ QueueUrl, AttributeNames });
      return [Attributes.QueueArn, JSON.parse(Attributes.Policy ?? '{"Statement":[]}').Statement];
    };

    await sqs.addPermission({
      QueueUrl,
      Label: "one",
      AWSAccountIds: ["111122223333"],
      Actions: ["SendMessage"],
    });
    const [arn, statements] = await policy();
    assert.deepEqual(statements, [
      {
        Sid: "one",
        Effect: "Allow",
        Principal: { AWS: "arn:aws:iam::111122223333:root" },
        Action: "SQS:SendMessage",
        Resource: arn,
      },
    ]);

    await sqs.removePermission({ QueueUrl, Label: "one" });
    assert.deepEqual((await policy())[1], []);
  },

  async a_fifo_queue_keeps_order_and_drops_repeats(sqs) {
    const { QueueUrl } = await sqs.createQueue({
      QueueName: "orders.fifo",
      Attributes: { FifoQueue: "true", ContentBasedDeduplication: "true" },
    });
    const send = (MessageBody, MessageGroupId) =>
      sqs.sendMessage({ QueueUrl, MessageBody, MessageGroupId });

    const [first, again] = [await send("a", "red"), await send("a", "red")];
    assert.equal(again.MessageId, first.MessageId);
    assert.equal(again.SequenceNumber, first.SequenceNumber);
    assert.match(first.SequenceNumber, /^\d{20}$/);
    await send("b", "red");
    await send("c", "red");
    await send("x", "blue");

    const got = await receive(sqs, QueueUrl, {
      MaxNumberOfMessages: 2,
      MessageSystemAttributeNames: ["All"],
    });
    assert.deepEqual(got.map(({ Body }) => Body), ["a", "b"]);
    assert.equal(got[0].Attributes.MessageGroupId, "red");
    assert.equal(got[0].Attributes.SequenceNumber, first.SequenceNumber);
    assert.equal(
      got[0].Attributes.MessageDeduplicationId,
      createHash("sha256").update("a").digest("hex"),
    );

    // The red group is locked until both are deleted; blue is another matter.
    const rest = { MaxNumberOfMessages: 10 };
    assert.deepEqual((await receive(sqs, QueueUrl, rest)).map(({ Body }) => Body), ["x"]);
    const Entries = got.map(({ ReceiptHandle }, i) => ({ Id: `${i}`, ReceiptHandle }));
    await sqs.deleteMessageBatch({ QueueUrl, Entries });
    assert.deepEqual((await receive(sqs, QueueUrl, rest)).map(({ Body }) => Body), ["c"]);
  },

  async a_dead_letter_is_found_and_moved_back(sqs) {
    const [QueueUrl, deadUrl] = (
      await Promise.all([
        sqs.createQueue({ QueueName: "orders" }),
        sqs.createQueue({ QueueName: "dead" }),
      ])
    ).map((made) => made.QueueUrl);
    const AttributeNames = ["QueueArn"];
    const dead = await sqs.getQueueAttributes({ QueueUrl: deadUrl, AttributeNames });
    const SourceArn = dead.Attributes.QueueArn;
    const RedrivePolicy = JSON.stringify({ deadLetterTargetArn: SourceArn, maxReceiveCount: 1 });
    await sqs.setQueueAttributes({ QueueUrl, Attributes: { RedrivePolicy } });
    const sources = await sqs.listDeadLetterSourceQueues({ QueueUrl: deadUrl });
    assert.deepEqual(sources.queueUrls, [QueueUrl]);

    const bodies = [..."abcdefghi"];
    await Promise.all(bodies.map((MessageBody) => sqs.sendMessage({ QueueUrl, MessageBody })));
    const all = { MaxNumberOfMessages: 10, VisibilityTimeout: 0 };
    assert.equal((await receive(sqs, QueueUrl, all)).length, bodies.length);
    assert.equal((await receive(sqs, QueueUrl, all)).length, 0);
    assert.equal((await receive(sqs, deadUrl, all)).length, bodies.length);

    const tasks = async () =>
      (await sqs.listMessageMoveTasks({ SourceArn, MaxResults: 10 })).Results;
    const until = async (...statuses) => {
      const deadline = Date.now() + DEADLINE;
      while (`${(await tasks()).map(({ Status }) => Status)}` !== `${statuses}`) {
        assert(Date.now() < deadline, `${JSON.stringify(await tasks())}, not ${statuses}`);
        await sleep(50);
      }
    };

    // One message a second leaves time to cancel; then the rest, as fast as it goes.
    const slow = { SourceArn, MaxNumberOfMessagesPerSecond: 1 };
    const { TaskHandle } = await sqs.startMessageMoveTask(slow);
    await assert.rejects(sqs.startMessageMoveTask(slow), aws.UnsupportedOperation);
    const cancelled = await sqs.cancelMessageMoveTask({ TaskHandle });
    assert(cancelled.ApproximateNumberOfMessagesMoved < bodies.length);
    await until("CANCELLED");
    await sqs.startMessageMoveTask({ SourceArn });
    await until("COMPLETED", "CANCELLED");

    const [task] = await tasks();
    assert.equal(task.SourceArn, SourceArn);
    assert.equal(task.TaskHandle, undefined);
    assert(Math.abs(Date.now() - task.StartedTimestamp) < 60_000);
    const moved = await receive(sqs, QueueUrl, all);
    assert.deepEqual(moved.map(({ Body }) => Body).sort(), bodies);
  },

  async what_is_refused_arrives_as_the_clients_own_error(sqs) {
    const { QueueUrl } = await sqs.createQueue({ QueueName: "orders" });
    const missing = { QueueUrl: QueueUrl.replace("orders", "missing") };
    const refused = (call, expected) => assert.rejects(call, expected);

    await refused(sqs.getQueueUrl({ QueueName: "missing" }), (error) => {
      assert(error instanceof aws.QueueDoesNotExist);
      assert.equal(error.name, "QueueDoesNotExist");
      assert.equal(error.Code, "AWS.SimpleQueueService.NonExistentQueue");
      assert.equal(error.Type, "Sender");
      assert.equal(error.message, "The specified queue does not exist.");
      assert.equal(error.$metadata.httpStatusCode, 400);
      assert.match(error.$metadata.requestId, /^[0-9a-f-]{36}$/);
      return true;
    });
    await refused(sqs.sendMessage({ ...missing, MessageBody: "x" }), aws.QueueDoesNotExist);
    await refused(sqs.receiveMessage(missing), aws.QueueDoesNotExist);
    await refused(
      sqs.createQueue({ QueueName: "orders", Attributes: { DelaySeconds: "1" } }),
      aws.QueueNameExists,
    );
    await refused(
      sqs.deleteMessage({ QueueUrl, ReceiptHandle: "made up" }),
      aws.ReceiptHandleIsInvalid,
    );
    await refused(
      sqs.getQueueAttributes({ QueueUrl, AttributeNames: ["Colour"] }),
      aws.InvalidAttributeName,
    );
    await refused(
      sqs.sendMessage({ QueueUrl, MessageBody: "bell \x07" }),
      aws.InvalidMessageContents,
    );

    const batch = (...ids) => {
      const Entries = ids.map((Id) => ({ Id, MessageBody: "x" }));
      return sqs.sendMessageBatch({ QueueUrl, Entries });
    };
    await refused(batch(), aws.EmptyBatchRequest);
    await refused(batch(..."abcdefghijk"), aws.TooManyEntriesInBatchRequest);
    await refused(batch("a", "a"), aws.BatchEntryIdsNotDistinct);
    await refused(batch("a b"), aws.InvalidBatchEntryId);

    await sqs.sendMessage({ QueueUrl, MessageBody: "x" });
    const [{ ReceiptHandle }] = await receive(sqs, QueueUrl, { VisibilityTimeout: 0 });
    await refused(
      sqs.changeMessageVisibility({ QueueUrl, ReceiptHandle, VisibilityTimeout: 10 }),
      aws.MessageNotInflight,
    );
    // Codes that SQS never gave a shape have no class of their own either.
    await refused(sqs.receiveMessage({ QueueUrl, MaxNumberOfMessages: 11 }), (error) => {
      assert(error instanceof aws.SQSServiceException);
      assert.equal(error.Code, "InvalidParameterValue");
      return true;
    });
  },

  async a_topic_is_made_found_changed_and_deleted(sqs, sns) {
    const { TopicArn } = await sns.createTopic({
      Name: "orders",
      Attributes: { DisplayName: "größe & <co>" },
      Tags: [{ Key: "team", Value: "größe & <co>" }],
    });
    assert.match(TopicArn, /^arn:aws:sns:us-east-1:\d{12}:orders$/);
    assert.equal((await sns.createTopic({ Name: "orders" })).TopicArn, TopicArn);
    assert.deepEqual((await sns.listTopics({})).Topics, [{ TopicArn }]);

    const set = { AttributeName: "SignatureVersion", AttributeValue: "2" };
    await sns.setTopicAttributes({ TopicArn, ...set });
    const { Attributes } = await sns.getTopicAttributes({ TopicArn });
    assert.equal(Attributes.DisplayName, "größe & <co>");
    assert.equal(Attributes.SignatureVersion, "2");
    assert.equal(Attributes.SubscriptionsConfirmed, "0");

    const ResourceArn = TopicArn;
    await sns.tagResource({ ResourceArn, Tags: [{ Key: "stage", Value: "live" }] });
    await sns.untagResource({ ResourceArn, TagKeys: ["team", "unknown"] });
    assert.deepEqual((await sns.listTagsForResource({ ResourceArn })).Tags, [
      { Key: "stage", Value: "live" },
    ]);

    await sns.deleteTopic({ TopicArn });
    await assert.rejects(sns.getTopicAttributes({ TopicArn }), topics.NotFoundException);
  },

  async what_is_published_reaches_the_queues_whose_filter_lets_it(sqs, sns) {
    const { TopicArn } = await sns.createTopic({ Name: "orders" });
    const subscribed = async (QueueName, Attributes) => {
      const { QueueUrl } = await sqs.createQueue({ QueueName });
      const AttributeNames = ["QueueArn"];
      const found = await sqs.getQueueAttributes({ QueueUrl, AttributeNames });
      const { SubscriptionArn } = await sns.subscribe({
        TopicArn,
        Protocol: "sqs",
        Endpoint: found.Attributes.QueueArn,
        Attributes,
      });
      return [QueueUrl, SubscriptionArn];
    };
    const [whole, subscription] = await subscribed("whole", {});
    const FilterPolicy = JSON.stringify({ size: [{ numeric: [">", 9] }] });
    const [large] = await subscribed("large", { FilterPolicy, RawMessageDelivery: "true" });

    const size = (StringValue) => ({ size: { DataType: "Number", StringValue } });
    const { MessageId } = await sns.publish({
      TopicArn,
      Message: BODY,
      Subject: "größe & <co>",
      MessageAttributes: size("7"),
    });
    const batch = await sns.publishBatch({
      TopicArn,
      PublishBatchRequestEntries: [
        { Id: "large", Message: BODY, MessageAttributes: size("10") },
        { Id: "empty", Message: "" },
        { Id: "grouped", Message: "x", MessageDeduplicationId: "for FIFO topics" },
      ],
    });
    assert.deepEqual(batch.Successful.map(({ Id }) => Id), ["large"]);
    assert.deepEqual(failures(batch), [
      ["empty", "InvalidParameter", true],
      ["grouped", "InvalidParameter", true],
    ]);

    const [raw, ...others] = await receive(sqs, large, { MaxNumberOfMessages: 10 });
    assert.deepEqual([raw.Body, others], [BODY, []]);
    const found = await receive(sqs, whole, { MaxNumberOfMessages: 10 });
    const envelopes = found.map(({ Body }) => JSON.parse(Body));
    assert.deepEqual(envelopes.map((one) => one.Message), [BODY, BODY]);
    const [first] = envelopes;
    assert.equal(first.MessageId, MessageId);
    assert.equal(first.Subject, "größe & <co>");
    assert.deepEqual(first.MessageAttributes, { size: { Type: "Number", Value: "7" } });
    assert.match(first.UnsubscribeURL, /Action=Unsubscribe/);

    await sns.unsubscribe({ SubscriptionArn: subscription });
    const { Subscriptions } = await sns.listSubscriptionsByTopic({ TopicArn });
    assert.deepEqual(Subscriptions.map(({ Protocol }) => Protocol), ["sqs"]);
    await assert.rejects(
      sns.publish({ TopicArn: `${TopicArn}-none`, Message: "x" }),
      topics.NotFoundException,
    );
    await assert.rejects(sns.publish({ TopicArn, Message: "" }), topics.InvalidParameterException);
  },
};

// --- What the scenarios say often ---------------------------------------------------------------

async function receive(sqs, QueueUrl, options = {}) {
  return (await sqs.receiveMessage({ QueueUrl, ...options })).Messages ?? [];
}

function failures(answer) {
  return answer.Failed.map(({ Id, Code, SenderFault }) => [Id, Code, SenderFault]);
}

const [name, endpoint] = process.argv.slice(2);
const sqs = new aws.SQS({ endpoint });
const sns = new topics.SNS({ endpoint });
await scenarios[name](sqs, sns);
sqs.destroy();
sns.destroy();
