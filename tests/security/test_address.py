"""Addresses: what a stranger's URL may make this machine call, and what it may not.

Source: IANA IPv4 and IPv6 Special-Purpose Address Registries.
"""

from __future__ import annotations

import pickle
import socket
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from rmq.errors import AddressRefused, InvalidParameter
from rmq.security import address
from rmq.security.address import AllowList, Destination
from rmq.settings import Settings
from tests.security.policies import CALM

PUBLIC = "93.184.216.34"
Ask = Any


@pytest.fixture(params=["async", "sync"])
async def check(request: pytest.FixtureRequest) -> Ask:
    """Checks a URL, in one colour, with a resolver that knows what it is told."""

    async def ask(url: str, *found: str, allow: Sequence[str] = ()) -> Destination:
        allowed = AllowList.of(allow)

        def resolver(host: str, port: int) -> Sequence[str]:
            return found

        async def async_resolver(host: str, port: int) -> Sequence[str]:
            return found

        if request.param == "sync":
            return address.check(url, allowed, resolver=resolver)
        return await address.check_async(url, allowed, resolver=async_resolver)

    return ask


# --- what may be called --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://example.com/hook", ("http", "example.com", 80)),
        ("https://example.com", ("https", "example.com", 443)),
        ("https://Example.COM:8443/a?b#c", ("https", "example.com", 8443)),
        ("HTTPS://user:secret@example.com/", ("https", "example.com", 443)),
        ("http://b\u00fccher.example/", ("http", "xn--bcher-kva.example", 80)),
        ("http://my_host.example./", ("http", "my_host.example.", 80)),
    ],
)
async def test_a_public_host_may_be_called_at_the_addresses_that_were_checked(check, url, expected):
    found = await check(url, PUBLIC, "2606:2800:220:1::1")

    assert found == Destination(*expected, (PUBLIC, "2606:2800:220:1::1"))


@pytest.mark.parametrize(
    ("host", "expected"),
    [
        (PUBLIC, PUBLIC),
        ("[2606:2800:220:1:0:0:0:1]", "2606:2800:220:1::1"),
        ("\uff18.8.8.8", "8.8.8.8"),
        ("[::ffff:8.8.8.8]", "::ffff:808:808"),
        ("[64:ff9b::8.8.8.8]", "64:ff9b::808:808"),
        ("[2002:808:808::1]", "2002:808:808::1"),
    ],
)
async def test_a_public_address_is_not_asked_for(check, host, expected):
    found = await check(f"http://{host}/", "10.0.0.1")

    assert [ip_address(one) for one in found.addresses] == [ip_address(expected)]


# --- what may not --------------------------------------------------------------------------------

REFUSED = [
    ("0.0.0.0", "unspecified"),
    ("0.1.2.3", "unspecified"),
    ("::", "unspecified"),
    ("127.0.0.1", "loopback"),
    ("127.255.255.255", "loopback"),
    ("::1", "loopback"),
    ("10.0.0.0", "private"),
    ("10.255.255.255", "private"),
    ("172.16.0.1", "private"),
    ("172.31.255.255", "private"),
    ("192.168.0.1", "private"),
    ("100.64.0.1", "carrier"),
    ("169.254.1.1", "link-local"),
    ("fe80::1", "link-local"),
    ("fe80::1%lo", "link-local"),
    ("169.254.169.254", "metadata"),
    ("fd00:ec2::254", "metadata"),
    ("168.63.129.16", "metadata"),
    ("100.100.100.200", "metadata"),
    ("fc00::1", "unique local"),
    ("fdff::1", "unique local"),
    ("fec0::1", "unique local"),
    ("224.0.0.1", "multicast"),
    ("239.255.255.255", "multicast"),
    ("ff02::1", "multicast"),
    ("240.0.0.1", "reserved"),
    ("255.255.255.255", "reserved"),
    ("192.0.0.8", "reserved"),
    ("192.0.2.1", "reserved"),
    ("198.18.0.1", "reserved"),
    ("198.51.100.1", "reserved"),
    ("203.0.113.1", "reserved"),
    ("192.88.99.1", "reserved"),
    ("2001:db8::1", "reserved"),
    ("2001::1", "reserved"),
    ("2001:0:53aa:64c::1", "reserved"),
    ("3fff::1", "reserved"),
    ("100::1", "reserved"),
    ("4000::1", "reserved"),
    ("::127.0.0.1", "reserved"),
    ("::8.8.8.8", "reserved"),
    ("::ffff:0:127.0.0.1", "reserved"),
    ("64:ff9b:1::1", "reserved"),
    ("::ffff:127.0.0.1", "loopback"),
    ("::ffff:10.0.0.1", "private"),
    ("::ffff:a9fe:a9fe", "metadata"),
    ("64:ff9b::127.0.0.1", "loopback"),
    ("64:ff9b::a00:1", "private"),
    ("64:ff9b::169.254.169.254", "metadata"),
    ("2002:7f00:1::", "loopback"),
    ("2002:a9fe:a9fe::1", "metadata"),
    ("2002:c0a8:1::1", "private"),
]


@pytest.mark.parametrize(("found", "kind"), REFUSED)
async def test_an_address_that_is_not_public_is_refused(check, found, kind):
    for url, known in (
        (f"http://[{found}]/" if ":" in found else f"http://{found}/", ()),
        ("http://example.com", (found,)),
        ("http://example.com", (PUBLIC, found)),
        ("http://example.com", (found, PUBLIC)),
    ):
        with pytest.raises(AddressRefused, match=kind) as refused:
            await check(url, *known)
        assert ip_address(refused.value.address) == ip_address(found)


NEIGHBOURS = [
    "1.0.0.0",
    "9.255.255.255",
    "11.0.0.0",
    "100.63.255.255",
    "100.128.0.0",
    "126.255.255.255",
    "128.0.0.0",
    "169.253.255.255",
    "169.255.0.0",
    "172.15.255.255",
    "172.32.0.0",
    "191.255.255.255",
    "192.0.1.0",
    "192.0.3.0",
    "192.167.255.255",
    "192.169.0.0",
    "198.17.255.255",
    "198.20.0.0",
    "223.255.255.255",
    "168.63.129.17",
    "2000::1",
    "2001:200::1",
    "2600::",
    "2001:db9::1",
    "3ffe:ffff::1",
    "2002:808:808::1",
]


@pytest.mark.parametrize("found", NEIGHBOURS)
async def test_its_public_neighbours_are_not(check, found):
    assert (await check("http://example.com", found)).addresses == (found,)


@pytest.mark.parametrize(
    "host",
    [
        "2130706433",
        "0x7f000001",
        "0x7f.1",
        "0X7F.0.0.1",
        "017700000001",
        "0177.0.0.1",
        "127.1",
        "127.0.1",
        "127.0.0.1.",
        "127.0.0.01",
        "010.8.8.8",
        "8.8.8.256",
        "8.8.8.8.8",
        "0x",
        "example.0x7f",
        "\uff11\uff12\uff17.1",
        "1.1.1.1\u3002",
    ],
)
async def test_an_address_in_another_form_is_refused(check, host):
    """Resolvers read these, each in its own way, and one has to be the one that is checked."""
    with pytest.raises(AddressRefused, match="four decimal"):
        await check(f"http://{host}/", PUBLIC)


@pytest.mark.parametrize(
    "url",
    [
        "",
        "example.com",
        "//example.com",
        "ftp://user:secret@example.com",
        "file:///etc/passwd",
        "gopher://127.0.0.1:6379/_FLUSHALL",
        "http://",
        "http:///secret",
        "http://user:secret@",
        "http://user:secret@exa mple.com",
        "http://user:secret@example.com\n.evil.com",
        "http://user:secret@example.com\\@evil.com",
        "http://user:secret@example.com:0",
        "http://user:secret@example.com:65536",
        "http://user:secret@example.com:http",
        "http://user:secret@[::1",
        "http://user:secret@[v1.x]",
        "http://user:secret@example.com[::1]/",
        "http://user:secret@[::1]example.com/",
        "http://user:secret@[::1]:80:81/",
        "http://user:secret@127.0.0.%31/",
        "http://user:secret@-example.com/",
        "http://user:secret@a..b/",
        f"http://user:secret@{'a' * 64}.com/",
        f"http://user:secret@example.com/{'a' * 2048}",
        "http://user:secret@exam<ple.com",
    ],
)
async def test_what_is_no_url_of_http_is_refused_without_its_password(check, url):
    with pytest.raises(InvalidParameter) as refused:
        await check(url, PUBLIC)

    assert "secret" not in str(refused.value)


async def test_a_refusal_names_host_and_address_and_the_way_to_allow_it(check):
    with pytest.raises(AddressRefused) as refused:
        await check("http://user:secret@db.internal:8080/secret", "10.1.2.3")

    assert str(refused.value) == (
        "host 'db.internal' at 10.1.2.3 may not be called: the address is private; if it is meant, "
        "give --allow-address 10.1.2.3 or list it in RMQ_ALLOW_ADDRESSES"
    )
    assert (refused.value.host, refused.value.address) == ("db.internal", "10.1.2.3")
    assert vars(pickle.loads(pickle.dumps(refused.value))) == vars(refused.value)


async def test_a_host_without_an_address_may_have_one_later(check):
    with pytest.raises(OSError, match=r"example\.com"):
        await check("http://example.com")


# --- what was allowed ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("allow", "found"),
    [
        ("10.0.0.0/8", "10.1.2.3"),
        ("10.1.2.3", "10.1.2.3"),
        ("10.0.0.0/8", "::ffff:10.1.2.3"),
        ("10.0.0.0/8", "64:ff9b::10.1.2.3"),
        ("loopback", "127.0.0.1"),
        ("Loopback", "::1"),
        ("loopback", "::ffff:127.0.0.1"),
        ("fd00::/8", "fd12::1"),
        ("[fd12::1]", "fd12::1"),
        ("db.internal", "10.1.2.3"),
        (" DB.Internal. ", "169.254.169.254"),
        ("0.0.0.0/0", "10.1.2.3"),
    ],
)
async def test_what_was_allowed_may_be_called(check, allow, found):
    assert (await check("http://db.internal/", found, allow=[allow])).addresses
    assert (await check("http://DB.internal./", found, allow=["9.9.9.9", allow])).addresses


@pytest.mark.parametrize(
    ("allow", "found"),
    [
        ("10.0.0.0/8", "192.168.0.1"),
        ("10.1.2.3", "10.1.2.4"),
        ("loopback", "10.1.2.3"),
        ("loopback", "0.0.0.0"),
        ("internal", "10.1.2.3"),
        ("other.internal", "10.1.2.3"),
        ("0.0.0.0/0", "fd12::1"),
    ],
)
async def test_what_was_allowed_is_no_more_than_that(check, allow, found):
    with pytest.raises(AddressRefused):
        await check("http://db.internal/", found, allow=[allow])


async def test_an_address_that_was_allowed_does_not_bring_others_along(check):
    with pytest.raises(AddressRefused, match=r"192\.168\.0\.1"):
        await check("http://x.example/", "10.0.0.1", "192.168.0.1", allow=["10.0.0.0/8"])


@pytest.mark.parametrize(
    "entry",
    ["", "*", "*.example.com", "10.0.0.1/8", "10.0.0.0/33", "127.1", "a b", "http://a", "a/8"],
)
def test_what_cannot_be_allowed_is_refused(entry):
    with pytest.raises(InvalidParameter, match="allow_addresses"):
        AllowList.of([entry])


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("", ()),
        ("loopback", ("loopback",)),
        (" 10.0.0.0/8, db.internal,,", ("10.0.0.0/8", "db.internal")),
    ],
)
def test_the_environment_has_them_separated_by_commas(monkeypatch, value, expected):
    monkeypatch.setenv("RMQ_ALLOW_ADDRESSES", value)

    assert Settings().allow_addresses == expected
    assert Settings(allow_addresses=["::1"]).allow_addresses == ("::1",)


# --- by chance -----------------------------------------------------------------------------------


@CALM
@given(some.integers(0, 2**32 - 1).map(IPv4Address))
def test_no_other_form_of_an_address_is_judged_otherwise(inner):
    """Whatever carries an IPv4 address is called where the address itself may be."""
    plain = address.refusal(inner)

    for number in (0xFFFF << 32, 0x64FF9B << 96):
        assert (address.refusal(IPv6Address(number | int(inner))) is None) == (plain is None)
    assert (address.refusal(IPv6Address(0x2002 << 112 | int(inner) << 80 | 1)) is None) == (
        plain is None
    )


@CALM
@given(some.ip_addresses())
def test_python_and_we_agree_on_what_is_public(found):
    """But for what Python calls public and is not: metadata services, 6to4 relays and the like."""
    if address.refusal(found) is None and address.carried(found) is None:
        assert found.is_global
        assert not found.is_multicast


@CALM
@given(some.text(max_size=30), some.text(max_size=10))
def test_any_url_is_checked_or_refused(host, rest):
    for url in (f"http://{host}{rest}", f"http://{host}/{rest}", host):
        try:
            found = address.check(url, resolver=lambda host, port: ["10.0.0.1"])
        except (InvalidParameter, AddressRefused):
            continue
        assert address.refusal(ip_address(found.addresses[0])) is None


async def test_the_systems_resolver_knows_localhost():
    for allow in ("loopback", "localhost"):
        found = await address.check_async("http://localhost:1/", AllowList.of([allow]))
        assert "127.0.0.1" in found.addresses or "::1" in found.addresses
        assert address.check("http://localhost:1/", AllowList.of([allow])) == found
    with pytest.raises(AddressRefused):
        await address.check_async("http://localhost:1/")
    with pytest.raises(socket.gaierror):
        address.check("http://nowhere.invalid/")
