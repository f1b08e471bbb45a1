"""Consuming: what tests do with workers again and again."""

from __future__ import annotations

from collections import defaultdict
from typing import Any

import rmq
from tests.colours import until


class Handler:
    """A handler that keeps what it was given."""

    def __init__(self) -> None:
        self.records: list[Any] = []

    async def __call__(self, record: Any) -> None:
        self.records.append(record)

    @property
    def texts(self) -> list[str]:
        return [one.data.decode() for one in self.records]

    def by_key(self) -> dict[str, list[str]]:
        found = defaultdict(list)
        for one in self.records:
            found[one.partition_key].append(one.data.decode())
        return dict(found)

    async def reach(self, count: int) -> None:
        """Wait until it was given so many."""
        await until(lambda: len(self.records) >= count)


async def put(stream: Any, *texts: str, key: str | None = None) -> None:
    """One record for each text. Its key is what stands before its dash, unless one is given."""
    records = [rmq.Record(one, key or one.partition("-")[0]) for one in texts]
    (await stream.put_many(records)).raise_for_failures()


async def checkpointed(stream: Any, group: str = "billing") -> list[str | None]:
    """Of each lease the sequence number that its checkpoint is at."""
    return [one.sequence_number for one in (await stream.group_info(group)).leases]
