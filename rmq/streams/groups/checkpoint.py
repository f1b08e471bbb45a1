"""Checkpoint: how far a group has come in a shard."""

from __future__ import annotations

from typing import NamedTuple


class Checkpoint(NamedTuple):
    """Where a group goes on in a shard: the first that is not done.

    Said so, a start and a checkpoint are the same, and both are compared as numbers are:

        TRIM_HORIZON                         (0, 0)
        a moment                             (its microseconds, 0)
        record p is done                     (p + 1, 0)
        of record p, an aggregated one,
        user records 0 to s are done         (p, s + 1)
    """

    position: int
    """Of the record; its sequence number without the shard."""
    sub: int = 0
    """How many of its user records are done."""

    @property
    def last(self) -> tuple[int, int | None] | None:
        """Position and, inside of an aggregated record, number of what was done last; None at the
        beginning."""
        if self.sub:
            return self.position, self.sub - 1
        return (self.position - 1, None) if self.position else None


BEGINNING = Checkpoint(0)
END = None
"""Instead of a checkpoint: the shard was read to its end."""
