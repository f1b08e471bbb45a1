"""boto3: an SNS client behind the face of rmq.AsyncTopic, so that one test body runs over both.

What the library says beyond AWS's answer is Untold, or NotInAws at once.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import AsyncIterator, Iterable, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime, timedelta
from typing import Any

from rmq import BatchResult, MessageAttribute
from rmq import errors as ours
from rmq.core.place import Place
from rmq.errors import RmqError, Words
from rmq.topics.aio import AsyncTopic
from rmq.topics.attributes import TopicAttributes
from rmq.topics.message import Notification
from rmq.topics.subscription import Subscription, SubscriptionAttributes, Subscriptions
from tests.boto_doors import REGION, NotInAws
from tests.boto_words import Untold

BATCH = 10
BATCH_BYTES = 262_144
PAGE = 100

TOPIC_NAMES = {
    "archive_retention": "ArchivePolicy",
    "content_based_deduplication": "ContentBasedDeduplication",
    "data_protection_policy": "DataProtectionPolicy",
    "delivery_policy": "DeliveryPolicy",
    "display_name": "DisplayName",
    "fifo_throughput_scope": "FifoThroughputScope",
    "kms_master_key_id": "KmsMasterKeyId",
    "maximum_message_size": "MaximumMessageSize",
    "policy": "Policy",
    "signature_version": "SignatureVersion",
    "tracing_config": "TracingConfig",
}
"""SNS's names of a topic's attributes."""
SUBSCRIPTION_NAMES = {
    "dead_letter_queue": "RedrivePolicy",
    "delivery_policy": "DeliveryPolicy",
    "filter_policy": "FilterPolicy",
    "filter_policy_scope": "FilterPolicyScope",
    "raw_message_delivery": "RawMessageDelivery",
    "subscription_role_arn": "SubscriptionRoleArn",
}
"""SNS's names of a subscription's attributes."""
CHOICES = {
    "message_attributes": "MessageAttributes",
    "message_body": "MessageBody",
    "message_group": "MessageGroup",
    "topic": "Topic",
}
_OWN = {theirs: own for own, theirs in CHOICES.items()}
_FIELDS = {name: field for field, name in (TOPIC_NAMES | SUBSCRIPTION_NAMES).items()}

_published: set[str] = set()
"""The message ids that publishes were answered with. They are unique, so one set serves all."""


class Topics:
    """What a BotoClient has of topics."""

    account: str

    async def ask_sns(self, operation: str, topic: str, **parameters: Any) -> dict[str, Any]:
        raise NotImplementedError

    def topic(self, name: Any) -> BotoTopic:
        return BotoTopic(self, name)

    async def create_topic(self, name: Any, *, tags: Any = None, **attributes: Any) -> BotoTopic:
        made = topic_attributes_in(attributes)
        given: dict[str, Any] = {}
        if "DataProtectionPolicy" in made:
            given["DataProtectionPolicy"] = made.pop("DataProtectionPolicy")
        if isinstance(name, str) and name.endswith(".fifo"):
            made["FifoTopic"] = "true"
        if made:
            given["Attributes"] = made
        if tags is not None:
            given["Tags"] = _tags(tags)
        topic = BotoTopic(self, name)
        try:
            found = await self.ask_sns("CreateTopic", name, Name=name, **given)
        except ours.TopicExists as error:
            if isinstance(error.attribute, str):
                raise
            raise await topic.differing(attributes) from error
        assert found["TopicArn"] == topic.arn
        return topic

    async def get_topic(self, name: Any) -> BotoTopic:
        topic = self.topic(name)
        await topic.info()
        return topic

    async def list_topics(self, prefix: Any = "", *, limit: Any = PAGE, token: Any = None) -> Names:
        if prefix or limit != PAGE:
            raise NotInAws("topics by their beginning, and pages of another size than 100")
        given = {} if token is None else {"NextToken": token}
        found = await self.ask_sns("ListTopics", "", **given)
        page = Names(one["TopicArn"].rpartition(":")[2] for one in found["Topics"])
        page.next_token = found.get("NextToken")
        return page

    async def all_topics(self, prefix: str = "") -> AsyncIterator[BotoTopic]:
        token = None
        while True:
            page = await self.list_topics(token=token)
            for name in page:
                if name.startswith(prefix):
                    yield self.topic(name)
            token = page.next_token
            if token is None:
                return

    async def delete_topic(self, name: Any) -> bool:
        return await self.topic(name).delete_topic()


class Names(list[str]):
    """Names of topics, and where the next page begins."""

    next_token: str | None = None


class BotoTopic:
    """One topic, by its ARN."""

    def __init__(self, client: Topics, name: Any) -> None:
        self.name = name
        self.is_fifo = str(name).endswith(".fifo")
        self.arn = f"arn:aws:sns:{REGION}:{client.account}:{name}"
        self._client = client

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("_") and hasattr(AsyncTopic, name):
            raise NotInAws(f"topic.{name}")
        if name == "_registry":
            raise NotInAws("a plan carried out by hand")
        raise AttributeError(name)

    async def _ask(self, operation: str, **parameters: Any) -> dict[str, Any]:
        return await self._client.ask_sns(operation, self.name, **parameters)

    # --- publishing ---

    async def publish(self, message: Any, **extras: Any) -> Published:
        entry = entry_of(Notification(message, **extras))
        try:
            return _published_as(await self._ask("Publish", TopicArn=self.arn, **entry))
        except ours.InvalidParameter as error:
            raise await self._named(error, entry) from error

    async def _named(self, error: Any, entry: Mapping[str, Any]) -> Any:
        """The same error, with the size and the limit, which SNS does not tell."""
        if getattr(error, "field", "") != "message size":
            return error
        most = (await self.info()).attributes.largest_message
        size = Words(f"{_size(entry)} bytes")
        return ours.InvalidParameter(error.field, size, f"at most {most} bytes")

    async def publish_many(self, messages: Any) -> BatchResult[Any]:
        if not isinstance(messages, Iterable) or isinstance(messages, (str, bytes)):
            raise NotInAws("a batch that is no list: boto3 can not write it")
        entries = [
            entry_of(one if isinstance(one, Notification) else Notification(one))
            for one in messages
        ]
        results: list[Any] = []
        for batch in _batches(entries):
            results += await self._publish(batch)
        return BatchResult(tuple(results))

    async def _publish(self, entries: list[dict[str, Any]]) -> list[Any]:
        given = [{"Id": str(place), **one} for place, one in enumerate(entries)]
        answer = await self._ask(
            "PublishBatch", TopicArn=self.arn, PublishBatchRequestEntries=given
        )
        results: list[Any] = [None] * len(entries)
        for one in answer["Successful"]:
            results[int(one["Id"])] = _published_as(one)
        for one in answer["Failed"]:
            assert one["SenderFault"] is True
            error = error_of(one["Code"], one["Message"], self.name)
            results[int(one["Id"])] = await self._named(error, entries[int(one["Id"])])
        assert all(one is not None for one in results), "an entry without an answer"
        return results

    # --- subscriptions ---

    async def subscribe(
        self, endpoint: Any, protocol: Any = None, *, account: Any = None, **attributes: Any
    ) -> Subscription:
        if account is not None and account != self._client.account:
            raise NotInAws("subscribing in somebody else's name")
        queue_arn = getattr(endpoint, "arn", None)
        if queue_arn is None and protocol in (None, "sqs") and isinstance(endpoint, str):
            is_url = endpoint.startswith(("http://", "https://"))
            queue_arn = endpoint if is_url or ":" in endpoint else self._queue_arn(endpoint)
        where = endpoint if queue_arn is None else queue_arn
        if protocol is None:
            protocol = str(where).partition(":")[0]
            protocol = "sqs" if protocol == "arn" else protocol
        made = self._subscription_attributes(attributes)
        given = {"Attributes": made} if made else {}
        try:
            found = await self._ask(
                "Subscribe",
                TopicArn=self.arn,
                Protocol=protocol,
                Endpoint=where,
                ReturnSubscriptionArn=True,
                **given,
            )
        except ours.QueueDoesNotExist as error:
            named = where
            if "deadLetterTargetArn" in str(error):
                named = attributes["dead_letter_queue"]
                named = getattr(named, "name", named)
            queue = str(named).rpartition(":")[2]
            raise ours.QueueDoesNotExist(f"there is no queue {queue}", queue=queue) from error
        except ours.SubscriptionExists as error:
            raise await self._differing_subscription(str(where), attributes) from error
        return await self.subscription(found["SubscriptionArn"])

    async def _differing_subscription(
        self, endpoint: str, wanted: Mapping[str, Any]
    ) -> ours.SubscriptionExists:
        """The error that names the first attribute which is not as *wanted*."""
        async for one in self.all_subscriptions():
            if one.endpoint == endpoint:
                has = one.attributes
                names = (field for field, value in wanted.items() if getattr(has, field) != value)
                said = f"{endpoint} is subscribed with another {(name := next(names, ''))}"
                return ours.SubscriptionExists(said, topic=self.name, attribute=name)
        raise NotInAws("what a subscription was told that waits for its confirmation")

    def _queue_arn(self, name: Any) -> str:
        return f"arn:aws:sqs:{REGION}:{self._client.account}:{name}"

    def _subscription_attributes(self, given: Mapping[str, Any]) -> dict[str, str]:
        found = {}
        for field, value in given.items():
            if value is None and field == "dead_letter_queue":
                text = ""
            elif field == "dead_letter_queue":
                arn = getattr(value, "arn", value)
                arn = arn if ":" in str(arn) else self._queue_arn(arn)
                text = json.dumps({"deadLetterTargetArn": arn})
            else:
                text = _text(value)
            found[SUBSCRIPTION_NAMES.get(field, field)] = text
        return found

    async def confirm_subscription(
        self,
        token: Any,
        *,
        authenticate_on_unsubscribe: bool = False,
        authenticated: bool = True,
    ) -> Subscription:
        if not authenticated:
            raise NotInAws("an unsigned call by boto3")
        given = {"AuthenticateOnUnsubscribe": "true"} if authenticate_on_unsubscribe else {}
        found = await self._ask("ConfirmSubscription", TopicArn=self.arn, Token=token, **given)
        return await self.subscription(found["SubscriptionArn"])

    def _arn_of(self, id: str) -> str:
        return id if str(id).startswith("arn:") else f"{self.arn}:{id}"

    async def subscription(self, id: str) -> Subscription:
        return subscription_out(await self._subscription(id))

    async def _subscription(self, id: str) -> dict[str, str]:
        try:
            found = await self._ask("GetSubscriptionAttributes", SubscriptionArn=self._arn_of(id))
        except ours.SubscriptionDoesNotExist as error:
            raise ours.SubscriptionDoesNotExist(
                f"{self.name} has no subscription {id}", topic=self.name, subscription=id
            ) from error
        return dict(found["Attributes"])

    async def subscriptions(self, *, limit: Any = PAGE, token: Any = None) -> Subscriptions:
        if limit != PAGE:
            raise NotInAws("pages of another size than 100")
        given = {} if token is None else {"NextToken": token}
        page = await self._ask("ListSubscriptionsByTopic", TopicArn=self.arn, **given)
        found = []
        for one in page["Subscriptions"]:
            if one["SubscriptionArn"] == "PendingConfirmation":
                raise NotInAws("the id of a subscription that waits for its confirmation")
            found.append(await self.subscription(one["SubscriptionArn"]))
        return Subscriptions(tuple(found), page.get("NextToken"))

    async def all_subscriptions(self) -> AsyncIterator[Subscription]:
        token = None
        while True:
            page = await self.subscriptions(token=token)
            for one in page:
                yield one
            token = page.next_token
            if token is None:
                return

    async def set_subscription(self, id: str, **attributes: Any) -> Subscription:
        await self.subscription(id)
        made = self._subscription_attributes(attributes)
        if len(made) > 1:
            raise NotInAws("several attributes in one change")
        for name, value in made.items():
            await self._ask(
                "SetSubscriptionAttributes",
                SubscriptionArn=self._arn_of(id),
                AttributeName=name,
                AttributeValue=value,
            )
        return await self.subscription(id)

    async def unsubscribe(self, id: str, *, farewell: bool = False) -> Any:
        if farewell:
            raise NotInAws("an unsigned call by boto3")
        found = True
        try:
            await self.subscription(id)
        except ours.SubscriptionDoesNotExist:
            found = False
        await self._ask("Unsubscribe", SubscriptionArn=self._arn_of(id))
        return found

    # --- replaying, looking ---

    async def replay(self, id: str, start: datetime, end: datetime | None = None) -> Subscription:
        policy = {"PointType": "Timestamp", "StartingPoint": _moment(start)}
        if end is not None:
            policy["EndingPoint"] = _moment(end)
        await self._set_replay(id, json.dumps(policy))
        return await self.subscription(id)

    async def stop_replay(self, id: str) -> Subscription:
        await self._set_replay(id, "")
        return await self.subscription(id)

    async def _set_replay(self, id: str, policy: str) -> None:
        await self._ask(
            "SetSubscriptionAttributes",
            SubscriptionArn=self._arn_of(id),
            AttributeName="ReplayPolicy",
            AttributeValue=policy,
        )

    async def replay_status(self, id: str) -> Any:
        return (await self._subscription(id)).get("ReplayStatus")

    async def info(self) -> TopicInfo:
        found = await self._ask("GetTopicAttributes", TopicArn=self.arn)
        info = topic_out(found["Attributes"])
        said = await self._ask("GetDataProtectionPolicy", ResourceArn=self.arn)
        policy = said.get("DataProtectionPolicy") or None
        return replace(info, attributes=replace(info.attributes, data_protection_policy=policy))

    async def set_attributes(self, **attributes: Any) -> TopicInfo:
        if "if_version" in attributes:
            raise NotInAws("versions of a topic's attributes")
        if len(attributes) > 1:
            raise NotInAws("several attributes in one change")
        for name, value in topic_attributes_in(attributes).items():
            if name == "DataProtectionPolicy":
                await self._ask(
                    "PutDataProtectionPolicy", ResourceArn=self.arn, DataProtectionPolicy=value
                )
            else:
                await self._ask(
                    "SetTopicAttributes",
                    TopicArn=self.arn,
                    AttributeName=name,
                    AttributeValue=value,
                )
        return await self.info()

    async def tags(self) -> dict[str, str]:
        found = await self._ask("ListTagsForResource", ResourceArn=self.arn)
        return {one["Key"]: one["Value"] for one in found["Tags"]}

    async def tag(self, tags: Any) -> dict[str, str]:
        await self._ask("TagResource", ResourceArn=self.arn, Tags=_tags(tags))
        return await self.tags()

    async def untag(self, keys: Any) -> dict[str, str]:
        if isinstance(keys, (str, bytes)) or not isinstance(keys, Iterable):
            raise NotInAws("a list that is none: boto3 can not write it")
        await self._ask("UntagResource", ResourceArn=self.arn, TagKeys=list(keys))
        return await self.tags()

    async def delete_topic(self) -> bool:
        found = True
        try:
            await self.info()
        except ours.TopicDoesNotExist:
            found = False
        await self._ask("DeleteTopic", TopicArn=self.arn)
        return found

    async def differing(self, wanted: Mapping[str, Any]) -> ours.TopicExists:
        """The error that names the first attribute which is not as *wanted*."""
        has = (await self.info()).attributes
        names = (one for one, value in wanted.items() if getattr(has, one, value) != value)
        name = next(names, Untold("which attribute differs"))
        said = f"topic {self.name} exists with another {name if isinstance(name, str) else ''}"
        return ours.TopicExists(said, topic=self.name, attribute=name)


# --- answers -------------------------------------------------------------------------------------


MATCHED = Untold("how many subscriptions a message is for")
PUBLISHED_AT = Untold("when a message was published")
CREATED_AT = Untold("when a topic was made")
MODIFIED_AT = Untold("when a topic was changed")
VERSION = Untold("versions of a topic's attributes")


@dataclass(frozen=True)
class Published:
    """What a publish was answered with."""

    id: str
    sequence_number: str | None
    is_duplicate: bool
    matched: Any = dataclasses.field(default_factory=lambda: MATCHED)
    published_at: Any = dataclasses.field(default_factory=lambda: PUBLISHED_AT)


def _published_as(found: Mapping[str, Any]) -> Published:
    id = found["MessageId"]
    made = Published(id, found.get("SequenceNumber"), id in _published)
    _published.add(id)
    return made


@dataclass(frozen=True)
class TopicInfo:
    """A topic, as GetTopicAttributes describes it."""

    name: str
    arn: str
    is_fifo: bool
    attributes: TopicAttributes
    confirmed: int
    pending: int
    archived_since: datetime | None
    created_at: Any = dataclasses.field(default_factory=lambda: CREATED_AT)
    modified_at: Any = dataclasses.field(default_factory=lambda: MODIFIED_AT)
    version: Any = dataclasses.field(default_factory=lambda: VERSION)


def topic_out(given: Mapping[str, str]) -> TopicInfo:
    """What GetTopicAttributes said."""
    found: dict[str, Any] = {"feedback": {}}
    for name, text in given.items():
        field = _FIELDS.get(name)
        if "Feedback" in name:
            found["feedback"][name] = text
        elif field is None or field not in TOPIC_NAMES:
            continue
        elif field in ("maximum_message_size", "signature_version"):
            found[field] = int(text)
        elif field == "content_based_deduplication":
            found[field] = {"true": True, "false": False}[text]
        elif field == "archive_retention":
            found[field] = timedelta(days=int(json.loads(text)["MessageRetentionPeriod"]))
        elif field == "policy":
            default = json.loads(text).get("Id") == "__default_policy_ID"
            found[field] = None if default else text
        else:
            found[field] = _OWN.get(text, text)
    arn = given["TopicArn"]
    assert given["Owner"] == arn.split(":")[4]
    began: Any = given.get("BeginningArchiveTime")
    return TopicInfo(
        name=arn.rpartition(":")[2],
        arn=arn,
        is_fifo=given.get("FifoTopic") == "true",
        attributes=TopicAttributes(**found),
        confirmed=int(given["SubscriptionsConfirmed"]),
        pending=int(given["SubscriptionsPending"]),
        archived_since=began and datetime.fromisoformat(began),
    )


def subscription_out(given: Mapping[str, str]) -> Subscription:
    """What GetSubscriptionAttributes said."""
    arn = given["SubscriptionArn"]
    *_, region, account, topic, id = arn.split(":")
    attributes: dict[str, Any] = {}
    for name, text in given.items():
        field = _FIELDS.get(name)
        if field not in SUBSCRIPTION_NAMES:
            continue
        if field == "raw_message_delivery":
            attributes[field] = {"true": True, "false": False}[text]
        elif field == "dead_letter_queue":
            attributes[field] = json.loads(text)["deadLetterTargetArn"]
        else:
            attributes[field] = _OWN.get(text, text)
    untold: Any = {
        one.name: Untold(f"a subscription's {one.name}")
        for one in fields(Subscription)
        if one.name in ("token", "token_ms", "created_ms", "filtered", "mark")
    }
    if "ReplayPolicy" in given:
        untold["replay"] = Untold("a subscription's replays")
    return Subscription(
        id=id,
        topic=topic,
        protocol=given["Protocol"],
        endpoint=given["Endpoint"],
        account=given["Owner"],
        place=Place(account, region),
        attributes=SubscriptionAttributes(**attributes),
        confirmed=given["PendingConfirmation"] == "false",
        authenticated=given["ConfirmationWasAuthenticated"] == "true",
        **untold,
    )


# --- requests ------------------------------------------------------------------------------------


def topic_attributes_in(given: Mapping[str, Any]) -> dict[str, str]:
    """Topic attributes as SNS takes them: all of them text."""
    found = {}
    for field, value in given.items():
        if field == "deduplication_window":
            raise NotInAws("how long a deduplication id is remembered")
        if field == "feedback" and isinstance(value, Mapping):
            found |= dict(value)
        elif field == "archive_retention" and value is not None:
            found["ArchivePolicy"] = _archive(value)
        else:
            found[TOPIC_NAMES.get(field, field)] = _text(value)
    return found


def _archive(value: Any) -> str:
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    if not isinstance(seconds, (int, float)) or seconds % 86_400:
        raise NotInAws("archives that are not kept for whole days")
    return json.dumps({"MessageRetentionPeriod": str(int(seconds // 86_400))})


def _text(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return json.dumps(value, separators=(",", ":"))
    if not isinstance(value, str):
        return str(value)
    return CHOICES.get(value, value)


def _tags(tags: Any) -> list[dict[str, str]]:
    if not isinstance(tags, Mapping):
        raise NotInAws("tags that are no mapping: boto3 can not write them")
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def entry_of(one: Notification) -> dict[str, Any]:
    """A message as Publish takes it; what is not given is left out."""
    message = one.message
    if isinstance(message, bytes):
        try:
            message = message.decode()
        except UnicodeDecodeError:
            raise NotInAws("messages that are not text") from None
    found: dict[str, Any] = {"Message": message}
    if one.by_protocol:
        found["MessageStructure"] = "json"
    if one.attributes is not None:
        found["MessageAttributes"] = {
            name: _attribute(value) for name, value in one.attributes.items()
        }
    others = {
        "Subject": one.subject,
        "MessageGroupId": one.message_group_id,
        "MessageDeduplicationId": one.deduplication_id,
    }
    return found | {name: value for name, value in others.items() if value is not None}


def _attribute(value: Any) -> dict[str, Any]:
    if isinstance(value, MessageAttribute):
        kind = "BinaryValue" if isinstance(value.value, bytes) else "StringValue"
        return {"DataType": value.type, kind: value.value}
    if isinstance(value, bytes):
        return {"DataType": "Binary", "BinaryValue": value}
    if isinstance(value, str):
        return {"DataType": "String", "StringValue": value}
    if isinstance(value, list):
        return {"DataType": "String.Array", "StringValue": json.dumps(value, separators=(",", ":"))}
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return {"DataType": "Number", "StringValue": repr(value)}
    raise NotInAws("an attribute that is neither text nor a number nor bytes nor a list")


def _size(entry: Mapping[str, Any]) -> int:
    """Bytes of a message and its attributes."""
    size = len(entry["Message"].encode())
    for name, one in entry.get("MessageAttributes", {}).items():
        value = one.get("StringValue", one.get("BinaryValue"))
        size += len(name) + len(one["DataType"])
        size += len(value if isinstance(value, bytes) else value.encode())
    return size


def _batches(entries: list[dict[str, Any]]) -> list[list[dict[str, Any]]]:
    """Up to ten entries of up to 256 KiB in all, in order."""
    found: list[list[dict[str, Any]]] = []
    size = 0
    for one in entries:
        its = _size(one)
        if not found or len(found[-1]) == BATCH or size + its > BATCH_BYTES:
            found.append([])
            size = 0
        found[-1].append(one)
        size += its
    return found


def _moment(at: datetime) -> str:
    if not isinstance(at, datetime) or at.tzinfo is None:
        raise NotInAws("a moment that is none, or has no time zone")
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


# --- errors --------------------------------------------------------------------------------------

_REASONS = (
    ("Invalid parameter: Message too long", "message size"),
    ("Invalid parameter: Empty message", "message"),
    ("Invalid parameter: Message Structure - No default", "message.default"),
    ("Invalid parameter: Message Structure", "message"),
    ("Invalid parameter: Subject", "subject"),
    ("Invalid parameter: Topic Name", "topic name"),
    ("Invalid parameter: Fifo Topic names", "topic name"),
    ("Invalid parameter: Token", "token"),
    ("Invalid parameter: NextToken", "token"),
    ("Invalid parameter: MessageGroupId", "message_group_id"),
    ("Invalid parameter: MessageDeduplicationId", "deduplication_id"),
    ("Invalid parameter: Amazon SNS does not support this protocol", "protocol"),
    ("Invalid parameter: Protocol", "protocol"),
    ("Invalid parameter: Invalid parameter: Endpoint", "endpoint"),
    ("Invalid parameter: Endpoint", "endpoint"),
    ("Invalid parameter: Email address", "endpoint"),
    ("Invalid parameter: Invalid SMS endpoint", "endpoint"),
    ("Invalid parameter: Lambda endpoint ARN", "endpoint"),
    ("Invalid parameter: Firehose endpoint ARN", "endpoint"),
    ("Invalid parameter: Application endpoint", "endpoint"),
    ("Invalid parameter: Tags", "tags"),
    ("Invalid parameter: ReplayPolicy: the topic must", "an archive"),
    ("Invalid parameter: ReplayPolicy: StartingPoint", "start"),
    ("Invalid parameter: ReplayPolicy: EndingPoint", "end"),
    ("Invalid parameter: Policy", "policy"),
    ("Invalid parameter: AttributeName", "attribute"),
)
"""What InvalidParameter's messages begin with, and our name of what they mean."""


def error_of(code: str, message: str, topic: Any) -> RmqError | None:
    """The library's error for one of AWS's; None for one that a test must not meet."""
    said = f"{topic}: {message}"
    match code:
        case "NotFound" if message == "Topic does not exist":
            return ours.TopicDoesNotExist(said, topic=topic)
        case "NotFound" if message == "Subscription does not exist":
            return ours.SubscriptionDoesNotExist(said, topic=topic, subscription="")
        case "ResourceNotFound":
            return ours.TopicDoesNotExist(said, topic=topic)
        case "SubscriptionLimitExceeded":
            return ours.TooManySubscriptions(said)
        case "FilterPolicyLimitExceeded":
            return ours.TooManyFilterPolicies(said)
        case "InvalidState":
            return ours.ArchiveActive(said)
        case "TagLimitExceeded":
            return ours.TooManyTags("tags", Words("many"), message)
        case "ParameterValueInvalid":
            return _invalid("attributes", message)
        case "ValidationError" if "'tags." in message or "'tagKeys." in message:
            return _invalid("tags", message)
        case "InvalidParameter":
            return _invalid_parameter(message, said, topic)
        case "ServiceUnavailable":
            return ours.ServerError(said)
    return None


def _invalid_parameter(message: str, said: str, topic: Any) -> RmqError:
    if (
        message == "Invalid parameter: SQS endpoint ARN"
        or "deadLetterTargetArn does not" in message
    ):
        return ours.QueueDoesNotExist(said, queue=Untold("which queue is not there"))
    if "Topic already exists with different" in message:
        which = "tags" if message.endswith("tags") else Untold("which attribute differs")
        return ours.TopicExists(said, topic=topic, attribute=which)
    if "Subscription already exists" in message:
        which = Untold("which attribute differs")
        return ours.SubscriptionExists(said, topic=topic, attribute=which)
    if "MessageGroupId parameter is required" in message:
        return ours.MissingParameter("message_group_id", message)
    if "ContentBasedDeduplication enabled or" in message:
        return ours.MissingParameter("deduplication_id", message)
    reason = message.removeprefix("Invalid parameter: ").removeprefix("Attributes Reason: ")
    if reason.startswith("FilterPolicy: "):
        reason = reason.removeprefix("FilterPolicy: ")
        return ours.InvalidFilterPolicy(reason, "", Words("refused"), reason)
    for start, field in _REASONS:
        if message.startswith(start):
            return _invalid(field, message)
    name = _FIELDS.get(reason.partition(":")[0], "")
    return (
        ours.MissingParameter(name, message)
        if " is missing;" in message
        else _invalid(name, message)
    )


def _invalid(field: str, message: str) -> RmqError:
    return ours.InvalidParameter(field, Words("refused"), message)
