"""Attributes: what an account was told about SMS, and what a message may say of itself.

Source of the rules: SetSMSAttributes (Amazon SNS API Reference), Publishing to a mobile phone
(Amazon SNS Developer Guide).
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Literal

from rmq.core.limits import text, whole
from rmq.errors import InvalidParameter

SmsType = Literal["Promotional", "Transactional"]
TYPES = ("Promotional", "Transactional")
SENDER_ID = re.compile(r"(?=.*[A-Za-z])[A-Za-z0-9]{1,11}")
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PRICE = re.compile(r"[0-9]{1,9}(\.[0-9]{1,9})?")
_ORIGINATION = re.compile(r"\+?[0-9]{5,15}")
_ROLE = re.compile(r"arn:aws[a-z-]*:iam::[0-9]{12}:role/.{1,512}")


@dataclass(frozen=True, slots=True, kw_only=True)
class SmsAttributes:
    """What an account was told about SMS. None: nothing."""

    monthly_spend_limit: int | None = None
    """US dollars; kept and returned: what a message costs, only who sends it knows."""
    default_sender_id: str | None = None
    """Whom messages are from, unless they say: 1 to 11 letters and digits, at least one letter."""
    default_sms_type: SmsType | None = None
    """Promotional or Transactional, unless messages say. None is Promotional."""
    delivery_status_iam_role: str | None = None
    """ARN of a role; kept and returned, as the next two."""
    delivery_status_success_sampling_rate: int | None = None
    """Per cent, 0 to 100."""
    usage_report_s3_bucket: str | None = None


_FIELDS = tuple(one.name for one in fields(SmsAttributes))
_WHOLE = ("monthly_spend_limit", "delivery_status_success_sampling_rate")


def checked(given: Mapping[str, Any]) -> dict[str, str]:
    """Attributes as the hash holds them: '' for none. Raises InvalidParameter."""
    found = {}
    for field, value in given.items():
        if field not in _FIELDS:
            raise InvalidParameter("attribute", field, f"one of {', '.join(_FIELDS)}")
        found[field] = "" if value is None else _checked_one(field, value)
    return found


def _checked_one(field: str, value: Any) -> str:
    if field == "monthly_spend_limit":
        return str(whole(value, field, 0, 1_000_000_000))
    if field == "delivery_status_success_sampling_rate":
        return str(whole(value, field, 0, 100))
    if field == "default_sender_id":
        return _sender_id(field, value)
    if field == "default_sms_type":
        return _type(field, value)
    if field == "delivery_status_iam_role":
        return _matching(field, value, _ROLE, "the ARN of a role")
    return _matching(field, value, _BUCKET, "the name of a bucket: 3 to 63 of a-z 0-9 . -")


def from_text(stored: Mapping[str, str]) -> SmsAttributes:
    """The attributes in the hash."""
    found: dict[str, Any] = {field: stored[field] for field in _FIELDS if stored.get(field)}
    for field in _WHOLE:
        if field in found:
            found[field] = int(found[field])
    return SmsAttributes(**found)


# --- of a message --------------------------------------------------------------------------------

SENDER, TYPE = "AWS.SNS.SMS.SenderID", "AWS.SNS.SMS.SMSType"


def check_message(attributes: Mapping[str, tuple[str, Any]]) -> None:
    """Raise InvalidParameter for what a message says of itself that can not be."""
    for name, check in _CHECKS.items():
        if name in attributes:
            check(f"attributes[{name!r}]", attributes[name][1])


def _sender_id(field: str, value: Any) -> str:
    shape = "1 to 11 letters and digits, at least one of them a letter"
    return _matching(field, value, SENDER_ID, shape)


def _type(field: str, value: Any) -> str:
    if value not in TYPES:
        raise InvalidParameter(field, value, " or ".join(TYPES))
    return str(value)


def _price(field: str, value: Any) -> str:
    return _matching(field, value, _PRICE, "a price in US dollars")


def _origination(field: str, value: Any) -> str:
    return _matching(field, value, _ORIGINATION, "5 to 15 digits")


def _short(field: str, value: Any) -> str:
    return text(value, field, 1, 50)


def _matching(field: str, value: Any, pattern: re.Pattern[str], shape: str) -> str:
    if not isinstance(value, str) or not pattern.fullmatch(value):
        raise InvalidParameter(field, value, shape)
    return value


_CHECKS: dict[str, Callable[[str, Any], str]] = {
    SENDER: _sender_id,
    TYPE: _type,
    "AWS.SNS.SMS.MaxPrice": _price,
    "AWS.MM.SMS.OriginationNumber": _origination,
    "AWS.MM.SMS.EntityId": _short,
    "AWS.MM.SMS.TemplateId": _short,
}
