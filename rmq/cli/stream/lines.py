"""Lines: what a line of JSON may say of a record for a stream."""

from __future__ import annotations

from typing import Any

from rmq.cli.lines import decoded, read_object
from rmq.cli.stream.shapes import READ_ONLY
from rmq.errors import InvalidParameter

NAMES = {
    "data": "data",
    "data_base64": "data_base64",
    "partition_key": "partition_key",
    "key": "partition_key",
    "explicit_hash_key": "explicit_hash_key",
    "hash_key": "explicit_hash_key",
}
"""Fields of a JSON line, and what they are called in Record."""


def from_json(line: bytes) -> dict[str, Any]:
    """The fields of one record from one JSON object. Raises InvalidParameter.

    {"data": "..", "key": "truck-17", "hash_key": "170141183460469231731687303715884105728"}
    """
    found = read_object(line, NAMES, READ_ONLY)
    encoded = found.pop("data_base64", None)
    if encoded is not None:
        found["data"] = decoded("data_base64", encoded)
    if "data" not in found:
        raise InvalidParameter("data", "missing", "given, as data or as data_base64")
    return found
