"""rmq mobile: platform applications and their endpoints."""

from __future__ import annotations

import json

import pytest

import rmq as library

ARN = "arn:aws:sns:us-east-1:000000000000:app/GCM/shop"


@pytest.fixture
def shop(rmq):
    """An application with an endpoint: the endpoint's ARN."""
    rmq("mobile", "create", "GCM", "shop", "--credential-file", "-", stdin="key\n")
    with library.connect(rmq.url) as client:
        return client.mobile.create_endpoint("GCM/shop", "token-1", custom_user_data="mine").arn


def test_create_says_that_the_application_is_there(rmq):
    ran = rmq("mobile", "create", "GCM", "shop", "--credential-file", "-", stdin="hush\n")

    assert (ran.status, ran.out) == (0, f"platform application {ARN} is there\n")


def test_the_credential_is_read_from_a_file_and_shown_to_nobody(rmq, tmp_path):
    (tmp_path / "key").write_text("hush\n")
    options = ("--principal", "KEY", "--team-id", "TEAM", "--bundle-id", "com.example")
    file = ("--credential-file", str(tmp_path / "key"))
    made = rmq.json("mobile", "create", "APNS", "shop", *file, *options)

    assert made["attributes"]["apple_platform_team_id"] == "TEAM"
    assert made["attributes"]["apple_platform_bundle_id"] == "com.example"
    assert made["authentication_method"] == "token"
    assert "hush" not in json.dumps([made, rmq.json("mobile", "list")])
    with library.connect(rmq.url) as client:
        phone = client.mobile.create_endpoint("APNS/shop", "ab")
        assert client.mobile.recipient(phone.arn).credential == "hush"


def test_list_shows_what_there_is(rmq, shop):
    assert "GCM/shop" in rmq("mobile", "list").out
    [one] = rmq.json("mobile", "list")["applications"]
    assert (one["arn"], one["attributes"]["enabled"]) == (ARN, True)


def test_an_empty_list_says_what_to_do(rmq):
    ran = rmq("mobile", "list")
    assert (ran.status, ran.out) == (0, "")
    assert "rmq mobile create" in ran.err


def test_endpoints_are_listed(rmq, shop):
    page = rmq("mobile", "endpoints", "GCM/shop").out
    assert all(word in page for word in ("token-1", "mine", shop.rpartition("/")[2]))
    [one] = rmq.lines("mobile", "endpoints", ARN)
    assert (one["arn"], one["token"], one["custom_user_data"]) == (shop, "token-1", "mine")


def test_user_data_can_do_nothing_to_a_terminal(rmq, shop):
    with library.connect(rmq.url) as client:
        client.mobile.set_endpoint(shop, custom_user_data="\x1b[31m" + "x" * 100)
    page = rmq("mobile", "endpoints", "GCM/shop").out
    assert "\x1b" not in page
    assert "…" in page


def test_an_application_without_endpoints_says_so(rmq):
    rmq("mobile", "create", "GCM", "shop", "--credential-file", "-", stdin="key")
    ran = rmq("mobile", "endpoints", "GCM/shop")
    assert (ran.status, ran.out) == (0, "")
    assert "create_endpoint" in ran.err


def test_an_endpoint_is_removed(rmq, shop):
    ran = rmq("mobile", "rm-endpoint", shop, "--yes")
    assert (ran.status, ran.out) == (0, f"endpoint {shop} is gone\n")
    assert rmq("mobile", "rm-endpoint", shop, "--yes").status == 3


def test_an_application_is_removed_with_its_endpoints(rmq, shop):
    assert rmq.json("mobile", "rm", "GCM/shop", "--yes") == {"arn": ARN, "removed": True}
    assert rmq("mobile", "endpoints", "GCM/shop").status == 3


@pytest.mark.parametrize("command", [("rm", "GCM/shop"), ("rm-endpoint", "")])
def test_nothing_is_removed_where_nobody_can_be_asked(rmq, shop, command):
    ran = rmq("mobile", command[0], command[1] or shop)
    assert ran.status == 2
    assert "--yes" in ran.err
    assert len(rmq.lines("mobile", "endpoints", "GCM/shop")) == 1


@pytest.mark.parametrize("stdin", ["", "hello"])
def test_a_message_is_published(rmq, shop, stdin):
    words = ("-",) if stdin else ("hello",)
    ran = rmq("mobile", "publish", shop, *words, "--attribute", "n:Number=7", stdin=stdin)
    assert ran.status == 0
    assert ran.out.startswith("published ")
    assert set(rmq.json("mobile", "publish", shop, "hello")) == {"id"}


WRONG = [
    (("create", "FCM", "shop"), 2, "platform"),
    (("create", "GCM", "a b", "--credential-file", "-"), 2, "application name"),
    (("create", "GCM", "shop"), 2, "credential is missing"),
    (("create", "GCM", "shop", "--credential-file", "/none"), 2, "/none"),
    (("rm", "GCM/none", "--yes"), 3, "rmq mobile list"),
    (("endpoints", "none"), 2, "GCM/shop"),
    (("publish", "GCM/shop", "hello"), 2, "endpoint"),
    (("publish", "GCM/shop/00000000-0000-0000-0000-000000000000", "x"), 3, "rmq mobile endpoints"),
]


@pytest.mark.parametrize(("words", "status", "said"), WRONG)
def test_a_mistake_is_one_line_that_says_what_to_do(rmq, words, status, said):
    ran = rmq("mobile", *words, stdin="key")
    assert (ran.status, ran.out) == (status, "")
    assert said in ran.err
    errors = [line for line in ran.err.splitlines() if "memory://" not in line]
    assert len(errors) == 1


def test_another_credential_is_refused(rmq, shop):
    ran = rmq("mobile", "create", "GCM", "shop", "--credential-file", "-", stdin="other")
    assert ran.status == 2
    assert "another credential" in ran.err


def test_a_credential_that_is_no_text_is_refused(rmq, tmp_path):
    (tmp_path / "key").write_bytes(b"\xff\xfe")
    ran = rmq("mobile", "create", "GCM", "shop", "--credential-file", str(tmp_path / "key"))
    assert ran.status == 2
    assert "UTF-8" in ran.err
