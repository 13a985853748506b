"""Which address is the client's: what a client writes into X-Forwarded-For is never believed."""

from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameserver.config.networks import plain
from gameserver.transport.callers.addresses import UNKNOWN, Address, ClientReading, Networks, counted, read, within

PROXIES = (ip_network("10.0.0.0/8"), ip_network("fd00::/8"), ip_network("127.0.0.1/32"))
OURS = st.sampled_from(["10.0.0.1", "10.255.255.255", "fd00::7", "127.0.0.1", "::ffff:10.1.2.3", "64:ff9b::10.1.2.3"])
ANY = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6))


def is_foreign(address: Address) -> bool:
    return not within(address, PROXIES) and plain(address) == address


def client(peer: str | None, forwarded: Sequence[str], proxies: Networks) -> Address:
    return read(peer, forwarded, proxies).address


FOREIGN = ANY.filter(is_foreign)
WRITTEN = st.lists(st.one_of(st.text(max_size=30), ANY.map(str), OURS), max_size=5)
BEHIND = st.lists(OURS, max_size=3)
SPACE = st.sampled_from(["", " ", "\t", "  "])
PORT = st.integers(0, 65535)


@st.composite
def as_proxies_write(draw: st.DrawFn, addresses: st.SearchStrategy[Address]) -> tuple[Address, str]:
    """An address, and one of its spellings in a header of a proxy: a port, brackets, quotes, IPv4 as IPv6, capitals."""
    address = draw(addresses)
    text = draw(st.sampled_from([str(address), address.exploded, str(address).upper()]))
    if isinstance(address, IPv4Address):
        text = draw(st.sampled_from([text, f"::ffff:{address}", f"[::ffff:{address}]", f"64:ff9b::{address}"]))
    if ":" in text and "[" not in text:
        text = draw(st.sampled_from([text, f"[{text}]"]))
    if ":" not in text or "[" in text:
        text = draw(st.sampled_from([text, f"{text}:{draw(PORT)}"]))
    return address, draw(st.sampled_from([text, f'"{text}"']))


EMPTY = st.lists(st.sampled_from(["", " ", ", ,"]), max_size=2)


@given(OURS, WRITTEN, as_proxies_write(FOREIGN), BEHIND, SPACE, EMPTY)
def test_the_client_is_the_address_that_the_outermost_proxy_saw_whatever_the_client_wrote(
    peer: str, written: list[str], spelt: tuple[Address, str], behind: list[str], space: str, empty: list[str]
) -> None:
    seen, text = spelt
    headers = [*written, f"{space},{space}".join([text, *empty, *behind]), *empty]
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
    [[], [""], [","], [" ", ",\t,"], ["10.0.0.2, 10.0.0.3"], ["[::ffff:10.0.0.2]:443,"]],
)
def test_a_header_that_names_no_client_leaves_the_connections_address(forwarded: list[str]) -> None:
    assert read("10.0.0.1", forwarded, PROXIES) == ClientReading(ip_address("10.0.0.1"))


@pytest.mark.parametrize(
    "element",
    ["unknown", "_hidden", "x" * 8000, "１.2.3.4", "1.2.3.4%a", "unix:", "1.2.3.4:", "1.2.3.4:x", "1.2.3.4:123456",
     "[2001:db8::1", "2001:db8::1]:443", "[[2001:db8::1]]", "[]:443", '"1.2.3.4', '""', '"', "1.2.3", "1.2.3.4 5",
     "0x7f.0.0.1", "for=1.2.3.4", "1.2.3.4;1.2.3.5"],
)  # fmt: skip
def test_what_isnt_an_address_leaves_the_connections_address_and_is_named(element: str) -> None:
    for forwarded in ([f"203.0.113.7, {element}"], ["203.0.113.7", element, "10.0.0.2"], [f"{element} ,, "]):
        assert read("10.0.0.1", forwarded, PROXIES) == ClientReading(ip_address("10.0.0.1"), element)
    assert read("192.0.2.9", [element], PROXIES) == ClientReading(ip_address("192.0.2.9")), "this peer is no proxy"


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
