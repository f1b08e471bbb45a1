"""Listing: the shards of a stream, page by page."""

from __future__ import annotations

from rmq.core.limits import whole
from rmq.core.paging import PageOf
from rmq.core.script import Plan
from rmq.errors import InvalidParameter, Words
from rmq.streams import page_token
from rmq.streams.page_token import PageToken
from rmq.streams.registry import StreamRegistry, described
from rmq.streams.sequence import read_shard_id
from rmq.streams.shard import Shard
from rmq.streams.shard_filter import ShardFilter

MOST = 10_000
"""Shards on a page."""


def shards(
    registry: StreamRegistry,
    name: str,
    given: ShardFilter | None,
    after: str | None,
    limit: int,
    token: str | None,
) -> Plan[PageOf[Shard]]:
    """The shards that a filter shows, the oldest first."""
    whole(limit, "limit", 1, MOST)
    if given is not None and not isinstance(given, ShardFilter):
        raise InvalidParameter("filter", Words(type(given).__name__), "a ShardFilter")
    now_ms = registry.clock.now_ms()
    info = yield from described(registry, name)
    if token is not None:
        for field, value in (("filter", given), ("after", after)):
            if value is not None:
                raise InvalidParameter(field, value, "left out with a token, which has it")
        found = page_token.read(token, "shards", info, now_ms)
        behind, chosen = int(found.after), found.filter()
    else:
        behind, chosen = _behind(after), given
    selects = (chosen or ShardFilter()).selects(info.horizon(now_ms))
    rest = [one for one in info.shards.values() if one.number > behind and selects(one)]
    following = None
    if len(rest) > limit:
        following = PageToken.of("shards", info, str(rest[limit - 1].number), now_ms, chosen).text()
    return PageOf(tuple(rest[:limit]), following)


def _behind(after: str | None) -> int:
    if after is None:
        return -1
    number = read_shard_id(after)
    if number is None:
        raise InvalidParameter("after", after, "a name such as shardId-000000000000")
    return number
