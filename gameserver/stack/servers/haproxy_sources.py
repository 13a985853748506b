"""HAProxy's rules of what one address of players may take ([limits]), and of what stands in front of HAProxy.

Law: the connections, new connections and requests of each address, or /64 of IPv6 (but of what NAT64 translates, each
address), are counted in one table. Too many
connections are refused before anything of them is read. Too many requests are answered 429; at twice as many the
connection is cut. A window has WINDOW_SECONDS, and at most the burst and the rate times its length. The fuller HAProxy
is, the fewer connections an address may have for another one (SHARES), so several addresses together don't take what
those need that have few.

Behind a load balancer that speaks the PROXY protocol everything counts by the client that it names. Of an HTTP proxy
in front only requests are counted, by the last address that it wrote: each of its connections carries many clients.
"""

import math
from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network

from gameserver.config.deployment import HAProxySettings
from gameserver.config.limits import WINDOW_SECONDS, LimitSettings
from gameserver.config.networks import NAT64, translated

ADDRESSES = 100_000
"""How many addresses are remembered, in some 10 MB."""
SHARES = ((75, 10), (90, 100))
"""When this part of all connections is taken, in per cent, an address gets no more than its limit divided by this."""
_SUBSCRIBER, _WHOLE = "ipmask(32,64)", "ipmask(32,128)"
_FORWARDED = ("req.hdr_ip(X-Forwarded-For,-1)", "req.hdr(X-Forwarded-For,-1),field(2,[),field(1,])")
"""The client that an HTTP proxy wrote last: an address, of IPv4 also with a port, or one in brackets. The first that
can be read counts."""
Networks = Sequence[IPv4Network | IPv6Network]


def connection_rules(front: HAProxySettings, limits: LimitSettings) -> str:
    """The rules of the frontend for players that come before anything is read."""
    window = f"{WINDOW_SECONDS}s"
    stored = f"conn_cur,conn_rate({window}),http_req_rate({window})"
    lines = [f"stick-table type ipv6 size {ADDRESSES} expire 1m store {stored}"]
    # With the PROXY protocol the client is known when the connection is a session.
    stage = "tcp-request session" if front.proxy_protocol_from else "tcp-request connection"
    if front.proxy_protocol_from:
        lines.append(f"tcp-request connection expect-proxy layer4 if {_from(front.proxy_protocol_from)}")
    uncounted = (*limits.exempt, *front.forwarded_from)
    unless = f" unless {_from(uncounted)}" if uncounted else ""
    lines += [
        f"{stage} track-sc0 src,{_WHOLE} if {_by_nat64('src')}{f' !{_from(uncounted)}' if uncounted else ''}",
        f"{stage} track-sc0 src,{_SUBSCRIBER}{unless}",
        f"{stage} reject if {{ sc0_conn_cur gt {limits.connections_per_address} }}",
        *(_share(stage, front.connections, limits.connections_per_address, *share) for share in SHARES),
        f"{stage} reject if {{ sc0_conn_rate gt {limits.new_connections_per_address.in_a_window} }}",
    ]
    return _indented(lines)


def request_rules(front: HAProxySettings, limits: LimitSettings) -> str:
    """The rules of the frontend for players that every request passes first."""
    most, lines = limits.requests_per_address.in_a_window, []
    if front.forwarded_from:
        proxy = _from(front.forwarded_from)
        for client in _FORWARDED:
            lines.append(f"http-request track-sc0 {client},{_WHOLE} if {proxy} {_by_nat64(client)}")
            lines.append(f"http-request track-sc0 {client},{_SUBSCRIBER} if {proxy}")
    lines += [
        f"http-request reject if {{ sc0_http_req_rate gt {2 * most} }}",
        f"http-request deny deny_status 429 if {{ sc0_http_req_rate gt {most} }}",
    ]
    return _indented(lines)


def unless_forwarded(front: HAProxySettings) -> str:
    """The condition under which X-Forwarded-For is a client's own word."""
    return f" unless {_from(front.forwarded_from)}" if front.forwarded_from else ""


def _share(stage: str, all_connections: int, limit: int, part: int, divisor: int) -> str:
    """The rule for an address while HAProxy is full to this part."""
    taken, most = all_connections * part // 100, math.ceil(limit / divisor)
    return f"{stage} reject if {{ fe_conn gt {taken} }} {{ sc0_conn_cur gt {most} }}"


def _from(networks: Networks) -> str:
    return f"{{ src {' '.join(str(each) for network in networks for each in translated(network))} }}"


def _by_nat64(client: str) -> str:
    """Whether NAT64 has translated the client: then one /64 holds all of IPv4, and the whole address counts."""
    return f"{{ {client} -m ip {NAT64} }}"


def _indented(lines: Sequence[str]) -> str:
    return "".join(f"    {line}\n" for line in lines)
