"""PutRecords: put up to 500 records. Each is answered by itself; nothing of a malformed request is
put."""

from __future__ import annotations

import logging
from typing import Any

from rmq.errors import CallerError, RateExceeded, RmqError
from rmq.gateway.caller import Caller
from rmq.gateway.kinesis.errors import account_of, rate_exceeded
from rmq.gateway.kinesis.place import stream_of
from rmq.gateway.kinesis.putting import checked, tried
from rmq.gateway.service import Answer, Given
from rmq.streams.record import Put

log = logging.getLogger("rmq.gateway")


async def put_records(caller: Caller, given: Given) -> Answer:
    stream = stream_of(caller, given)
    records = await checked(stream, given["Records"], caller.client.limits.max_put_bytes)
    if given.get("DryRun"):
        raise await tried(stream, records)
    results = await stream.put_many(records)
    account = account_of(caller, given)
    answers = [_answer(one, account) for one in results]
    kinds = [one.encryption_type for one in results.successful.values()]
    return {
        "FailedRecordCount": len(results.failed),
        "Records": answers,
        "EncryptionType": "KMS" if "KMS" in kinds else "NONE",
    }


def _answer(result: Put | RmqError, account: str) -> dict[str, Any]:
    if not isinstance(result, RmqError):
        return {"SequenceNumber": result.sequence_number, "ShardId": result.shard_id}
    if isinstance(result, RateExceeded):
        refused = rate_exceeded(result, account)
        return {"ErrorCode": refused.shape, "ErrorMessage": refused.message}
    if isinstance(result, CallerError):
        raise result  # every record of a request has the same fault: the stream is gone, say
    log.warning("a record could not be put: %s", result)
    return {"ErrorCode": "InternalFailure", "ErrorMessage": "Internal Service Failure."}
