"""Attributes: one option for every field of QueueAttributes, the same for create and for set."""

from __future__ import annotations

from typing import Any

from rmq import RedriveAllowPolicy, RedrivePolicy
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
from rmq.queues.attributes import (
    Compression,
    DeduplicationScope,
    FifoThroughputLimit,
    RedrivePermission,
)

DEAD, FIFO, CONTENT = "Dead letters", "FIFO queues", "FIFO queues: deduplication by content"
SECURITY = "Access and encryption (kept and shown; rmq itself enforces nothing by them)"
"""Panels of the help page. CONTENT is apart because its long names need the width."""

OPTIONS: dict[str, Any] = {
    "visibility_timeout": duration_option(
        "--visibility-timeout", "How long a received message stays invisible. At first 30s."
    ),
    "delay": duration_option(
        "--delay", "How long a sent message stays invisible at first. 0s to 15m."
    ),
    "message_retention_period": duration_option(
        "--retention", "How long a message is kept. 1m to 14d, at first 4d."
    ),
    "maximum_message_size": number_option(
        "--max-size", "BYTES", "Bytes of body and attributes. At first 1048576."
    ),
    "receive_message_wait_time": duration_option(
        "--wait", "How long a receive waits unless it says otherwise. 0s to 20s."
    ),
    "compression": choice_option(
        "--compression", Compression, "HOW", "Keep messages smaller in memory:"
    ),
    "dead_letter_queue": text_option(
        "--dead-letter-queue",
        "NAME",
        "Where a message goes that was received too often.",
        DEAD,
        queue_names,
    ),
    "max_receive_count": number_option(
        "--max-receive-count",
        "COUNT",
        "How often it is handed out before. 1 to 1000, at first 10.",
        DEAD,
    ),
    "redrive_permission": choice_option(
        "--redrive-permission",
        RedrivePermission,
        "WHO",
        "Which queues may send their dead letters here:",
        DEAD,
    ),
    "redrive_source": texts_option(
        "--redrive-source",
        "NAME",
        "One that may, with by_queue. Repeat it for more.",
        DEAD,
        queue_names,
    ),
    "content_based_deduplication": flag_option(
        "--content-based-deduplication",
        "Make the deduplication id from the body where none is given.",
        CONTENT,
    ),
    "no_content_based_deduplication": flag_option(
        "--no-content-based-deduplication", "Do not, which is so at first.", CONTENT
    ),
    "deduplication_scope": choice_option(
        "--deduplication-scope",
        DeduplicationScope,
        "SCOPE",
        "Within what a deduplication id is unique:",
        FIFO,
    ),
    "fifo_throughput_limit": choice_option(
        "--fifo-throughput-limit",
        FifoThroughputLimit,
        "LIMIT",
        "Kept and shown; no quota is set:",
        FIFO,
    ),
    "deduplication_window": duration_option(
        "--deduplication-window",
        "How long a deduplication id is remembered. Other than 5m with --no-limits only.",
        FIFO,
    ),
    "policy": text_option(
        "--policy", "JSON", "Who may do what: a JSON object. '' takes it away.", SECURITY
    ),
    "kms_master_key_id": text_option(
        "--kms-key", "KEY", "Id, alias or ARN. '' takes it away.", SECURITY
    ),
    "kms_data_key_reuse_period": duration_option(
        "--kms-reuse", "How long a data key is used. 1m to 24h, at first 5m.", SECURITY
    ),
    "sqs_managed_sse_enabled": flag_option("--managed-sse", "Which is so at first.", SECURITY),
    "no_sqs_managed_sse_enabled": flag_option("--no-managed-sse", "Not.", SECURITY),
}

_NOT_FIELDS = (
    "dead_letter_queue",
    "max_receive_count",
    "redrive_permission",
    "redrive_source",
    "no_content_based_deduplication",
    "no_sqs_managed_sse_enabled",
)
"""Options that make up a field together, rather than being one."""
_SWITCHES = {
    "content_based_deduplication": "--content-based-deduplication",
    "sqs_managed_sse_enabled": "--managed-sse",
}
_REMOVABLE = {"policy", "kms_master_key_id"}


def attributes_of(given: Given, standing: RedrivePolicy | None = None) -> dict[str, Any]:
    """What the library takes. *standing* is the redrive policy that the queue has already.

    Raises WrongUsage for options that make no sense together.
    """
    found = {name: value for name, value in given.items() if name not in _NOT_FIELDS}
    found |= switched(given, _SWITCHES)
    for name in _REMOVABLE & found.keys():
        found[name] = found[name] or None
    target, count = given.get("dead_letter_queue"), given.get("max_receive_count")
    if target is None and standing is not None:
        target = standing.dead_letter_queue
    if count is not None and target is None:
        raise WrongUsage("--max-receive-count needs --dead-letter-queue NAME")
    if "dead_letter_queue" in given or count is not None:
        if count is None and standing is not None:
            count = standing.max_receive_count
        counted = {} if count is None else {"max_receive_count": count}
        found["redrive_policy"] = RedrivePolicy(dead_letter_queue=str(target), **counted)
    sources: tuple[str, ...] = tuple(given.get("redrive_source", ()))
    permission: Any = given.get("redrive_permission") or ("by_queue" if sources else None)
    if permission is not None:
        found["redrive_allow_policy"] = RedriveAllowPolicy(
            permission=permission, source_queues=sources
        )
    return found
