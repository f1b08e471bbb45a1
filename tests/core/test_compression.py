"""Compression: what is compressed comes back, nothing gets larger, and bytes from anywhere else are
refused by name."""

from __future__ import annotations

import contextlib
import hashlib
import json
import tracemalloc
import zlib
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as some

from rmq.core import compression
from rmq.core.codec import PLAIN, pack, unpack
from rmq.core.compression import (
    DICTIONARY,
    LARGEST,
    SAMPLES,
    SMALL,
    Deflate,
    dictionary_number,
    dictionary_of,
    expand,
    is_compressed,
)
from rmq.errors import BrokenEnvelope
from tests.core.test_codec import HEADERS


def job(number):
    return b'{"order":%d,"customer":"C%d","url":"/orders/%d/invoice"}' % (
        number * 7919 % 100_000,
        number * 104_729 % 10_000,
        number * 1_299_709 % 1_000_000,
    )


SHARED = dictionary_of([pack(job(number)) for number in range(100)])


def raw(data):
    one = zlib.compressobj(9, zlib.DEFLATED, -15)
    return one.compress(data) + one.flush()


# --- there and back -----------------------------------------------------------------------------


@given(some.binary(max_size=5000), HEADERS, some.binary(max_size=DICTIONARY), some.integers(1, 8))
def test_what_is_compressed_comes_back_and_is_never_larger(body, header, dictionary, times):
    packed = pack(body * times, header)
    made = Deflate(1, dictionary).compress(packed)

    assert len(made) <= len(packed)
    assert expand(made, [dictionary]) == packed
    assert unpack(expand(made, [dictionary])) == (header, body * times)


@given(some.lists(some.binary(max_size=200), min_size=SAMPLES, max_size=60))
def test_messages_that_a_dictionary_was_made_of_come_back_by_it(bodies):
    samples = [pack(one) for one in bodies]
    dictionary = dictionary_of(samples)

    assert len(dictionary) <= DICTIONARY
    for one in samples:
        assert expand(Deflate(1, dictionary).compress(one), [dictionary]) == one


def test_a_small_message_takes_half_by_what_it_shares_with_others():
    packed = pack(job(4_321))
    made = Deflate(1, SHARED).compress(packed)

    assert dictionary_number(made) == 1
    assert len(made) < len(packed) / 2
    assert not is_compressed(Deflate(0, b"").compress(packed))


def test_a_large_message_needs_no_dictionary():
    packed = pack(b"".join(job(number) for number in range(200)))
    made = Deflate(1, SHARED).compress(packed)

    assert len(packed) > SMALL
    assert is_compressed(made)
    assert dictionary_number(made) == 0
    assert expand(made, []) == packed


def test_what_would_be_larger_stays_as_it_is():
    packed = pack(bytes(range(256)))
    assert Deflate(1, SHARED).compress(packed) is packed


@pytest.mark.parametrize("size", [SMALL, SMALL + 1, LARGEST, LARGEST + 1])
def test_sizes_at_the_bounds_come_back(size):
    packed = pack(b"x" * (size - 1))
    made = Deflate(1, SHARED).compress(packed)

    assert is_compressed(made) == (size <= LARGEST)
    assert expand(made, [SHARED]) == packed


def test_threads_may_share_one():
    one = Deflate(1, SHARED)
    packed = [pack(job(number)) for number in range(400)]
    with ThreadPoolExecutor(8) as pool:
        made = list(pool.map(one.compress, packed))
    assert [expand(each, [SHARED]) for each in made] == packed


# --- dictionaries -------------------------------------------------------------------------------


def test_a_dictionary_has_what_messages_share():
    for piece in (b'\x01{"order":', b',"customer":"C', b'/invoice"}'):
        assert piece in SHARED


def test_nothing_that_a_message_alone_says_is_in_a_dictionary():
    """It outlives the messages it was made of."""
    told = {"name": "Ann Example", "card": "4111 1111 1111 1111"}
    odd = [pack(json.dumps(told).encode())] * 2
    dictionary = dictionary_of([pack(job(number)) for number in range(98)] + odd)

    assert dictionary
    for word in (b"Ann", b"Example", b"4111"):
        assert word not in dictionary


def test_too_few_messages_or_messages_without_a_likeness_make_none():
    assert dictionary_of([pack(job(number)) for number in range(SAMPLES - 1)]) == b""
    unlike = [number.to_bytes(4, "big") * 5 for number in range(7_000_000, 7_000_100)]
    assert dictionary_of([zlib.crc32(one).to_bytes(4, "big") for one in unlike]) == b""


def test_a_dictionary_has_no_more_than_deflate_can_look_back():
    blocks = [hashlib.sha512(b"%d" % number).hexdigest().encode() * 2 for number in range(20)]
    dictionary = dictionary_of([blocks[number % 20] for number in range(100)])
    assert DICTIONARY - 256 < len(dictionary) <= DICTIONARY


def test_a_dictionary_is_made_the_same_of_the_same_messages():
    samples = [pack(job(number)) for number in range(64)]
    assert dictionary_of(samples) == dictionary_of(list(samples))


# --- what is not ours ---------------------------------------------------------------------------


@given(some.integers(0, 40), some.binary(max_size=300))
def test_bytes_from_anywhere_are_an_envelope_or_broken(kind, found):
    with contextlib.suppress(BrokenEnvelope):
        unpack(expand(bytes((kind,)) + found, [SHARED]))


def test_a_compressed_envelope_that_was_cut_is_broken():
    made = Deflate(1, SHARED).compress(pack(job(1)))
    for end in range(1, len(made)):
        with pytest.raises(BrokenEnvelope):
            expand(made[:end], [SHARED])


def test_nothing_expands_to_more_than_the_largest_that_is_compressed():
    bomb = b"\x10" + raw(b"\x01" + bytes(8 * LARGEST))

    tracemalloc.start()
    with pytest.raises(BrokenEnvelope, match="expands to more than 2097152 bytes"):
        expand(bomb, [])
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert most < 3 * LARGEST
    with pytest.raises(BrokenEnvelope, match="expands to more than 2097152 bytes"):
        expand(b"\x10" + raw(bytes(LARGEST + 1)), [])


@pytest.mark.parametrize(
    ("packed", "dictionary", "why"),
    [
        (b"\x11" + raw(b"\x01x"), b"", "by dictionary 1, which its queue does not have"),
        (b"\x12" + raw(b"\x01x"), SHARED, "by dictionary 2, which its queue does not have"),
        (b"\x10" + raw(b"\x01x") + b"y", b"", "something else in it, or behind it"),
        (b"\x10" + raw(b"\x10" + raw(b"\x01x")), b"", "something else in it, or behind it"),
        (b"\x10\xff\xff", b"", "can not be read"),
        (b"\x10", b"", "was cut"),
    ],
)
def test_what_is_broken_says_why(packed, dictionary, why):
    with pytest.raises(BrokenEnvelope, match=why):
        expand(packed, [dictionary])


def test_what_is_not_an_envelope_is_neither_compressed_nor_expanded():
    for odd in (b"", b"\x00abc" * 50, b"\x20abc" * 50, b"\x11" + b"abc" * 50):
        if odd[:1] != b"\x11":
            assert expand(odd, [SHARED]) is odd
        if odd[:1] != b"\x00":
            assert Deflate(1, SHARED).compress(odd) is odd


def test_an_envelope_inside_is_opened_as_any_other():
    packed = pack(b"abcd" * 2000, PLAIN)
    assert unpack(expand(Deflate(0, []).compress(packed), b"")) == (PLAIN, b"abcd" * 2000)
    assert compression.deflate(1, SHARED) is compression.deflate(1, SHARED)
