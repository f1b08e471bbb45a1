"""Sweeping: what has to be done from time to time, by whoever is around. Plans.

    claim ──> each shard: expired blocks, idle lanes, load ──> expired shards ──> scale on demand

Records expire for readers to the microsecond, whatever a sweep does; it gives their memory back.
Whoever puts or reads sweeps once a minute; for streams that nobody touches somebody goes round all
of them (`rmq serve`, workers of consumer groups). The claim lets one at a time.
"""

from __future__ import annotations

import random
from contextlib import suppress
from dataclasses import dataclass

from rmq.core.script import Aside, Plan, Several
from rmq.errors import RmqError, ServerError, ShardDoesNotExist, StaleConfig
from rmq.streams import accounting, commands, scaling
from rmq.streams.attributes import StreamInfo
from rmq.streams.commands import Swept
from rmq.streams.lifecycle import list_streams
from rmq.streams.on_demand import Load, peak_of
from rmq.streams.registry import StreamRegistry, drop, on_each_shard
from rmq.streams.resharding import finished

EVERY_MS = 60_000
"""How often a stream is swept, and over what its load is measured."""
PAGE = 100
"""Streams that one step of going round looks at."""


@dataclass(frozen=True, slots=True)
class Sweep:
    """What a sweep did."""

    blocks: int = 0
    """Blocks of expired records that were removed."""
    shards: int = 0
    """Closed shards that expired with their last record."""
    changes: int = 0
    """Splits and merges of a stream on demand."""


def if_due(registry: StreamRegistry, name: str, *, told: bool = False) -> Plan[None]:
    """Sweep aside, where a shard *told* that it is time, or this client uses the stream for a
    minute."""
    if registry.is_sweep_due(name, EVERY_MS, told=told):
        yield Aside(sweep(registry, name, anyway=False))


def sweep(registry: StreamRegistry, name: str, *, anyway: bool = True) -> Plan[Sweep]:
    """Sweep a stream, if nobody did a moment ago, or *anyway*."""
    fence: int = yield commands.sweep_claim(registry.keys(name), name, EVERY_MS, anyway)
    if not fence:
        return Sweep()
    return (yield from _sweep(registry, name, fence))


def _sweep(registry: StreamRegistry, name: str, fence: int) -> Plan[Sweep]:
    """Sweep a stream under a claim."""
    info = yield from finished(registry, name)
    try:
        blocks, over, loads = yield from _sweep_shards(registry, info)
        yield from _forget(registry, info, over)
    except (ShardDoesNotExist, StaleConfig):
        return Sweep()  # removed meanwhile, or made anew
    yield accounting.count(registry, info)
    changes = 0
    if info.attributes.mode == "ON_DEMAND":
        changes = yield from scaling.scale(registry, info, loads, fence)
    return Sweep(blocks, len(over), changes)


def keep_shards(registry: StreamRegistry, info: StreamInfo) -> Plan[None]:
    """Let a stream that has just become one on demand keep its shards for 30 days, as if it needed
    them today: nobody knows what it needed before."""
    keys = registry.keys(info.name)
    fence: int = yield commands.sweep_claim(keys, info.name, EVERY_MS, anyway=True)
    with suppress(StaleConfig):  # somebody claims it already, and decides by what was measured
        yield commands.peak(keys, info.name, fence, peak_of(info.open_shard_count))


def _sweep_shards(
    registry: StreamRegistry, info: StreamInfo
) -> Plan[tuple[int, list[int], dict[int, Load]]]:
    """How many blocks were removed, which shards are over, and what came to each lately."""
    blocks, over = 0, []
    loads: dict[int, Load] = {}
    todo = list(info.shards)
    while todo:
        answers: list[Swept | RmqError] = yield from on_each_shard(
            [
                commands.sweep(registry.shard_keys(info.name, number), info, EVERY_MS)
                for number in todo
            ]
        )
        again = []
        for number, swept in zip(todo, answers, strict=True):
            if isinstance(swept, ShardDoesNotExist) and not info.shards[number].is_open:
                over.append(number)  # who removed it died, and it is still in the map
                continue
            if isinstance(swept, RmqError):
                raise swept
            blocks += swept.blocks
            loads[number] = swept.load
            if swept.more:
                again.append(number)
            elif swept.is_over:
                over.append(number)
        todo = again
    return blocks, over, loads


def _forget(registry: StreamRegistry, info: StreamInfo, over: list[int]) -> Plan[None]:
    """Remove closed shards of which every record has expired."""
    if over:
        yield from drop(registry, info, over)
        yield commands.forget(registry.keys(info.name), info, over)
        registry.forget(info.name)


def sweep_all(registry: StreamRegistry, after: str | None) -> Plan[str | None]:
    """Sweep those streams on a page of all that nobody swept for a while. Where to go on; None
    stands for the beginning, and for the first time."""
    page = yield from list_streams(registry, "", PAGE, after)
    names = list(page)
    # Others begin at the same moment with the same page.
    random.shuffle(names)
    claims = [
        commands.sweep_claim(registry.keys(name), name, EVERY_MS, anyway=False) for name in names
    ]
    answers = (yield Several(claims)) if claims else []
    for name, fence in zip(names, answers, strict=True):
        if isinstance(fence, RmqError) or not fence:
            continue
        try:
            yield from _sweep(registry, name, fence)
        except ServerError:
            raise
        except RmqError:
            continue  # deleted meanwhile
    return page.next_token
