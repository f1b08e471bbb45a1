"""Opting: who wants no SMS, and who wants them again. Plans.

Source: OptInPhoneNumber, ListPhoneNumbersOptedOut (Amazon SNS API Reference).
"""

from __future__ import annotations

from rmq.core.keys import SmsKeys
from rmq.core.limits import whole
from rmq.core.paging import PageOf, cut, names_from
from rmq.core.script import Plan
from rmq.topics.registry import TopicRegistry
from rmq.topics.sms import commands
from rmq.topics.sms.number import phone_number

PAGE = 100


def is_out(registry: TopicRegistry, given: str) -> Plan[bool]:
    """Whether a number wants no SMS."""
    number = phone_number("number", given)
    found: bool = yield commands.is_opted_out(SmsKeys(registry.namespace), number)
    return found


def opt_out(registry: TopicRegistry, given: str) -> Plan[bool]:
    """A number wants no SMS. False when it did not want any before."""
    number = phone_number("number", given)
    is_new: bool = yield commands.opt_out(SmsKeys(registry.namespace), number)
    return is_new


def opt_in(registry: TopicRegistry, given: str) -> Plan[bool]:
    """A number takes SMS again. False when it did."""
    number = phone_number("number", given)
    was_out: bool = yield commands.opt_in(
        SmsKeys(registry.namespace), number, registry.limits.opt_in_interval
    )
    return was_out


def page(registry: TopicRegistry, limit: int, token: str | None) -> Plan[PageOf[str]]:
    """Some of the numbers that want no SMS, in order."""
    whole(limit, "limit", 1, PAGE)
    after = None if token is None else phone_number("token", token)
    key = SmsKeys(registry.namespace).opted_out
    found = yield names_from(key, commands.SUBJECT, "", after, limit + 1)
    return cut([(number, number) for number in found], limit)
