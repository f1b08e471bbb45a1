"""Signing: the key by which envelopes are signed. There is one for a namespace and all accounts
beside it, made by whoever needs it first, and kept in Redis: as safe as the Redis is.
"""

from __future__ import annotations

from collections.abc import Sequence

from rmq.core import script
from rmq.core.script import Offload, Plan, text_of
from rmq.security.signature import SigningKey
from rmq.topics.envelope import Confirmation, Rendered, Signature, certificate_url
from rmq.topics.registry import TopicRegistry


def signing_key(registry: TopicRegistry) -> Plan[SigningKey]:
    """The key, made if there is none. Raises ConfigurationError where `cryptography` is missing."""
    site = registry.site
    if site.signing_key is None:
        key = site.keys.signing_key
        stored = yield script.command("GET", "signing key", _text, key)
        if stored is None:
            made = yield Offload(lambda: SigningKey.create().to_text())
            # Somebody else may make one at the same time; the first one is everybody's.
            yield script.command("SET", "signing key", _text, key, made, "NX")
            stored = yield script.command("GET", "signing key", _text, key)
        # To read it takes as long as a hundred signatures.
        site.signing_key = yield Offload(lambda: SigningKey.from_text(stored))
    return site.signing_key


def sign(
    registry: TopicRegistry, messages: Sequence[tuple[Rendered | Confirmation, int]]
) -> Plan[None]:
    """Sign messages that are not, each by the version beside it."""
    key = yield from signing_key(registry)
    url = certificate_url(registry.endpoint_url, key.certificate_name)

    def work() -> None:
        for message, version in messages:
            message.signature = Signature(version, key.sign(message.signed, str(version)), url)

    yield Offload(work)


def _text(reply: object) -> str | None:
    return None if reply is None else text_of(reply)  # type: ignore[arg-type]
