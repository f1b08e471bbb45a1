"""Flying: one call of a producer to its stream. A plan.

A producer decided by a map of shards what it packed into a record. Under another map that record
would lie with a shard that is not for all of it, so by another map nothing is put: what was not
taken is packed anew.
"""

from __future__ import annotations

from collections.abc import Sequence

from rmq.core.script import Plan
from rmq.errors import RmqError
from rmq.streams.putting import put_where
from rmq.streams.record import Put, Record
from rmq.streams.registry import StreamRegistry, described, known
from rmq.streams.shard import ShardMap


def fly(
    registry: StreamRegistry, name: str, shards: ShardMap, records: Sequence[Record]
) -> Plan[list[Put | RmqError | None]]:
    """Put records that were packed for *shards*. None for each that these do not take any more; the
    registry knows then which shards do. Raises StreamDoesNotExist."""
    info = yield from known(registry, name)
    if info.shards.open != shards.open:
        return [None] * len(records)
    results = yield from put_where(registry, info, records)
    if None in results:
        yield from described(registry, name)
    return results
