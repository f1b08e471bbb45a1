"""Compression: an envelope made smaller by what the messages of its queue have in common.

    | 16      | raw deflate of an envelope    a large one, which has enough in itself
    | 16 + n  | raw deflate of an envelope    a small one, by dictionary n of its queue, 1 to 15

A small message repeats little of itself, and much of the messages before it: the names of its
fields, the beginning of a URL. The dictionary is that part, and stands once for the whole queue.

What would not get smaller stays as it is, so that both kinds lie in one queue.
"""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from rmq.errors import BrokenEnvelope

ALONE = 16
DICTIONARIES = 15
"""That a queue may have in its life; how many of them at a time is in lua/queues/set_dictionary."""
_FIRST = bytes((ALONE,))
_LAST = bytes((ALONE + DICTIONARIES,))
SMALL = 4096
"""Bytes of an envelope that is compressed by the dictionary; a larger one is without it."""
LARGEST = 1 << 21
"""Bytes of the largest envelope that is compressed, so that none expands to more."""
DICTIONARY = 3584
"""Bytes of a dictionary at most: the window, but for what deflate keeps of it for itself."""
_WINDOW, _MEMORY, _LEVEL = -12, 5, 5
"""A window of 4 KiB and little memory beside it: this much is copied for each message. Level 6
takes two thirds more time for a message of 1 KiB, and makes it half a percent smaller."""
_WIDE = -15
_WIDE_LEVEL = 3
"""Takes half the time of 6, and leaves a tenth more."""

SAMPLES, MOST_SAMPLES = 32, 100
"""How many messages it takes to tell what they have in common, and how many are looked at."""
SAMPLED = 1 << 16
"""Bytes of them that are enough, once there are SAMPLES. It takes some 10 ms."""
_SHARE = 20
"""One in so many, and 3 at least, must have a piece of text for it to be what they share."""
_GRAM = 4
"""Bytes. Deflate finds nothing shorter than 3."""


class Deflate:
    """Compresses the messages of one queue. May be used by several threads."""

    def __init__(self, number: int, dictionary: bytes) -> None:
        self._kind = bytes((ALONE + number,))
        self._primed = (
            zlib.compressobj(
                _LEVEL, zlib.DEFLATED, _WINDOW, _MEMORY, zlib.Z_DEFAULT_STRATEGY, dictionary
            )
            if dictionary
            else None
        )

    def compress(self, packed: bytes) -> bytes:
        """An envelope, smaller if it can be."""
        size = len(packed)
        if packed[:1] >= _FIRST or size > LARGEST:
            # Not an envelope: it is broken already, and no one of ours to change.
            return packed
        if size > SMALL:
            one, kind = zlib.compressobj(_WIDE_LEVEL, zlib.DEFLATED, _WIDE), _FIRST
        elif self._primed is not None:
            # To make one anew, dictionary and all, takes half as long again.
            one, kind = self._primed.copy(), self._kind
        else:
            return packed
        made = kind + one.compress(packed) + one.flush()
        return made if len(made) < size else packed

    def compress_every(self, parts: list[object], start: int, step: int) -> None:
        """Compress those of a script's arguments that are envelopes, where they stand."""
        for at in range(start, len(parts), step):
            parts[at] = self.compress(parts[at])  # type: ignore[arg-type]


@lru_cache(maxsize=64)
def deflate(number: int, dictionary: bytes) -> Deflate:
    """One that is ready for use; it takes some 40 KiB. An empty dictionary is none."""
    return Deflate(number, dictionary)


def is_compressed(packed: bytes) -> bool:
    """Whether it has to be expanded before it can be read."""
    return _FIRST <= packed[:1] <= _LAST


def dictionary_number(packed: bytes) -> int:
    """Which dictionary it takes to expand it; 0 for none."""
    return packed[0] - ALONE if is_compressed(packed) else 0


def expand(packed: bytes, dictionaries: Sequence[bytes]) -> bytes:
    """The envelope as it was; one that is not compressed comes back as it is. *dictionaries* are
    the queue's, number 1 first; an empty one is gone.

    Raises BrokenEnvelope, also for what would be larger than LARGEST.
    """
    if not is_compressed(packed):
        return packed
    number = dictionary_number(packed)
    if not number:
        one = zlib.decompressobj(_WIDE)
    elif number <= len(dictionaries) and dictionaries[number - 1]:
        one = zlib.decompressobj(_WINDOW, dictionaries[number - 1])
    else:
        raise BrokenEnvelope(
            f"an envelope is compressed by dictionary {number}, which its queue does not have"
        )
    try:
        made = one.decompress(packed[1:], LARGEST + 1)
    except zlib.error as error:
        raise BrokenEnvelope(f"a compressed envelope can not be read: {error}") from error
    if len(made) > LARGEST:
        raise BrokenEnvelope(f"a compressed envelope expands to more than {LARGEST} bytes")
    if not one.eof:
        raise BrokenEnvelope(f"a compressed envelope of {len(packed)} bytes was cut")
    if one.unused_data or is_compressed(made):
        raise BrokenEnvelope("a compressed envelope has something else in it, or behind it")
    return made


def dictionary_of(samples: Sequence[bytes]) -> bytes:
    """What these envelopes have in common, the most common last, where deflate finds it cheapest;
    empty if that is nothing, or if they are too few to tell.

    Pieces that several have, and no whole messages: a dictionary outlives them all, and nothing
    that one message alone said may stay behind in it.
    """
    if len(samples) < SAMPLES:
        return b""
    least = max(3, len(samples) // _SHARE)
    found: Counter[bytes] = Counter()
    for one in samples:
        found.update({one[at : at + _GRAM] for at in range(len(one) - _GRAM + 1)})
    pieces: Counter[bytes] = Counter()
    for one in samples:
        pieces.update(_common(one, found, least))
    made = b""
    for piece, _ in sorted(pieces.items(), key=lambda pair: (-pair[1], -len(pair[0]), pair[0])):
        if piece not in made and len(made) + len(piece) <= DICTIONARY:
            made = piece + made
    return made


def _common(one: bytes, found: Counter[bytes], least: int) -> set[bytes]:
    """The longest pieces of *one* of which every part is in *least* samples."""
    pieces, start = set(), None
    for at in range(len(one) - _GRAM + 2):
        is_common = at + _GRAM <= len(one) and found[one[at : at + _GRAM]] >= least
        if is_common and start is None:
            start = at
        elif not is_common and start is not None:
            pieces.add(one[start : at + _GRAM - 1])
            start = None
    return pieces
