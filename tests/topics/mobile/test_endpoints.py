"""Platform endpoints: made, found, changed, listed, removed."""

from __future__ import annotations

import asyncio
import uuid
from datetime import timedelta

import pytest

from rmq.errors import (
    EndpointDoesNotExist,
    EndpointExists,
    InvalidParameter,
    PlatformApplicationDoesNotExist,
)
from rmq.topics.mobile import devices
from tests.colours import ByHand, bare


async def test_an_endpoint_has_the_arn_that_sns_gives_it(phone):
    assert phone.arn == f"arn:aws:sns:us-east-1:000000000000:endpoint/GCM/shop/{phone.id}"
    assert str(uuid.UUID(phone.id)) == phone.id


async def test_an_endpoint_is_found_by_its_arn_and_by_its_name(mobile, phone):
    assert await mobile.endpoint(phone.arn) == phone
    assert await mobile.endpoint(f"GCM/shop/{phone.id}") == phone


async def test_what_is_not_said_has_its_default(phone, shop, clock):
    assert (phone.token, phone.enabled, phone.custom_user_data) == ("token-1", True, "")
    assert phone.application_arn == shop.arn
    assert phone.created_at == phone.modified_at
    assert abs(phone.created_at - clock.now()) < timedelta(milliseconds=1)


async def test_everything_said_comes_back(mobile, shop):
    made = await mobile.create_endpoint(
        shop.arn, "täken", custom_user_data="ünicode ☃", enabled=False
    )
    found = await mobile.endpoint(made.arn)
    assert (found.token, found.custom_user_data, found.enabled) == ("täken", "ünicode ☃", False)


async def test_an_apple_token_is_kept_in_lower_case(mobile):
    await mobile.create_application("APNS", "shop", credential="k", principal="p")
    made = await mobile.create_endpoint("APNS/shop", "ABCDEF01")

    assert made.token == "abcdef01"
    assert await mobile.create_endpoint("APNS/shop", "abcdef01") == made


# --- once for each token ---


async def test_the_same_token_again_is_the_same_endpoint(mobile, shop, phone, clock):
    clock.move(5)
    assert await mobile.create_endpoint(shop.arn, "token-1") == phone
    assert await mobile.create_endpoint(shop.arn, "token-1", enabled=True) == phone
    assert len(await mobile.endpoints(shop.arn)) == 1


async def test_what_is_left_out_asks_for_nothing(mobile, shop):
    made = await mobile.create_endpoint(shop.arn, "t", custom_user_data="mine", enabled=False)
    assert await mobile.create_endpoint(shop.arn, "t") == made


@pytest.mark.parametrize(
    ("given", "attribute"),
    [
        ({"custom_user_data": "other"}, "custom_user_data"),
        ({"custom_user_data": ""}, "custom_user_data"),
        ({"enabled": False}, "enabled"),
    ],
)
async def test_the_same_token_with_another_attribute_is_refused_with_the_arn(
    mobile, shop, given, attribute
):
    made = await mobile.create_endpoint(shop.arn, "t", custom_user_data="mine")

    with pytest.raises(EndpointExists) as refused:
        await mobile.create_endpoint(shop.arn, "t", **given)

    assert refused.value.endpoint == made.arn
    assert refused.value.attribute == attribute
    assert made.arn in str(refused.value)
    assert await mobile.endpoint(made.arn) == made


async def test_of_many_that_register_the_same_token_all_get_one_endpoint(mobile, shop):
    made = await asyncio.gather(*(mobile.create_endpoint(shop.arn, "t") for _ in range(30)))

    assert len({one.id for one in made}) == 1
    assert len(await mobile.endpoints(shop.arn)) == 1


async def test_two_applications_know_nothing_of_each_others_tokens(mobile, shop, phone):
    other = await mobile.create_application("GCM", "other", credential="key")
    twin = await mobile.create_endpoint(other.arn, phone.token)

    assert twin.id != phone.id
    assert [one.id for one in await mobile.endpoints(shop.arn)] == [phone.id]


BAD = [
    ({"token": ""}, "token"),
    ({"token": None}, "token"),
    ({"token": 7}, "token"),
    ({"token": "x" * 4097}, "token"),
    ({"token": "\ud800"}, "token"),
    ({"custom_user_data": "x" * 2049}, "custom_user_data"),
    ({"custom_user_data": "ü" * 1025}, "custom_user_data"),
    ({"custom_user_data": 7}, "custom_user_data"),
    ({"enabled": "true"}, "enabled"),
    ({"enabled": 1}, "enabled"),
]


@pytest.mark.parametrize(("given", "field"), BAD)
async def test_bad_input_is_refused_by_name_and_nothing_is_made(mobile, shop, given, field):
    with pytest.raises(InvalidParameter) as refused:
        await mobile.create_endpoint(shop.arn, **({"token": "t"} | given))

    assert refused.value.field == field
    assert len(await mobile.endpoints(shop.arn)) == 0


async def test_2048_bytes_of_user_data_are_taken(mobile, shop):
    made = await mobile.create_endpoint(shop.arn, "t", custom_user_data="ü" * 1024)
    assert (await mobile.endpoint(made.arn)).custom_user_data == "ü" * 1024


@pytest.mark.parametrize("token", ["xyz", "ab cd", "a" * 401, ""])
async def test_what_is_no_token_of_apple_s_is_refused(mobile, token):
    await mobile.create_application("APNS_SANDBOX", "shop", credential="k", principal="p")
    with pytest.raises(InvalidParameter, match="hexadecimal"):
        await mobile.create_endpoint("APNS_SANDBOX/shop", token)


NAMES = [
    "GCM/shop",
    "GCM/shop/7",
    "shop/x/00000000-0000-0000-0000-000000000000",
    7,
    "arn:aws:sns:us-east-1:000000000000:app/GCM/shop",
    "arn:aws:sns:us-east-1:111111111111:endpoint/GCM/shop/00000000-0000-0000-0000-000000000000",
]


@pytest.mark.parametrize("name", NAMES, ids=str)
@pytest.mark.parametrize("call", ["endpoint", "delete_endpoint", "set_endpoint", "recipient"])
async def test_what_is_no_endpoint_is_refused(mobile, call, name):
    with pytest.raises(InvalidParameter):
        await getattr(mobile, call)(name)


NOBODY = "GCM/shop/00000000-0000-0000-0000-000000000000"


@pytest.mark.parametrize("call", ["endpoint", "set_endpoint"])
async def test_an_endpoint_that_is_not_there_is_named(mobile, shop, call):
    with pytest.raises(EndpointDoesNotExist) as refused:
        await getattr(mobile, call)(NOBODY)
    assert refused.value.endpoint.endswith(NOBODY)


# --- changing ---


async def test_a_change_holds_at_once_and_the_rest_stays(mobile, phone, clock):
    clock.move(9)
    changed = await mobile.set_endpoint(phone.arn, custom_user_data="mine", enabled=False)

    assert (changed.token, changed.custom_user_data, changed.enabled) == ("token-1", "mine", False)
    assert changed.created_at == phone.created_at
    assert changed.modified_at - phone.modified_at == timedelta(seconds=9)
    assert await mobile.endpoint(phone.arn) == changed


async def test_a_device_with_a_new_token_keeps_its_endpoint(mobile, shop, phone):
    await mobile.set_endpoint(phone.arn, token="token-2")

    assert (await mobile.create_endpoint(shop.arn, "token-2")).id == phone.id
    other = await mobile.create_endpoint(shop.arn, "token-1")
    assert other.id != phone.id


async def test_the_token_of_another_endpoint_is_refused_with_its_arn(mobile, shop, phone):
    other = await mobile.create_endpoint(shop.arn, "token-2")

    with pytest.raises(EndpointExists) as refused:
        await mobile.set_endpoint(phone.arn, token="token-2", enabled=False)

    assert refused.value.endpoint == other.arn
    assert await mobile.endpoint(phone.arn) == phone
    assert await mobile.endpoint(other.arn) == other


async def test_what_is_so_already_is_no_change(mobile, phone, clock):
    clock.move(9)
    assert await mobile.set_endpoint(phone.arn, enabled=True, token="token-1") == phone


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"enabled": "false"}, "enabled"),
        ({"token": ""}, "token"),
        ({"custom_user_data": "x" * 2049}, "custom_user_data"),
        ({"colour": "red"}, "attribute"),
    ],
)
async def test_nothing_is_changed_where_one_value_is_bad(mobile, phone, change, field):
    with pytest.raises(InvalidParameter) as refused:
        await mobile.set_endpoint(phone.arn, **({"custom_user_data": "mine"} | change))
    assert refused.value.field == field
    assert await mobile.endpoint(phone.arn) == phone


async def test_changes_of_different_attributes_at_once_all_hold(mobile, phone):
    await asyncio.gather(
        mobile.set_endpoint(phone.arn, custom_user_data="mine"),
        mobile.set_endpoint(phone.arn, enabled=False),
        mobile.set_endpoint(phone.arn, token="token-2"),
    )
    found = await mobile.endpoint(phone.arn)
    assert (found.token, found.custom_user_data, found.enabled) == ("token-2", "mine", False)


async def test_a_change_that_meets_another_looks_again(client, mobile, phone):
    """What somebody else wrote between the look and the write is not undone."""
    registry = bare(client)._topics
    change = ByHand(client, devices.set_attributes(registry, phone.arn, {"enabled": False}))
    assert await change.through("mobile.read_endpoint")
    await mobile.set_endpoint(phone.arn, token="token-2")

    found = await change.finish()

    assert (found.token, found.enabled) == ("token-2", False)
    assert await mobile.endpoint(phone.arn) == found


async def test_a_change_that_meets_the_end_of_the_endpoint_says_so(client, mobile, phone):
    registry = bare(client)._topics
    change = ByHand(client, devices.set_attributes(registry, phone.arn, {"enabled": False}))
    assert await change.through("mobile.read_endpoint")
    await mobile.delete_endpoint(phone.arn)

    with pytest.raises(EndpointDoesNotExist):
        await change.finish()
    assert await mobile.recipient(phone.arn) is None


# --- listing and removing ---


async def test_250_endpoints_come_in_three_pages_each_once(mobile, shop):
    made = await asyncio.gather(
        *(mobile.create_endpoint(shop.arn, f"token-{number}") for number in range(250))
    )

    pages, token = [], None
    while True:
        page = await mobile.endpoints(shop.arn, token=token)
        pages.append([one.id for one in page])
        token = page.next_token
        if token is None:
            break

    assert [len(page) for page in pages] == [100, 100, 50]
    ids = [id for page in pages for id in page]
    assert ids == sorted(one.id for one in made)
    assert [one async for one in mobile.all_endpoints(shop.arn)] == sorted(
        made, key=lambda one: one.id
    )


async def test_what_goes_and_comes_between_two_pages_shifts_nothing(mobile, shop):
    for number in range(6):
        await mobile.create_endpoint(shop.arn, f"token-{number}")
    everyone = list(await mobile.endpoints(shop.arn))
    first = await mobile.endpoints(shop.arn, limit=3)

    await mobile.delete_endpoint(everyone[0].arn)
    await mobile.delete_endpoint(everyone[2].arn)  # the one that the next page begins behind

    rest = await mobile.endpoints(shop.arn, limit=3, token=first.next_token)
    assert list(rest) == everyone[3:]
    assert rest.next_token is None


@pytest.mark.parametrize(
    "given", [{"limit": 0}, {"limit": 101}, {"limit": True}, {"token": "x"}, {"token": 7}]
)
async def test_a_page_that_can_not_be_is_refused(mobile, shop, given):
    with pytest.raises(InvalidParameter):
        await mobile.endpoints(shop.arn, **given)


async def test_a_removed_endpoint_is_gone_and_its_token_is_free(mobile, shop, phone):
    assert await mobile.delete_endpoint(phone.arn) is True

    with pytest.raises(EndpointDoesNotExist):
        await mobile.endpoint(phone.arn)
    assert len(await mobile.endpoints(shop.arn)) == 0
    assert (await mobile.create_endpoint(shop.arn, phone.token)).id != phone.id


async def test_to_remove_it_again_or_where_there_never_was_one_is_no_error(mobile, phone):
    await mobile.delete_endpoint(phone.arn)
    assert await mobile.delete_endpoint(phone.arn) is False
    assert await mobile.delete_endpoint(NOBODY.replace("shop", "none")) is False


async def test_a_removal_that_meets_a_change_leaves_nothing_behind(
    client, mobile, shop, phone, raw
):
    """The token to forget is the one that the endpoint has now."""
    removal = ByHand(client, devices.delete(bare(client)._topics, phone.arn))
    assert await removal.through("mobile.read_endpoint")
    await mobile.set_endpoint(phone.arn, token="token-2")

    assert await removal.finish() is True

    left = {key.rpartition(b":")[2] for key in raw.scan_iter(match=f"{client.namespace}:{{m:*")}
    assert left == {b"config"}


async def test_removed_with_all_endpoints_an_application_leaves_only_itself(
    mobile, shop, phone, raw, client
):
    """Tokens, ids and endpoints are three keys that must stay in step."""
    await mobile.set_endpoint(phone.arn, token="token-2")
    await mobile.delete_endpoint(phone.arn)

    left = {key.rpartition(b":")[2] for key in raw.scan_iter(match=f"{client.namespace}:{{m:*")}
    assert left == {b"config"}


async def test_an_endpoint_is_not_made_while_its_application_goes(client, mobile, shop):
    registry = bare(client)._topics
    making = ByHand(client, devices.create(registry, shop.arn, "t"))
    await mobile.delete_application(shop.arn)
    with pytest.raises(PlatformApplicationDoesNotExist):
        await making.finish()


# --- for senders ---


async def test_a_sender_is_given_what_it_needs(mobile):
    await mobile.create_application(
        "APNS",
        "shop",
        credential="secret",
        principal="KEY1234567",
        apple_platform_team_id="TEAM",
        apple_platform_bundle_id="com.example",
    )
    phone = await mobile.create_endpoint("APNS/shop", "ab")

    found = await mobile.recipient(phone.arn)

    assert found.endpoint == phone
    assert (found.principal, found.credential) == ("KEY1234567", "secret")
    assert (found.apple_platform_team_id, found.apple_platform_bundle_id) == ("TEAM", "com.example")
    assert found.enabled is True


@pytest.mark.parametrize("which", ["endpoint", "application"])
async def test_a_sender_is_told_what_is_switched_off(mobile, shop, phone, which):
    if which == "endpoint":
        await mobile.set_endpoint(phone.arn, enabled=False)
    else:
        await mobile.set_application(shop.arn, enabled=False)
    assert (await mobile.recipient(phone.arn)).enabled is False


async def test_a_sender_switches_off_an_endpoint_whose_token_is_dead(mobile, phone):
    assert await mobile.disable(phone.arn, token="token-1") is True
    assert (await mobile.endpoint(phone.arn)).enabled is False
    assert await mobile.disable(phone.arn) is True


async def test_a_token_that_was_changed_meanwhile_is_not_switched_off(mobile, phone):
    await mobile.set_endpoint(phone.arn, token="token-2")

    assert await mobile.disable(phone.arn, token="token-1") is False
    assert (await mobile.endpoint(phone.arn)).enabled is True


async def test_an_endpoint_that_is_gone_needs_no_switching_off(mobile, phone):
    await mobile.delete_endpoint(phone.arn)
    assert await mobile.disable(phone.arn) is False
