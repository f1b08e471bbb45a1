"""The sandbox: numbers that somebody showed to be their own, by a password that was sent there."""

from __future__ import annotations

import asyncio
import re
from datetime import timedelta

import botocore.session
import pytest

from rmq import Limits
from rmq.errors import (
    InvalidParameter,
    OptedOut,
    SandboxNumberDoesNotExist,
    TooManyPasswords,
    TooManySandboxNumbers,
    VerificationFailed,
)
from rmq.topics.sms.sandbox import TEXTS
from tests.topics.waiting import waiting

NUMBER = "+15550100123"


@pytest.fixture
def password(client):
    """The password that was sent last."""

    async def password():
        return re.search("[0-9]{6}", (await waiting(client, "sms"))[-1].text)[0]

    return password


def another(password: str) -> str:
    return f"{(int(password) + 1) % 10**6:06}"


async def test_a_new_number_is_sent_a_password(client, sms, clock):
    made = await sms.add_sandbox_number("+1 555 010 0123")

    assert (made.number, made.status, made.verified_at) == (NUMBER, "Pending", None)
    assert made.created_at.timestamp() == pytest.approx(clock.now().timestamp(), abs=0.001)
    [one] = await waiting(client, "sms")
    assert re.fullmatch("Your verification code is [0-9]{6}", one.text)
    assert one.target.endpoint == NUMBER
    assert one.attributes["AWS.SNS.SMS.SMSType"][1] == "Transactional"


@pytest.mark.parametrize("language", TEXTS)
async def test_the_password_is_sent_in_the_language_that_was_asked_for(client, sms, language):
    await sms.add_sandbox_number(NUMBER, language=language)
    [one] = await waiting(client, "sms")
    before, after = TEXTS[language].split("{}")
    assert re.fullmatch(f"{re.escape(before)}[0-9]{{6}}{re.escape(after)}", one.text)


def test_the_languages_are_those_of_aws():
    model = botocore.session.Session().get_service_model("sns")
    assert set(TEXTS) == set(model.shape_for("LanguageCodeString").enum)


async def test_the_password_verifies_the_number(sms, password, clock):
    await sms.add_sandbox_number(NUMBER)
    clock.move(60)

    verified = await sms.verify_sandbox_number(NUMBER, await password())

    assert verified.status == "Verified"
    assert verified.verified_at - verified.created_at == timedelta(seconds=60)
    assert list(await sms.sandbox_numbers()) == [verified]


async def test_a_verified_number_stays_so(client, sms, password):
    await sms.add_sandbox_number(NUMBER)
    verified = await sms.verify_sandbox_number(NUMBER, await password())

    assert await sms.add_sandbox_number(NUMBER) == verified
    assert await sms.verify_sandbox_number(NUMBER, "000000") == verified
    assert len(await waiting(client, "sms")) == 1


async def test_another_password_verifies_nothing(sms, password):
    await sms.add_sandbox_number(NUMBER)
    right = await password()

    with pytest.raises(VerificationFailed) as refused:
        await sms.verify_sandbox_number(NUMBER, another(right))

    assert refused.value.number == NUMBER
    assert "4 tries are left" in str(refused.value)
    assert right not in str(refused.value)
    assert [one.status for one in await sms.sandbox_numbers()] == ["Pending"]
    await sms.verify_sandbox_number(NUMBER, right)


async def test_after_five_wrong_guesses_the_right_one_comes_too_late(sms, password):
    await sms.add_sandbox_number(NUMBER)
    right = await password()
    for _ in range(5):
        with pytest.raises(VerificationFailed):
            await sms.verify_sandbox_number(NUMBER, another(right))

    with pytest.raises(VerificationFailed, match="add the number again"):
        await sms.verify_sandbox_number(NUMBER, right)

    await sms.add_sandbox_number(NUMBER)
    await sms.verify_sandbox_number(NUMBER, await password())


async def test_guesses_at_the_same_time_are_all_counted(sms, password):
    await sms.add_sandbox_number(NUMBER)
    right = await password()
    wrong = [f"{(int(right) + number) % 10**6:06}" for number in range(1, 13)]

    outcomes = await asyncio.gather(
        *(sms.verify_sandbox_number(NUMBER, guess) for guess in wrong), return_exceptions=True
    )

    assert all(isinstance(one, VerificationFailed) for one in outcomes)
    told = [re.search("([0-9]) tries are left", str(one)) for one in outcomes]
    assert sorted(one[1] for one in told if one) == ["0", "1", "2", "3", "4"]
    with pytest.raises(VerificationFailed):
        await sms.verify_sandbox_number(NUMBER, right)


async def test_a_password_is_good_for_15_minutes(sms, password, clock):
    await sms.add_sandbox_number(NUMBER)
    right = await password()
    clock.move(15 * 60)
    with pytest.raises(VerificationFailed, match="expired"):
        await sms.verify_sandbox_number(NUMBER, right)

    await sms.add_sandbox_number(NUMBER)
    clock.move(15 * 60 - 1)
    await sms.verify_sandbox_number(NUMBER, await password())


async def test_a_new_password_takes_the_place_of_the_old_one(sms, password):
    await sms.add_sandbox_number(NUMBER)
    old = await password()
    new = old
    while new == old:  # one in a million
        await sms.add_sandbox_number(NUMBER)
        new = await password()
    with pytest.raises(VerificationFailed):
        await sms.verify_sandbox_number(NUMBER, old)
    await sms.verify_sandbox_number(NUMBER, new)


async def test_a_number_gets_five_passwords_a_day(client, sms, clock):
    for _ in range(5):
        await sms.add_sandbox_number(NUMBER)
        clock.move(60)
    with pytest.raises(TooManyPasswords) as refused:
        await sms.add_sandbox_number(NUMBER)
    assert refused.value.number == NUMBER
    assert refused.value.retry_after == timedelta(days=1, minutes=-5)
    assert len(await waiting(client, "sms")) == 5

    clock.move(timedelta(days=1, minutes=-5))
    await sms.add_sandbox_number(NUMBER)
    with pytest.raises(TooManyPasswords):
        await sms.add_sandbox_number(NUMBER)


async def test_a_number_that_opted_out_is_sent_no_password(client, sms):
    await sms.opt_out(NUMBER)
    with pytest.raises(OptedOut) as refused:
        await sms.add_sandbox_number(NUMBER)
    assert refused.value.number == NUMBER
    assert await waiting(client, "sms") == []
    assert len(await sms.sandbox_numbers()) == 0


async def test_ten_numbers_at_the_most(sms):
    for number in range(10):
        await sms.add_sandbox_number(f"+1555010{number:04}")
    with pytest.raises(TooManySandboxNumbers, match="10 numbers"):
        await sms.add_sandbox_number(NUMBER)

    await sms.add_sandbox_number("+15550100003")  # one of them
    await sms.remove_sandbox_number("+15550100003")
    await sms.add_sandbox_number(NUMBER)


async def test_of_many_that_come_at_once_ten_are_taken(sms):
    outcomes = await asyncio.gather(
        *(sms.add_sandbox_number(f"+1555010{number:04}") for number in range(15)),
        return_exceptions=True,
    )
    assert sum(isinstance(one, TooManySandboxNumbers) for one in outcomes) == 5
    assert len(await sms.sandbox_numbers()) == 10


async def test_with_the_limit_lifted_250_numbers_come_in_three_pages_in_order(connect):
    sms = connect(limits=Limits.aws(max_sandbox_numbers=None)).sms
    numbers = [f"+1555010{number:04}" for number in range(250)]
    await asyncio.gather(*(sms.add_sandbox_number(number) for number in reversed(numbers)))

    pages, token = [], None
    while True:
        page = await sms.sandbox_numbers(token=token)
        pages.append([one.number for one in page])
        token = page.next_token
        if token is None:
            break

    assert [len(page) for page in pages] == [100, 100, 50]
    assert [one for page in pages for one in page] == numbers


async def test_a_removed_number_is_gone(sms, password):
    await sms.add_sandbox_number(NUMBER)
    right = await password()
    await sms.remove_sandbox_number(NUMBER)

    assert len(await sms.sandbox_numbers()) == 0
    with pytest.raises(SandboxNumberDoesNotExist):
        await sms.verify_sandbox_number(NUMBER, right)
    with pytest.raises(SandboxNumberDoesNotExist) as refused:
        await sms.remove_sandbox_number(NUMBER)
    assert refused.value.number == NUMBER


@pytest.mark.parametrize("number", ["", "hello", 7])
@pytest.mark.parametrize("call", ["add", "verify", "remove"])
async def test_what_is_no_number_is_refused(sms, call, number):
    more = ["123456"] if call == "verify" else []
    with pytest.raises(InvalidParameter):
        await getattr(sms, f"{call}_sandbox_number")(number, *more)


@pytest.mark.parametrize(
    "password", ["", "1234", "123456789", "12345a", "\uff11" * 6, 123456, None], ids=ascii
)
async def test_what_is_no_password_is_refused_and_not_shown(sms, password):
    await sms.add_sandbox_number(NUMBER)
    with pytest.raises(InvalidParameter) as refused:
        await sms.verify_sandbox_number(NUMBER, password)
    assert refused.value.field == "password"
    assert not password or str(password) not in str(refused.value)


async def test_a_language_that_is_not_known_is_refused(client, sms):
    with pytest.raises(InvalidParameter):
        await sms.add_sandbox_number(NUMBER, language="tlh")
    assert await waiting(client, "sms") == []
