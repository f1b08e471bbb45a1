"""Errors: each has a code, pickles, and never carries a payload."""

from __future__ import annotations

import copy
import pickle

import pytest

from rmq import errors
from rmq.errors import (
    CallerError,
    InvalidChange,
    InvalidFilterPolicy,
    InvalidParameter,
    MissingParameter,
    QueueDoesNotExist,
    QueueExists,
    RmqError,
    ServerError,
)

OURS = (InvalidParameter, MissingParameter, InvalidFilterPolicy, InvalidChange)
"""What no script says."""


def everyone(kind=RmqError):
    """Of the library: what the endpoint says in its own words (gateway/sns/errors.py) is none."""
    children = (one for one in kind.__subclasses__() if one.__module__ == errors.__name__)
    return [kind, *(one for child in children for one in everyone(child))]


EXAMPLES = [
    InvalidParameter("delay", 901, "0 s to 900 s"),
    MissingParameter("message_group_id", "a FIFO queue orders messages by it"),
    InvalidFilterPolicy("Empty arrays are not allowed", "store", [], "an array with elements"),
    InvalidChange("at", 0, "more than 1", "NewStartingHashKey 0 is not greater."),
    QueueDoesNotExist("queue 'a' does not exist", queue="a"),
    QueueExists("queue 'a' exists", queue="a", attribute="delay"),
    *(kind("what happened") for kind in everyone() if not issubclass(kind, InvalidParameter)),
    *(kind._refused("orders", "detail") for kind in everyone()[1:] if kind not in OURS),
]


@pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("copied", [copy.copy, lambda one: pickle.loads(pickle.dumps(one))])
def test_an_error_pickles_with_its_fields(error, copied):
    again = copied(error)
    assert type(again) is type(error)
    assert str(again) == str(error)
    assert vars(again) == vars(error)


def test_every_error_has_a_code_of_its_own():
    codes = [kind.code for kind in everyone()]
    assert len(set(codes)) == len(codes)
    assert all(code.startswith("RMQ_") for code in codes)


def test_every_error_says_whose_fault_it_is():
    for kind in everyone()[1:]:
        assert issubclass(kind, CallerError) != issubclass(kind, ServerError)


def test_every_error_stands_in_the_tree_at_the_top_of_the_file():
    missing = [kind.__name__ for kind in everyone() if kind.__name__ not in errors.__doc__]
    assert missing == []


@pytest.mark.parametrize("kind", everyone()[1:])
def test_a_refusal_of_a_script_becomes_its_class(kind):
    if kind in OURS:
        pytest.skip("no script says this")
    error = RmqError.from_reply(f"{kind.code} detail", "orders")
    assert type(error) is kind
    assert str(error)


def test_a_refusal_that_nobody_knows_is_an_error_of_the_server():
    error = RmqError.from_reply("RMQ_NEW_IN_LATER_RELEASE x", "orders")
    assert type(error) is ServerError


@pytest.mark.parametrize(
    "value", [b"secret" * 50, "secret " * 50, ["secret"] * 100, {"secret": "x" * 500}]
)
def test_an_error_shows_little_of_a_long_value(value):
    error = InvalidParameter("body", value, "shorter")
    assert len(str(error)) < 200
    assert len(error.value) < 150


def test_an_error_shows_no_bytes():
    assert "secret" not in str(InvalidParameter("body", b"secret", "text"))
