"""A FIFO topic whose publishers and relayers are killed: every queue has each group in order, and
everything that was acknowledged once. And the judge of that is judged."""

from __future__ import annotations

import pytest

from tests.servers import single_server
from tests.soak.history import History
from tests.soak.topic_crew import TopicCrew, TopicSize


@pytest.mark.parametrize(
    "size",
    [
        pytest.param(TopicSize(messages=2_000, kills=6, deadline_s=100), id="short"),
        pytest.param(
            TopicSize(messages=20_000, kills=60, relayers=2, deadline_s=500),
            id="full",
            marks=[pytest.mark.soak, pytest.mark.timeout(600)],
        ),
    ],
)
def test_every_queue_has_each_group_in_order_and_everything_acknowledged_once(tmp_path, size):
    with single_server() as server, TopicCrew(server.url, tmp_path, size) as crew:
        crew.kill()
        history, queues = crew.finish()

    assert crew.killed == size.kills
    assert len(history.tried) == size.messages
    assert len(history.acknowledged) >= size.messages - 10 * size.kills
    assert history.problems(queues) == []


# --- the judge ---


@pytest.fixture
def history():
    """Two publishers; the last message of the second was not acknowledged."""
    found = History()
    for number in range(6):
        text = f"p{number % 2}-{number // 2}"
        found.tried[text] = f"g{number // 2 % 2}"
        if text != "p1-2":
            found.acknowledged[text] = f"{number:020}"
    return found


def arrived(history, texts):
    return [(history.tried[text], text) for text in texts.split()]


GOOD = "p0-0 p1-0 p0-1 p1-1 p0-2"


@pytest.mark.parametrize("texts", [GOOD, GOOD + " p1-2", "p0-1 p1-1 p0-0 p1-0 p0-2"])
def test_the_judge_is_content(history, texts):
    """With what was not acknowledged or without it, and whatever the order between groups."""
    assert history.problems({name: arrived(history, texts) for name in "ab"}) == []


@pytest.mark.parametrize(
    ("texts", "says"),
    [
        ("p1-0 p0-0 p0-1 p1-1 p0-2", "p0-0 came behind p1-0"),
        ("p0-2 p0-0 p1-0 p0-1 p1-1", "p0-0 came behind p0-2"),
        ("p0-0 p1-2 p1-0 p0-1 p1-1 p0-2", "p1-0 came behind p1-2"),
        ("p0-0 p1-0 p0-1 p1-1", "p0-2 is missing"),
        (GOOD + " p0-2", "p0-2 is there twice"),
        (GOOD + " p1-2 p1-2", "p1-2 is there twice"),
    ],
)
def test_the_judge_sees_a_swap_a_loss_and_a_duplicate(history, texts, says):
    queues = {"a": arrived(history, GOOD), "b": arrived(history, texts)}
    assert any(says in one and one.startswith("b") for one in history.problems(queues))


def test_the_judge_sees_what_was_never_published(history):
    queues = {"a": [*arrived(history, GOOD), ("g0", "p9-9")]}
    assert history.problems(queues) == ["a: p9-9 is not known"]


def test_the_judge_sees_another_group(history):
    queues = {"a": [("g1", "p0-0"), *arrived(history, GOOD)[1:]]}
    assert "a: p0-0 is in group g1" in history.problems(queues)


def test_the_judge_sees_queues_that_are_not_alike(history):
    """Neither is wrong by itself: nobody was told where the last one belongs."""
    history.tried["p2-0"] = "g0"
    queues = {"a": arrived(history, "p2-0 " + GOOD), "b": arrived(history, GOOD + " p2-0")}
    assert history.problems(queues) == ["a and b have g0 in other orders"]


def test_a_real_history_with_a_planted_bug_is_judged_wrong(tmp_path):
    """The whole way from the journals: of what really arrived, one is swapped, lost, doubled."""
    size = TopicSize(messages=400, kills=0, groups=5, deadline_s=100)
    with single_server() as server, TopicCrew(server.url, tmp_path, size) as crew:
        history, queues = crew.finish()
    assert history.problems(queues) == []
    whole = list(queues["q1.fifo"])
    first = next(i for i, (group, _) in enumerate(whole) if group == "g0")
    second = next(i for i, (group, _) in enumerate(whole) if group == "g0" and i > first)
    swapped = list(whole)
    swapped[first], swapped[second] = whole[second], whole[first]
    for planted in (swapped, whole[:200] + whole[201:], [*whole, whole[7]]):
        assert history.problems(queues | {"q1.fifo": planted})
