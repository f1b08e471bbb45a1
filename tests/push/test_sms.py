"""SMS, by a function of the operator's."""

import sys

import pytest

from rmq.core.codec import Header
from rmq.errors import ConfigurationError
from rmq.push.job import Permanent
from rmq.push.senders.record import recorded
from rmq.push.senders.sms import PermittedSms, Sms, SmsSender
from rmq.topics.inner import SMS, Target, send_direct

NUMBER = "+4930123456"


async def test_a_subscribed_number_gets_the_text(topic, dispatch):
    sent = []
    dispatcher = dispatch(senders={"sms": SmsSender(sent.append)})
    await topic.subscribe(NUMBER, "sms")
    published = await topic.publish(
        '{"default":"long","sms":"short"}',
        by_protocol=True,
        attributes={"AWS.SNS.SMS.SenderID": "rmq", "AWS.SNS.SMS.SMSType": "Transactional"},
    )
    await dispatcher.drain()

    assert sent == [Sms(NUMBER, "short", published.id, "rmq", "Transactional", None, None)]


async def test_a_number_gets_what_is_published_to_it_alone(client, dispatch):
    sent = []

    async def send(sms):
        sent.append(sms)

    dispatcher = dispatch(senders={"sms": SmsSender(send)})
    target = Target(protocol="sms", endpoint=NUMBER)
    queued = await client._executor.run(
        send_direct(client._topics, SMS, b"hello", Header(), target)
    )
    assert await dispatcher.drain() == 1

    assert [(one.number, one.text, one.id) for one in sent] == [(NUMBER, "hello", queued.id)]


async def test_what_the_function_raises_says_whether_to_try_again(clock, topic, dispatch):
    raised = iter([ConnectionError("provider is away"), Permanent("no such number")])

    def send(sms):
        raise next(raised)

    dispatcher = dispatch(senders={"sms": SmsSender(send)})
    await topic.subscribe(NUMBER, "sms")
    await topic.publish("hello")
    await dispatcher.drain()
    assert dispatcher.counters.retried == 1
    clock.move(10)
    await dispatcher.drain()
    assert dispatcher.counters.failed == 1


def test_the_function_is_named(tmp_path, monkeypatch):
    (tmp_path / "sms_of_this_test.py").write_text("def send(sms): ...\nnumber = 3\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    assert SmsSender.named("sms_of_this_test:send")
    for wrong in ("sms_of_this_test:number", "sms_of_this_test", "no_such_module:send"):
        with pytest.raises(ConfigurationError):
            SmsSender.named(wrong)
    sys.modules.pop("sms_of_this_test", None)


async def test_a_number_that_opted_out_gets_nothing(client, topic, dispatch):
    sent = []
    dispatcher = dispatch(senders={"sms": PermittedSms(client._executor, SmsSender(sent.append))})
    one = await topic.subscribe(NUMBER, "sms")
    await client.sms.opt_out(NUMBER)
    await topic.publish("hello")
    await dispatcher.drain()

    assert sent == []
    assert (await topic.subscription_stats(one.id)).failed == 1


async def test_in_the_sandbox_only_verified_numbers_get_something(client, topic, dispatcher):
    await client.sms.set_in_sandbox(True)
    await topic.subscribe(NUMBER, "sms")
    await topic.publish("hello")
    await dispatcher.drain()
    assert dispatcher.counters.failed == 1

    await client.sms.set_in_sandbox(False)
    await topic.publish("hello")
    await dispatcher.drain()
    assert [one.text for one in await recorded(client, "sms")] == ["hello"]


async def test_the_password_that_verifies_a_number_gets_to_it(client, dispatcher):
    await client.sms.set_in_sandbox(True)
    await client.sms.add_sandbox_number(NUMBER)
    await dispatcher.drain()

    (record,) = await recorded(client, "sms")
    await client.sms.verify_sandbox_number(NUMBER, record.text.rpartition(" ")[2])


async def test_what_a_message_does_not_say_the_account_does(client, topic, dispatch):
    sent = []
    dispatcher = dispatch(senders={"sms": PermittedSms(client._executor, SmsSender(sent.append))})
    await client.sms.set_attributes(default_sender_id="shop", default_sms_type="Transactional")
    await topic.subscribe(NUMBER, "sms")
    await topic.publish("hello")
    await topic.publish("hello", attributes={"AWS.SNS.SMS.SenderID": "other"})
    await dispatcher.drain()

    assert {(one.sender_id, one.sms_type) for one in sent} == {
        ("shop", "Transactional"),
        ("other", "Transactional"),
    }


async def test_an_sms_for_one_number_goes_all_the_way(client, dispatcher):
    published = await client.sms.publish(NUMBER, "hello")
    await dispatcher.drain()

    (record,) = await recorded(client, "sms")
    assert (record.endpoint, record.text, record.id) == (NUMBER, "hello", published.id)
