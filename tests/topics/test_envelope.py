"""Envelopes: the forms in which subscribers get a message."""

import base64
import json

import pytest

from rmq.core.codec import Header, pack
from rmq.errors import BrokenEnvelope
from rmq.queues.message import message_id
from rmq.security.signature import SigningKey, verify
from rmq.topics.envelope import (
    Confirmation,
    Rendered,
    Signature,
    for_protocol,
    headers,
    packed_starts,
    plain_end,
    timestamp,
)

TOPIC = "arn:aws:sns:us-east-1:000000000000:orders"
ARN = f"{TOPIC}:5f0e6bc0-95a6-4f4e-9d9f-0d3b2f8b8d11"
ID = "c2b1c5f0-0000-8000-8000-000000000001"
AT = 1572823681631
SIGNED = Signature(1, "c2lnbmVk", "http://127.0.0.1:4566/SimpleNotificationService-ab.pem")
ROOT = "http://127.0.0.1:4566"


def rendered(body=b"hello", header=None, protocol="sqs", **options):
    return Rendered(TOPIC, ID, AT, body, header or Header(), protocol, ROOT, **options)


def test_an_envelope_is_laid_out_as_sns_does():
    header = Header(
        subject="greetings", attributes={"n": ("Number", "7"), "b": ("Binary", b"\x00\xff")}
    )

    found = rendered(header=header, signature=SIGNED).envelope(ARN).decode()

    assert found == (
        "{\n"
        '  "Type" : "Notification",\n'
        f'  "MessageId" : "{ID}",\n'
        f'  "TopicArn" : "{TOPIC}",\n'
        '  "Subject" : "greetings",\n'
        '  "Message" : "hello",\n'
        '  "Timestamp" : "2019-11-03T23:28:01.631Z",\n'
        '  "SignatureVersion" : "1",\n'
        '  "Signature" : "c2lnbmVk",\n'
        '  "SigningCertURL" : "http://127.0.0.1:4566/SimpleNotificationService-ab.pem",\n'
        f'  "UnsubscribeURL" : "http://127.0.0.1:4566/?Action=Unsubscribe&SubscriptionArn={ARN}",\n'
        '  "MessageAttributes" : {\n'
        '    "n" : {"Type":"Number","Value":"7"},\n'
        '    "b" : {"Type":"Binary","Value":"AP8="}\n'
        "  }\n"
        "}"
    )


def test_what_a_message_does_not_have_is_left_out():
    found = json.loads(rendered().envelope(ARN))

    assert list(found) == [
        *("Type", "MessageId", "TopicArn", "Message", "Timestamp", "UnsubscribeURL")
    ]


def test_an_envelope_is_json_whatever_the_message_holds():
    text = 'a "quote" \\ \n\t\x00\x1f ü 🎉 </script> \u2028'
    header = Header(subject='say "ü"', attributes={'k"': ("String", text)})

    found = json.loads(rendered(text.encode(), header).envelope(ARN))

    assert found["Message"] == text
    assert found["Subject"] == 'say "ü"'
    assert found["MessageAttributes"] == {'k"': {"Type": "String", "Value": text}}


def test_subscribers_differ_in_nothing_but_where_they_unsubscribe():
    message = rendered()
    first, second = message.envelope(f"{TOPIC}:1"), message.envelope(f"{TOPIC}:2")

    assert first != second
    assert first.replace(f"{TOPIC}:1".encode(), f"{TOPIC}:2".encode()) == second


@pytest.mark.parametrize("subject", [None, "greetings"])
def test_a_signed_envelope_is_verified_by_its_own_certificate(subject):
    key = SigningKey.create()
    message = rendered(header=Header(subject=subject))
    for version in (1, 2):
        signature = Signature(version, key.sign(message.signed, str(version)), "http://x/y.pem")
        signed = rendered(header=Header(subject=subject), signature=signature)
        found = json.loads(signed.envelope(ARN))
        assert verify(found, key.certificate)
        assert not verify(found | {"Message": "other"}, key.certificate)


def test_a_fifo_topics_message_has_its_number_and_a_replayed_one_says_so():
    found = json.loads(
        rendered(sequence_number="10000000000000003000", replayed=True).envelope(ARN)
    )

    assert list(found)[:3] == ["Type", "MessageId", "SequenceNumber"]
    assert found["SequenceNumber"] == "10000000000000003000"
    assert found["Replayed"] == "true"


def test_a_firehose_record_is_one_unsigned_line():
    line = rendered(b"a\nb", Header(attributes={"n": ("String", "v")}), signature=SIGNED).firehose(
        ARN
    )

    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    assert json.loads(line)["Message"] == "a\nb"
    assert "Signature" not in json.loads(line)


def test_a_function_gets_the_event_that_lambda_gives():
    header = Header(attributes={"n": ("Number", "7"), "b": ("Binary", b"x")})

    event = rendered(header=header, signature=SIGNED).lambda_event(ARN)

    assert event == {
        "Records": [
            {
                "EventSource": "aws:sns",
                "EventVersion": "1.0",
                "EventSubscriptionArn": ARN,
                "Sns": {
                    "Type": "Notification",
                    "MessageId": ID,
                    "TopicArn": TOPIC,
                    "Subject": None,
                    "Message": "hello",
                    "Timestamp": "2019-11-03T23:28:01.631Z",
                    "SignatureVersion": "1",
                    "Signature": "c2lnbmVk",
                    "SigningCertUrl": SIGNED.certificate_url,
                    "UnsubscribeUrl": f"{ROOT}/?Action=Unsubscribe&SubscriptionArn={ARN}",
                    "MessageAttributes": {
                        "n": {"Type": "String", "Value": "7"},
                        "b": {"Type": "Binary", "Value": "eA=="},
                    },
                },
            }
        ]
    }


def test_mail_has_the_subject_or_the_usual_one_and_tells_how_to_unsubscribe():
    assert rendered(header=Header(subject="greetings")).email(ARN)[0] == "greetings"
    subject, body = rendered().email(ARN)
    assert subject == "AWS Notification Message"
    assert body.startswith("hello\n\n--\n")
    assert f"{ROOT}/?Action=Unsubscribe&SubscriptionArn={ARN}\n" in body


def test_each_protocol_has_its_own_text_where_the_message_says_so():
    body = json.dumps({"default": "d", "sms": "s", "http": 3}).encode()
    header = Header(by_protocol=True)

    assert for_protocol(body, header, "sms") == "s"
    assert for_protocol(body, header, "http") == "d"
    assert for_protocol(body, header, "APNS") == "d"
    assert for_protocol(body, Header(), "sms") == body.decode()
    assert json.loads(rendered(body, header, "sms").envelope(ARN))["Message"] == "s"


@pytest.mark.parametrize("body", [b"[]", b'{"sms":"s"}', b'"default"'])
def test_a_stored_message_without_a_default_is_named_as_broken(body):
    with pytest.raises(BrokenEnvelope):
        for_protocol(body, Header(by_protocol=True), "http")


@pytest.mark.parametrize("kind", ["SubscriptionConfirmation", "UnsubscribeConfirmation"])
def test_a_confirmation_carries_the_link_that_agrees(kind):
    one = Confirmation(kind, TOPIC, ARN, ID, AT, "0a" * 128, f"{ROOT}/", signature=SIGNED)

    found = json.loads(one.envelope())

    assert list(found) == [
        *("Type", "MessageId", "Token", "TopicArn", "Message", "SubscribeURL", "Timestamp"),
        *("SignatureVersion", "Signature", "SigningCertURL"),
    ]
    assert found["Type"] == kind
    assert found["SubscribeURL"] == (
        f"{ROOT}/?Action=ConfirmSubscription&TopicArn={TOPIC}&Token={'0a' * 128}"
    )
    assert found["SubscribeURL"] in one.email()[1]
    about = TOPIC if kind == "SubscriptionConfirmation" else ARN
    assert f" {about}.\n" in found["Message"]


def test_the_words_of_a_confirmation_are_those_of_sns():
    """Some subscribers look for them."""
    asked = Confirmation("SubscriptionConfirmation", TOPIC, ARN, ID, AT, "t", ROOT)
    ended = Confirmation("UnsubscribeConfirmation", TOPIC, ARN, ID, AT, "t", ROOT)

    assert asked.text == (
        f"You have chosen to subscribe to the topic {TOPIC}.\nTo confirm the subscription, visit "
        "the SubscribeURL included in this message."
    )
    assert ended.text == (
        f"You have chosen to deactivate subscription {ARN}.\nTo cancel this operation and restore "
        "the subscription, visit the SubscribeURL included in this message."
    )


TEXTS = (
    *("a", 'quo"ted \\ "," back\\', "tab\tnew\nline\r\x00\x1f\x7f", "% %b %012x", "Größe 日本 🎉"),
    *("\u2028\u2029</script>", "x" * 5_000),
)


@pytest.mark.parametrize("first", [AT * 1000, AT * 1000 + 997, (7 << 48) - 3])
def test_a_batch_of_plain_messages_is_rendered_as_each_by_itself(first):
    """Also where a millisecond ends in it, and where the numbers that an id ends with do."""
    incarnation = bytes(range(0x80, 0x88))
    messages = [(first + place, text.encode()) for place, text in enumerate(TEXTS)]

    starts = packed_starts(TOPIC, incarnation, ROOT, messages)

    for (seq, body), start in zip(messages, starts, strict=True):
        alone = Rendered(
            TOPIC, message_id(incarnation, seq), seq // 1000, body, Header(), "sqs", ROOT
        )
        assert start + plain_end(ARN) == pack(alone.envelope(ARN))


def test_headers_name_the_message_the_topic_and_the_subscription():
    found = headers(
        "Notification", ID, TOPIC, subscription_arn=ARN, raw=True, content_type="text/csv"
    )

    assert found == {
        "x-amz-sns-message-type": "Notification",
        "x-amz-sns-message-id": ID,
        "x-amz-sns-topic-arn": TOPIC,
        "x-amz-sns-subscription-arn": ARN,
        "x-amz-sns-rawdelivery": "true",
        "Content-Type": "text/csv",
        "User-Agent": "Amazon Simple Notification Service Agent",
        "Connection": "Keep-Alive",
    }
    asked = headers(
        "SubscriptionConfirmation", ID, TOPIC, subscription_arn=ARN, content_type="text/plain"
    )
    assert "x-amz-sns-subscription-arn" not in asked
    assert "x-amz-sns-rawdelivery" not in asked


def test_binary_attributes_are_base64():
    header = Header(attributes={"b": ("Binary.gif", bytes(range(256)))})

    found = json.loads(rendered(header=header).envelope(ARN))["MessageAttributes"]["b"]

    assert found["Type"] == "Binary.gif"
    assert base64.b64decode(found["Value"]) == bytes(range(256))


def test_times_have_three_digits_of_milliseconds():
    assert timestamp(0) == "1970-01-01T00:00:00.000Z"
    assert timestamp(1_700_000_000_007) == "2023-11-14T22:13:20.007Z"
