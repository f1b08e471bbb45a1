"""Orders: jobs whose size in memory is compared. Imports nothing of this project, as contestant.py
does not."""

from __future__ import annotations

import json
import random

BYTES = 100
LETTERS, DIGITS = "abcdefghijklmnopqrstuvwxyz", "0123456789"


def orders(count: int) -> list[str]:
    """100 bytes of compact JSON each, always the same: names that all share, and values, with a
    token in an address, that none do."""
    made, dice = [], random.Random(20260504)
    for _ in range(count):
        order = {
            "order": dice.randrange(10**7, 10**8),
            "customer": f"C{dice.randrange(10**6):06}",
            "sku": "".join(dice.choices(LETTERS.upper(), k=2)) + f"-{dice.randrange(10**4):04}",
            "amount": dice.randrange(100, 100_000) / 100,
            "url": "/pay/",
        }
        left = BYTES - len(json.dumps(order, separators=(",", ":")))
        order["url"] = "/pay/" + "".join(
            dice.choices("0123456789abcdefghijklmnopqrstuvwxyz", k=left)
        )
        made.append(json.dumps(order, separators=(",", ":")))
    return made
