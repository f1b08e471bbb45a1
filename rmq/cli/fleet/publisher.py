"""Publisher: publish the positions of a share of the trucks, in order, and note what was answered.

Whoever takes a dead publisher's post reads its journal, and begins with the last round that is
noted there: what is published again the topic knows, and drops. So nothing is left out, and no
truck's positions change their order.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import rmq
from rmq import Published
from rmq.cli.fleet import journal
from rmq.cli.fleet.scenario import POSITIONS, Scenario, read_position


def publish(
    client: rmq.Client,
    path: Path,
    scenario: Scenario,
    share: int,
    leaving: Callable[[], bool],
    survive: Callable[[], None] = lambda: None,
) -> None:
    """Publish to the end, or until *leaving*. *survive* is called wherever death is worst; it may
    raise."""
    topic = client.topic(POSITIONS)
    begin = max((read_position(note.body)[1] for note in journal.read(path)), default=0)
    with journal.Journal(path) as notes:
        for one_round in scenario.rounds(share, scenario.publishers, begin):
            if leaving():
                return
            answers = topic.publish_many(one.notification() for one in one_round)
            survive()
            for one, answer in zip(one_round, answers.raise_for_failures(), strict=True):
                assert isinstance(answer, Published)
                kind: journal.Kind = "kept" if answer.is_duplicate else "sent"
                notes.note(kind, POSITIONS, answer.id, 0, one.body)
            survive()
