"""Digests: the MD5s that SDKs compare with their own. Source: Amazon SQS Developer Guide,
Calculating the MD5 message digest for message attributes.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import md5

from rmq.core.codec import MessageAttribute

TEXT, BINARY = b"\x01", b"\x02"


def of_body(body: bytes) -> str:
    """Of a body as it is sent over the wire."""
    return md5(body, usedforsecurity=False).hexdigest()


def of_attributes(attributes: Mapping[str, MessageAttribute]) -> str:
    """Of attributes, in the order of their names: each part behind its length."""
    digest = md5(usedforsecurity=False)
    for name in sorted(attributes):
        one = attributes[name]
        binary = isinstance(one.value, bytes)
        value = one.value if isinstance(one.value, bytes) else one.value.encode()
        for part in (name.encode(), one.type.encode()):
            digest.update(len(part).to_bytes(4, "big") + part)
        digest.update((BINARY if binary else TEXT) + len(value).to_bytes(4, "big") + value)
    return digest.hexdigest()
