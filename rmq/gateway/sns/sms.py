"""SMS: between what SNS lets an account say about SMS, all of it text, and ours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rmq.gateway.sns.attributes import unknown_attribute
from rmq.topics.sms.attributes import SmsAttributes

FIELD_OF = {
    "DefaultSMSType": "default_sms_type",
    "DefaultSenderID": "default_sender_id",
    "DeliveryStatusIAMRole": "delivery_status_iam_role",
    "DeliveryStatusSuccessSamplingRate": "delivery_status_success_sampling_rate",
    "MonthlySpendLimit": "monthly_spend_limit",
    "UsageReportS3Bucket": "usage_report_s3_bucket",
}
"""By its name in SNS, our name for it."""
NAME_OF = {field: name for name, field in FIELD_OF.items()}
_WHOLE = ("DeliveryStatusSuccessSamplingRate", "MonthlySpendLimit")


def attributes_in(given: Mapping[str, str]) -> dict[str, Any]:
    """Attributes as the library takes them. Raises AwsError."""
    found: dict[str, Any] = {}
    for name, text in given.items():
        if name not in FIELD_OF:
            raise unknown_attribute(name)
        is_number = name in _WHOLE and text.isascii() and text.isdecimal()
        found[FIELD_OF[name]] = int(text[:12]) if is_number else text or None
    return found


def attributes_out(one: SmsAttributes) -> dict[str, str]:
    """What the account said, by SNS's names. What is not set is left out."""
    pairs = ((name, getattr(one, field)) for name, field in FIELD_OF.items())
    return {name: str(value) for name, value in pairs if value is not None}
