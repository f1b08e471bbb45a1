"""The breaker of an endpoint: when it opens, for how long, and how it closes."""

from rmq.push.breaker import Breaker


def opened(now_ms=0, **options):
    breaker = Breaker(threshold=3, first_ms=1000, longest_ms=4000, **options)
    for _ in range(3):
        assert breaker.admits(now_ms)
        breaker.failed(now_ms)
    return breaker


def test_it_opens_after_so_many_failures_in_a_row():
    breaker = Breaker(threshold=3)
    for _ in range(2):
        breaker.failed(0)
    breaker.succeeded()
    for _ in range(2):
        breaker.failed(0)
    assert breaker.state == "closed"
    assert breaker.admits(0)

    breaker.failed(0)

    assert breaker.state == "open"
    assert not breaker.admits(0)


def test_it_lets_one_try_through_when_its_time_is_over():
    breaker = opened()

    assert not breaker.admits(999)
    assert breaker.wait_ms(999) == 1
    assert breaker.admits(1000)
    assert breaker.state == "half open"
    assert not breaker.admits(1000)


def test_a_try_that_succeeds_closes_it():
    breaker = opened()
    assert breaker.admits(1000)

    breaker.succeeded()

    assert breaker.state == "closed"
    assert breaker.is_idle
    assert breaker.admits(1000)
    assert breaker.wait_ms(1000) == 0


def test_a_try_that_fails_opens_it_for_twice_as_long_up_to_a_limit():
    breaker = opened()
    now_ms, waits = 0, []
    for _ in range(4):
        now_ms += breaker.wait_ms(now_ms)
        assert breaker.admits(now_ms)
        breaker.failed(now_ms)
        waits.append(breaker.wait_ms(now_ms))

    assert waits == [2000, 4000, 4000, 4000]


def test_failures_of_tries_that_began_before_it_opened_do_not_prolong_it():
    breaker = opened()

    breaker.failed(900)

    assert breaker.wait_ms(900) == 100


def test_a_try_that_was_broken_off_leaves_room_for_another():
    breaker = opened()
    assert breaker.admits(1000)

    breaker.left()

    assert breaker.state == "open"
    assert breaker.admits(1000)
