"""Lane: what makes a call that is repeated after a lost answer be carried out once."""

from __future__ import annotations

import os
from dataclasses import dataclass, field


@dataclass(slots=True)
class Lane:
    """One unbroken line of sends to one queue, with one call under way at a time.

    A send whose answer was lost is repeated on its lane. The queue remembers the lane's last send
    and answers the repeat without sending twice.
    """

    id: str = field(default_factory=lambda: os.urandom(6).hex())
    seen: int = 0
