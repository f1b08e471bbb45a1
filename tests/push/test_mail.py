"""E-mail, by a real SMTP server; and what is recorded where there is none."""

import asyncio
import email
import email.policy
import json

import pytest
from aiosmtpd.smtp import SMTP, AuthResult, LoginPassword

from rmq.push.senders.record import forget, recorded
from rmq.push.settings import PushSettings


class Mailbox:
    """What a server took. `refuses` says with what it answers a recipient."""

    def __init__(self):
        self.messages = []
        self.refuses = None

    async def handle_RCPT(self, server, session, envelope, address, options):
        if self.refuses:
            return self.refuses
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server, session, envelope):
        made = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.messages.append((envelope.mail_from, envelope.rcpt_tos, made))
        return "250 OK"


@pytest.fixture
async def mailbox():
    box = Mailbox()

    def login(server, session, envelope, mechanism, data):
        assert isinstance(data, LoginPassword)
        is_known = (data.login, data.password) == (b"me", b"secret")
        return AuthResult(success=is_known, handled=is_known)

    def connection():
        return SMTP(box, authenticator=login, auth_require_tls=False)

    server = await asyncio.get_running_loop().create_server(connection, "127.0.0.1", 0)
    box.port = server.sockets[0].getsockname()[1]
    yield box
    server.close()


def by(box, **options):
    return PushSettings(
        smtp_host="127.0.0.1",
        smtp_port=box.port,
        smtp_security="none",
        smtp_from="topics@example.org",
        **options,
    )


async def agreed(topic, dispatcher, protocol, address="someone@example.org"):
    one = await topic.subscribe(address, protocol)
    await dispatcher.drain()
    return await topic.confirm_subscription(one.token)


async def test_a_person_is_asked_and_then_gets_the_text(client, dispatch, mailbox):
    topic = await client.create_topic("orders", display_name="Orders, all of them")
    dispatcher = dispatch(settings=by(mailbox))
    one = await agreed(topic, dispatcher, "email")
    await topic.publish("hello ü", subject="greetings")
    await dispatcher.drain()

    (sender, recipients, asked), (_, _, told) = mailbox.messages
    assert sender == "topics@example.org"
    assert recipients == ["someone@example.org"]
    assert asked["Subject"] == "AWS Notification - Subscription Confirmation"
    assert one.token in asked.get_content().replace("=\n", "")
    assert told["Subject"] == "greetings"
    assert told["From"] == '"Orders, all of them" <topics@example.org>'
    assert told["To"] == "someone@example.org"
    assert told.get_content().startswith("hello ü\r\n")
    assert "Action=Unsubscribe" in told.get_content()
    assert told["Message-ID"]


async def test_a_program_gets_the_envelope(topic, dispatch, mailbox):
    dispatcher = dispatch(settings=by(mailbox))
    await agreed(topic, dispatcher, "email-json")
    sent = await topic.publish("hello")
    await dispatcher.drain()

    envelope = json.loads(mailbox.messages[1][2].get_content())
    assert envelope["MessageId"] == sent.id
    assert envelope["Message"] == "hello"
    assert envelope["Signature"]


async def test_what_the_server_refuses_for_good_is_not_sent_again(topic, dispatch, mailbox):
    dispatcher = dispatch(settings=by(mailbox))
    await agreed(topic, dispatcher, "email")
    mailbox.refuses = "550 no such mailbox"
    await topic.publish("hello")

    assert await dispatcher.drain() == 1
    assert dispatcher.counters.failed == 1


async def test_what_the_server_puts_off_is_sent_again(clock, topic, dispatch, mailbox):
    dispatcher = dispatch(settings=by(mailbox))
    await agreed(topic, dispatcher, "email")
    mailbox.refuses = "451 try again later"
    await topic.publish("hello")
    await dispatcher.drain()
    mailbox.refuses = None
    clock.move(10)
    await dispatcher.drain()

    assert len(mailbox.messages) == 2
    assert dispatcher.counters.retried == 1


async def test_a_server_that_asks_for_a_login_gets_it(topic, dispatch, mailbox):
    dispatcher = dispatch(settings=by(mailbox, smtp_user="me", smtp_password="secret"))
    await agreed(topic, dispatcher, "email")
    assert len(mailbox.messages) == 1


async def test_a_login_that_is_refused_is_for_the_operator_to_mend(topic, dispatch, mailbox):
    dispatcher = dispatch(settings=by(mailbox, smtp_user="me", smtp_password="wrong"))
    await topic.subscribe("someone@example.org", "email")
    assert await dispatcher.drain() == 1
    assert dispatcher.counters.retried == 1


async def test_an_address_that_is_none_is_given_up(client, topic, dispatch, mailbox):
    dispatcher = dispatch(settings=by(mailbox))
    from rmq.core.codec import Header
    from rmq.topics.inner import DIRECT, Target, send_direct

    target = Target(protocol="email", endpoint="a b@@c", topic_arn=topic.arn)
    await client._executor.run(send_direct(client._topics, DIRECT, b"x", Header(), target))

    assert await dispatcher.drain() == 1
    assert dispatcher.counters.failed == 1
    assert mailbox.messages == []


async def test_without_a_server_mail_is_recorded(client, topic, dispatcher):
    one = await agreed(topic, dispatcher, "email")
    sent = await topic.publish("hello", subject="greetings", attributes={"n": 7})
    await dispatcher.drain()

    asked, told = await recorded(client, "email")
    assert asked.type == "SubscriptionConfirmation"
    assert one.token in asked.payload
    assert (told.id, told.text, told.subject) == (sent.id, "hello", "greetings")
    assert told.endpoint == "someone@example.org"
    assert told.attributes == {"n": {"Type": "Number", "Value": "7"}}
    assert told.topic_arn == topic.arn
    await forget(client, "email")
    assert await recorded(client, "email") == []


def written(folder):
    return [json.loads(one.read_text()) for one in folder.iterdir()]


async def test_records_go_to_files_where_a_folder_is_given(topic, dispatch, tmp_path):
    dispatcher = dispatch(settings=PushSettings(record_folder=tmp_path))
    await agreed(topic, dispatcher, "email")
    await topic.publish("hello")
    await dispatcher.drain()

    found = written(tmp_path / "email")
    assert {one["type"] for one in found} == {
        "SubscriptionConfirmation",
        "Notification",
    }


async def test_only_the_newest_records_are_kept(client, topic, dispatcher, monkeypatch):
    monkeypatch.setattr("rmq.push.senders.record.KEPT", 3)
    await topic.subscribe("+4930123456", "sms")
    for number in range(5):
        await topic.publish(f"{number}")
        await dispatcher.drain()

    assert [one.text for one in await recorded(client, "sms")] == ["2", "3", "4"]
