"""Batch: what the three batch actions have in common: the ids, and a result or error for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rmq.errors import RmqError
from rmq.gateway.caller import Caller
from rmq.gateway.errors import AwsError
from rmq.gateway.service import Given
from rmq.gateway.sqs.errors import empty_batch, error, translate

MOST = 10
_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")

Entry = Mapping[str, Any]


def entries_of(given: Given, operation: str) -> list[Entry]:
    """The entries of a batch, their number and ids checked. Raises AwsError."""
    entries: list[Entry] = given["Entries"]
    if not entries:
        raise empty_batch(operation)
    if len(entries) > MOST:
        raise error(
            "TooManyEntriesInBatchRequest",
            f"Maximum number of entries per request are {MOST}. You have sent {len(entries)}.",
        )
    seen: set[str] = set()
    for entry in entries:
        if not _ID.fullmatch(entry["Id"]):
            raise error(
                "InvalidBatchEntryId",
                "A batch entry id can only contain alphanumeric characters, hyphens and "
                "underscores. It can be at most 80 letters long.",
            )
    for entry in entries:
        if entry["Id"] in seen:
            raise error("BatchEntryIdsNotDistinct", f"Id {entry['Id']} repeated.")
        seen.add(entry["Id"])
    return entries


def answered(
    caller: Caller,
    entries: Sequence[Entry],
    results: Sequence[Any],
    succeeded: Callable[[int, Any], dict[str, Any]],
) -> dict[str, Any]:
    """The answer to a batch: for each entry what *succeeded* makes of its result, or its error."""
    good, bad = [], []
    for place, (entry, result) in enumerate(zip(entries, results, strict=True)):
        if isinstance(result, RmqError):
            result = translate(result, caller, dict(entry))
        if isinstance(result, AwsError):
            bad.append(
                {
                    "Id": entry["Id"],
                    "SenderFault": result.is_senders,
                    "Code": result.code if result.is_senders else "InternalError",
                    "Message": result.message,
                }
            )
        else:
            good.append({"Id": entry["Id"], **succeeded(place, result)})
    return {"Successful": good, "Failed": bad}
