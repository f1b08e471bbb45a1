"""Page token: where a list of shards or consumers goes on. It says which stream, and expires.

    base64url(MessagePack [kind, stream, incarnation, issued (ms), after, filter ..])

It is not signed: it holds nothing that its bearer could not ask for.
Source: NextToken of ListShards, ListStreamConsumers (Amazon Kinesis API Reference).
"""

from __future__ import annotations

import base64
import binascii
from datetime import UTC, datetime

import msgspec

from rmq.errors import ExpiredToken, InvalidParameter
from rmq.streams.shard_filter import ShardFilter

LIFE_MS = 300_000
"""For how long a token can be used."""


class PageToken(msgspec.Struct, frozen=True, array_like=True):
    """What a token says."""

    kind: str
    """shards or consumers."""
    stream: str
    incarnation: bytes
    issued_ms: int
    after: str
    """The last shard (its number) or consumer of the page before."""
    filter_type: str = ""
    filter_shard: str = ""
    filter_ms: int | None = None

    def text(self) -> str:
        """As the caller gets it."""
        return base64.urlsafe_b64encode(_encoder.encode(self)).decode().rstrip("=")

    def filter(self) -> ShardFilter | None:
        """The filter of the call that began the list."""
        if not self.filter_type:
            return None
        at = self.filter_ms
        return ShardFilter(
            type=self.filter_type,  # type: ignore[arg-type]
            shard_id=self.filter_shard or None,
            timestamp=None if at is None else datetime.fromtimestamp(at / 1000, UTC),
        )


def read(text: str, kind: str, now_ms: int) -> PageToken:
    """The token that *text* is. Raises InvalidParameter, ExpiredToken."""
    wrong = InvalidParameter("token", text, "the next_token of the call before")
    if not isinstance(text, str) or not text.isascii():
        raise wrong
    try:
        found = _decoder.decode(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
        found.filter()
    except (binascii.Error, ValueError, msgspec.MsgspecError, OverflowError, OSError):
        raise wrong from None
    except InvalidParameter:
        raise wrong from None
    if found.kind != kind:
        raise wrong
    if now_ms > found.issued_ms + LIFE_MS:
        raise ExpiredToken(
            f"the token is older than {LIFE_MS // 1000} seconds; begin the list anew"
        )
    return found


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(PageToken)
