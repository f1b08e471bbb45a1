"""Scaling: a stream on demand gets the shards that it needs. Plans; on_demand.py decides.

Only who holds the latest claim to sweep the stream decides, on one description of it; when either
has changed meanwhile, what was decided is not done.
"""

from __future__ import annotations

from collections.abc import Mapping

from rmq.core.script import Plan
from rmq.errors import StaleConfig
from rmq.streams import commands, on_demand
from rmq.streams.attributes import StreamInfo
from rmq.streams.block import END, unpack_block
from rmq.streams.commands import Entry
from rmq.streams.on_demand import Load, Scaling
from rmq.streams.ranges import Change, Open
from rmq.streams.registry import StreamRegistry
from rmq.streams.resharding import WAVE, change
from rmq.streams.shard import hash_key

LOOK_BYTES = 1 << 20
"""Of what came last to a shard, in one look. About 1 ms of server time."""
LOOKS = 24
"""So many looks at most show where its heat is."""
ENOUGH_KEYS = 500
"""So many records are enough."""


def scale(
    registry: StreamRegistry, info: StreamInfo, loads: Mapping[int, Load], fence: int
) -> Plan[int]:
    """Split and merge as the load wants it. How many changes that were."""
    shards = [Open.of(one) for one in info.shards.open]
    nothing = Load()
    measured = [(one, loads.get(one.number, nothing)) for one in shards]
    total = nothing
    for _, load in measured:
        total = total + load
    try:
        peak: Load = yield commands.peak(registry.keys(info.name), info.name, fence, total)
        scaling = on_demand.decide(
            measured,
            peak,
            warm_mib=info.attributes.warm_throughput_mib or 0,
            most_shards=registry.limits.max_on_demand_shards,
            most=WAVE,
        )
        if not scaling:
            return 0
        return (yield from carry_out(registry, info, scaling, fence))
    except StaleConfig:
        return 0


def carry_out(
    registry: StreamRegistry, info: StreamInfo, scaling: Scaling, fence: int | None
) -> Plan[int]:
    """Split and merge what was decided on *info*, unless that is outdated."""
    places = []
    for shard in scaling.splits:
        places.append((yield from _place_of_heat(registry, info, shard)))
    wanted = on_demand.changes(scaling, places)

    def decide(now: StreamInfo) -> list[Change]:
        return wanted if now.version == info.version else []

    made = yield from change(registry, info.name, decide, fence)
    return len(wanted) if made else 0


def _place_of_heat(registry: StreamRegistry, info: StreamInfo, shard: Open) -> Plan[int | None]:
    before: bytes | str = "+"
    keys: list[tuple[int, int]] = []
    for _ in range(LOOKS):
        entries: list[Entry] = yield commands.recent(
            registry.shard_keys(info.name, shard.number), info.name, before, LOOK_BYTES
        )
        keys += [
            (int.from_bytes(hash_key(record.partition_key.encode()), "big"), record.size)
            for id, kind, block in entries
            if kind != END
            for record in unpack_block(id, kind, block, shard.number, 0)
            if record.partition_key is not None
        ]
        if not entries or len(keys) >= ENOUGH_KEYS:
            break
        before = entries[-1][0]
    return on_demand.place_of_heat(shard, keys)
