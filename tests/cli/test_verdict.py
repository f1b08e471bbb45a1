"""The demo's verdict: each broken promise is seen, and what is only slow or dead is not accused."""

from rmq.cli.fleet.journal import Journal, Note, read
from rmq.cli.fleet.scenario import (
    ALL,
    FILTERS,
    ORDERS,
    POISON,
    POSITIONS,
    Scenario,
    position_body,
    read_position,
)
from rmq.cli.fleet.verdict import judge

A, B, C = (position_body(1, n) for n in range(3))


def work(body, at, *, count=1, id=None):
    return Note("work", ALL, id or body.hex(), count, at, body)


def done(body, at, *, count=1, id=None):
    return Note("done", ALL, id or body.hex(), count, at, body)


def positions(expected, *notes, deleted=None, **options):
    if deleted is None:
        deleted = sum(note.kind == "done" for note in notes)
    return judge(expected, notes, deleted=deleted, ordered=True, **options)


def test_all_is_well():
    outcome = positions([A, B], work(A, 1), done(A, 2), work(B, 3), done(B, 4))

    assert outcome.kept
    assert (outcome.expected, outcome.delivered, outcome.redelivered) == (2, 2, 0)


def test_a_message_that_nobody_saw_is_lost():
    outcome = positions([A, B], work(A, 1), done(A, 2))

    assert (outcome.lost, outcome.kept) == (1, False)


def test_a_message_that_was_seen_but_never_deleted_is_lost():
    outcome = positions([A, B], work(A, 1), done(A, 2), work(B, 3))

    assert (outcome.delivered, outcome.lost) == (2, 1)


def test_a_consumer_killed_between_delete_and_note_loses_nothing():
    """Redis has counted the delete."""
    outcome = positions([A, B], work(A, 1), done(A, 2), work(B, 3), deleted=2)

    assert outcome.kept


def test_deletes_cover_only_as_many_open_works_as_there_are():
    outcome = positions([A, B], work(A, 1), work(B, 3), deleted=1)

    assert outcome.lost == 1


def test_a_message_that_its_consumer_died_with_is_a_redelivery():
    outcome = positions([A], work(A, 1), work(A, 5, count=2), done(A, 6, count=2))

    assert (outcome.redelivered, outcome.processed_twice, outcome.kept) == (1, 0, True)


def test_a_death_before_the_first_note_shows_in_the_receive_count():
    outcome = positions([A], work(A, 5, count=3), done(A, 6, count=3))

    assert outcome.redelivered == 2


def test_two_deletes_that_succeed_are_processed_twice():
    outcome = positions([A], work(A, 1), done(A, 2), work(A, 3, count=2), done(A, 4, count=2))

    assert (outcome.processed_twice, outcome.kept) == (1, False)


def test_one_receipt_that_deletes_twice_is_processed_twice():
    outcome = positions([A], work(A, 1), done(A, 2), done(A, 3))

    assert outcome.processed_twice == 1


def test_a_message_handed_out_again_after_its_delete_is_processed_twice():
    outcome = positions([A], work(A, 1), done(A, 2), work(A, 3, count=2))

    assert outcome.processed_twice == 1


def test_a_repeat_under_another_id_is_processed_twice():
    """That is deduplication not working."""
    outcome = positions([A], work(A, 1), done(A, 2), work(A, 3, id="other"), done(A, 4, id="other"))

    assert outcome.processed_twice == 1


def test_a_repeat_under_another_id_counts_when_it_is_handed_out():
    outcome = positions([A], work(A, 1), done(A, 2), work(A, 3, id="other"))

    assert outcome.processed_twice == 1


def test_a_message_that_is_not_for_this_queue_breaks_a_promise():
    """Nobody sent it, or the filter let it through."""
    outcome = positions([A], work(A, 1), done(A, 2), work(B, 3), done(B, 4))

    assert (outcome.strays, outcome.processed_twice, outcome.lost) == (1, 0, 0)
    assert not outcome.kept


def test_a_position_processed_before_an_earlier_one_violates_the_order():
    outcome = positions([A, B], work(B, 1), done(B, 2), work(A, 3), done(A, 4))

    assert (outcome.order_violations, outcome.kept) == (1, False)


def test_every_overtaken_position_counts():
    notes = (work(C, 1), done(C, 2), work(A, 3), done(A, 4), work(B, 5), done(B, 6))

    assert positions([A, B, C], *notes).order_violations == 2


def test_a_note_that_came_late_accuses_nobody():
    """A was deleted somewhere between 1 and 9, B between 3 and 4."""
    outcome = positions([A, B], work(A, 1), work(B, 3), done(B, 4), done(A, 9))

    assert outcome.kept


def test_order_is_per_truck():
    other = position_body(2, 1)

    outcome = positions([A, other], work(other, 1), done(other, 2), work(A, 3), done(A, 4))

    assert outcome.kept


def test_only_the_receive_that_was_deleted_counts_for_the_order():
    """Its first consumer noted B's work early, and died: B is processed after A all the same."""
    notes = (work(A, 1), done(A, 2), work(B, 3), work(B, 7, count=2), done(B, 8, count=2))

    assert positions([A, B], *notes).kept


def test_the_note_of_a_consumer_that_died_excuses_no_violation():
    """A was in work early, but the delete that counts began when B was long done."""
    notes = (work(A, 1), work(B, 3), done(B, 4), work(A, 7, count=2), done(A, 8, count=2))

    assert positions([A, B], *notes).order_violations == 1


def test_a_dead_letter_is_not_lost():
    outcome = judge([POISON], [], deleted=0, dead=[(POISON, 5)])

    assert (outcome.lost, outcome.dead, outcome.redelivered) == (0, 1, 4)
    assert outcome.order_violations is None


def test_a_journal_is_read_as_it_was_written(tmp_path):
    journal = Journal(tmp_path / "one")
    journal.note("work", ORDERS, "id", 2, b"with spaces\nand \xff")
    journal.note("done", ORDERS, "id", 2, b"with spaces\nand \xff")
    journal.close()

    with Journal(tmp_path / "one") as later:
        later.note("kept", POSITIONS, "id", 0, b"x")

    first, second, third = read(tmp_path / "one")

    assert (first.kind, first.queue, first.id, first.receive_count) == ("work", ORDERS, "id", 2)
    assert first.body == second.body == b"with spaces\nand \xff"
    assert first.at_ns <= second.at_ns
    assert (third.kind, third.queue) == ("kept", POSITIONS)


def test_a_line_that_death_cut_off_is_not_read(tmp_path):
    (tmp_path / "one").write_bytes(b"work orders id 1 5 6161\ndone ord")

    assert [note.kind for note in read(tmp_path / "one")] == ["work"]


def test_where_nobody_has_begun_a_journal_there_are_no_notes(tmp_path):
    assert read(tmp_path / "one") == []


def scenario(seed=1, **changed):
    sizes = {
        "trucks": 3,
        "positions": 50,
        "orders": 20,
        "publishers": 2,
        "consumers": 2,
        "publisher_deaths": 3,
        "deaths": 4,
    }
    return Scenario(**sizes | changed, seed=seed)


def test_the_same_seed_makes_the_same_play():
    plays = [scenario(seed) for seed in (1, 1, 2)]

    rounds = [list(play.rounds()) for play in plays]

    assert rounds[0] == rounds[1] != rounds[2]
    assert plays[0].death_marks() == plays[1].death_marks()
    assert plays[0].publisher_death_marks() == plays[1].publisher_death_marks()
    assert plays[0].order_bodies().count(POISON) == 1


def test_trucks_publish_in_order():
    sent = [read_position(one.body) for one_round in scenario().rounds() for one in one_round]

    first_truck = [n for truck, n in dict.fromkeys(sent) if truck == "truck-0"]
    assert first_truck == list(range(50))


def test_publishers_share_all_positions_among_them():
    play = scenario(trucks=5)

    shares = [{one for some in play.rounds(share, 2) for one in some} for share in (0, 1)]

    assert shares[0] | shares[1] == set(play.all_positions())
    assert not shares[0] & shares[1]


def test_a_round_that_is_published_again_has_the_same_positions():
    play = scenario()

    again = [set(some) for some in play.rounds(begin=40)]

    assert again == [set(some) for some in list(play.rounds())[40:]]


def test_every_filter_of_the_demo_lets_some_through_and_others_not():
    """But for the one that has none."""
    everything = scenario(trucks=100, positions=3).all_positions()

    passed = {
        name: sum(map(lets_through, everything)) for name, (_, lets_through) in FILTERS.items()
    }

    assert passed.pop(ALL) == 300
    assert all(0 < count < 300 for count in passed.values())
