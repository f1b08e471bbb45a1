"""Verdicts: whether a policy wants a message, and if not, which condition refused it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from rmq.errors import brief
from rmq.topics.filters.condition import Condition
from rmq.topics.filters.policy import AllOf, Field, FilterPolicy, Here, Inside
from rmq.topics.filters.value import ABSENT, Leaf, leaves, objects, shown, shown_path
from rmq.topics.filters.view import MessageView

SHOWN = 5
"""How many values, conditions or elements of an array are shown of many."""


class Outcome(StrEnum):
    """What became of a message at one subscription.

    All but MATCHED are the kinds by which Amazon SNS counts NumberOfNotificationsFilteredOut
    (Monitoring Amazon SNS topics using CloudWatch).
    """

    MATCHED = "matched"
    NO_MESSAGE_ATTRIBUTES = "no_message_attributes"
    """The policy is about attributes, and the message has none that are not Binary."""
    INVALID_ATTRIBUTES = "invalid_attributes"
    """Refused by attributes, of which one at least can not be read. A message's attributes are
    judged together: whether it was that one that refused is not looked into."""
    MESSAGE_ATTRIBUTES = "message_attributes"
    INVALID_MESSAGE_BODY = "invalid_message_body"
    """The policy is about the body, which is no JSON object."""
    MESSAGE_BODY = "message_body"


def refused_by_attributes(message: MessageView) -> Outcome:
    """What it is called when a policy for attributes does not match this message."""
    if message.attributes is None:
        return Outcome.NO_MESSAGE_ATTRIBUTES
    if message.has_unreadable_attributes:
        return Outcome.INVALID_ATTRIBUTES
    return Outcome.MESSAGE_ATTRIBUTES


def refused_by_body(message: MessageView) -> Outcome:
    """What it is called when a policy for the body does not match this message."""
    return Outcome.INVALID_MESSAGE_BODY if message.body is None else Outcome.MESSAGE_BODY


@dataclass(frozen=True, slots=True)
class Refusal:
    """A place where the message has nothing of what is asked for."""

    path: tuple[str | int, ...]
    """Where in the message: keys, and positions in arrays of objects."""
    conditions: tuple[Condition, ...]
    """What is asked for: any of these."""
    had: tuple[Leaf, ...]
    """What the message has there: texts, numbers in hundred-thousandths, tokens. Empty where the
    key is absent or holds no value."""

    def __str__(self) -> str:
        asked = _listed([str(one) for one in self.conditions], " or ")
        had = _listed([brief(_Plain(shown(one))) for one in self.had], ", ") or "nothing there"
        return f"{shown_path(self.path)} must be {asked}; the message has {had}"


@dataclass(frozen=True, slots=True)
class Verdict:
    """True where the policy wants the message; `str()` says why, for a person."""

    outcome: Outcome
    refusals: tuple[Refusal, ...] = ()
    """The first key that refused; of $or and of arrays of objects, one for each of the branches or
    elements. Empty when matched, and when there was nothing to compare."""

    def __bool__(self) -> bool:
        return self.outcome is Outcome.MATCHED

    def __str__(self) -> str:
        if self.refusals:
            return _listed([str(one) for one in self.refusals], "; and ")
        return _WORDS[self.outcome]


def explain(policy: FilterPolicy | None, message: MessageView) -> Verdict:
    """Say whether a policy wants a message, and if not, why not."""
    if policy is None or policy.matches(message):
        return Verdict(Outcome.MATCHED)
    refused = (refused_by_attributes if policy.scope == "message_attributes" else refused_by_body)(
        message
    )
    here = message.scope(policy.scope)
    if here is None:
        return Verdict(refused)
    return Verdict(refused, tuple(_why(policy.root, here, ())))


def _why(node: AllOf, here: Here, at: tuple[str | int, ...]) -> Iterator[Refusal]:
    """What refused, of a node that does not match."""
    part = next(part for part in node.parts if not part.matches(here))
    if isinstance(part, Field):
        value = here.get(part.path[-1], ABSENT)
        yield Refusal((*at, part.path[-1]), part.conditions, tuple(leaves(value)))
    elif isinstance(part, Inside):
        value = here.get(part.path[-1], ABSENT)
        inner = (*at, part.path[-1])
        for number, one in enumerate(objects(value)):
            yield from _why(part.inside, one, (*inner, number) if type(value) is list else inner)
    else:
        for branch in part.branches:
            yield from _why(branch, here, at)


def _listed(texts: list[str], between: str) -> str:
    more = f"{between}{len(texts) - SHOWN} more" if len(texts) > SHOWN else ""
    return between.join(texts[:SHOWN]) + more


class _Plain:
    """brief() quotes text; a leaf is quoted already."""

    def __init__(self, text: str) -> None:
        self._text = text

    def __str__(self) -> str:
        return self._text


_WORDS = {
    Outcome.MATCHED: "the message matches",
    Outcome.NO_MESSAGE_ATTRIBUTES: "the message has no attributes to compare",
    Outcome.INVALID_MESSAGE_BODY: "the message's body is not a JSON object",
}
