"""Batch: the entries of PublishBatch: their number and ids, and a result or an error for each."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from rmq.errors import RmqError
from rmq.gateway.caller import Caller
from rmq.gateway.errors import AwsError
from rmq.gateway.sns.errors import error, translate

MOST = 10
_ID = re.compile(r"[A-Za-z0-9_-]{1,80}")

Entry = Mapping[str, Any]


def check(entries: Sequence[Entry]) -> None:
    """Raise AwsError for what can not be a batch."""
    if not entries:
        raise error("EmptyBatchRequestException", "The batch request doesn't contain any entries.")
    if len(entries) > MOST:
        raise error(
            "TooManyEntriesInBatchRequestException",
            "The batch request contains more entries than permissible.",
        )
    ids = [entry["Id"] for entry in entries]
    if not all(_ID.fullmatch(id) for id in ids):
        raise error(
            "InvalidBatchEntryIdException",
            "The Id of a batch entry in a batch request doesn't abide by the specification.",
        )
    if len(set(ids)) < len(ids):
        raise error(
            "BatchEntryIdsNotDistinctException",
            "Two or more batch entries in the request have the same Id.",
        )


def answered(
    caller: Caller,
    entries: Sequence[Entry],
    results: Sequence[Any],
    succeeded: Callable[[Any], dict[str, Any]],
) -> dict[str, Any]:
    """The answer: for each entry what *succeeded* makes of its result, or its error."""
    good, bad = [], []
    for entry, result in zip(entries, results, strict=True):
        if isinstance(result, RmqError):
            result = translate(result, caller, dict(entry))
        if isinstance(result, AwsError):
            bad.append(
                {
                    "Id": entry["Id"],
                    "Code": result.code if result.is_senders else "InternalError",
                    "Message": result.message,
                    "SenderFault": result.is_senders,
                }
            )
        else:
            good.append({"Id": entry["Id"], **succeeded(result)})
    return {"Successful": good, "Failed": bad}
