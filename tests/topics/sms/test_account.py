"""What an account has for SMS: attributes, who opted out, where messages come from."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from rmq import Limits, SmsAttributes
from rmq.errors import InvalidParameter, OptedInRecently

NUMBER = "+15550100123"
EVERYTHING = {
    "monthly_spend_limit": 50,
    "default_sender_id": "MyShop",
    "default_sms_type": "Transactional",
    "delivery_status_iam_role": "arn:aws:iam::000000000000:role/sns",
    "delivery_status_success_sampling_rate": 0,
    "usage_report_s3_bucket": "my-reports",
}


async def test_a_new_account_was_told_nothing(sms):
    assert await sms.attributes() == SmsAttributes()


async def test_every_attribute_comes_back_as_it_was_given(sms):
    assert await sms.set_attributes(**EVERYTHING) == SmsAttributes(**EVERYTHING)
    assert await sms.attributes() == SmsAttributes(**EVERYTHING)


async def test_a_change_leaves_the_rest_and_none_takes_away(sms):
    await sms.set_attributes(**EVERYTHING)
    changed = await sms.set_attributes(monthly_spend_limit=None, default_sender_id="Other")
    assert changed == SmsAttributes(
        **(EVERYTHING | {"monthly_spend_limit": None, "default_sender_id": "Other"})
    )
    assert await sms.set_attributes() == changed


BAD = [
    ("monthly_spend_limit", -1),
    ("monthly_spend_limit", "50"),
    ("monthly_spend_limit", True),
    ("default_sender_id", "123"),
    ("default_sender_id", "twelve-chars"),
    ("default_sender_id", ""),
    ("default_sms_type", "Urgent"),
    ("delivery_status_iam_role", "me"),
    ("delivery_status_success_sampling_rate", 101),
    ("delivery_status_success_sampling_rate", 1.5),
    ("usage_report_s3_bucket", "My Bucket"),
    ("colour", "red"),
]


@pytest.mark.parametrize(("field", "value"), BAD)
async def test_a_bad_value_is_refused_by_name_and_nothing_is_changed(sms, field, value):
    with pytest.raises(InvalidParameter) as refused:
        await sms.set_attributes(**({"usage_report_s3_bucket": "my-reports"} | {field: value}))
    assert refused.value.field in (field, "attribute")
    assert await sms.attributes() == SmsAttributes()


async def test_accounts_share_nothing(client, sms):
    other = client.in_account("111111111111", "eu-west-1").sms
    await sms.set_attributes(monthly_spend_limit=7)
    await sms.opt_out(NUMBER)
    assert await other.attributes() == SmsAttributes()
    assert await other.is_opted_out(NUMBER) is False


# --- who wants no SMS ---


async def test_a_number_opts_out_once(sms):
    assert await sms.is_opted_out(NUMBER) is False
    assert await sms.opt_out("+1 555 010 0123") is True
    assert await sms.opt_out(NUMBER) is False
    assert await sms.is_opted_out(NUMBER) is True


async def test_a_number_is_opted_in_once_in_30_days(sms, clock):
    await sms.opt_out(NUMBER)
    assert await sms.opt_in(NUMBER) is True
    assert await sms.is_opted_out(NUMBER) is False

    await sms.opt_out(NUMBER)
    clock.move(86_400)
    with pytest.raises(OptedInRecently) as refused:
        await sms.opt_in(NUMBER)
    assert refused.value.number == NUMBER
    assert refused.value.retry_after == timedelta(days=29)
    assert await sms.is_opted_out(NUMBER) is True

    clock.move(timedelta(days=29) - timedelta(milliseconds=1))
    with pytest.raises(OptedInRecently):
        await sms.opt_in(NUMBER)
    clock.move(0.001)
    assert await sms.opt_in(NUMBER) is True


async def test_who_did_not_opt_out_need_not_be_opted_in(sms):
    assert await sms.opt_in(NUMBER) is False
    await sms.opt_out(NUMBER)
    assert await sms.opt_in(NUMBER) is True
    assert await sms.opt_in(NUMBER) is False


async def test_the_rule_of_30_days_can_be_lifted(connect):
    sms = connect(limits=Limits.aws(opt_in_interval=None)).sms
    for _ in range(3):
        await sms.opt_out(NUMBER)
        assert await sms.opt_in(NUMBER) is True


async def test_of_opt_ins_that_are_over_nothing_is_kept(sms, clock, raw, client):
    for number in range(5):
        await sms.opt_out(f"+1555010000{number}")
        await sms.opt_in(f"+1555010000{number}")
    clock.move(timedelta(days=31))
    await sms.opt_out(NUMBER)
    await sms.opt_in(NUMBER)
    assert raw.zcard(f"{client.namespace}:{{sms}}:opted_in") == 1


async def test_250_numbers_come_in_three_pages_in_order(sms):
    numbers = [f"+1555010{number:04}" for number in range(250)]
    await asyncio.gather(*(sms.opt_out(number) for number in reversed(numbers)))

    pages, token = [], None
    while True:
        page = await sms.opted_out(token=token)
        pages.append(list(page))
        token = page.next_token
        if token is None:
            break

    assert [len(page) for page in pages] == [100, 100, 50]
    assert [one for page in pages for one in page] == numbers
    assert [one async for one in sms.all_opted_out()] == numbers


@pytest.mark.parametrize("call", ["is_opted_out", "opt_out", "opt_in"])
@pytest.mark.parametrize("number", ["", "hello", 7])
async def test_what_is_no_number_is_refused(sms, call, number):
    with pytest.raises(InvalidParameter):
        await getattr(sms, call)(number)


@pytest.mark.parametrize("call", ["opted_out", "sandbox_numbers", "origination_numbers"])
@pytest.mark.parametrize("given", [{"limit": 0}, {"limit": 101}, {"token": "x"}, {"token": 7}])
async def test_a_page_that_can_not_be_is_refused(sms, call, given):
    with pytest.raises(InvalidParameter):
        await getattr(sms, call)(**given)


# --- where messages come from ---


async def test_a_number_of_the_account_is_listed_as_it_was_noted(sms, clock):
    made = await sms.add_origination_number(
        NUMBER, "US", route="Premium", capabilities=["SMS", "VOICE"], status="PENDING"
    )
    assert made.created_at.timestamp() == pytest.approx(clock.now().timestamp(), abs=0.001)
    assert (made.number, made.country, made.route) == (NUMBER, "US", "Premium")
    assert (made.capabilities, made.status) == (("SMS", "VOICE"), "PENDING")
    assert list(await sms.origination_numbers()) == [made]


async def test_a_number_noted_again_is_changed_and_keeps_its_beginning(sms, clock):
    first = await sms.add_origination_number(NUMBER, "US")
    clock.move(60)
    again = await sms.add_origination_number(NUMBER, "CA", status="PENDING")
    assert list(await sms.origination_numbers()) == [again]
    assert (again.created_at, again.country) == (first.created_at, "CA")


async def test_origination_numbers_come_in_pages_of_30(sms):
    for number in range(65):
        await sms.add_origination_number(f"{70000 + number}", "DE")
    pages, token = [], None
    while True:
        page = await sms.origination_numbers(token=token)
        pages.append([one.number for one in page])
        token = page.next_token
        if token is None:
            break
    assert [len(page) for page in pages] == [30, 30, 5]
    assert [one for page in pages for one in page] == [f"{70000 + number}" for number in range(65)]


async def test_a_number_is_forgotten_once(sms):
    await sms.add_origination_number(NUMBER, "US")
    assert await sms.remove_origination_number(NUMBER) is True
    assert await sms.remove_origination_number(NUMBER) is False
    assert len(await sms.origination_numbers()) == 0


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({"number": "12"}, "number"),
        ({"number": "shop"}, "number"),
        ({"number": 7}, "number"),
        ({"country": "usa"}, "country"),
        ({"country": "us"}, "country"),
        ({"route": "Fast"}, "route"),
        ({"capabilities": ["FAX"]}, "capabilities"),
        ({"capabilities": "SMS"}, "capabilities"),
        ({"status": ""}, "status"),
    ],
)
async def test_what_can_not_be_of_a_number_is_refused_by_name(sms, given, field):
    whole = {"number": NUMBER, "country": "US"} | given
    with pytest.raises(InvalidParameter) as refused:
        await sms.add_origination_number(**whole)
    assert refused.value.field == field
    assert len(await sms.origination_numbers()) == 0
