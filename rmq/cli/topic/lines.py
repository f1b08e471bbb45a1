"""Lines: what a line of JSON may say of a message for a topic."""

from __future__ import annotations

from rmq import Notification
from rmq.cli.lines import read_object
from rmq.cli.topic.shapes import HEARD_ONLY
from rmq.errors import InvalidParameter

NAMES = {
    "message": "message",
    "subject": "subject",
    "attributes": "attributes",
    "by_protocol": "by_protocol",
    "message_group_id": "message_group_id",
    "group": "message_group_id",
    "deduplication_id": "deduplication_id",
    "dedup_id": "deduplication_id",
}
"""Fields of a JSON line, and what they are called in Notification."""


def from_json(line: bytes) -> Notification:
    """One message from one JSON object. Raises InvalidParameter.

    {"message": "..", "subject": "..", "attributes": {"speed": 97}, "group": "..", "dedup_id": ".."}
    """
    found = read_object(line, NAMES, HEARD_ONLY)
    if "message" not in found:
        raise InvalidParameter("message", "missing", "given")
    by_protocol = found.get("by_protocol", False)
    if not isinstance(by_protocol, bool):
        raise InvalidParameter("by_protocol", by_protocol, "true or false")
    return Notification(**found)
