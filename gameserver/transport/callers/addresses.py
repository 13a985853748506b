"""The address of a client: that of its connection, or the one that trusted proxies pass on.

Law: what a client writes into X-Forwarded-For is never believed. Each proxy appends the address that it was called
from, so the header is read from its right end, and only as far as trusted proxies have written it: the first address
that isn't one of them is the client. If an element isn't an address, or all of them are proxies, the address of the
connection is used.

An element is an IPv4 or IPv6 address as proxies write it: alone, with a port (`198.51.100.7:50123`,
`[2001:db8::1]:443`), in brackets, in double quotes. Blanks around elements and empty elements say nothing (RFC 9110,
5.6.1).
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from gameserver.config.networks import plain

Address = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]
UNKNOWN = IPv6Address("::")
"""The address of a connection that has none."""
LONGEST = 64
"""Characters of an element that is parsed; the longest address with brackets, zone, port and quotes is shorter."""
SUBSCRIBER_BITS = 64
REMEMBERED = 8192
"""Elements whose address is remembered: to read one takes some 5 µs, and most clients send many requests."""
BLANKS = " \t"
_IPV4_AND_PORT = re.compile(r"([0-9.]+):[0-9]{1,5}")
_IN_BRACKETS = re.compile(r"\[([^\[\]]+)\](?::[0-9]{1,5})?")


@dataclass(frozen=True, slots=True)
class ClientReading:
    """The client's address, and the element of a trusted proxy's header that couldn't be read, if there was one."""

    address: Address
    unreadable: str | None = None


def read(peer: str | None, forwarded: Sequence[str], proxies: Networks) -> ClientReading:
    """The client, from the connection's peer and the X-Forwarded-For headers in their order."""
    direct = parse(peer or "") or UNKNOWN
    if not within(direct, proxies):
        return ClientReading(direct)
    for written in reversed(",".join(forwarded).split(",")):
        element = written.strip(BLANKS)
        if not element:
            continue
        address = parse(element)
        if address is None:
            return ClientReading(direct, element)
        if not within(address, proxies):
            return ClientReading(address)
    return ClientReading(direct)


def within(address: Address, networks: Networks) -> bool:
    return any(address in network for network in networks)


def counted(address: Address) -> str:
    """What a limit counts by: an IPv4 address, or the /64 network of an IPv6 one, which is what one subscriber gets."""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(ip_network((int(address), SUBSCRIBER_BITS), strict=False))


def parse(element: str) -> Address | None:
    """The address in an element, or None; one of IPv6 that stands for one of IPv4 counts as that (config/networks)."""
    return None if len(element) > LONGEST else _parse(element)


@lru_cache(maxsize=REMEMBERED)
def _parse(element: str) -> Address | None:
    if len(element) >= 2 and element[0] == element[-1] == '"':
        element = element[1:-1].strip(BLANKS)
    match = _IPV4_AND_PORT.fullmatch(element) or _IN_BRACKETS.fullmatch(element)
    try:
        address = ip_address(element if match is None else match[1])
    except ValueError:
        return None
    return plain(address)
