"""RSA: the keys and certificates that messages are signed with, by `cryptography`.

The one module that imports it; signature.py imports this one at its first use.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPublicKey,
    generate_private_key,
)
from cryptography.hazmat.primitives.hashes import SHA1, SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

KEY_BITS = 2_048
VALID_FOR = timedelta(days=3_650)
SKEW = timedelta(days=1)
"""A certificate is valid from a day before it was made: clocks differ, and tests move theirs."""
COMMON_NAME = "sns.amazonaws.com"
ISSUER = "rmq, in the place of Amazon SNS"
"""Who signs, for a person who looks; some validators look for "Amazon" in it."""

_HASHES: dict[str, SHA1 | SHA256] = {"1": SHA1(), "2": SHA256()}
"""By the version of a signature."""


def create(now: datetime) -> tuple[str, str]:
    """A new private key and a certificate that it signed itself, both in PEM."""
    key = generate_private_key(65_537, KEY_BITS)
    name = x509.Name(
        [
            x509.NameAttribute(x509.NameOID.ORGANIZATION_NAME, ISSUER),
            x509.NameAttribute(x509.NameOID.COMMON_NAME, COMMON_NAME),
        ]
    )
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - SKEW)
        .not_valid_after(now + VALID_FOR)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(COMMON_NAME)]), critical=False)
        .sign(key, SHA256())
    )
    key_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return key_pem.decode(), certificate.public_bytes(Encoding.PEM).decode()


def load(key_pem: str, certificate_pem: str) -> tuple[RSAPrivateKey, str]:
    """The key, and the SHA-256 fingerprint of its certificate in hex. Raises ValueError."""
    try:
        key = load_pem_private_key(key_pem.encode(), None)
    except TypeError as error:  # it has a password
        raise ValueError("the key is encrypted") from error
    certificate = x509.load_pem_x509_certificate(certificate_pem.encode())
    if not isinstance(key, RSAPrivateKey) or key.public_key() != certificate.public_key():
        raise ValueError("the certificate is another key's, or the key is not RSA")
    return key, certificate.fingerprint(SHA256()).hex()


def sign(key: RSAPrivateKey, text: bytes, version: str) -> bytes:
    """The signature, of PKCS #1 v1.5."""
    return key.sign(text, PKCS1v15(), _HASHES[version])


def public_key(certificate_pem: str) -> RSAPublicKey:
    """The key in a certificate. Raises ValueError."""
    key = x509.load_pem_x509_certificate(certificate_pem.encode()).public_key()
    if not isinstance(key, RSAPublicKey):
        raise ValueError("the key is not RSA")
    return key


def is_signed(key: RSAPublicKey, text: bytes, signature: bytes, version: str) -> bool:
    """Whether *signature* is the key's, of *text*."""
    try:
        key.verify(signature, text, PKCS1v15(), _HASHES[version])
    except InvalidSignature:
        return False
    return True
