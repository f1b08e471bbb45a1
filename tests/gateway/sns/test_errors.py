"""Errors: every one that SNS's model lists, with its code and status; by what causes it, or where
nothing here does, by a fault that a test asks for. And in which order things are refused.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import rmq
from rmq.gateway.app import Endpoint
from rmq.gateway.http import Request
from rmq.gateway.sns.errors import STATUS
from tests.gateway.conftest import OWN_ACCOUNT
from tests.gateway.sdk import REGION, SNS, SQS, Refused, Sdk, authorization, refusal, refused_in
from tests.gateway.wrong import example
from tests.servers import single_server

ARN = f"arn:aws:sns:{REGION}:{OWN_ACCOUNT}:"

Cause = Callable[[Sdk], Awaitable[Refused]]
CAUSES: dict[str, Cause] = {}
"""By the name of the error, what causes it here."""


def causes(shape: str) -> Callable[[Cause], Cause]:
    def note(cause: Cause) -> Cause:
        CAUSES[shape] = cause
        return cause

    return note


async def _topic(sns: Sdk, name: str = "orders", **attributes: str) -> str:
    if name.endswith(".fifo"):
        attributes["FifoTopic"] = "true"
    return str((await sns.create_topic(Name=name, Attributes=attributes))["TopicArn"])


async def _batch(sns: Sdk, *ids: str, size: int = 1) -> Refused:
    entries = [{"Id": id, "Message": "x" * size} for id in ids]
    return await refusal(
        sns.publish_batch(TopicArn=await _topic(sns), PublishBatchRequestEntries=entries)
    )


@causes("InvalidParameterException")
async def _(sns: Sdk) -> Refused:
    return await refusal(sns.create_topic(Name="a b"))


@causes("InvalidParameterValueException")
async def _(sns: Sdk) -> Refused:
    attributes = {"a": {"DataType": "Number", "StringValue": "x"}}
    return await refusal(
        sns.publish(TopicArn=await _topic(sns), Message="x", MessageAttributes=attributes)
    )


@causes("NotFoundException")
async def _(sns: Sdk) -> Refused:
    return await refusal(sns.get_topic_attributes(TopicArn=ARN + "none"))


@causes("ResourceNotFoundException")
async def _(sns: Sdk) -> Refused:
    return await refusal(sns.list_tags_for_resource(ResourceArn=ARN + "none"))


@causes("InvalidStateException")
async def _(sns: Sdk) -> Refused:
    arn = await _topic(sns, "a.fifo", ArchivePolicy='{"MessageRetentionPeriod":"1"}')
    return await refusal(sns.delete_topic(TopicArn=arn))


@causes("TagLimitExceededException")
async def _(sns: Sdk) -> Refused:
    tags = [{"Key": str(number), "Value": ""} for number in range(51)]
    return await refusal(sns.tag_resource(ResourceArn=await _topic(sns), Tags=tags))


@causes("SubscriptionLimitExceededException")
async def _(sns: Sdk) -> Refused:
    """A FIFO topic has a hundred."""
    topic = await _topic(sns, "a.fifo")
    queues = Sdk(sns.protocol, sns.carry, account=sns.account, service=SQS)
    for number in range(101):
        arn = await queues.arn(await queues.queue(f"q{number}"))
        if number == 100:
            break
        await sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    return await refusal(sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn))


@causes("FilterPolicyLimitExceededException")
async def _(sns: Sdk) -> Refused:
    """A topic has two hundred."""
    topic = await _topic(sns)

    async def subscribe(number: int) -> Any:
        return await sns.subscribe(
            TopicArn=topic,
            Protocol="sms",
            Endpoint=f"+1555010{number:04}",
            Attributes={"FilterPolicy": '{"a":["b"]}'},
        )

    for number in range(200):
        await subscribe(number)
    return await refusal(subscribe(200))


@causes("AuthorizationErrorException")
async def _(sns: Sdk) -> Refused:
    """A token that asks for signatures, and an Unsubscribe by somebody else."""
    topic = await _topic(sns)
    given = {"TopicArn": topic, "Protocol": "email", "Endpoint": "a@example.com"}
    arn = (await sns.subscribe(**given, ReturnSubscriptionArn=True))["SubscriptionArn"]
    path = f"/_aws/sns/subscription-tokens/{arn}"
    said = await sns.carry(Request("GET", path, "", {}, b""))
    token = json.loads(said.body)["subscription_token"]
    await sns.confirm_subscription(TopicArn=topic, Token=token, AuthenticateOnUnsubscribe="true")
    other = Sdk(sns.protocol, sns.carry, account="1" * 12, service=SNS)
    return await refusal(other.unsubscribe(SubscriptionArn=arn))


@causes("EmptyBatchRequestException")
async def _(sns: Sdk) -> Refused:
    return await _batch(sns)


@causes("TooManyEntriesInBatchRequestException")
async def _(sns: Sdk) -> Refused:
    return await _batch(sns, *map(str, range(11)))


@causes("BatchEntryIdsNotDistinctException")
async def _(sns: Sdk) -> Refused:
    return await _batch(sns, "a", "a")


@causes("InvalidBatchEntryIdException")
async def _(sns: Sdk) -> Refused:
    return await _batch(sns, "a b")


@causes("BatchRequestTooLongException")
async def _(sns: Sdk) -> Refused:
    return await _batch(sns, "a", "b", size=200_000)


@causes("ValidationException")
async def _(sns: Sdk) -> Refused:
    return await refusal(sns.list_origination_numbers(MaxResults=31))


async def _application(sns: Sdk, **attributes: str) -> str:
    given = {"PlatformCredential": "secret", **attributes}
    found = await sns.create_platform_application(Name="app", Platform="GCM", Attributes=given)
    return str(found["PlatformApplicationArn"])


async def _endpoint(sns: Sdk, application: str, **attributes: str) -> str:
    found = await sns.create_platform_endpoint(
        PlatformApplicationArn=application, Token="token", Attributes=attributes
    )
    return str(found["EndpointArn"])


@causes("EndpointDisabledException")
async def _(sns: Sdk) -> Refused:
    arn = await _endpoint(sns, await _application(sns), Enabled="false")
    return await refusal(sns.publish(TargetArn=arn, Message="x"))


@causes("PlatformApplicationDisabledException")
async def _(sns: Sdk) -> Refused:
    arn = await _endpoint(sns, await _application(sns, Enabled="false"))
    return await refusal(sns.publish(TargetArn=arn, Message="x"))


NUMBER = "+15550100123"


@causes("OptedOutException")
async def _(sns: Sdk) -> Refused:
    assert isinstance(sns.carry, Endpoint)
    await sns.carry.client.sms.opt_out(NUMBER)
    return await refusal(sns.create_sms_sandbox_phone_number(PhoneNumber=NUMBER))


@causes("UserErrorException")
async def _(sns: Sdk) -> Refused:
    """The sandbox has room for ten."""
    for number in range(10):
        await sns.create_sms_sandbox_phone_number(PhoneNumber=f"+1555010{number:04}")
    return await refusal(sns.create_sms_sandbox_phone_number(PhoneNumber="+15550200000"))


@causes("ThrottledException")
async def _(sns: Sdk) -> Refused:
    """A number gets five passwords a day."""
    for _ in range(5):
        await sns.create_sms_sandbox_phone_number(PhoneNumber=NUMBER)
    return await refusal(sns.create_sms_sandbox_phone_number(PhoneNumber=NUMBER))


@causes("VerificationException")
async def _(sns: Sdk) -> Refused:
    await sns.create_sms_sandbox_phone_number(PhoneNumber=NUMBER)
    return await refusal(
        sns.verify_sms_sandbox_phone_number(PhoneNumber=NUMBER, OneTimePassword="00000")
    )


BY_FAULT = {
    "ConcurrentAccessException",
    "InternalErrorException",
    "InvalidSecurityException",
    "KMSAccessDeniedException",
    "KMSDisabledException",
    "KMSInvalidStateException",
    "KMSNotFoundException",
    "KMSOptInRequired",
    "KMSThrottlingException",
    "ReplayLimitExceededException",
    "StaleTagException",
    "TagPolicyException",
    "TopicLimitExceededException",
}
"""Nothing here causes these: there are no keys, no tag policies, no rates and no quotas."""


def _modelled(shape: str) -> tuple[str, int]:
    """Code and status of an error by the model."""
    error = SNS.model.shape_for(shape).metadata.get("error", {})
    return error.get("code", shape), error.get("httpStatusCode", 400)


@pytest.mark.parametrize("shape", sorted(CAUSES))
async def test_what_causes_an_error_is_refused_with_its_code(sns, shape):
    found = await CAUSES[shape](sns)

    code, status = _modelled(shape)
    assert found.status == status
    assert found.message
    if sns.protocol == "json":
        assert found.shape == f"com.amazonaws.sns#{shape}"
    else:
        assert (found.code, found.side) == (code, "Sender")


def test_every_error_of_the_model_has_a_cause_or_a_fault():
    modelled = {
        one.name
        for name in SNS.model.operation_names
        for one in SNS.model.operation_model(name).error_shapes
    }

    assert modelled == set(STATUS)
    assert CAUSES.keys() & BY_FAULT == set()
    assert modelled == CAUSES.keys() | BY_FAULT


def test_statuses_and_codes_are_the_models():
    from rmq.gateway.sns.errors import error

    for shape in STATUS:
        made = error(shape, "x")
        assert (made.code, made.status) == _modelled(shape)


EACH = [
    (name, one.name)
    for name in SNS.model.operation_names
    for one in SNS.model.operation_model(name).error_shapes
]


WITHIN = {"PhoneNumber": NUMBER, "OneTimePassword": "12345", "MaxResults": 1}
"""Parameters that the model has bounds for."""


@pytest.mark.parametrize("operation", SNS.model.operation_names)
async def test_a_test_may_ask_for_every_error_that_an_operation_lists(sns, gateway, operation):
    parameters = example(SNS.model.operation_model(operation).input_shape)
    parameters |= {name: one for name, one in WITHIN.items() if name in parameters}
    for shape in (shape for name, shape in EACH if name == operation):
        code, status = _modelled(shape)
        for asked in (shape, code):
            await _fault(gateway, operation=operation, error=asked, message="Asked for.")
            found = await refusal(sns.ask(operation, _plain(parameters)))
            assert (found.status, found.message) == (status, "Asked for.")
            if sns.protocol == "query":
                assert found.code == code


def _plain(value: Any) -> Any:
    """An example, for a serializer that wants bytes where JSON has base64."""
    if isinstance(value, dict):
        return {name: b"x" if name == "BinaryValue" else _plain(one) for name, one in value.items()}
    return [_plain(one) for one in value] if isinstance(value, list) else value


async def _fault(gateway: Endpoint, **asked: Any) -> None:
    body = json.dumps(asked).encode()
    assert (await gateway(Request("POST", "/_rmq/faults", "", {}, body))).status == 200


async def test_a_fault_may_be_for_one_service_of_two(sns, sqs, topic, queue, gateway):
    """AddPermission is SQS's as well."""
    await _fault(gateway, operation="AddPermission", error="Throttled", service="sns")

    await sqs.add_permission(
        QueueUrl=queue, Label="l", AWSAccountIds=["1" * 12], Actions=["SendMessage"]
    )
    found = await refusal(
        sns.add_permission(
            TopicArn=topic, Label="l", AWSAccountId=["1" * 12], ActionName=["Publish"]
        )
    )
    assert found.status == 429


async def test_a_fault_for_a_service_without_the_operation_is_refused(gateway):
    body = json.dumps({"operation": "Publish", "error": "Throttled", "service": "sqs"}).encode()

    assert (await gateway(Request("POST", "/_rmq/faults", "", {}, body))).status == 400


# --- what the model asks for ---------------------------------------------------------------------


@pytest.mark.parametrize("operation", SNS.model.operation_names)
async def test_what_is_missing_is_told_all_at_once(sns, operation):
    required = SNS.model.operation_model(operation).input_shape.required_members
    if not required:
        return
    found = await refusal(sns.ask(operation, {}))

    assert (found.status, found.code) == (400, "ValidationError")
    several = "errors" if len(required) > 1 else "error"
    assert found.message.startswith(f"{len(required)} validation {several} detected: ")
    for name in required:
        where = name[:1].lower() + name[1:]
        assert (
            f"Value null at '{where}' failed to satisfy constraint: Member must not be null"
            in found.message
        )


async def test_an_action_that_is_not_there(gateway):
    headers = {"authorization": authorization("test", service="sns")}
    answer = await gateway(Request("GET", "/", "Action=MakeTea&Version=2010-03-31", headers, b""))

    found = refused_in("query", answer, SNS)

    assert (found.status, found.code) == (400, "InvalidAction")
    assert found.message == "The action MakeTea is not valid for this endpoint."


async def test_an_error_has_no_detail_as_sqs_has(gateway):
    headers = {"authorization": authorization("test", service="sns")}
    query = "Action=GetTopicAttributes&TopicArn=x"
    answer = await gateway(Request("GET", "/", query, headers, b""))

    assert b"<Detail" not in answer.body
    assert b'<ErrorResponse xmlns="http://sns.amazonaws.com/doc/2010-03-31/">' in answer.body


async def test_our_own_mistake_is_the_receivers_fault_and_tells_nothing(
    sns, topic, gateway, monkeypatch
):
    async def fail(*_: Any) -> None:
        raise RuntimeError("a secret")

    service = next(one for one in gateway._services if one.name == "sns")
    monkeypatch.setattr(service.table["Publish"], "handler", fail)

    found = await refusal(sns.publish(TopicArn=topic, Message="x"))

    assert (found.status, found.side) == (500, "Receiver")
    assert b"secret" not in found.response.body


async def test_a_redis_that_is_gone_is_the_receivers_fault_for_now(protocol, namespace):
    """SDKs try again after 503."""
    with single_server() as server:
        client = rmq.connect_async(server.url, namespace=namespace, retry_timeout=0.05)
        endpoint = Endpoint(client, account=OWN_ACCOUNT, region=REGION)
        sns = Sdk(protocol, endpoint, account=OWN_ACCOUNT, service=SNS)
        topic = await _topic(sns)
        server.kill()

        entries = [{"Id": id, "Message": "x"} for id in "ab"]
        for call in (
            sns.publish(TopicArn=topic, Message="x"),
            sns.publish_batch(TopicArn=topic, PublishBatchRequestEntries=entries),
        ):
            found = await refusal(call)
            assert (found.status, found.code) == (503, "ServiceUnavailable")
            assert found.side == "Receiver"
        await client.close()
