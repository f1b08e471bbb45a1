"""Messages for one phone number."""

from __future__ import annotations

import json
import uuid

import pytest

from rmq.errors import InvalidParameter
from tests.topics.waiting import is_marked, waiting

NUMBER = "+15550100123"
SENDER, TYPE = "AWS.SNS.SMS.SenderID", "AWS.SNS.SMS.SMSType"


async def test_a_message_waits_for_a_dispatcher(client, sms, raw):
    published = await sms.publish(NUMBER, "hello", attributes={"n": "x"})

    [one] = await waiting(client, "sms")
    assert (one.id, one.text) == (published.id, "hello")
    assert one.attributes == {"n": ("String", "x"), TYPE: ("String", "Promotional")}
    assert (one.target.protocol, one.target.endpoint) == ("sms", NUMBER)
    assert await is_marked(client, raw, "sms")


async def test_the_answer_says_how_many_sms_it_takes(sms):
    short = await sms.publish(NUMBER, "hello")
    assert (short.parts, short.encoding, short.number) == (1, "GSM-7", NUMBER)
    long = await sms.publish(NUMBER, "☃" * 71)
    assert (long.parts, long.encoding, long.is_opted_out) == (2, "UCS-2", False)


@pytest.mark.parametrize(
    "number", ["+1 (555) 010-0123", "15550100123", "+1.555.010.0123", "+1555/0100123"]
)
async def test_a_number_may_be_written_as_people_do(client, sms, number):
    assert (await sms.publish(number, "hello")).number == NUMBER
    assert (await waiting(client, "sms"))[0].target.endpoint == NUMBER


@pytest.mark.parametrize(
    "number", ["", "hello", "+0123456789", "12345", "+1234567890123456", "++15550100123", 7, None]
)
async def test_what_is_no_number_is_refused(client, sms, number):
    with pytest.raises(InvalidParameter) as refused:
        await sms.publish(number, "hello")
    assert refused.value.field == "number"
    assert await waiting(client, "sms") == []


BAD = [
    ("", None, "message"),
    ("x" * 1601, None, "message"),
    ("☃" * 1601, None, "message"),
    (7, None, "message"),
    (b"\xff", None, "message"),
    ("x", {SENDER: "toolongtoolong"}, SENDER),
    ("x", {SENDER: "12345"}, SENDER),
    ("x", {SENDER: "my shop"}, SENDER),
    ("x", {SENDER: 7}, SENDER),
    ("x", {TYPE: "promotional"}, TYPE),
    ("x", {"AWS.SNS.SMS.MaxPrice": "cheap"}, "MaxPrice"),
    ("x", {"AWS.SNS.SMS.MaxPrice": -1}, "MaxPrice"),
    ("x", {"AWS.MM.SMS.OriginationNumber": "1234"}, "OriginationNumber"),
    ("x", {"AWS.MM.SMS.OriginationNumber": "shop"}, "OriginationNumber"),
    ("x", {"AWS.MM.SMS.EntityId": "x" * 51}, "EntityId"),
    ("x", {"AWS.MM.SMS.TemplateId": "x" * 51}, "TemplateId"),
]


@pytest.mark.parametrize(("message", "attributes", "field"), BAD)
async def test_bad_input_is_refused_by_name(client, sms, message, attributes, field):
    with pytest.raises(InvalidParameter) as refused:
        await sms.publish(NUMBER, message, attributes=attributes)
    assert field in refused.value.field
    assert await waiting(client, "sms") == []


async def test_1600_characters_are_taken(client, sms):
    await sms.publish(NUMBER, "☃" * 1600)
    assert (await waiting(client, "sms"))[0].text == "☃" * 1600


async def test_all_that_sns_knows_of_a_message_goes_along(client, sms):
    given = {
        SENDER: "MyShop",
        TYPE: "Transactional",
        "AWS.SNS.SMS.MaxPrice": 0.5,
        "AWS.MM.SMS.OriginationNumber": "+15550100999",
        "AWS.MM.SMS.EntityId": "e",
        "AWS.MM.SMS.TemplateId": "t",
    }
    await sms.publish(NUMBER, "hello", attributes=given)
    [one] = await waiting(client, "sms")
    assert {name: value for name, (_, value) in one.attributes.items()} == given | {
        "AWS.SNS.SMS.MaxPrice": "0.5"
    }


async def test_what_a_message_does_not_say_the_account_says(client, sms):
    await sms.set_attributes(default_sender_id="MyShop", default_sms_type="Transactional")
    await sms.publish(NUMBER, "one")
    await sms.publish(NUMBER, "two", attributes={SENDER: "Other", TYPE: "Promotional"})

    one, two = await waiting(client, "sms")
    assert (one.attributes[SENDER][1], one.attributes[TYPE][1]) == ("MyShop", "Transactional")
    assert (two.attributes[SENDER][1], two.attributes[TYPE][1]) == ("Other", "Promotional")


@pytest.mark.parametrize(
    ("texts", "text"),
    [
        ({"default": "a", "sms": "b"}, "b"),
        ({"default": "a"}, "a"),
        ({"default": "a", "sms": 7}, "a"),
    ],
)
async def test_a_message_may_have_a_text_of_its_own_for_sms(client, sms, texts, text):
    await sms.publish(NUMBER, json.dumps(texts), by_protocol=True)
    [one] = await waiting(client, "sms")
    assert (one.text, one.by_protocol) == (text, False)


async def test_only_the_text_that_is_sent_must_fit(client, sms):
    long = json.dumps({"default": "x" * 5000, "sms": "short"})
    await sms.publish(NUMBER, long, by_protocol=True)
    with pytest.raises(InvalidParameter):
        await sms.publish(NUMBER, json.dumps({"default": "x" * 5000}), by_protocol=True)
    assert len(await waiting(client, "sms")) == 1


async def test_a_number_that_opted_out_is_answered_alike_and_sent_nothing(client, sms):
    await sms.opt_out(NUMBER)

    published = await sms.publish(NUMBER, "hello")

    assert published.is_opted_out is True
    assert str(uuid.UUID(published.id)) == published.id
    assert await waiting(client, "sms") == []


async def test_in_the_sandbox_only_verified_numbers_are_sent_messages(client, sms):
    assert await sms.is_in_sandbox() is False
    await sms.set_in_sandbox(True)
    assert await sms.is_in_sandbox() is True

    with pytest.raises(InvalidParameter, match="sandbox"):
        await sms.publish(NUMBER, "hello")
    await sms.add_sandbox_number(NUMBER)
    with pytest.raises(InvalidParameter, match="sandbox"):
        await sms.publish(NUMBER, "hello")
    password = (await waiting(client, "sms"))[0].text.rpartition(" ")[2]
    await sms.verify_sandbox_number(NUMBER, password)
    await sms.publish(NUMBER, "hello")
    assert [one.text for one in await waiting(client, "sms")][1:] == ["hello"]

    await sms.set_in_sandbox(False)
    await sms.publish("+4930123456", "hello")
