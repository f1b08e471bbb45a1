"""Credential: who signs a request, for which region and service, as its Authorization header says.

Only the form is checked here. Source: Authenticating Requests: AWS Signature Version 4 (AWS General
Reference).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import lru_cache

from rmq.gateway.errors import AwsError

_USUAL = re.compile(r"AWS4-HMAC-SHA256 Credential=([^,\s]+), ?SignedHeaders=[^,\s]+, ?Signature=")
"""What every SDK sends, before the signature. All else is looked at more closely."""
_ACCOUNT = re.compile(r"[0-9]{12}")
_REGION = re.compile(r"[a-z0-9-]{1,24}")
_HOST_REGION = re.compile(
    r"(?:sqs|sns|kinesis|firehose)\.([a-z0-9-]{4,24})\.|([a-z0-9-]+)\.queue\."
)
PARTS = ("Credential", "SignedHeaders", "Signature")
KEPT = 1024
"""Characters before a signature that are worth being remembered. A stranger may send any number."""
SCHEMES = {"AWS4-HMAC-SHA256": 5, "AWS4-ECDSA-P256-SHA256": 4}
"""Signature versions and how many elements their credentials have: 4A names no region."""


@dataclass(frozen=True, slots=True)
class Credential:
    """The credential scope of a request; empty where it does not say."""

    key_id: str = ""
    region: str = ""
    service: str = ""
    account: str = field(init=False)
    """The account that a 12-digit access key id stands for."""

    def __post_init__(self) -> None:
        account = self.key_id if _ACCOUNT.fullmatch(self.key_id) else ""
        object.__setattr__(self, "account", account)


def credential_of(headers: Mapping[str, str], query: Mapping[str, str], host: str) -> Credential:
    """What a request says of its signer, in its header or in the URL. Raises AwsError.

    An unsigned request has none; the host name may still tell its region.
    """
    header = headers.get("authorization")
    if header:
        # All but the signature is the same in every request of a client.
        end = header.rfind("=") + 1
        if end < KEPT and header[end:].isalnum() and (usual := _usual(header[:end])) is not None:
            return usual
        return _unusual(header)
    signed = query.get("X-Amz-Credential")
    if signed is not None:
        scheme = query.get("X-Amz-Algorithm", "AWS4-HMAC-SHA256")
        if "X-Amz-Signature" not in query:
            raise _incomplete("AWS query-string parameters must include 'X-Amz-Signature'.")
        return _scope(signed, SCHEMES.get(scheme, 5))
    found = _HOST_REGION.match(host)
    return Credential(region=(found[1] or found[2]) if found else "")


@lru_cache(maxsize=1024)
def _usual(start: str) -> Credential | None:
    found = _USUAL.fullmatch(start)
    return _scope(found[1], 5) if found else None


def _unusual(header: str) -> Credential:
    scheme, _, rest = header.strip().partition(" ")
    if scheme not in SCHEMES:
        raise _incomplete(
            f"{scheme[:40]!r} is not a signing algorithm that is known here; "
            f"use {' or '.join(SCHEMES)}."
        )
    found: dict[str, str] = {}
    for part in rest.split(","):
        name, equals, value = part.strip().partition("=")
        if not equals:
            raise _incomplete(
                f"{part.strip()[:40]!r} not a valid key=value pair (missing equal-sign) in "
                "Authorization header."
            )
        found[name] = value
    missing = [name for name in PARTS if not found.get(name)]
    if missing:
        raise _incomplete(
            " ".join(f"Authorization header requires '{name}' parameter." for name in missing)
        )
    return _scope(found["Credential"], SCHEMES[scheme])


def _scope(text: str, elements: int) -> Credential:
    parts = text.split("/")
    if len(parts) != elements or not all(parts):
        raise _incomplete(
            f"Credential must have exactly {elements} slash-delimited elements, e.g. "
            f"keyid/date/region/service/term, got {text[:80]!r}."
        )
    key_id, _, *place, service, term = parts
    if term != "aws4_request":
        raise _incomplete(f"Credential should end in aws4_request, not in {term[:40]!r}.")
    region = place[0] if place else ""
    if region and not _REGION.fullmatch(region):
        raise AwsError(
            "InvalidSignatureException",
            f"Credential should be scoped to a valid region, not {region[:40]!r}.",
            code="SignatureDoesNotMatch",
            status=403,
        )
    return Credential(key_id, region, service)


def _incomplete(why: str) -> AwsError:
    return AwsError("IncompleteSignatureException", why, code="IncompleteSignature")
