"""Sandbox: phone numbers that somebody showed to be their own, by a password that was sent there.

    add ──> Pending ── verify, with the password ──> Verified
             │   ^
             └───┘ add: another password; a few a day

While an account is in the sandbox, only verified numbers are sent SMS. Here an account is outside
until it is put in.

Source: SMS sandbox (Amazon SNS Developer Guide). Refused: its rule that a number can not be removed
for 24 hours; nothing here needs it.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal

import msgspec

from rmq.core.codec import Header
from rmq.core.keys import SmsKeys
from rmq.core.limits import ms, whole
from rmq.core.paging import PageOf, cut
from rmq.core.script import LOOKS, Plan
from rmq.errors import (
    InvalidParameter,
    OptedOut,
    SandboxNumberDoesNotExist,
    StaleConfig,
    TooManyPasswords,
    VerificationFailed,
    Words,
    brief,
)
from rmq.topics.registry import TopicRegistry
from rmq.topics.sms import commands
from rmq.topics.sms.attributes import TYPE
from rmq.topics.sms.commands import Records
from rmq.topics.sms.handing import hand_over
from rmq.topics.sms.number import phone_number

PASSWORD_LIFE = timedelta(minutes=15)
ATTEMPTS = 5
"""Guesses for one password of a million."""
PASSWORDS = 5
"""That one number gets in a day."""
DAY = timedelta(days=1)
PAGE = 100
"""ListSMSSandboxPhoneNumbers."""
PASSWORD = re.compile(r"[0-9]{5,8}")
TEXTS = {
    "en-US": "Your verification code is {}",
    "en-GB": "Your verification code is {}",
    "de-DE": "Ihr Bestätigungscode lautet {}",
    "es-419": "Tu código de verificación es {}",
    "es-ES": "Su código de verificación es {}",
    "fr-CA": "Votre code de vérification est le {}",
    "fr-FR": "Votre code de vérification est le {}",
    "it-IT": "Il tuo codice di verifica è {}",
    "ja-JP": "確認コード: {}",
    "kr-KR": "인증 코드: {}",
    "pt-BR": "Seu código de verificação é {}",
    "zh-CN": "您的验证码是 {}",
    "zh-TW": "您的驗證碼是 {}",
}
"""What a number is sent with its password, by language (CreateSMSSandboxPhoneNumber)."""

Status = Literal["Pending", "Verified"]


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxNumber:
    """A number of the sandbox."""

    number: str
    """In E.164."""
    status: Status
    created_at: datetime
    verified_at: datetime | None


class _Stored(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record, as the hash has it under its number: JSON."""

    created_ms: int
    verified_ms: int = 0
    password: str = ""
    password_ms: int = 0
    attempts: int = 0
    sent_ms: list[int] = []
    """When it was sent passwords, in the last day."""


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(_Stored).decode


def is_verified(record: bytes) -> bool:
    """Whether a record, b"" for none, is of a verified number."""
    return bool(record) and _decode(record).verified_ms > 0


def _where(registry: TopicRegistry) -> Records:
    keys = SmsKeys(registry.namespace)
    return Records(keys.sandbox, keys.sandbox_names)


def add(registry: TopicRegistry, given: str, language: str) -> Plan[SandboxNumber]:
    """Take a number in, and send it a password. A verified number is left as it is."""
    number = phone_number("number", given)
    if language not in TEXTS:
        raise InvalidParameter("language", language, f"one of {', '.join(TEXTS)}")
    for _ in range(LOOKS):
        found = yield commands.look(SmsKeys(registry.namespace), number)
        if found.is_opted_out:
            raise OptedOut(f"{number} wants no SMS; it has to be opted in first", number=number)
        now_ms = registry.clock.now_ms()
        before = _decode(found.record) if found.record else _Stored(created_ms=now_ms)
        if before.verified_ms:
            return _shown(number, before)
        after = _with_password(number, before, now_ms)
        limit = registry.limits.max_sandbox_numbers
        if (
            yield commands.put_record(_where(registry), number, found.record, _encode(after), limit)
        ):
            header = Header(attributes={TYPE: ("String", "Transactional")})
            words = TEXTS[language].format(after.password)
            yield from hand_over(registry, number, words, header, found)
            return _shown(number, after)
    raise StaleConfig(f"{number} changes faster than it can be added")


def _with_password(number: str, before: _Stored, now_ms: int) -> _Stored:
    """A record with a new password. Raises TooManyPasswords."""
    recent = [at for at in before.sent_ms if now_ms - ms(DAY) < at <= now_ms]
    if len(recent) >= PASSWORDS:
        left = timedelta(milliseconds=min(recent) + ms(DAY) - now_ms)
        raise TooManyPasswords(
            f"{number} was sent {PASSWORDS} passwords in a day; the next one in {brief(left)}",
            number=number,
            retry_after=left,
        )
    return msgspec.structs.replace(
        before,
        password=f"{secrets.randbelow(10**6):06}",
        password_ms=now_ms,
        attempts=0,
        sent_ms=[*recent, now_ms],
    )


def verify(registry: TopicRegistry, given: str, password: str) -> Plan[SandboxNumber]:
    """Hold a password against the one that was sent. A verified number stays so."""
    number = phone_number("number", given)
    if not isinstance(password, str) or not PASSWORD.fullmatch(password):
        raise InvalidParameter("password", Words("something else"), "5 to 8 digits")
    for _ in range(LOOKS):
        stored = yield commands.read_record(_where(registry), number)
        if not stored:
            raise _missing(number)
        before, now_ms = _decode(stored), registry.clock.now_ms()
        if before.verified_ms:
            return _shown(number, before)
        if before.attempts >= ATTEMPTS or now_ms >= before.password_ms + ms(PASSWORD_LIFE):
            raise VerificationFailed(
                f"the password of {number} has expired, or was tried {ATTEMPTS} times; add the "
                "number again to get another",
                number=number,
            )
        is_right = hmac.compare_digest(password, before.password)
        change: Callable[..., _Stored] = msgspec.structs.replace
        if is_right:
            after = change(before, verified_ms=now_ms, password="", attempts=0)
        else:
            after = change(before, attempts=before.attempts + 1)
        # Nobody learns whether a guess was right before it is counted.
        if (yield commands.put_record(_where(registry), number, stored, _encode(after), None)):
            if is_right:
                return _shown(number, after)
            raise VerificationFailed(
                f"that is not the password that was sent to {number}; "
                f"{ATTEMPTS - after.attempts} tries are left",
                number=number,
            )
    raise StaleConfig(f"{number} changes faster than it can be verified")


def remove(registry: TopicRegistry, given: str) -> Plan[None]:
    """Take a number out."""
    number = phone_number("number", given)
    if not (yield commands.delete_record(_where(registry), number)):
        raise _missing(number)


def page(registry: TopicRegistry, limit: int, token: str | None) -> Plan[PageOf[SandboxNumber]]:
    """Some numbers, in order."""
    whole(limit, "limit", 1, PAGE)
    after = None if token is None else phone_number("token", token)
    found = yield commands.list_records(_where(registry), after, limit + 1)
    return cut([(number, _shown(number, _decode(one))) for number, one in found], limit)


def is_inside(registry: TopicRegistry) -> Plan[bool]:
    """Whether the account is in the sandbox."""
    stored = yield commands.read_attributes(SmsKeys(registry.namespace))
    return bool(stored.get("in_sandbox") == "1")


def put_inside(registry: TopicRegistry, inside: bool) -> Plan[None]:
    """Put the account in the sandbox, or take it out."""
    if not isinstance(inside, bool):
        raise InvalidParameter("in_sandbox", inside, "True or False")
    change = {"in_sandbox": str(int(inside))}
    yield commands.set_attributes(SmsKeys(registry.namespace), change)


def _missing(number: str) -> SandboxNumberDoesNotExist:
    return SandboxNumberDoesNotExist(
        f"{number} is not in the SMS sandbox; rmq sms sandbox list shows the numbers there",
        number=number,
    )


def _shown(number: str, one: _Stored) -> SandboxNumber:
    def moment(ms: int) -> datetime:
        return datetime.fromtimestamp(ms / 1000, UTC)

    return SandboxNumber(
        number=number,
        status="Verified" if one.verified_ms else "Pending",
        created_at=moment(one.created_ms),
        verified_at=moment(one.verified_ms) if one.verified_ms else None,
    )
