"""Attributes: one option for every field of TopicAttributes and of SubscriptionAttributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rmq.cli.options import (
    Given,
    choice_option,
    duration_option,
    flag_option,
    number_option,
    switched,
    text_option,
    texts_option,
)
from rmq.cli.session import queue_names
from rmq.cli.values import WrongUsage
from rmq.topics.attributes import FifoThroughputScope
from rmq.topics.filters.policy import FilterPolicyScope

FIFO, ARCHIVE, CONTENT = (
    "FIFO topics",
    "FIFO topics: archive",
    "FIFO topics: deduplication by content",
)
KEPT = "Kept and shown; rmq itself enforces nothing by them"
ONE = "A subscription"
"""Panels of the help page."""

_DELIVERY = {
    "delivery_policy": text_option(
        "--delivery-policy", "JSON", "How HTTP is retried: SNS's JSON. '' takes it away."
    )
}
"""Both have it."""

TOPIC: dict[str, Any] = {
    "display_name": text_option(
        "--display-name", "TEXT", "Who e-mail and SMS say that they are from. Up to 100 characters."
    ),
    "maximum_message_size": number_option(
        "--max-size", "BYTES", "Bytes of message and attributes. At first 262144."
    ),
    **_DELIVERY,
    "signature_version": text_option(
        "--signature-version",
        "1|2",
        "What is pushed is signed by SHA1 or SHA256; with it queues get signatures too. "
        "'' takes it away.",
    ),
    "fifo_throughput_scope": choice_option(
        "--fifo-throughput-scope",
        FifoThroughputScope,
        "SCOPE",
        "Within what a deduplication id is unique:",
        FIFO,
    ),
    "deduplication_window": duration_option(
        "--deduplication-window",
        "How long a deduplication id is remembered. Other than 5m with --no-limits only.",
        FIFO,
    ),
    "archive_retention": duration_option(
        "--archive", "Keep messages for so long, to replay them. 1d to 365d.", ARCHIVE
    ),
    "no_archive_retention": flag_option("--no-archive", "Keep none, as at first.", ARCHIVE),
    "content_based_deduplication": flag_option(
        "--content-based-deduplication",
        "Make the deduplication id from the message where none is given.",
        CONTENT,
    ),
    "no_content_based_deduplication": flag_option(
        "--no-content-based-deduplication", "Do not, which is so at first.", CONTENT
    ),
    "policy": text_option(
        "--policy", "JSON", "Who may do what: a JSON object. '' takes it away.", KEPT
    ),
    "kms_master_key_id": text_option(
        "--kms-key", "KEY", "Id, alias or ARN. '' takes it away.", KEPT
    ),
    "tracing_config": text_option(
        "--tracing", "MODE", "PassThrough or Active; standard topics. '' takes it away.", KEPT
    ),
    "data_protection_policy": text_option(
        "--data-protection-policy", "JSON", "A JSON object. '' takes it away.", KEPT
    ),
    "feedback": texts_option(
        "--feedback",
        "NAME=VALUE",
        "Delivery status logging: HTTPSuccessFeedbackRoleArn=.. Repeatable. NAME= takes it away.",
        KEPT,
    ),
}

_SUBSCRIPTION: dict[str, Any] = {
    "filter_policy": text_option(
        "--filter", "JSON", "Which messages it gets: SNS's filter policy. '' takes it away.", ONE
    ),
    "filter_policy_scope": choice_option(
        "--filter-scope", FilterPolicyScope, "SCOPE", "What the filter is held against:", ONE
    ),
    "raw_message_delivery": flag_option("--raw", "Deliver the message without an envelope.", ONE),
    "no_raw_message_delivery": flag_option("--no-raw", "In its envelope, as at first.", ONE),
    "dead_letter_queue": text_option(
        "--dead-letter-queue",
        "NAME",
        "Where goes what can not be delivered. '' takes it away.",
        ONE,
        queue_names,
    ),
    "subscription_role_arn": text_option(
        "--role", "ARN", "Firehose needs one; kept and shown. '' takes it away.", ONE
    ),
}
SUBSCRIPTION: dict[str, Any] = _SUBSCRIPTION | _DELIVERY
ALL: dict[str, Any] = TOPIC | _SUBSCRIPTION

_NOT_FIELDS = (
    "no_archive_retention",
    "no_content_based_deduplication",
    "no_raw_message_delivery",
    "feedback",
)
_SWITCHES = {
    "content_based_deduplication": "--content-based-deduplication",
    "raw_message_delivery": "--raw",
}
_REMOVABLE = {
    "policy",
    "delivery_policy",
    "kms_master_key_id",
    "signature_version",
    "tracing_config",
    "data_protection_policy",
    "filter_policy",
    "dead_letter_queue",
    "subscription_role_arn",
}


def attributes_of(given: Given, standing: Mapping[str, str] | None = None) -> dict[str, Any]:
    """What the library takes. *standing* is the feedback that the topic has already.

    Raises WrongUsage for options that make no sense together, or can not be read.
    """
    found = {name: value for name, value in given.items() if name not in _NOT_FIELDS}
    found |= switched(given, _SWITCHES)
    for name in _REMOVABLE & found.keys():
        found[name] = found[name] or None
    version = found.get("signature_version")
    if version is not None:
        # What is no number is for the library to refuse, which says what may be.
        found["signature_version"] = int(version) if version.isdecimal() else version
    if "no_archive_retention" in given:
        if "archive_retention" in given:
            raise WrongUsage("--archive and --no-archive exclude each other")
        found["archive_retention"] = None
    if "feedback" in given:
        found["feedback"] = _feedback(given["feedback"], standing or {})
    return found


def _feedback(texts: list[str], standing: Mapping[str, str]) -> dict[str, str]:
    found = dict(standing)
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise WrongUsage(f"{text!r} is no feedback; write HTTPSuccessFeedbackRoleArn=arn:..")
        found[name] = value
    return {name: value for name, value in found.items() if value}
