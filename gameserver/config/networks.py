"""Networks in the settings, as they are compared with the addresses of callers.

Law: an IPv4 address counts as one however it reaches the server: written as IPv6 (`::ffff:192.0.2.1`), or translated
by NAT64 under the prefix that is the same everywhere (`64:ff9b::192.0.2.1`, RFC 6052). So a network of IPv4 is written
as such, and one of these two forms of it would never match.
"""

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from typing import Annotated

from pydantic import AfterValidator, BeforeValidator, IPvAnyNetwork

NAT64 = IPv6Network("64:ff9b::/96")
_OF_IPV4 = (IPv6Network("::ffff:0:0/96"), NAT64)
_LOW_BITS = (1 << 32) - 1


def plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """The IPv4 address that one of IPv6 stands for; others as they are."""
    if isinstance(address, IPv6Address) and any(address in prefix for prefix in _OF_IPV4):
        return IPv4Address(int(address) & _LOW_BITS)
    return address


def translated(network: IPv4Network | IPv6Network) -> list[IPv4Network | IPv6Network]:
    """A network, and, of IPv4, what it is behind NAT64: for a reader that doesn't know the prefix."""
    if isinstance(network, IPv6Network):
        return [network]
    start = int(NAT64.network_address) | int(network.network_address)
    return [network, IPv6Network((start, NAT64.prefixlen + network.prefixlen))]


def _written(value: object) -> object:
    if not isinstance(value, str | IPv4Network | IPv6Network):
        raise ValueError("a network is a text such as `10.0.0.0/8` or `2001:db8::/32`")
    return value


def _comparable(network: IPv4Network | IPv6Network) -> IPv4Network | IPv6Network:
    for prefix in _OF_IPV4:
        if isinstance(network, IPv6Network) and network.subnet_of(prefix):
            own = IPv4Network((int(network.network_address) & _LOW_BITS, network.prefixlen - prefix.prefixlen))
            raise ValueError(f"its addresses count as those of IPv4, so it would never match: write it as {own}")
    return network


Network = Annotated[IPvAnyNetwork, BeforeValidator(_written), AfterValidator(_comparable)]
