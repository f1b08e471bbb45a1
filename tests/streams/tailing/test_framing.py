"""Where in the bytes of a file a record ends."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rmq.streams.tailing.framing import Framed, Framer

DATED = re.compile(rb"^\d")


def records(framer: Framer, *parts: bytes) -> list[bytes]:
    return [one.data for part in parts for one in framer.feed(part)]


def test_a_line_is_a_record_without_its_line_break():
    assert records(Framer(100), b"one\ntwo\r\n\nthree\n") == [b"one", b"two", b"", b"three"]


def test_a_line_without_an_end_waits_for_it():
    framer = Framer(100)

    assert records(framer, b"on") == []
    assert not framer.is_empty
    assert records(framer, b"e", b"\ntwo") == [b"one"]
    assert framer.finish() == [Framed(b"two", 3)]
    assert framer.is_empty


def test_a_record_of_several_lines_begins_where_its_pattern_finds_something():
    framer = Framer(100, DATED)

    found = records(framer, b"1 failed\n  at line 7\n  at line 9\n2 ok\n3 ok\n")

    assert found == [b"1 failed\n  at line 7\n  at line 9", b"2 ok"]
    assert framer.finish() == [Framed(b"3 ok", 5)]


def test_lines_before_the_first_start_are_a_record_too():
    assert records(Framer(100, DATED), b"rest of something\nand more\n1 a\n") == [
        b"rest of something\nand more"
    ]


def test_a_half_line_is_not_taken_for_the_end_of_a_record_that_is_flushed():
    framer = Framer(100, DATED)
    framer.feed(b"1 a\n  b\n  c")

    assert framer.finish(with_line=False) == [Framed(b"1 a\n  b", 8)]
    assert framer.feed(b"\n2 x\n") == [Framed(b"  c", 4)]


@pytest.mark.parametrize("start", [None, DATED])
def test_what_is_longer_than_a_record_may_be_is_cut_and_takes_no_memory(start):
    framer = Framer(10, start)

    for _ in range(50):
        assert framer.feed(b"1" * 100) == []
    assert len(framer._line) == 10
    found = framer.feed(b"\n2\n3\n")

    assert found[0] == Framed(b"1" * 10, 5001, True)
    assert found[1] == Framed(b"2", 2)


def test_a_record_of_many_lines_is_cut_too():
    framer = Framer(10, DATED)

    framer.feed(b"1\n" + b"  more\n" * 100)

    assert framer.feed(b"2\n") == [Framed(b"1\n  more\n ", 702, True)]


@pytest.mark.parametrize("start", [None, DATED])
@settings(max_examples=50)
@given(parts=st.lists(st.text("ab12\r\n", max_size=20).map(str.encode), max_size=20))
def test_every_byte_is_in_one_record_however_the_file_is_read(start, parts):
    framer, whole = Framer(1000, start), Framer(1000, start)
    found = [one for part in parts for one in framer.feed(part)] + framer.finish()

    assert found == whole.feed(b"".join(parts)) + whole.finish()
    assert sum(one.length for one in found) == sum(map(len, parts))
