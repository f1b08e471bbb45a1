"""rmq sms: messages to phone numbers, and what the account has for them."""

from __future__ import annotations

import re

import pytest

import rmq as library
from rmq.queues import plans

NUMBER = "+15550100123"


def sent(rmq) -> list[str]:
    """The texts that wait for a dispatcher."""
    with library.connect(rmq.url) as client:
        found = client._executor.run(plans.peek(client._topics.inner, "sms", 100, None))
        return [one.text for one in found]


def test_publish_says_how_many_sms_it_takes(rmq):
    ran = rmq("sms", "publish", NUMBER, "hello")
    assert ran.status == 0
    assert re.fullmatch(rf"published [0-9a-f-]{{36}} for \{NUMBER}: 1 SMS, GSM-7\n", ran.out)
    long = rmq.json("sms", "publish", NUMBER, "-", stdin="☃" * 71)
    assert (long["parts"], long["encoding"], long["is_opted_out"]) == (2, "UCS-2", False)
    assert sent(rmq) == ["hello", "☃" * 71]


def test_attributes_are_set_and_shown(rmq):
    words = ("monthly_spend_limit=50", "default_sender_id=Shop")
    found = rmq.json("sms", "attributes", *words)
    assert (found["monthly_spend_limit"], found["default_sender_id"]) == (50, "Shop")
    assert "default_sender_id" in rmq("sms", "attributes").out
    assert rmq.json("sms", "attributes", "default_sender_id=")["default_sender_id"] is None
    assert rmq.json("sms", "attributes")["monthly_spend_limit"] == 50
    assert rmq.json("sms", "attributes", "monthly_spend_limit=0")["monthly_spend_limit"] == 0


def test_numbers_opt_out_and_in(rmq):
    assert "no number" in rmq("sms", "opt-outs").err
    assert rmq.json("sms", "opt-out", NUMBER) == {"number": NUMBER, "is_new": True}
    assert rmq("sms", "opt-outs").out == f"{NUMBER}\n"
    assert rmq.json("sms", "opt-outs") == {"numbers": [NUMBER]}
    ran = rmq("sms", "publish", NUMBER, "hello")
    assert (ran.status, ran.out) == (0, f"{NUMBER} has opted out: nothing is sent\n")
    assert rmq("sms", "opt-in", NUMBER).out == f"{NUMBER} is sent SMS\n"
    rmq("sms", "opt-out", NUMBER)
    again = rmq("sms", "opt-in", NUMBER)
    assert again.status == 1
    assert "again in" in again.err


def test_a_number_of_the_sandbox_is_verified(rmq):
    rmq("sms", "sandbox", "on")
    assert rmq("sms", "publish", NUMBER, "hello").status == 2
    added = rmq("sms", "sandbox", "add", NUMBER)
    assert added.out.endswith(f"next: rmq sms sandbox verify {NUMBER} PASSWORD\n")
    password = sent(rmq)[-1].rpartition(" ")[2]
    assert rmq("sms", "sandbox", "verify", NUMBER, password).out == f"{NUMBER} is verified\n"
    assert rmq("sms", "publish", NUMBER, "hello").status == 0

    assert "Verified" in rmq("sms", "sandbox", "list").out
    listed = rmq.json("sms", "sandbox", "list")
    assert listed["in_sandbox"] is True
    assert [(one["number"], one["status"]) for one in listed["numbers"]] == [(NUMBER, "Verified")]
    assert rmq.json("sms", "sandbox", "off") == {"in_sandbox": False}
    assert rmq("sms", "sandbox", "rm", NUMBER).out == f"{NUMBER} is removed\n"
    assert "not in the sandbox" in rmq("sms", "sandbox", "list").err


WRONG = [
    (("publish", "hello", "x"), 2, "E.164"),
    (("publish", NUMBER, ""), 2, "message"),
    (("publish", NUMBER, "x", "--sender-id", "123"), 2, "SenderID"),
    (("publish", NUMBER, "x", "--type", "Urgent"), 2, "Promotional or Transactional"),
    (("attributes", "default_sms_type"), 2, "NAME=VALUE"),
    (("attributes", "default_sms_type=Urgent"), 2, "Promotional or Transactional"),
    (("attributes", "colour=red"), 2, "colour"),
    (("opt-in", "hello"), 2, "E.164"),
    (("sandbox", "verify", NUMBER, "123456"), 3, "rmq sms sandbox list"),
    (("sandbox", "verify", NUMBER, "hello"), 2, "5 to 8 digits"),
    (("sandbox", "rm", NUMBER), 3, "rmq sms sandbox list"),
    (("sandbox", "add", NUMBER, "--language", "tlh"), 2, "language"),
]


@pytest.mark.parametrize(("words", "status", "said"), WRONG)
def test_a_mistake_is_one_line_that_says_what_to_do(rmq, words, status, said):
    ran = rmq("sms", *words)
    assert (ran.status, ran.out) == (status, "")
    assert said in ran.err
    errors = [line for line in ran.err.splitlines() if "memory://" not in line]
    assert len(errors) == 1


@pytest.mark.parametrize("noun", ["mobile", "sms", "events"])
def test_the_page_of_a_noun_names_its_commands(rmq, noun):
    for words in ((noun,), (noun, "--help")):
        ran = rmq(*words)
        assert ran.status == 0
        assert "Commands" in ran.out
