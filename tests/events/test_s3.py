"""S3 events: read, made alike, filtered, and brought to a topic or a queue."""

from __future__ import annotations

import json

import pytest

from rmq.errors import InvalidParameter, MissingParameter, QueueDoesNotExist, TopicDoesNotExist
from rmq.events import s3
from tests.events.records import TEST_EVENT, aws, minio, posted, posted_by_minio

on_asyncio = pytest.mark.parametrize(
    "backend", ["async-memory", "async-valkey", "async-cluster"], indirect=True
)


def told(event: s3.Event) -> dict:
    [record] = json.loads(event.body)["Records"]
    return record


# --- reading ---


def test_a_record_of_s3_s_own_is_passed_on_as_it_is():
    record = aws(glacierEventData={"restoreEventData": {"x": 1}})
    [event] = s3.read(posted(record))

    assert told(event) == record
    assert (event.name, event.bucket, event.key) == (
        "ObjectCreated:Put",
        "pictures",
        "a/b c+d.jpg",
    )


def test_each_record_is_a_message_of_its_own():
    events = s3.read(posted(aws(key="a"), aws(key="b")))
    assert [told(one)["s3"]["object"]["key"] for one in events] == ["a", "b"]


def test_a_record_of_minio_s_looks_like_one_of_s3_s():
    [event] = s3.read(posted_by_minio(minio()), "eu-west-1")

    record = aws()
    record["eventVersion"] = "2.1"
    record["awsRegion"] = "eu-west-1"
    record["userIdentity"] = {"principalId": "minio"}
    record["requestParameters"] = {"sourceIPAddress": "10.0.0.1"}
    record["responseElements"] = {
        "x-amz-request-id": "17A639B8E8C7DA6F",
        "x-amz-id-2": "dd9025bab4ad464b",
    }
    record["s3"]["configurationId"] = "Config"
    record["s3"]["bucket"]["ownerIdentity"] = {"principalId": "minio"}
    record["s3"]["object"]["sequencer"] = "17A639B8E8D2C0BA"
    del record["s3"]["object"]["versionId"]
    assert told(event) == record
    assert (event.name, event.key) == ("ObjectCreated:Put", "a/b c+d.jpg")


KEYS = [
    ("path%2Fkey", "path/key", "path/key"),
    ("a+b", "a b", "a+b"),
    ("a%20b", "a b", "a+b"),
    ("a%2Bb", "a+b", "a%2Bb"),
    ("%E2%98%83", "☃", "%E2%98%83"),
    ("a%25b", "a%b", "a%25b"),
    ("x-_.*", "x-_.*", "x-_.*"),
]


@pytest.mark.parametrize(("sent", "key", "encoded"), KEYS)
def test_a_key_is_encoded_as_s3_does(sent, key, encoded):
    [event] = s3.read(posted_by_minio(minio(key=sent)))
    assert event.key == key
    assert told(event)["s3"]["object"]["key"] == encoded


@pytest.mark.parametrize("name", ["s3:ObjectRemoved:Delete", "s3:LifecycleExpiration:Delete"])
def test_what_was_removed_has_no_size(name):
    [event] = s3.read(posted_by_minio(minio(name)))
    assert set(told(event)["s3"]["object"]) == {"key", "sequencer"}


def test_the_region_that_minio_names_is_kept():
    record = minio() | {"awsRegion": "here-1"}
    assert told(s3.read(posted_by_minio(record))[0])["awsRegion"] == "here-1"


def test_an_event_of_a_whole_bucket_has_no_object():
    record = minio("s3:BucketCreated:*")
    del record["s3"]["object"]
    [event] = s3.read(posted_by_minio(record))
    assert (event.name, event.key) == ("BucketCreated:*", "")
    assert "object" not in told(event)["s3"]


def test_the_test_event_is_passed_on_as_it_is():
    [event] = s3.read(json.dumps(TEST_EVENT))
    assert event.is_test
    assert json.loads(event.body) == TEST_EVENT


def without(record: dict, *path: str) -> dict:
    inner = record
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return record


def with_(record: dict, value: object, *path: str) -> dict:
    inner = record
    for name in path[:-1]:
        inner = inner[name]
    inner[path[-1]] = value
    return record


MALFORMED = [
    (b"", "body"),
    (b"hello", "body"),
    (b"\xff", "body"),
    (b"[]", "body"),
    (b"7", "body"),
    (b"[" * 5000, "body"),
    (b"{}", "body"),
    (b'{"Records": 7}', "Records"),
    (b'{"Records": []}', "Records"),
    (b'{"Records": null}', "Records"),
    (posted(7), "Records[0]"),
    (posted(aws(), {}), "Records[1].eventName"),
    (posted(with_(aws(), 7, "eventName")), "Records[0].eventName"),
    (posted(with_(aws(), "", "eventName")), "Records[0].eventName"),
    (posted(without(aws(), "s3")), "Records[0].s3"),
    (posted(with_(aws(), [], "s3")), "Records[0].s3"),
    (posted(without(aws(), "s3", "bucket")), "Records[0].s3.bucket"),
    (posted(without(aws(), "s3", "bucket", "name")), "Records[0].s3.bucket.name"),
    (posted(without(aws(), "s3", "object")), "Records[0].s3.object"),
    (posted(with_(aws(), 7, "s3", "object", "key")), "Records[0].s3.object.key"),
    (b'{"Event": "s3:TestEvent"}', "Bucket"),
    (b'{"Event": "s3:TestEvent", "Bucket": 7}', "Bucket"),
    (posted(aws()) + b" " * s3.MAX_BODY, "body"),
]


@pytest.mark.parametrize(("body", "field"), MALFORMED, ids=range(len(MALFORMED)))
def test_what_is_no_s3_event_is_refused_by_name(body, field):
    with pytest.raises(InvalidParameter) as refused:
        s3.read(body)
    assert refused.value.field == field


def test_an_envelope_of_sns_is_refused_with_what_to_do():
    envelope = {"Type": "Notification", "TopicArn": "arn:..", "Message": posted(aws()).decode()}
    with pytest.raises(InvalidParameter, match="raw message delivery"):
        s3.read(json.dumps(envelope))


ODD = ["requestParameters", "responseElements", "userIdentity", "awsRegion", "eventTime"]


@pytest.mark.parametrize("field", ODD)
@pytest.mark.parametrize("value", [None, 7, []])
def test_what_another_store_leaves_out_is_no_reason_to_lose_an_event(field, value):
    [event] = s3.read(posted_by_minio(with_(minio(), value, field)))
    assert told(event)["s3"]["object"]["key"] == "a/b+c%2Bd.jpg"


# --- filtering ---


@pytest.fixture
async def uploads(client):
    """A topic that all queues in a test hear, and one of these."""
    topic = await client.create_topic("uploads")
    queue = await client.create_queue("thumbnails")
    await topic.subscribe(queue)
    return queue


FILTERS = [
    ({}, True),
    ({"events": ["s3:ObjectCreated:*"]}, True),
    ({"events": ["ObjectCreated:*"]}, True),
    ({"events": ["s3:ObjectCreated:Put"]}, True),
    ({"events": ["s3:ObjectRemoved:*", "s3:ObjectCreated:Put"]}, True),
    ({"events": ["s3:ObjectCreated:Copy"]}, False),
    ({"events": ["s3:ObjectRemoved:*"]}, False),
    ({"events": ["*"]}, True),
    ({"prefix": "a/"}, True),
    ({"prefix": "b/"}, False),
    ({"suffix": "c+d.jpg"}, True),
    ({"suffix": "%2Bd.jpg"}, False),
    ({"suffix": ".png"}, False),
    ({"prefix": "a/", "suffix": ".jpg", "events": ["s3:ObjectCreated:*"]}, True),
]


@pytest.mark.parametrize("record", [aws(), minio()], ids=["aws", "minio"])
@pytest.mark.parametrize(("given", "passes"), FILTERS)
@pytest.mark.parametrize("backend", ["async-memory"], indirect=True)
async def test_filters_look_at_the_name_and_the_decoded_key(client, record, given, passes):
    queue = await client.create_queue("q")
    forwarder = s3.Forwarder(client, queue="q", **given)

    assert await forwarder.forward(posted(record)) == int(passes)
    assert len(await queue.peek()) == int(passes)


@pytest.mark.parametrize("backend", ["async-memory"], indirect=True)
async def test_the_test_event_passes_every_filter(client):
    await client.create_queue("q")
    forwarder = s3.Forwarder(client, queue="q", events=["s3:ObjectRemoved:*"], prefix="x")
    assert await forwarder.forward(json.dumps(TEST_EVENT)) == 1


WRONG = [
    ({}, "topic or queue"),
    ({"topic": "t", "queue": "q"}, "topic or queue"),
    ({"topic": "t.fifo"}, "topic"),
    ({"queue": "q.fifo"}, "queue"),
    ({"topic": "a b"}, "topic name"),
    ({"queue": ""}, "queue name"),
    ({"topic": "t", "events": ["ObjectCreated:P*"]}, "event"),
    ({"topic": "t", "events": ["s3:"]}, "event"),
    ({"topic": "t", "events": "s3:ObjectCreated:*"}, "events"),
    ({"topic": "t", "prefix": 7}, "prefix"),
    ({"topic": "t", "suffix": "x" * 1025}, "suffix"),
]


@pytest.mark.parametrize(("given", "field"), WRONG)
@pytest.mark.parametrize("backend", ["async-memory"], indirect=True)
async def test_what_a_forwarder_can_not_do_is_refused_by_name(client, given, field):
    with pytest.raises(InvalidParameter) as refused:
        s3.Forwarder(client, **given)
    assert refused.value.field == field
    assert isinstance(refused.value, MissingParameter) == (field == "topic or queue")


# --- forwarding ---


@on_asyncio
async def test_to_a_topic_each_record_is_published_with_the_subject_of_s3(client, uploads):
    forwarder = s3.Forwarder(client, topic="uploads")

    assert await forwarder.forward(posted(aws(key="a"), aws(key="b"))) == 2

    envelopes = [one.json() for one in await uploads.peek()]
    assert {one["Subject"] for one in envelopes} == {"Amazon S3 Notification"}
    keys = [json.loads(one["Message"])["Records"][0]["s3"]["object"]["key"] for one in envelopes]
    assert keys == ["a", "b"]


@on_asyncio
async def test_to_a_queue_each_record_is_sent(client, uploads):
    forwarder = s3.Forwarder(client, queue="thumbnails")
    assert await forwarder.forward(posted_by_minio(minio())) == 1
    [one] = await uploads.peek()
    assert one.json()["Records"][0]["eventName"] == "ObjectCreated:Put"


@on_asyncio
async def test_the_test_event_is_the_one_that_s3_sends(client, uploads, clock):
    await s3.Forwarder(client, queue="thumbnails").send_test("pictures")
    [one] = await uploads.peek()
    found = one.json()
    assert set(found) == set(TEST_EVENT)
    assert (found["Service"], found["Event"], found["Bucket"]) == (
        "Amazon S3",
        "s3:TestEvent",
        "pictures",
    )
    assert found["Time"] == clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")


@pytest.mark.parametrize("backend", ["async-memory"], indirect=True)
async def test_a_destination_that_is_not_there_is_named(client):
    for call in ("check", "forward"):
        words = [posted(aws())] if call == "forward" else []
        with pytest.raises(TopicDoesNotExist):
            await getattr(s3.Forwarder(client, topic="none"), call)(*words)
        with pytest.raises(QueueDoesNotExist):
            await getattr(s3.Forwarder(client, queue="none"), call)(*words)


@pytest.mark.parametrize("backend", ["async-memory"], indirect=True)
async def test_a_record_that_the_queue_can_not_take_is_an_error(client):
    await client.create_queue("q", maximum_message_size=1024)
    record = aws(glacierEventData={"x": "x" * 2000})
    with pytest.raises(InvalidParameter, match="1024"):
        await s3.Forwarder(client, queue="q").forward(posted(record))


@pytest.mark.parametrize("bucket", ["", "a b", 7, "x" * 256])
@pytest.mark.parametrize("backend", ["async-memory"], indirect=True)
async def test_what_is_no_bucket_is_refused(client, bucket):
    with pytest.raises(InvalidParameter):
        await s3.Forwarder(client, queue="q").send_test(bucket)
