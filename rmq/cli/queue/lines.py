"""Lines: what a line of JSON may say of a message for a queue."""

from __future__ import annotations

from rmq import Outgoing
from rmq.cli.lines import decoded, read_object
from rmq.cli.queue.shapes import SEEN_ONLY
from rmq.errors import InvalidParameter

NAMES = {
    "body": "body",
    "body_base64": "body_base64",
    "attributes": "attributes",
    "delay": "delay",
    "message_group_id": "message_group_id",
    "group": "message_group_id",
    "deduplication_id": "deduplication_id",
    "dedup_id": "deduplication_id",
    "trace_header": "trace_header",
    "sender_id": "sender_id",
}
"""Fields of a JSON line, and what they are called in Outgoing."""


def from_json(line: bytes) -> Outgoing:
    """One message from one JSON object. Raises InvalidParameter.

    {"body": "..", "attributes": {"weight": 7}, "delay": 5, "group": "..", "dedup_id": ".."}
    """
    found = read_object(line, NAMES, SEEN_ONLY)
    encoded = found.pop("body_base64", None)
    if encoded is not None:
        found["body"] = decoded("body_base64", encoded)
    if "body" not in found:
        raise InvalidParameter("body", "missing", "given, as body or as body_base64")
    return Outgoing(**found)
