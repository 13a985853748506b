"""HAProxy's configuration, rendered from the settings and the state of its places (template: haproxy.cfg).

A place is a server line in both backends, `node-1` to `node-N`. Free places are disabled servers, so that a node can
take one through the runtime API while players play.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gameserver.config.deployment import HAProxySettings
from gameserver.config.errors import ConfigFault
from gameserver.config.origins import (
    EXPOSED_HEADERS,
    METHODS,
    PREFLIGHT_SECONDS,
    REQUEST_HEADERS,
    expression,
)
from gameserver.config.ports import joined
from gameserver.config.settings import Settings
from gameserver.stack.servers import haproxy_sources

TEMPLATE = Path(__file__).with_name("haproxy.cfg")
SOCKET = "haproxy.sock"
"""The runtime API of the HAProxy that `up` runs, in the folder where it is started."""
OPERATORS_CONNECTIONS = 100
"""Connections of the operators' port, which players can't take."""
WITHOUT_KEYS = (
    "/v1/sessions",
    "/v1/players/me/password",
    "/v1/players/me/friends",
    "/v1/players/me/blocks",
    "/v1/players/me/inbox",
    "/admin/v1/session",
)
"""Beginnings of the paths whose POST and DELETE take no Idempotency-Key."""
_NOWHERE = "127.0.0.1:1"
_OF_A_PAGE = "{ var(txn.origin) -m found }"
_RESOLVERS = """\
# The containers' resolver. A node that is missing, or returns with another address, is found once it is there.
resolvers containers
    parse-resolv-conf
    timeout resolve 1s
    timeout retry 1s
    hold valid 5s

"""


@dataclass(frozen=True, slots=True)
class HAProxyPlace:
    """One server of HAProxy's backends; `open` when players may be sent there."""

    name: str
    address: str
    open: bool


def place_name(number: int) -> str:
    """The name of a place, counted from 1, and of the node of `up` in it."""
    return f"node-{number}"


def node_address(settings: Settings, number: int) -> str:
    """host:port at which HAProxy reaches the node of `up` with this number."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    host = everywhere.get(settings.node.host, settings.node.host)
    return joined(host, settings.node_port(number))


def first_places(settings: Settings) -> list[HAProxyPlace]:
    """The places before any node joins or leaves. Raises ConfigFault without [haproxy]."""
    front = section(settings)
    numbers = range(1, front.places + 1)
    if not front.nodes:
        return [
            HAProxyPlace(place_name(number), node_address(settings, number), number <= settings.stack.nodes)
            for number in numbers
        ]
    named = dict(enumerate(front.nodes, 1))
    return [HAProxyPlace(place_name(number), named.get(number, _NOWHERE), number in named) for number in numbers]


def section(settings: Settings) -> HAProxySettings:
    """The section [haproxy]. Raises ConfigFault when there is none."""
    if settings.haproxy is None:
        raise ConfigFault("The settings have no section [haproxy].")
    return settings.haproxy


def render(settings: Settings, places: Sequence[HAProxyPlace]) -> str:
    """The configuration. Raises ConfigFault without [haproxy]."""
    front = section(settings)
    lookup = " resolvers containers resolve-prefer ipv4 init-addr none" if front.resolvers else ""
    values = {
        "port": str(front.port),
        "operators_port": str(front.operators_port),
        "connections": str(front.connections),
        "operators_connections": str(OPERATORS_CONNECTIONS),
        "all_connections": str(front.connections + OPERATORS_CONNECTIONS),
        "globals": "".join(f"    {line}\n" for line in _globals(settings, front)),
        "origins": _origins(settings.node.origins),
        "preflights": _preflights(settings.node.origins),
        "resolvers": _RESOLVERS if front.resolvers else "",
        "lookup": lookup,
        "players": joined(front.host, front.port) + _tls(settings.certificate),
        "operators": joined(front.operators_host, front.operators_port),
        "connection_rules": haproxy_sources.connection_rules(front, settings.limits),
        "request_rules": haproxy_sources.request_rules(front, settings.limits),
        "unless_forwarded": haproxy_sources.unless_forwarded(front),
        "without_keys": " ".join(WITHOUT_KEYS),
        "servers": "\n".join(_server(place) for place in places),
    }
    return re.sub("«([a-z_]+)»", lambda match: values[match[1]], TEMPLATE.read_text("utf-8"))


def _origins(patterns: Sequence[str]) -> str:
    """The rules by which pages of `[node] origins` read HAProxy's own answers, too."""
    if not patterns:
        return ""
    allowed = "*" if "*" in patterns else "%[req.hdr(Origin)]"
    tests = "-m found" if "*" in patterns else f"-m reg {' '.join(_quoted(expression(entry)) for entry in patterns)}"
    lines = [
        "# Pages of these origins may use the server from a browser ([node] origins).",
        f"http-request set-var-fmt(txn.origin) {allowed} if {{ req.fhdr(Origin) {tests} }}",
        f"http-after-response set-header Access-Control-Allow-Origin %[var(txn.origin)] if {_OF_A_PAGE}",
        f'http-after-response set-header Access-Control-Expose-Headers "{EXPOSED_HEADERS}" if {_OF_A_PAGE}',
    ]
    if allowed != "*":
        lines.append(f"http-after-response set-header Vary Origin if {_OF_A_PAGE} !{{ res.hdr(Vary) -m found }}")
    return "".join(f"    {line}\n" for line in lines)


def _preflights(patterns: Sequence[str]) -> str:
    """The rule by which HAProxy answers the preflights of these pages itself: they count as every request does."""
    if not patterns:
        return ""
    answer = {
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": REQUEST_HEADERS,
        "Access-Control-Max-Age": str(PREFLIGHT_SECONDS),
    }
    headers = " ".join(f'hdr {name} "{value}"' for name, value in answer.items())
    preflight = "{ method OPTIONS } { req.hdr(Access-Control-Request-Method) -m found }"
    return f"    http-request return status 204 {headers} if {_OF_A_PAGE} {preflight}\n"


def _globals(settings: Settings, front: HAProxySettings) -> list[str]:
    socket = front.socket if front.nodes else SOCKET
    lines = [f"stats socket unix@{_quoted(socket)} mode 600 level admin"] if socket else []
    return [*lines, "ssl-default-bind-options ssl-min-ver TLSv1.2"] if settings.certificate else lines


def _tls(certificate: Path | None) -> str:
    return f" ssl crt {_quoted(str(certificate))} alpn h2,http/1.1" if certificate else ""


def _server(place: HAProxyPlace) -> str:
    return f"    server {place.name} {place.address}{'' if place.open else ' disabled'}"


def _quoted(text: str) -> str:
    """The text as one word of the configuration, whatever characters it holds."""
    return '"' + re.sub(r'([\\"$])', r"\\\1", text) + '"'
