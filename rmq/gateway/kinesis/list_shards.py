"""ListShards: a stream's shards, filtered, page by page. A token says which stream it is of."""

from __future__ import annotations

from typing import Any

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis import shown
from rmq.gateway.kinesis.errors import invalid
from rmq.gateway.kinesis.pages import most
from rmq.gateway.kinesis.place import check_created, shard_number, stream_of
from rmq.gateway.service import Answer, Given
from rmq.streams import page_token
from rmq.streams.shard_filter import ShardFilter

MOST = 1_000
ONLY_FIRST = ("StreamName", "ExclusiveStartShardId", "StreamCreationTimestamp", "ShardFilter")
"""What a token says already."""


async def list_shards(caller: Caller, given: Given) -> Answer:
    token = given.get("NextToken")
    if token is None:
        stream = stream_of(caller, given)
        check_created(given, await stream.info())
    else:
        for name in ONLY_FIRST:
            if name in given:
                raise invalid(f"NextToken and {name} cannot be provided together.")
        stream = stream_of(caller, given | {"StreamName": page_token.stream_of(token)})
    after = given.get("ExclusiveStartShardId")
    if after is not None:
        shard_number(after)
    page = await stream.shards(
        filter_in(given), after=after, limit=most(given, "MaxResults", MOST), token=token
    )
    answer: dict[str, Any] = {"Shards": [shown.shard(one) for one in page]}
    if page.next_token is not None:
        answer["NextToken"] = page.next_token
    return answer


def filter_in(given: Given) -> ShardFilter | None:
    said = given.get("ShardFilter")
    if said is None:
        return None
    return ShardFilter(
        type=said["Type"], shard_id=said.get("ShardId"), timestamp=said.get("Timestamp")
    )
