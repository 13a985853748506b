"""Which address is the client's: what a client writes into X-Forwarded-For is never believed."""

from ipaddress import IPv4Address, IPv6Address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameserver.transport.callers.addresses import UNKNOWN, Address, client, counted, within

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("127.0.0.1/32"))
OURS = st.sampled_from(["10.0.0.1", "10.255.255.255", "fd00::7", "127.0.0.1", "::ffff:10.1.2.3"])
ANY = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


def is_foreign(address: Address) -> bool:
    return not within(address, PROXIES) and getattr(address, "ipv4_mapped", None) is None


FOREIGN = ANY.filter(is_foreign)
WRITTEN = st.lists(st.one_of(st.text(max_size=30), ANY.map(str), OURS), max_size=5)
BEHIND = st.lists(OURS, max_size=3)
SPACE = st.sampled_from(["", " ", "\t", "  "])


@given(OURS, WRITTEN, FOREIGN, BEHIND, SPACE)
def test_the_client_is_the_address_that_the_outermost_proxy_saw_whatever_the_client_wrote(
    peer: str, written: list[str], seen: Address, behind: list[str], space: str
) -> None:
    headers = [*written, f"{space},{space}".join([str(seen), *behind])]
    assert client(peer, headers, PROXIES) == seen
    assert client(peer, [",".join(headers)], PROXIES) == seen, "one header or several"


@given(FOREIGN, WRITTEN)
def test_a_peer_that_is_no_proxy_is_the_client_whatever_the_header_says(peer: Address, written: list[str]) -> None:
    assert client(str(peer), written, PROXIES) == peer
    assert client(str(peer), written, ()) == peer


@given(st.text(max_size=50), WRITTEN)
def test_whatever_the_header_says_the_result_is_an_address(peer: str, written: list[str]) -> None:
    assert isinstance(client(peer, written, PROXIES), IPv4Address | IPv6Address)
    assert counted(client("10.0.0.1", written, PROXIES))


@pytest.mark.parametrize(
    "forwarded",
    [[], [""], [","], ["203.0.113.7,"], ["203.0.113.7, unknown"], ["203.0.113.7, 10.0.0.2, 1.2.3.4:80"], ["x" * 8000],
     ["203.0.113.7, [::1]"], ["203.0.113.7, １.2.3.4"], ["10.0.0.2, 10.0.0.3"], ["203.0.113.7, 1.2.3.4%a"]],
)  # fmt: skip
def test_a_header_without_a_client_leaves_the_connections_address(forwarded: list[str]) -> None:
    assert str(client("10.0.0.1", forwarded, PROXIES)) == "10.0.0.1"


def test_a_connection_without_an_address_has_the_unknown_one() -> None:
    assert client(None, ["203.0.113.7"], PROXIES) == client("", [], ()) == UNKNOWN


def test_an_ipv4_address_counts_alone_and_an_ipv6_one_by_its_64_bit_network_bit_network() -> None:
    def counted_as(peer: str) -> str:
        return counted(client(peer, [], ()))

    assert counted_as("203.0.113.7") == counted_as("::ffff:203.0.113.7") == "203.0.113.7"
    assert counted_as("2001:db8:1:2::1") == counted_as("2001:db8:1:2:ffff:ffff:ffff:ffff") == "2001:db8:1:2::/64"
    assert counted_as("2001:db8:1:3::1") == "2001:db8:1:3::/64"
    assert counted_as("fe80::1%eth0") == "fe80::/64"


@given(st.ip_addresses(v=6), st.integers(0, 2**64 - 1))
def test_addresses_of_one_64_bit_network_count_together(address: IPv6Address, other: int) -> None:
    neighbour = IPv6Address(int(address) >> 64 << 64 | other)
    assert counted(address) == counted(neighbour)
