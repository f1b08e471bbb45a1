"""Attributes: one option for every field of StreamAttributes."""

from __future__ import annotations

from typing import Any

from rmq.cli.options import (
    Given,
    choice_option,
    duration_option,
    number_option,
    text_option,
    texts_option,
)
from rmq.cli.values import WrongUsage
from rmq.streams.attributes import HOUR, Distribution, EncryptionType, Mode

ON_DEMAND = "Streams on demand"
KEPT = "Kept and shown; rmq itself enforces nothing by them"
"""Panels of the help page."""

OPTIONS: dict[str, Any] = {
    "mode": choice_option(
        "--mode", Mode, "MODE", "Whether it has the shards it is told, or those it needs:"
    ),
    "retention": duration_option(
        "--retention", "How long records are kept: 24h to 365d, in whole hours. At first 24h."
    ),
    "max_record_size": number_option(
        "--max-size", "BYTES", "Bytes of data and partition key: 1048576 to 10485760."
    ),
    "record_distribution": choice_option(
        "--distribution",
        Distribution,
        "HOW",
        "What decides the shard of a record; AUTO: no key is needed:",
        ON_DEMAND,
    ),
    "warm_throughput_mib": number_option(
        "--warm-throughput", "MIB", "MiB a second that it is kept ready for.", ON_DEMAND
    ),
    "encryption_type": choice_option(
        "--encryption", EncryptionType, "TYPE", "KMS needs --kms-key:", KEPT
    ),
    "kms_key_id": text_option("--kms-key", "KEY", "Id, alias or ARN.", KEPT),
    "shard_level_metrics": texts_option(
        "--metric", "NAME", "IncomingBytes and the like, or ALL. Repeatable. '' for none.", KEPT
    ),
    "policy": text_option(
        "--policy", "JSON", "Who may do what: a JSON object. '' takes it away.", KEPT
    ),
}


def attributes_of(given: Given) -> dict[str, Any]:
    """What the library takes. Raises WrongUsage for what can not be read."""
    found = dict(given)
    if "retention" in found:
        retention = found.pop("retention")
        if retention % HOUR:
            raise WrongUsage("--retention is in whole hours: 24h, 7d")
        found["retention_hours"] = retention // HOUR
    if "policy" in found:
        found["policy"] = found["policy"] or None
    if "shard_level_metrics" in found:
        found["shard_level_metrics"] = [one for one in found["shard_level_metrics"] if one]
    return found
