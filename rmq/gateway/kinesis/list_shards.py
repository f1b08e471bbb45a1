"""ListShards: a stream's shards, filtered, page by page."""

from __future__ import annotations

from typing import Any

from rmq.gateway.caller import Caller
from rmq.gateway.kinesis import shown
from rmq.gateway.kinesis.errors import invalid
from rmq.gateway.kinesis.pages import after_of, most, token_of
from rmq.gateway.kinesis.place import check_created, shard_number, stream_of
from rmq.gateway.service import Answer, Given
from rmq.streams.shard_filter import ShardFilter

QUESTION = "shards"
MOST = 1_000
ONLY_FIRST = ("StreamName", "ExclusiveStartShardId", "StreamCreationTimestamp")
"""What a token says already."""


async def list_shards(caller: Caller, given: Given) -> Answer:
    token, asked = after_of(caller, given, QUESTION)
    chosen: ShardFilter | None = None
    after: str | None = None
    if token is None:
        stream = stream_of(caller, given)
        check_created(given, await stream.info())
        chosen, after = filter_in(given), given.get("ExclusiveStartShardId")
        if after is not None:
            shard_number(after)
    else:
        for name in ONLY_FIRST:
            if name in given:
                raise invalid(f"NextToken and {name} cannot be provided together.")
        stream = stream_of(caller, {"StreamARN": asked["stream"]})
    page = await stream.shards(
        filter=chosen, after=after, limit=most(given, "MaxResults", MOST), token=token
    )
    answer: dict[str, Any] = {"Shards": [shown.shard(one) for one in page]}
    if page.next_token is not None:
        asked = {"stream": stream.arn}
        answer["NextToken"] = token_of(caller, QUESTION, page.next_token, asked)
    return answer


def filter_in(given: Given) -> ShardFilter | None:
    said = given.get("ShardFilter")
    if said is None:
        return None
    return ShardFilter(
        type=said["Type"], shard_id=said.get("ShardId"), timestamp=said.get("Timestamp")
    )
