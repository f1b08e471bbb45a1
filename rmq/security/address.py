"""Address: whom this machine may be made to call by somebody who only gave it a URL.

    URL ── parse ──> host, port ── resolver ──> addresses ── each judged ──> all of them, or
                                                                             AddressRefused

A subscriber's URL is a stranger's: without this it reaches the metadata service of the cloud, the
Redis behind us and whatever else listens inside. The caller must connect to the addresses that are
returned, and never ask for the name again: the second answer may be another one.
Source: IANA IPv4 and IPv6 Special-Purpose Address Registries; RFC 4291, 6052, 3056.
"""

from __future__ import annotations

import asyncio
import re
import socket
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from urllib.parse import urlsplit

from rmq.errors import AddressRefused, InvalidParameter, Words, brief

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Resolver = Callable[[str, int], Sequence[str]]
"""Host and port to addresses; raises OSError where there are none."""
AsyncResolver = Callable[[str, int], Awaitable[Sequence[str]]]

LONGEST_URL = 2_048
LOOPBACK = "loopback"
_PORTS = {"http": 80, "https": 443}
_HOST = re.compile(r"[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", re.ASCII)
_HOST_AND_PORT = re.compile(
    r"(\[[0-9a-f.]*:[0-9a-f:.]*(%[^\[\]]*)?\]|[^\[\]:]*)(:[0-9]*)?", re.ASCII | re.IGNORECASE
)
_NUMBER = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)

_LOOPBACK = (ip_network("127.0.0.0/8"), ip_network("::1/128"))

_REFUSED: tuple[tuple[str, Network], ...] = tuple(
    (kind, ip_network(block))
    for kind, blocks in {
        # Public by their number, but answered by the host that a machine runs on.
        "a cloud's metadata service": "168.63.129.16/32 169.254.169.254/32 100.100.100.200/32 "
        "fd00:ec2::254/128",
        "unspecified": "0.0.0.0/8 ::/128",
        "loopback": "127.0.0.0/8 ::1/128",
        "private": "10.0.0.0/8 172.16.0.0/12 192.168.0.0/16",
        "shared with a carrier": "100.64.0.0/10",
        "link-local": "169.254.0.0/16 fe80::/10",
        "unique local": "fc00::/7 fec0::/10",
        "multicast": "224.0.0.0/4 ff00::/8",
        "reserved": "192.0.0.0/24 192.0.2.0/24 192.88.99.0/24 198.18.0.0/15 198.51.100.0/24 "
        "203.0.113.0/24 240.0.0.0/4 2001::/23 2001:db8::/32 3fff::/20",
    }.items()
    for block in blocks.split()
)
_GLOBAL_IPV6 = ip_network("2000::/3")
"""The only IPv6 addresses that were ever given out; the rest is reserved."""

_CARRIES_IPV4: tuple[tuple[IPv6Network, int], ...] = (
    (IPv6Network("::ffff:0:0/96"), 0),  # IPv4-mapped
    (IPv6Network("64:ff9b::/96"), 0),  # NAT64
    (IPv6Network("2002::/16"), 80),  # 6to4
)
"""Blocks of IPv6 that lead to IPv4, and how many bits stand after the address. Older ones, such as
IPv4-compatible addresses, are reserved as a whole."""


@dataclass(frozen=True, slots=True)
class AllowList:
    """What may be called though it is not public: blocks of addresses, and hosts by their name.

    A host that is named may be anywhere: whoever answers for the name is trusted.
    """

    networks: tuple[Network, ...] = ()
    hosts: frozenset[str] = frozenset()

    @classmethod
    def of(cls, entries: Iterable[str]) -> AllowList:
        """From addresses, CIDR blocks, host names and `loopback`. Raises InvalidParameter."""
        networks: list[Network] = []
        hosts: set[str] = set()
        for entry in entries:
            text = entry.strip()
            if text.lower() == LOOPBACK:
                networks += _LOOPBACK
                continue
            try:
                networks.append(ip_network(text.removeprefix("[").removesuffix("]")))
            except ValueError:
                name = _name(text).removesuffix(".")
                if not name or _is_number(name):
                    raise InvalidParameter(
                        "allow_addresses",
                        entry,
                        f"an address, a CIDR block (no bits set after its prefix), a host name, "
                        f"or {LOOPBACK}",
                    ) from None
                hosts.add(name)
        return cls(tuple(networks), frozenset(hosts))

    def has(self, address: Address) -> bool:
        """Whether *address*, or the IPv4 address that it carries, is in one of the blocks."""
        inner = carried(address)
        return any(one in network for network in self.networks for one in (address, inner) if one)


NOTHING = AllowList()


@dataclass(frozen=True, slots=True)
class Destination:
    """Where a URL leads, and the addresses at which it may be called: these, and no others."""

    scheme: str
    host: str
    """In lower case and ASCII; what TLS and the Host header go by."""
    port: int
    addresses: tuple[str, ...]


# --- from a URL to addresses ---------------------------------------------------------------------


def resolve(host: str, port: int) -> list[str]:
    """The system's resolver. Raises OSError."""
    return _unique(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))


async def resolve_async(host: str, port: int) -> list[str]:
    """The system's resolver, in a thread. Raises OSError."""
    loop = asyncio.get_running_loop()
    return _unique(await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM))


def check(url: str, allow: AllowList = NOTHING, *, resolver: Resolver = resolve) -> Destination:
    """Where *url* leads, if it may be called. User names and passwords may stand in it; no error
    shows them.

    Raises InvalidParameter for what is no URL of HTTP or HTTPS, AddressRefused where one of the
    host's addresses is neither public nor allowed, and OSError where the host has none: that may
    pass.
    """
    scheme, host, port = parse(url)
    return Destination(
        scheme, host, port, judge(host, _literal(host) or resolver(host, port), allow)
    )


async def check_async(
    url: str, allow: AllowList = NOTHING, *, resolver: AsyncResolver = resolve_async
) -> Destination:
    """As `check`, with a resolver that is awaited."""
    scheme, host, port = parse(url)
    return Destination(scheme, host, port, await addresses(host, port, allow, resolver))


async def addresses(
    host: str, port: int, allow: AllowList = NOTHING, resolver: AsyncResolver = resolve_async
) -> tuple[str, ...]:
    """The addresses at which *host* may be called, as `check_async` finds them."""
    host = checked_host(host)
    return judge(host, _literal(host) or await resolver(host, port), allow)


def parse(url: str) -> tuple[str, str, int]:
    """Scheme, host and port of a URL, without asking anybody.

    Raises InvalidParameter; AddressRefused for a host that is a number in disguise.
    """
    if not isinstance(url, str) or len(url) > LONGEST_URL:
        shown = Words("longer" if isinstance(url, str) else "no text")
        raise InvalidParameter("endpoint", shown, f"a URL of at most {LONGEST_URL} characters")
    # Parsers differ about these, and one that is checked is of no use to another that connects.
    if "\\" in url or any(character <= " " or character == "\x7f" for character in url):
        raise InvalidParameter(
            "endpoint", Words("something else"), "a URL without spaces, controls and backslashes"
        )
    try:
        parts = urlsplit(url)
        scheme, host, port = parts.scheme, parts.hostname or "", parts.port
        is_url = _HOST_AND_PORT.fullmatch(parts.netloc.rpartition("@")[2]) is not None
    except ValueError:
        is_url = False
    if not is_url:
        raise InvalidParameter("endpoint", Words("something else"), "a URL with host and port")
    if scheme not in _PORTS:
        shown = Words(f"of the scheme {brief(scheme)}" if scheme else "without a scheme")
        raise InvalidParameter("endpoint", shown, "a URL of http or https")
    if port == 0:
        raise InvalidParameter("endpoint", Words("of port 0"), "a URL of a port from 1 to 65535")
    return scheme, checked_host(host), port or _PORTS[scheme]


def judge(host: str, found: Iterable[str], allow: AllowList = NOTHING) -> tuple[str, ...]:
    """The addresses that were *found* for *host*, once all of them may be called.

    One that may not be refuses the host: a name that is public and private at once is a trap, or
    ours. Raises AddressRefused; OSError where there is none.
    """
    known = [ip_address(one) for one in found]
    if not known:
        raise socket.gaierror(socket.EAI_NONAME, f"host {brief(host)} has no address")
    if host.removesuffix(".") not in allow.hosts:
        for address in known:
            kind = None if allow.has(address) else refusal(address)
            if kind is not None:
                raise _refused(host, str(address), kind)
    return tuple(map(str, known))


def checked_host(host: str) -> str:
    """The host as resolvers get it: in ASCII, and an address only in its one plain form.

    Raises InvalidParameter, AddressRefused.
    """
    if ":" in host:
        try:
            return str(IPv6Address(host))
        except ValueError:
            raise InvalidParameter("endpoint host", host, "a name or an address") from None
    name = _name(host)
    if not name:
        raise InvalidParameter("endpoint host", host, "a name or an address")
    if _is_number(name):
        try:
            return str(IPv4Address(name))
        except ValueError:
            raise AddressRefused(
                f"host {brief(name)} may not be called: some read it as an address, and not all as "
                f"the same one; write the address as four decimal numbers",
                host=name,
                address=name,
            ) from None
    return name


def refusal(address: Address) -> str | None:
    """Why an address is not to be called; None for a public one."""
    for kind, network in _REFUSED:
        if address in network:
            return kind
    if isinstance(address, IPv4Address):
        return None
    if address.scope_id is not None:
        return "bound to one link"
    inner = carried(address)
    if inner is not None:
        why = refusal(inner)
        return why and f"{inner} in another form, which is {why}"
    return None if address in _GLOBAL_IPV6 else "reserved"


def carried(address: Address) -> IPv4Address | None:
    """The IPv4 address inside an IPv6 one: mapped, NAT64, 6to4 and the like."""
    if isinstance(address, IPv6Address):
        for network, shift in _CARRIES_IPV4:
            if address in network:
                return IPv4Address(int(address) >> shift & 0xFFFFFFFF)
    return None


def is_literal(host: str) -> bool:
    """Whether a checked host is an address itself, so that there is nothing to ask."""
    return _literal(host) is not None


# --- helpers -------------------------------------------------------------------------------------


def _name(host: str) -> str:
    """A host's name in ASCII and lower case, full-width digits made plain; '' if it is none."""
    try:
        name = host.encode("idna").decode("ascii").lower()
    except UnicodeError:
        return ""
    return name if len(name) <= 254 and _HOST.fullmatch(name.removesuffix(".")) else ""


def _is_number(name: str) -> bool:
    """Whether resolvers may take it for an address: 127.1, 0x7f.1, 0177.0.0.1, 2130706433."""
    return _NUMBER.fullmatch(name.rstrip(".").rpartition(".")[2]) is not None


def _literal(host: str) -> list[str] | None:
    """The host itself, where it is an address and there is nothing to ask."""
    try:
        return [str(ip_address(host))]
    except ValueError:
        return None


def _refused(host: str, address: str, kind: str) -> AddressRefused:
    at = "" if host == address else f" at {address}"
    return AddressRefused(
        f"host {brief(host)}{at} may not be called: the address is {kind}; if it is meant, give "
        f"--allow-address {address} or list it in RMQ_ALLOW_ADDRESSES",
        host=host,
        address=address,
    )


def _unique(
    found: Iterable[tuple[object, object, object, object, tuple[object, ...]]],
) -> list[str]:
    return list(dict.fromkeys(str(one[4][0]) for one in found))
