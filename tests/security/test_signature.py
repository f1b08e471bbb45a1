"""Signatures: what we sign, a validator of Amazon SNS's messages takes for its own.

Source: Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages".
"""

from __future__ import annotations

import base64
import io
import re
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from email.message import Message
from typing import Any
from urllib.response import addinfourl

import pytest
from aws_sns_verifier.validator import validate_sns_signature
from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from hypothesis import given
from hypothesis import strategies as some

from rmq.errors import InvalidParameter, MissingParameter
from rmq.security.signature import SigningKey, canonical, verify
from tests.security.policies import CALM

MADE = datetime(2026, 1, 1, tzinfo=UTC)
ARN = "arn:aws:sns:us-east-1:111122223333:prices"
NOTIFICATION = {
    "Type": "Notification",
    "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
    "TopicArn": ARN,
    "Subject": "My First Message",
    "Message": 'Hello\n"world" \\ é \U0001f600',
    "Timestamp": "2026-01-02T00:54:06.655Z",
}
CONFIRMATION = {
    "Type": "SubscriptionConfirmation",
    "MessageId": "165545c9-2a5c-472c-8df2-7ff2be2b3b1b",
    "Token": "2336412f37fb687f",
    "TopicArn": ARN,
    "Message": "You have chosen to subscribe to the topic.",
    "SubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=ConfirmSubscription&Token=23",
    "Timestamp": "2026-01-02T00:54:06.655Z",
}
GOODBYE = CONFIRMATION | {"Type": "UnsubscribeConfirmation"}
MESSAGES = [NOTIFICATION, CONFIRMATION, GOODBYE]


@pytest.fixture(scope="module")
def key() -> SigningKey:
    return SigningKey.create()


def signed(key: SigningKey, message: dict[str, Any], version: str) -> dict[str, Any]:
    """The envelope, as it would be delivered."""
    return message | {
        "SignatureVersion": version,
        "Signature": key.sign(message, version),
        "SigningCertURL": f"https://sns.us-east-1.amazonaws.com/{key.certificate_name}",
        "UnsubscribeURL": "https://sns.us-east-1.amazonaws.com/?Action=Unsubscribe",
    }


# --- what is signed ------------------------------------------------------------------------------


def test_a_notification_is_signed_by_its_fields_in_order():
    assert (
        canonical({"MessageAttributes": {}, "SequenceNumber": "1"} | NOTIFICATION)
        == (
            'Message\nHello\n"world" \\ é \U0001f600\n'
            "MessageId\n22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324\n"
            "Subject\nMy First Message\n"
            "Timestamp\n2026-01-02T00:54:06.655Z\n"
            f"TopicArn\n{ARN}\n"
            "Type\nNotification\n"
        ).encode()
    )


@pytest.mark.parametrize("changes", [{}, {"Subject": None}])
def test_a_subject_that_is_absent_is_not_signed(changes):
    plain = {name: value for name, value in NOTIFICATION.items() if name != "Subject"} | changes

    assert b"Subject" not in canonical(plain)


@pytest.mark.parametrize("message", [CONFIRMATION, GOODBYE], ids=lambda one: one["Type"])
def test_a_confirmation_is_signed_with_its_token_and_url(message):
    lines = canonical(message).decode().split("\n")

    names = ["Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type"]
    assert lines[::2] == [*names, ""]
    assert lines[1::2] == [message[name] for name in names]


@pytest.mark.parametrize(
    "message",
    [
        {},
        {"Type": "Other"},
        {"Type": ["Notification"]},
        NOTIFICATION | {"Message": None},
        NOTIFICATION | {"Message": 5},
        NOTIFICATION | {"Subject": 5},
        NOTIFICATION | {"Message": "\ud800"},
        {name: value for name, value in CONFIRMATION.items() if name != "Token"},
    ],
)
def test_what_cannot_be_signed_is_refused(key, message):
    with pytest.raises(InvalidParameter):
        key.sign(message)
    assert (
        verify(message | {"SignatureVersion": "1", "Signature": "eA=="}, key.certificate) is False
    )


def test_a_field_that_is_missing_is_named(key):
    with pytest.raises(MissingParameter, match="MessageId"):
        key.sign({"Type": "Notification", "Message": "x"})


@pytest.mark.parametrize("version", ["", "0", "3", 1, None])
def test_there_are_two_versions(key, version):
    with pytest.raises(InvalidParameter, match="SignatureVersion"):
        key.sign(NOTIFICATION, version)


# --- who verifies it -----------------------------------------------------------------------------


@pytest.mark.parametrize("message", MESSAGES, ids=lambda one: one["Type"])
@pytest.mark.parametrize(("version", "digest"), [("1", SHA1()), ("2", SHA256())])
def test_openssl_verifies_it(key, message, version, digest):
    public = x509.load_pem_x509_certificate(key.certificate.encode()).public_key()
    signature = base64.b64decode(key.sign(message, version))

    public.verify(signature, canonical(message), PKCS1v15(), digest)
    with pytest.raises(InvalidSignature):
        public.verify(signature, canonical(message) + b"\n", PKCS1v15(), digest)


class _Web(urllib.request.BaseHandler):
    """The web as far as a validator sees it: pages by URL, over https."""

    def __init__(self, pages: dict[str, str]) -> None:
        self._pages = pages

    def https_open(self, request: urllib.request.Request) -> addinfourl:
        page = self._pages[request.full_url]
        found = addinfourl(io.BytesIO(page.encode()), Message(), request.full_url, 200)
        found.msg = "OK"
        return found


@pytest.fixture
def published(key: SigningKey) -> Iterator[None]:
    """The certificate is at its SigningCertURL, for urllib."""
    url = f"https://sns.us-east-1.amazonaws.com/{key.certificate_name}"
    opener = urllib.request.OpenerDirector()
    opener.add_handler(_Web({url: key.certificate}))
    urllib.request.install_opener(opener)
    yield
    urllib.request.install_opener(None)


@pytest.mark.parametrize("message", MESSAGES, ids=lambda one: one["Type"])
@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.usefixtures("published")
def test_a_validator_of_others_verifies_it(key, message, version):
    """aws-sns-verifier: it gets the certificate, looks at its issuer and dates, and verifies."""
    envelope = signed(key, message, version)

    validate_sns_signature(envelope, expected_topic_arn=ARN, auto_confirm_subscription=False)

    with pytest.raises(Exception, match="Invalid signature"):
        validate_sns_signature(
            envelope | {"Message": "another"}, ARN, auto_confirm_subscription=False
        )


@pytest.mark.parametrize("message", MESSAGES, ids=lambda one: one["Type"])
@pytest.mark.parametrize("version", ["1", "2"])
def test_what_was_signed_is_verified_and_nothing_else_is(key, message, version):
    envelope = signed(key, message, version)

    assert verify(envelope, key.certificate)
    for name in ("Message", "MessageId", "Timestamp", "TopicArn"):
        assert not verify(envelope | {name: envelope[name] + "x"}, key.certificate)
    other = {"1": "2", "2": "1"}[version]
    assert not verify(envelope | {"SignatureVersion": other}, key.certificate)
    assert not verify(envelope, SigningKey.create().certificate)


def test_a_subject_cannot_be_added_or_taken_away(key):
    envelope = signed(key, NOTIFICATION, "2")
    plain = signed(key, {k: v for k, v in NOTIFICATION.items() if k != "Subject"}, "2")

    assert not verify(envelope | {"Subject": None}, key.certificate)
    assert not verify(plain | {"Subject": "added"}, key.certificate)


@pytest.mark.parametrize("signature", [None, 5, "", "!", "eA==", "é", "x" * 344])
def test_what_is_no_signature_is_not_verified(key, signature):
    envelope = signed(key, NOTIFICATION, "1") | {"Signature": signature}

    assert verify(envelope, key.certificate) is False


@CALM
@given(some.text(), some.text(), some.sampled_from(["1", "2"]))
def test_any_text_is_signed_as_it_is(message, subject, version):
    key = _shared_key()
    envelope = signed(key, NOTIFICATION | {"Message": message, "Subject": subject}, version)

    assert verify(envelope, key.certificate)


_KEYS: list[SigningKey] = []


def _shared_key() -> SigningKey:
    if not _KEYS:
        _KEYS.append(SigningKey.create())
    return _KEYS[0]


# --- the key -------------------------------------------------------------------------------------


def test_a_key_is_kept_as_text(key):
    again = SigningKey.from_text(key.to_text())

    assert again.certificate_name == key.certificate_name
    assert verify(signed(again, NOTIFICATION, "2"), key.certificate)


def test_a_certificate_is_named_after_its_fingerprint(key):
    assert re.fullmatch(r"SimpleNotificationService-[0-9a-f]{32}\.pem", key.certificate_name)
    certificate = x509.load_pem_x509_certificate(key.certificate.encode())
    assert certificate.fingerprint(SHA256()).hex()[:32] in key.certificate_name
    assert SigningKey.create().certificate_name != key.certificate_name


def test_a_certificate_is_valid_for_ten_years():
    key = SigningKey.create(MADE)
    certificate = x509.load_pem_x509_certificate(key.certificate.encode())

    assert certificate.not_valid_before_utc == MADE - timedelta(days=1)
    assert certificate.not_valid_after_utc == MADE + timedelta(days=3650)
    assert "CN=sns.amazonaws.com" in certificate.subject.rfc4514_string()
    assert certificate.issuer == certificate.subject
    assert certificate.public_key().key_size == 2048
    certificate.verify_directly_issued_by(certificate)


def test_a_key_is_not_shown(key):
    assert "PRIVATE" not in repr(key)
    assert "PRIVATE" in key.to_text()
    assert "PRIVATE" not in key.certificate


def _elliptic() -> str:
    curve = generate_private_key(SECP256R1())
    return curve.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: "",
        lambda text: text[100:],
        lambda text: text[:-100],
        lambda text: text.replace("A", "B"),
        lambda text: text + "x",
        lambda text: text[text.index("-----BEGIN CERT") :] + text,
        lambda text: text[: text.index("-----BEGIN CERT")] + SigningKey.create().certificate,
        lambda text: _elliptic() + text[text.index("-----BEGIN CERT") :],
    ],
)
def test_a_text_that_is_no_key_is_refused_and_not_shown(key, damage):
    with pytest.raises(InvalidParameter, match="signing key") as refused:
        SigningKey.from_text(damage(key.to_text()))
    assert "BEGIN" not in str(refused.value)


@pytest.mark.parametrize("certificate", ["", "x", "-----BEGIN CERTIFICATE-----\nx\n"])
def test_a_certificate_that_cannot_be_read_is_refused(key, certificate):
    with pytest.raises(InvalidParameter, match="certificate"):
        verify(signed(key, NOTIFICATION, "1"), certificate)


WITHOUT = """
import sys
sys.modules["cryptography"] = sys.modules["httpx"] = sys.modules["aiohttp"] = None
import rmq, rmq.security.address, rmq.security.topic_policy
from rmq.security.signature import SigningKey
try:
    SigningKey.create()
except rmq.errors.ConfigurationError as error:
    print(error)
"""


def test_only_who_signs_needs_cryptography():
    found = subprocess.run(
        [sys.executable, "-c", WITHOUT], capture_output=True, text=True, check=True
    )

    assert "pip install 'rmq[push]'" in found.stdout
