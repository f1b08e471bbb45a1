"""The file that says how far each followed file is in the stream."""

from __future__ import annotations

import pytest

from rmq.errors import ConfigurationError
from rmq.streams.tailing.state import Entry, State, mark_of

ENTRY = Entry("/var/log/a.log", 1, 2, 3, mark_of(b"abc"), 4.0)


def test_what_was_saved_is_loaded(tmp_path):
    with State(tmp_path / "deep" / "state.json", "logs") as state:
        assert state.load() is None
        state.save([ENTRY])
        state.save([ENTRY, ENTRY])

        assert state.load() == [ENTRY, ENTRY]
    assert {one.name for one in (tmp_path / "deep").iterdir()} == {"state.json", "state.json.lock"}


def test_one_agent_at_a_time_holds_it(tmp_path):
    with (
        State(tmp_path / "state.json", "logs"),
        pytest.raises(ConfigurationError, match="another agent works with"),
        State(tmp_path / "state.json", "logs"),
    ):
        pass
    with State(tmp_path / "state.json", "logs"):
        pass


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"version": 1}', b'{"version": 1, "stream": "s", "files": [1]}']
)
def test_what_is_no_state_is_refused_and_left_alone(tmp_path, content):
    (tmp_path / "state.json").write_bytes(content)

    with (
        State(tmp_path / "state.json", "logs") as state,
        pytest.raises(ConfigurationError, match="remove it to begin anew"),
    ):
        state.load()
    assert (tmp_path / "state.json").read_bytes() == content


def test_the_state_of_another_stream_is_refused(tmp_path):
    with State(tmp_path / "state.json", "logs") as state:
        state.save([])

    with (
        State(tmp_path / "state.json", "orders") as state,
        pytest.raises(ConfigurationError, match="the state of stream 'logs'"),
    ):
        state.load()


def test_a_place_where_nothing_can_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()

    with (
        pytest.raises(ConfigurationError, match="no state can be kept in"),
        State(tmp_path / "file" / "state.json", "logs"),
    ):
        pass
