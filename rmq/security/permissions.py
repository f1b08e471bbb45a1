"""Permissions: a policy's text with one statement more, or without one, as AddPermission and
RemovePermission change it. What else the text says is kept, understood or not.

Source: AddPermission, RemovePermission (Amazon SQS and Amazon SNS API References).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from rmq.errors import InvalidPolicy, Words

ACCOUNT = re.compile(r"[0-9]{12}")
EXISTS = "Invalid parameter: Statement already exists"
"""What Amazon SNS says to a label that is taken."""

Document = dict[str, Any]


def allowing(label: str, accounts: Sequence[str], actions: Sequence[str], arn: str) -> Document:
    """The statement that lets *accounts* do *actions* (`SQS:SendMessage`) with *arn*."""
    return {
        "Sid": label,
        "Effect": "Allow",
        "Principal": {"AWS": _one_or_list([f"arn:aws:iam::{one}:root" for one in accounts])},
        "Action": _one_or_list(actions),
        "Resource": arn,
    }


def add_statement(policy: str | None, statement: Document, *, new: Document) -> str:
    """The policy with *statement* at its end. *new* is what a policy is begun with.

    Raises InvalidPolicy, with the field `label` where there is a statement of that Sid.
    """
    document = new if policy is None else _document(policy)
    found = _statements(document)
    label = statement["Sid"]
    if any(_sid(one) == label for one in found):
        raise InvalidPolicy("label", label, "one that no statement has yet", EXISTS)
    return _text(document | {"Statement": [*found, statement]})


def remove_statement(policy: str | None, label: str) -> str | None:
    """The policy without the statement of that Sid; None where none is left.

    Raises InvalidPolicy, with the field `label` where there is no such statement.
    """
    document = {} if policy is None else _document(policy)
    found = _statements(document)
    left = [one for one in found if _sid(one) != label]
    if len(left) == len(found):
        raise InvalidPolicy(
            "label", label, "that of a statement in the policy", "Invalid parameter: Label"
        )
    return _text(document | {"Statement": left}) if left else None


def _document(policy: str) -> Document:
    try:
        document = msgspec.json.decode(policy)
    except (msgspec.DecodeError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise InvalidPolicy("policy", Words("something else"), "a JSON object as text")
    return document


def _statements(document: Document) -> list[Any]:
    """A single one may stand alone."""
    found = document.get("Statement", [])
    return list(found) if isinstance(found, list) else [found]


def _sid(statement: Any) -> Any:
    return statement.get("Sid") if isinstance(statement, dict) else None


def _text(document: Document) -> str:
    return msgspec.json.encode(document).decode()


def _one_or_list(values: Sequence[str]) -> str | list[str]:
    return values[0] if len(values) == 1 else list(values)
