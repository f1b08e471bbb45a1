"""Parts: into how many SMS a text is cut.

One SMS has 140 bytes: 160 characters of 7 bits where all are of the GSM alphabet, else 70 of 16. Of
several, each gives up 6 bytes to say where it belongs.

Source: 3GPP TS 23.038 (alphabet) and 23.040 (concatenation); Publishing to a mobile phone (Amazon
SNS Developer Guide).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENDED = frozenset("\f^{}\\[~]|€")
"""An escape and another character: two places."""
_ROOM = {"GSM-7": (160, 153), "UCS-2": (70, 67)}
"""Places in a single SMS, and in one of several."""

Encoding = Literal["GSM-7", "UCS-2"]


@dataclass(frozen=True, slots=True)
class Parts:
    """How a text is sent."""

    encoding: Encoding
    count: int
    """SMS that it takes."""


def parts_of(text: str) -> Parts:
    """How *text* is sent. A character is never cut in two."""
    encoding: Encoding = "GSM-7" if _BASIC.union(_EXTENDED).issuperset(text) else "UCS-2"
    if encoding == "GSM-7":
        places = [2 if one in _EXTENDED else 1 for one in text]
    else:
        places = [2 if one > "\uffff" else 1 for one in text]
    single, several = _ROOM[encoding]
    if sum(places) <= single:
        return Parts(encoding, 1)
    count, used = 1, 0
    for size in places:
        if used + size > several:
            count, used = count + 1, 0
        used += size
    return Parts(encoding, count)
