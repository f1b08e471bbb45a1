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
from rmq.streams.attributes import StreamInfo
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
    filter_shard: str | None = None
    filter_at: datetime | None = None

    @classmethod
    def of(
        cls,
        kind: str,
        info: StreamInfo,
        after: str,
        now_ms: int,
        chosen: ShardFilter | None = None,
    ) -> PageToken:
        """One that is issued now."""
        if chosen is None:
            return cls(kind, info.name, info.incarnation, now_ms, after)
        at = None if chosen.timestamp is None else chosen.timestamp.astimezone(UTC)
        return cls(
            kind, info.name, info.incarnation, now_ms, after, chosen.type, chosen.shard_id, at
        )

    def text(self) -> str:
        """As the caller gets it."""
        return base64.urlsafe_b64encode(_encoder.encode(self)).decode().rstrip("=")

    def filter(self) -> ShardFilter | None:
        """The filter of the call that began the list."""
        if not self.filter_type:
            return None
        return ShardFilter(
            type=self.filter_type,  # type: ignore[arg-type]
            shard_id=self.filter_shard,
            timestamp=self.filter_at,
        )


def stream_of(text: str) -> str:
    """The name of the stream that a token is of. Raises InvalidParameter."""
    return _decoded(text).stream


def read(text: str, kind: str, info: StreamInfo, now_ms: int) -> PageToken:
    """What a token of this stream says. Raises InvalidParameter, ExpiredToken."""
    found = _decoded(text)
    if (found.kind, found.stream, found.incarnation) != (kind, info.name, info.incarnation):
        raise _wrong(text)
    if now_ms > found.issued_ms + LIFE_MS:
        raise ExpiredToken(
            f"the token is older than {LIFE_MS // 1000} seconds; begin the list anew"
        )
    return found


def _decoded(text: str) -> PageToken:
    if not isinstance(text, str) or not text.isascii():
        raise _wrong(text)
    try:
        found = _decoder.decode(
            base64.b64decode(text + "=" * (-len(text) % 4), b"-_", validate=True)
        )
        found.filter()
        if found.kind == "shards":
            int(found.after)
    except (binascii.Error, ValueError, msgspec.MsgspecError, InvalidParameter):
        raise _wrong(text) from None
    return found


def _wrong(text: object) -> InvalidParameter:
    return InvalidParameter("token", text, "the next_token of the call before")


_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(PageToken)
