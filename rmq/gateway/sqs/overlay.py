"""Overlay: the names of SQS's query protocol, which its service model no longer holds.

Since SQS speaks JSON the model has lost them, but SDKs from before 2023 still send them.
Source: Amazon SQS API Reference, Making Query API requests; protocols.md holds the table.
"""

from __future__ import annotations

from typing import Any

XML_NAMESPACE = "http://queue.amazonaws.com/doc/2012-11-05/"

LIST_MEMBERS = {
    "AWSAccountIdList": "AWSAccountId",
    "ActionNameList": "ActionName",
    "AttributeNameList": "AttributeName",
    "BatchResultErrorEntryList": "BatchResultErrorEntry",
    "BinaryList": "BinaryListValue",
    "ChangeMessageVisibilityBatchRequestEntryList": "ChangeMessageVisibilityBatchRequestEntry",
    "ChangeMessageVisibilityBatchResultEntryList": "ChangeMessageVisibilityBatchResultEntry",
    "DeleteMessageBatchRequestEntryList": "DeleteMessageBatchRequestEntry",
    "DeleteMessageBatchResultEntryList": "DeleteMessageBatchResultEntry",
    "ListMessageMoveTasksResultEntryList": "ListMessageMoveTasksResultEntry",
    "MessageAttributeNameList": "MessageAttributeName",
    "MessageList": "Message",
    "MessageSystemAttributeList": "MessageSystemAttributeName",
    "QueueUrlList": "QueueUrl",
    "SendMessageBatchRequestEntryList": "SendMessageBatchRequestEntry",
    "SendMessageBatchResultEntryList": "SendMessageBatchResultEntry",
    "StringList": "StringListValue",
    "TagKeyList": "TagKey",
}
"""What one element of a list is called."""

MAPS = {
    "MessageBodyAttributeMap": ("MessageAttribute", "Name", "Value"),
    "MessageBodySystemAttributeMap": ("MessageSystemAttribute", "Name", "Value"),
    "MessageSystemAttributeMap": ("Attribute", "Name", "Value"),
    "QueueAttributeMap": ("Attribute", "Name", "Value"),
    "TagMap": ("Tag", "Key", "Value"),
}
"""What a map's entry, its key and its value are called."""


def apply(model: dict[str, Any]) -> None:
    """Write the names into a service model, where botocore expects them."""
    model["metadata"]["xmlNamespace"] = XML_NAMESPACE
    shapes = model["shapes"]
    for shape, name in LIST_MEMBERS.items():
        shapes[shape]["member"]["locationName"] = name
    for shape, (_, key, value) in MAPS.items():
        shapes[shape]["key"]["locationName"] = key
        shapes[shape]["value"]["locationName"] = value
    for shape in shapes.values():
        for member in shape.get("members", {}).values():
            if member["shape"] in MAPS:
                member["locationName"] = MAPS[member["shape"]][0]
