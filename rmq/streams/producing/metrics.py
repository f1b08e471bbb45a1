"""Metrics: what a producer did since it was made."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(slots=True)
class ProducerMetrics:
    """Counters of one producer, like those of Amazon's KPL. They only grow, but for buffered_*."""

    user_records: int = 0
    """Records that put took."""
    user_records_put: int = 0
    """Of those, the stream has."""
    user_records_failed: int = 0
    """Of those, were refused for good, or tried for too long."""
    bytes_put: int = 0
    """Data and keys of user_records_put; a character of a key counts 1."""
    records: int = 0
    """Records of the stream that were sent, each with one or many user records."""
    puts: int = 0
    """Calls that sent them."""
    retries: int = 0
    """User records that had to be sent again."""
    errors: Counter[str] = field(default_factory=Counter)
    """How many records of the stream were refused, by the code of the error."""
    buffered_records: int = 0
    """User records that wait, or are under way, now."""
    buffered_bytes: int = 0
    """Data and keys of those."""

    def as_dict(self) -> dict[str, Any]:
        return asdict(self) | {"errors": dict(self.errors)}
