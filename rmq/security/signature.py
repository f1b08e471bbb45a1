"""Signature: what an SNS envelope is signed with, so that its receiver knows where it comes from.

    Message\\n<text>\\nMessageId\\n<id>\\n ...  ── SHA1 or SHA256 with RSA ──> Signature, in base64
    <fields of its Type, by name>              version 1    version 2

The receiver gets the certificate at SigningCertURL, whose file is named after its fingerprint: a
new key is a new name, and old messages keep theirs.

Needs `cryptography`, which comes with rmq[endpoint] and rmq[push] and is imported at first use.
Source: Amazon SNS Developer Guide, "Verifying the signatures of Amazon SNS messages".
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from types import ModuleType
from typing import Any

from rmq.errors import ConfigurationError, InvalidParameter, MissingParameter, Words

VERSIONS = ("1", "2")

_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
SIGNED = {
    "Notification": ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type"),
    "SubscriptionConfirmation": _CONFIRMATION,
    "UnsubscribeConfirmation": _CONFIRMATION,
}
"""By the Type of a message, the fields that are signed, in their order. Subject may be absent."""

_PEM = re.compile(
    r"(-----BEGIN PRIVATE KEY-----.+?-----END PRIVATE KEY-----\s*)"
    r"(-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\s*)",
    re.DOTALL,
)


class SigningKey:
    """A private key and its certificate. Made by `create`, kept as `to_text`, read by `from_text`.

    `certificate` is public, in PEM; `certificate_name` is the file that SigningCertURL ends in.
    """

    __slots__ = ("_key", "_key_pem", "certificate", "certificate_name")

    def __init__(self, key_pem: str, certificate: str) -> None:
        try:
            self._key, fingerprint = _rsa().load(key_pem, certificate)
        except ValueError as error:
            raise _unreadable() from error
        self._key_pem = key_pem
        self.certificate = certificate
        # 128 bits of it, since AWS's names have 32 digits and some validators count them.
        self.certificate_name = f"SimpleNotificationService-{fingerprint[:32]}.pem"

    def __repr__(self) -> str:
        return f"SigningKey({self.certificate_name})"

    @classmethod
    def create(cls, now: datetime | None = None) -> SigningKey:
        """A new key of 2,048 bits, with a certificate of its own for ten years from *now* on.

        Takes some 0.1 s. Raises ConfigurationError where `cryptography` is not installed.
        """
        return cls(*_rsa().create((now or datetime.now(UTC)).astimezone(UTC)))

    @classmethod
    def from_text(cls, text: str) -> SigningKey:
        """The key that `to_text` gave. Raises InvalidParameter, ConfigurationError."""
        found = _PEM.fullmatch(text)
        if found is None:
            raise _unreadable()
        return cls(found[1], found[2])

    def to_text(self) -> str:
        """Key and certificate as two blocks of PEM. Secret."""
        return self._key_pem + self.certificate

    def sign(self, fields: Mapping[str, Any], version: str = "1") -> str:
        """The Signature of a message with these *fields*, in base64.

        Version 1 is SHA1withRSA, 2 SHA256withRSA. Raises InvalidParameter.
        """
        if version not in VERSIONS:
            raise InvalidParameter("SignatureVersion", version, " or ".join(VERSIONS))
        signature: bytes = _rsa().sign(self._key, canonical(fields), version)
        return base64.b64encode(signature).decode()


def verify(envelope: Mapping[str, Any], certificate: str) -> bool:
    """Whether *envelope* was signed by the key of *certificate* (PEM), and is as it was then.

    False too for an envelope that lacks a field. Raises InvalidParameter for a certificate that
    can not be read, ConfigurationError where `cryptography` is not installed.
    """
    module = _rsa()
    try:
        key = module.public_key(certificate)
    except ValueError as error:
        raise InvalidParameter(
            "certificate", Words("something else"), "an X.509 certificate of an RSA key, in PEM"
        ) from error
    version, signature = envelope.get("SignatureVersion"), envelope.get("Signature")
    if version not in VERSIONS or not isinstance(signature, str):
        return False
    try:
        signed = canonical(envelope)
        return bool(
            module.is_signed(key, signed, base64.b64decode(signature, validate=True), version)
        )
    except (InvalidParameter, ValueError):
        return False


def canonical(fields: Mapping[str, Any]) -> bytes:
    """What is signed of a message: the names and values of its Type's fields, a line each.

    Raises InvalidParameter.
    """
    kind = fields.get("Type")
    names = SIGNED.get(kind) if isinstance(kind, str) else None
    if names is None:
        raise InvalidParameter("Type", kind, ", ".join(SIGNED))
    lines: list[str] = []
    for name in names:
        value = fields.get(name)
        if value is None and name == "Subject":
            continue
        if not isinstance(value, str):
            raise MissingParameter(name, f"a message of type {kind} is signed with it")
        lines += (name, value)
    try:
        return ("\n".join(lines) + "\n").encode()
    except UnicodeEncodeError as error:
        raise InvalidParameter(
            "message", Words("not Unicode"), "text without surrogates"
        ) from error


def _unreadable() -> InvalidParameter:
    return InvalidParameter(
        "signing key", Words("something else"), "an RSA key and its certificate, in PEM"
    )


def _rsa() -> ModuleType:
    try:
        from rmq.security import rsa
    except ImportError as error:
        raise ConfigurationError(
            "signing needs cryptography, which is not installed; pip install 'rmq[push]'"
        ) from error
    return rsa
