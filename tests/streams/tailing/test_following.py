"""Files that grow, are renamed, copied, truncated and removed, and what is read of them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rmq.streams.tailing.follower import ALIKE, IDLE_S, LINGER_S, Follower
from rmq.streams.tailing.framing import Framer
from rmq.streams.tailing.state import Entry

LONG = [f"{number:04} a line long enough to be told from others\n" for number in range(50)]
"""More than ALIKE bytes."""
assert len(LONG[0]) * 7 > ALIKE


class Folder:
    """A folder of files, and a follower of those that a pattern finds."""

    def __init__(self, path: Path, pattern: str = "*.log*") -> None:
        self.path = path
        self.pattern = pattern
        self.now = 1000.0
        self.begin()

    def begin(self, entries: list[Entry] | None = None, **options: bool) -> None:
        self.follower = Follower(
            [str(self.path / self.pattern)], lambda: Framer(1000), entries, **options
        )

    def restart(self) -> None:
        """End, with what was read in the stream, and begin with what the state says."""
        entries = self.follower.entries()
        self.follower.close()
        self.begin(entries)

    def write(self, name: str, *lines: str) -> None:
        with open(self.path / name, "a") as file:
            file.writelines(lines)

    def move(self, old: str, new: str) -> None:
        (self.path / old).rename(self.path / new)

    def copytruncate(self, name: str, copy: str, *between: str) -> None:
        (self.path / copy).write_bytes((self.path / name).read_bytes())
        os.truncate(self.path / name, 0)

    def take(self, *, acknowledge: bool = True) -> list[str]:
        """All lines that are there now."""
        found: list[str] = []
        while True:
            self.follower.look(self.now)
            before = len(found)
            for _, taken in self.follower.read(self.now):
                for record, piece in taken:
                    found.append(record.data.decode())
                    if acknowledge:
                        piece.done()
            if len(found) == before:
                return found

    def wait(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def folder(tmp_path):
    made = Folder(tmp_path)
    yield made
    made.follower.close()


def stripped(lines: list[str]) -> list[str]:
    return [line.rstrip("\n") for line in lines]


def test_what_is_appended_is_read_once(folder):
    folder.write("a.log", "1\n", "2\n")
    assert folder.take() == ["1", "2"]
    folder.write("a.log", "3\n")
    folder.write("b.log", "x\n")

    assert folder.take() == ["3", "x"]
    assert folder.take() == []


def test_only_files_that_the_pattern_finds_are_read(folder):
    folder.write("a.txt", "1\n")
    folder.write("a.log.gz", "packed\n")
    (folder.path / "folder.log").mkdir()
    (folder.path / "nothing.log").symlink_to("nowhere")

    assert folder.take() == []


def test_folders_below_are_searched_with_two_stars(tmp_path):
    folder = Folder(tmp_path, "**/*.log")
    (tmp_path / "x" / "y").mkdir(parents=True)
    folder.write("x/y/a.log", "1\n")

    assert folder.take() == ["1"]
    folder.follower.close()


def test_at_end_passes_over_what_stands_but_for_a_line_that_is_being_written(folder):
    folder.write("a.log", "1\n", "2\n", "3 is beg")
    folder.begin(at_end=True)
    assert folder.take() == []
    folder.write("a.log", "un\n")
    folder.write("b.log", "new\n")

    assert folder.take() == ["3 is begun", "new"]


def test_a_renamed_file_is_read_to_its_end_and_its_successor_from_its_beginning(folder):
    folder.write("a.log", "1\n")
    assert folder.take() == ["1"]
    folder.write("a.log", "2\n")
    folder.move("a.log", "a.log.1")
    folder.write("a.log", "3\n")
    folder.write("a.log.1", "late\n")

    assert folder.take() == ["2", "late", "3"]


def test_a_file_that_was_moved_out_of_sight_is_read_to_its_end(folder):
    folder.write("a.log", "1\n")
    assert folder.take() == ["1"]
    folder.move("a.log", "old")
    folder.write("old", "2\n", "half")
    folder.write("a.log", "3\n")
    assert folder.take() == ["2", "3"]
    folder.wait(LINGER_S - 1)
    folder.write("old", " a line\n")
    assert folder.take() == ["half a line"]

    folder.wait(LINGER_S)
    folder.take()

    assert [Path(file.path).name for file in folder.follower.files.values()] == ["a.log"]


def test_a_removed_file_is_read_to_its_end(folder):
    folder.write("a.log", "1\n")
    assert folder.take() == ["1"]
    folder.write("a.log", "2\n", "no end")
    (folder.path / "a.log").unlink()

    assert folder.take() == ["2"]
    folder.wait(LINGER_S)
    assert folder.take() == ["no end"]
    assert not folder.follower.files


def test_the_last_line_of_a_renamed_file_is_a_record_when_nothing_more_comes(folder):
    folder.write("a.log", "1\n", "no end")
    folder.take()
    folder.wait(LINGER_S)
    assert folder.take() == []

    folder.move("a.log", "a.log.1")
    assert folder.take() == []
    folder.wait(LINGER_S)

    assert folder.take() == ["no end"]


def test_a_truncated_file_is_read_from_its_beginning(folder):
    folder.write("a.log", *LONG)
    folder.take()
    os.truncate(folder.path / "a.log", 0)
    folder.write("a.log", "new\n")

    assert folder.take() == ["new"]


def test_a_file_that_was_truncated_and_has_grown_beyond_is_noticed(folder):
    folder.write("a.log", "1\n", "2\n")
    folder.take()
    os.truncate(folder.path / "a.log", 0)
    folder.write("a.log", "first\n", "second\n", "third\n")

    assert folder.take() == ["first", "second", "third"]


def test_copytruncate_brings_every_line_once(folder):
    folder.write("a.log", *LONG[:20])
    assert folder.take() == stripped(LONG[:20])
    folder.write("a.log", *LONG[20:30])
    folder.copytruncate("a.log", "a.log.1")
    folder.write("a.log", *LONG[30:])

    assert sorted(folder.take()) == stripped(LONG[20:])
    assert folder.take() == []


def test_copytruncate_that_is_seen_in_the_middle_brings_every_line_once(folder):
    folder.write("a.log", *LONG[:20], "half of ")
    assert folder.take() == stripped(LONG[:20])
    (folder.path / "a.log.1").write_bytes((folder.path / "a.log").read_bytes())
    assert folder.take() == []
    folder.write("a.log.1", "a line\n")  # as a copy has it that takes a while
    os.truncate(folder.path / "a.log", 0)
    folder.write("a.log", "new\n")

    assert sorted(folder.take()) == ["half of a line", "new"]


def test_copytruncate_in_the_middle_of_a_round_brings_every_line_once(folder):
    folder.write("a.log", *LONG[:20])
    folder.take()
    (folder.path / "a.log.1").write_bytes((folder.path / "a.log").read_bytes())
    folder.take()
    folder.write("a.log.1", *LONG[20:25])
    for _ in folder.follower.read(folder.now):
        os.truncate(folder.path / "a.log", 0)

    assert folder.take() == stripped(LONG[20:25])


def test_a_truncation_is_seen_before_its_copy(folder):
    folder.write("a.log", *LONG[:20])
    folder.take()
    folder.write("a.log", *LONG[20:30])
    (folder.path / "hidden").write_bytes((folder.path / "a.log").read_bytes())
    os.truncate(folder.path / "a.log", 0)
    assert folder.take() == []
    folder.move("hidden", "a-20260131.log")

    assert folder.take() == stripped(LONG[20:30])


def test_a_copy_of_a_file_that_is_not_truncated_brings_nothing(folder):
    folder.write("a.log", *LONG[:20])
    folder.take()
    (folder.path / "a.log.bak").write_bytes((folder.path / "a.log").read_bytes())
    folder.write("a.log", *LONG[20:])

    assert folder.take() == stripped(LONG[20:])


def test_a_file_that_only_begins_like_another_one_is_not_a_copy(folder):
    header = LONG[:20]
    folder.write("a.log", *header)
    folder.take()
    folder.write("a-2.log", *header, "but mine\n")

    assert folder.take() == [*stripped(header), "but mine"]


def test_after_a_restart_reading_goes_on_where_it_was(folder):
    folder.write("a.log", "1\n", "2\n", "hal")
    assert folder.take() == ["1", "2"]
    folder.restart()
    folder.write("a.log", "f\n")
    folder.write("b.log", "x\n")

    assert folder.take() == ["half", "x"]


def test_what_was_read_and_is_not_in_the_stream_is_read_again_after_a_restart(folder):
    folder.write("a.log", "1\n", "2\n", "3\n")
    folder.follower.look()
    [(_, taken)] = folder.follower.read()
    pieces = [piece for _, piece in taken]
    pieces[0].done()
    pieces[2].done()  # an answer may overtake another
    folder.restart()

    assert folder.take() == ["2", "3"]


def test_rotation_while_nobody_looks_is_seen_after_a_restart(folder):
    folder.write("a.log", *LONG[:20])
    folder.take()
    entries = folder.follower.entries()
    folder.write("a.log", *LONG[20:22])
    folder.move("a.log", "a.log.1")
    folder.write("a.log", "new\n")
    folder.begin(entries)

    assert folder.take() == [*stripped(LONG[20:22]), "new"]


def test_copytruncate_while_nobody_looks_is_seen_after_a_restart(folder):
    folder.write("a.log", *LONG[:20])
    folder.take()
    entries = folder.follower.entries()
    folder.write("a.log", *LONG[20:22])
    folder.copytruncate("a.log", "a.log.1")
    folder.write("a.log", "new\n")
    for name in ("a.log", "a.log.1"):
        os.utime(folder.path / name, (1, 1))  # which of them is older does not matter
    folder.begin(entries)

    assert sorted(folder.take()) == [*stripped(LONG[20:22]), "new"]


def test_a_copy_that_was_made_while_nobody_looked_brings_nothing(folder):
    folder.write("a.log", *LONG[:20])
    folder.take()
    entries = folder.follower.entries()
    folder.write("a.log", *LONG[20:22])
    (folder.path / "a.log.bak").write_bytes((folder.path / "a.log").read_bytes())
    os.utime(folder.path / "a.log.bak", (1, 1))
    folder.begin(entries)

    assert folder.take() == stripped(LONG[20:22])


def test_a_file_in_the_place_of_one_that_is_gone_is_a_new_one(folder):
    """Its inode may be the same; its content is not."""
    folder.write("a.log", "1\n", "2\n")
    folder.take()
    entries = folder.follower.entries()
    folder.write("b.log", "first\n", "second\n")
    found = os.stat(folder.path / "b.log")
    [entry] = entries
    folder.begin([Entry("b.log", found.st_dev, found.st_ino, 4, entry.mark, entry.seen)])

    assert "first" in folder.take()


def test_how_far_a_lost_file_was_read_is_kept_for_when_it_comes_back(folder):
    folder.write("a.log", *LONG[:3])
    folder.take()
    folder.move("a.log", "hidden")
    folder.take()
    folder.wait(LINGER_S)
    folder.take()
    assert not folder.follower.files
    folder.write("hidden", "4\n")
    folder.move("hidden", "a.log")

    assert folder.take() == ["4"]


def test_a_file_that_may_not_be_read_is_read_when_it_may(folder, monkeypatch, caplog):
    folder.write("a.log", "1\n")
    allowed = os.open

    def refuse(path, *rest):
        if str(path).endswith("a.log"):
            raise PermissionError(13, "Permission denied")
        return allowed(path, *rest)

    monkeypatch.setattr(os, "open", refuse)
    assert folder.take() == []
    assert folder.take() == []
    assert caplog.text.count("can not be read") == 1
    monkeypatch.setattr(os, "open", allowed)

    assert folder.take() == ["1"]


def test_a_file_that_is_quiet_for_long_is_closed_and_opened_when_it_grows(folder):
    folder.write("a.log", "1\n")
    folder.take()
    folder.wait(IDLE_S)
    folder.take()
    [file] = folder.follower.files.values()
    assert file._fd is None
    folder.take()
    assert file._fd is None
    folder.write("a.log", "2\n")

    assert folder.take() == ["2"]
