"""Policies and requests, with everything filled in that a test does not speak of."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, settings

from rmq.security.policy import Decision, Request, parse
from rmq.security.principal import Principal

CALM = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
"""The first draw of a process loads tables for seconds; that says nothing of a test."""

OWNER, OTHER = "111122223333", "444455556666"
QUEUE = f"arn:aws:sqs:us-east-1:{OWNER}:orders"
TOPIC = f"arn:aws:sns:us-east-1:{OWNER}:prices"
SNS = Principal.of_service("sns.amazonaws.com")
BOB = Principal.of_arn(f"arn:aws:iam::{OTHER}:user/team/bob", user_id="AIDACKCEVSQ6C2EXAMPLE")
ROLE = Principal.of_arn(f"arn:aws:iam::{OTHER}:role/Ops")
SESSION = Principal.of_arn(
    f"arn:aws:sts::{OTHER}:assumed-role/Ops/ann", user_id="AROACKCEVSQ6C2EXAMPLE:ann"
)
ROOT = Principal.of_account(OTHER)


def statement(**changes: Any) -> dict[str, Any]:
    """A statement that allows everybody to send; None takes an element out."""
    whole = {"Effect": "Allow", "Principal": "*", "Action": "sqs:SendMessage", "Resource": QUEUE}
    return {name: value for name, value in (whole | changes).items() if value is not None}


def text(*statements: Any, version: str | None = "2012-10-17") -> str:
    document = {"Version": version, "Statement": list(statements)}
    return json.dumps({name: value for name, value in document.items() if value is not None})


def asked(
    principal: Principal = BOB,
    action: str = "sqs:SendMessage",
    resource: str = QUEUE,
    **context: Any,
) -> Request:
    """A request. In the names of *context*, `__` stands for `:`."""
    keys = {name.replace("__", ":"): value for name, value in context.items()}
    return Request(principal, action, resource, keys)


def said(*statements: Any, version: str | None = "2012-10-17", **request: Any) -> Decision:
    """What a policy of *statements* says to a request."""
    return parse(text(*statements, version=version)).evaluate(asked(**request))
