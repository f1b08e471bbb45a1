"""Which partition key a line gets."""

from __future__ import annotations

import pytest

from rmq.errors import InvalidParameter
from rmq.streams.tailing.keys import file_name, fixed, matched, random_key


def test_random_keys_differ():
    assert len({random_key(b"x", "/a.log") for _ in range(100)}) == 100


def test_a_fixed_key_and_the_name_of_the_file():
    assert fixed("all")(b"x", "/a.log") == "all"
    assert file_name(b"x", "/var/log/a.log") == "a.log"
    with pytest.raises(InvalidParameter, match="key is ''; it must be 1 to 256"):
        fixed("")


def test_a_pattern_takes_its_group_or_all_that_it_finds():
    assert matched(r"truck-\d+")(b"at 12:00 truck-17 stopped", "") == "truck-17"
    assert matched(r"user=(\w+)")(b"GET / user=ann 200", "") == "ann"
    assert matched("é(.)")("é☕".encode(), "") in {"☕", "�"}


def test_where_the_pattern_finds_nothing_the_key_is_random():
    key = matched(r"user=(\w*)")

    assert len({key(b"nobody", ""), key(b"nobody", ""), key(b"user= ", "")}) == 3


def test_a_key_is_never_longer_than_a_stream_takes():
    assert len(matched(".*")("☕".encode() * 500, "")) == 256
    assert len(file_name(b"", "/" + "x" * 300)) == 256


def test_what_is_no_pattern_is_refused():
    with pytest.raises(InvalidParameter, match="regular expression"):
        matched("(")
