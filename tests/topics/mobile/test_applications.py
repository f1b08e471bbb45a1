"""Platform applications: made, found, changed, listed, removed."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from rmq.errors import (
    InvalidParameter,
    PlatformApplicationDoesNotExist,
    PlatformApplicationExists,
)

TOPIC = "arn:aws:sns:us-east-1:000000000000:devices"


async def test_an_application_has_the_arn_that_sns_gives_it(shop):
    assert shop.arn == "arn:aws:sns:us-east-1:000000000000:app/GCM/shop"


async def test_an_application_is_found_by_its_arn_and_by_its_name(mobile, shop):
    assert await mobile.application(shop.arn) == shop
    assert await mobile.application("GCM/shop") == shop


async def test_what_is_not_said_has_its_default(shop, clock):
    attributes = shop.attributes
    assert attributes.enabled is True
    assert attributes.principal is None
    assert attributes.event_endpoint_created is None
    assert shop.created_at == shop.modified_at
    assert abs(shop.created_at - clock.now()) < timedelta(milliseconds=1)


async def test_every_attribute_comes_back_as_it_was_given(mobile):
    given = {
        "principal": "KEY1234567",
        "enabled": False,
        "event_endpoint_created": TOPIC,
        "event_endpoint_deleted": TOPIC,
        "event_endpoint_updated": TOPIC,
        "event_delivery_failure": TOPIC,
        "apple_platform_team_id": "TEAM123456",
        "apple_platform_bundle_id": "com.example.shop",
        "success_feedback_role_arn": "arn:aws:iam::000000000000:role/log",
        "failure_feedback_role_arn": "arn:aws:iam::000000000000:role/log",
        "success_feedback_sample_rate": 40,
    }
    made = await mobile.create_application("APNS", "shop", credential="-key-", **given)

    assert {name: getattr(made.attributes, name) for name in given} == given
    assert await mobile.application(made.arn) == made


async def test_a_credential_is_returned_to_nobody_but_a_sender(mobile):
    made = await mobile.create_application("GCM", "shop", credential="hush")
    phone = await mobile.create_endpoint(made.arn, "t")
    recipient = await mobile.recipient(phone.arn)

    seen = [made, await mobile.application(made.arn), await mobile.applications(), phone, recipient]
    assert "hush" not in repr(seen)
    assert recipient.credential == "hush"


METHODS = [
    ("GCM", {"credential": "AIza"}, "key"),
    ("GCM", {"credential": '{"type": "service_account"}'}, "token"),
    ("APNS", {"credential": "k", "principal": "KEY1234567"}, "token"),
    ("APNS", {"credential": "k", "principal": "-----BEGIN CERTIFICATE-----\nM"}, "certificate"),
    ("ADM", {"credential": "s", "principal": "id"}, None),
]


@pytest.mark.parametrize(("platform", "given", "method"), METHODS)
async def test_how_an_application_shows_who_it_is_follows_from_its_credentials(
    mobile, platform, given, method
):
    made = await mobile.create_application(platform, "shop", **given)
    assert made.authentication_method == method


async def test_made_again_with_the_same_attributes_it_is_the_same(mobile, shop, clock):
    clock.move(5)
    assert await mobile.create_application("GCM", "shop", credential="key") == shop


@pytest.mark.parametrize(
    ("given", "field"),
    [({"credential": "other"}, "credential"), ({"credential": "key", "enabled": False}, "enabled")],
)
async def test_made_again_with_other_attributes_it_is_refused_by_name(mobile, shop, given, field):
    with pytest.raises(PlatformApplicationExists) as refused:
        await mobile.create_application("GCM", "shop", **given)

    assert refused.value.attribute == field
    assert refused.value.application == shop.arn
    assert "other" not in str(refused.value).replace("another", "")
    assert await mobile.application(shop.arn) == shop


async def test_what_was_changed_since_is_not_asked_for_when_it_is_made_again(mobile, shop):
    await mobile.set_application(shop.arn, event_endpoint_created=TOPIC)

    again = await mobile.create_application("GCM", "shop", credential="key")

    assert again.attributes.event_endpoint_created == TOPIC


async def test_of_many_that_make_the_same_application_all_get_it(mobile):
    made = await asyncio.gather(
        *(mobile.create_application("GCM", "shop", credential="key") for _ in range(20))
    )
    assert len(set(made)) == 1
    assert len(await mobile.applications()) == 1


BAD = [
    ({"platform": "FCM"}, "platform"),
    ({"platform": ""}, "platform"),
    ({"name": ""}, "application name"),
    ({"name": "a b"}, "application name"),
    ({"name": "a/b"}, "application name"),
    ({"name": "x" * 257}, "application name"),
    ({"name": 7}, "application name"),
    ({"credential": ""}, "credential"),
    ({"credential": None}, "credential"),
    ({"credential": 7}, "credential"),
    ({"credential": "x" * 20_481}, "credential"),
    ({"credential": "\ud800"}, "credential"),
    ({"platform": "APNS"}, "principal"),
    ({"platform": "ADM", "principal": None}, "principal"),
    ({"platform": "ADM", "principal": ""}, "principal"),
    ({"enabled": "true"}, "enabled"),
    ({"event_endpoint_created": "devices"}, "event_endpoint_created"),
    ({"event_endpoint_created": TOPIC.replace("sns", "sqs")}, "event_endpoint_created"),
    ({"event_delivery_failure": TOPIC.replace("us-east-1", "eu-west-1")}, "event_delivery_failure"),
    ({"event_endpoint_deleted": TOPIC + "!"}, "topic name"),
    ({"success_feedback_sample_rate": 101}, "success_feedback_sample_rate"),
    ({"success_feedback_sample_rate": "7"}, "success_feedback_sample_rate"),
    ({"apple_platform_team_id": ""}, "apple_platform_team_id"),
    ({"colour": "red"}, "attribute"),
]


@pytest.mark.parametrize(("given", "field"), BAD)
async def test_bad_input_is_refused_by_name_and_nothing_is_made(mobile, given, field):
    whole = {"platform": "GCM", "name": "shop", "credential": "key"} | given
    with pytest.raises(InvalidParameter) as refused:
        await mobile.create_application(whole.pop("platform"), whole.pop("name"), **whole)

    assert refused.value.field == field
    assert len(await mobile.applications()) == 0


async def test_no_part_of_a_credential_is_in_an_error(mobile):
    with pytest.raises(InvalidParameter) as refused:
        await mobile.create_application("GCM", "shop", credential="hush" * 6000)
    assert "hush" not in str(refused.value)


async def test_windows_phone_needs_no_credentials(mobile):
    made = await mobile.create_application("MPNS", "shop")
    assert made.platform == "MPNS"


# --- changing ---


async def test_a_change_holds_at_once_and_the_rest_stays(mobile, shop, clock):
    clock.move(9)
    changed = await mobile.set_application(shop.arn, event_endpoint_created=TOPIC, enabled=False)

    assert changed.attributes.event_endpoint_created == TOPIC
    assert changed.attributes.enabled is False
    assert changed.created_at == shop.created_at
    assert changed.modified_at - shop.modified_at == timedelta(seconds=9)
    assert await mobile.application(shop.arn) == changed


async def test_none_takes_an_attribute_away(mobile, shop):
    await mobile.set_application(shop.arn, event_endpoint_created=TOPIC)
    assert await mobile.set_application(shop.arn, event_endpoint_created=None) == shop


async def test_a_new_credential_takes_the_place_of_the_old_one(mobile, shop, phone):
    await mobile.set_application(shop.arn, credential="new")
    assert (await mobile.recipient(phone.arn)).credential == "new"


async def test_a_credential_can_not_be_taken_away(mobile, shop):
    with pytest.raises(InvalidParameter):
        await mobile.set_application(shop.arn, credential=None)


async def test_nothing_is_changed_where_one_value_is_bad(mobile, shop):
    with pytest.raises(InvalidParameter):
        await mobile.set_application(shop.arn, enabled=False, success_feedback_sample_rate=-1)
    assert await mobile.application(shop.arn) == shop


async def test_no_change_is_no_change(mobile, shop, clock):
    clock.move(9)
    assert await mobile.set_application(shop.arn) == shop


@pytest.mark.parametrize("call", ["application", "set_application", "endpoints", "create_endpoint"])
async def test_an_application_that_is_not_there_is_named(mobile, call):
    more = {"set_application": {"enabled": True}, "create_endpoint": {"token": "t"}}
    with pytest.raises(PlatformApplicationDoesNotExist) as refused:
        await getattr(mobile, call)("GCM/none", **more.get(call, {}))
    assert refused.value.application.endswith(":app/GCM/none")
    assert refused.value.application in str(refused.value)


NAMES = [
    "shop",
    "FCM/shop",
    "GCM/",
    "",
    7,
    "arn:aws:sns:us-east-1:000000000000:GCM/shop",
    "arn:aws:sqs:us-east-1:000000000000:app/GCM/shop",
    "arn:aws:sns:eu-west-1:000000000000:app/GCM/shop",
    "arn:aws:sns:us-east-1:000000000000:app/GCM",
    "arn:aws:sns",
]


@pytest.mark.parametrize("name", NAMES, ids=str)
async def test_what_is_no_application_is_refused(mobile, name):
    with pytest.raises(InvalidParameter):
        await mobile.application(name)


# --- listing and removing ---


async def test_250_applications_come_in_three_pages_in_order(mobile):
    names = [f"app-{number:03}" for number in range(250)]
    await asyncio.gather(
        *(mobile.create_application("GCM", name, credential="key") for name in reversed(names))
    )

    pages, token = [], None
    while True:
        page = await mobile.applications(token=token)
        pages.append([one.name for one in page])
        token = page.next_token
        if token is None:
            break

    assert [len(page) for page in pages] == [100, 100, 50]
    assert [name for page in pages for name in page] == names
    assert [one.name async for one in mobile.all_applications()] == names


@pytest.mark.parametrize(
    "given",
    [{"limit": 0}, {"limit": 101}, {"limit": "7"}, {"token": "x"}, {"token": 7}, {"token": "ü/x"}],
)
async def test_a_page_that_can_not_be_is_refused(mobile, given):
    with pytest.raises(InvalidParameter):
        await mobile.applications(**given)


async def test_a_removed_application_is_gone_with_its_endpoints(mobile, shop, phone, raw, client):
    assert await mobile.delete_application(shop.arn) is True

    assert len(await mobile.applications()) == 0
    with pytest.raises(PlatformApplicationDoesNotExist):
        await mobile.application(shop.arn)
    assert await mobile.recipient(phone.arn) is None
    assert list(raw.scan_iter(match=f"{client.namespace}:*")) == []


async def test_to_remove_it_again_is_no_error(mobile, shop):
    await mobile.delete_application(shop.arn)
    assert await mobile.delete_application(shop.arn) is False


async def test_made_anew_it_has_none_of_the_old_endpoints(mobile, shop, phone):
    await mobile.delete_application(shop.arn)
    await mobile.create_application("GCM", "shop", credential="key")

    assert len(await mobile.endpoints("GCM/shop")) == 0
    again = await mobile.create_endpoint("GCM/shop", phone.token)
    assert again.id != phone.id


async def test_another_account_has_applications_of_its_own(client, mobile, shop):
    other = client.in_account("111111111111", "eu-west-1").mobile

    assert len(await other.applications()) == 0
    made = await other.create_application("GCM", "shop", credential="key")
    assert made.arn == "arn:aws:sns:eu-west-1:111111111111:app/GCM/shop"
    with pytest.raises(InvalidParameter, match="in_account"):
        await mobile.application(made.arn)
