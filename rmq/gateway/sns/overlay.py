"""Overlay: what SNS's service model lacks: a name for JSON's target header.

No SDK speaks JSON with SNS, but every service here is spoken to in all protocols that there are:
`X-Amz-Target: AmazonSimpleNotificationService.Publish`.
"""

from __future__ import annotations

from typing import Any


def apply(model: dict[str, Any]) -> None:
    """Write it into a service model."""
    model["metadata"]["targetPrefix"] = "AmazonSimpleNotificationService"
