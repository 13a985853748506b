"""The address of a client: that of its connection, or the one that trusted proxies pass on.

Law: what a client writes into X-Forwarded-For is never believed. Each proxy appends the address that it was called
from, so the header is read from its right end, and only as far as trusted proxies have written it: the first address
that isn't one of them is the client. If an element isn't an address, or all of them are proxies, the address of the
connection is used.
"""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Networks = Sequence[IPv4Network | IPv6Network]
UNKNOWN = IPv6Address("::")
"""The address of a connection that has none."""
LONGEST = 64
"""Characters of an address that is parsed."""
SUBSCRIBER_BITS = 64


def client(peer: str | None, forwarded: Sequence[str], proxies: Networks) -> Address:
    """The client's address, from the connection's peer and the X-Forwarded-For headers in their order."""
    direct = _parse(peer or "") or UNKNOWN
    if not within(direct, proxies):
        return direct
    for element in reversed(",".join(forwarded).split(",")):
        address = _parse(element.strip(" \t"))
        if address is None:
            return direct
        if not within(address, proxies):
            return address
    return direct


def within(address: Address, networks: Networks) -> bool:
    return any(address in network for network in networks)


def counted(address: Address) -> str:
    """What a limit counts by: an IPv4 address, or the /64 network of an IPv6 one, which is what one subscriber gets."""
    if isinstance(address, IPv4Address):
        return str(address)
    return str(ip_network((int(address), SUBSCRIBER_BITS), strict=False))


def _parse(text: str) -> Address | None:
    """An address without a port, or None; an IPv4 address written as IPv6 (`::ffff:192.0.2.1`) counts as IPv4."""
    if len(text) > LONGEST:
        return None
    try:
        address = ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
