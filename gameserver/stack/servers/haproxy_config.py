"""HAProxy's configuration, made from the settings and from who holds which of its places (template: haproxy.cfg).

A place is a server of both backends, `node-1` to `node-N`. The free ones stand there disabled, so that a node can take
one through the runtime API while players play.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from gameserver.config.deployment import HAProxySettings
from gameserver.config.errors import ConfigFault
from gameserver.config.settings import Settings

TEMPLATE = Path(__file__).with_name("haproxy.cfg")
SOCKET = "haproxy.sock"
"""The runtime API of the HAProxy that `up` runs, in the folder where it is started."""
_NOWHERE = "127.0.0.1:1"
_RESOLVERS = """\
# The containers' own resolver. A node that isn't there, or comes back at another address, is found when it is.
resolvers containers
    parse-resolv-conf
    timeout resolve 1s
    timeout retry 1s
    hold valid 5s

"""


@dataclass(frozen=True, slots=True)
class HAProxyPlace:
    """One server of HAProxy's backends; `open` when players are sent there."""

    name: str
    address: str
    open: bool


def place_name(number: int) -> str:
    """The name of a place, from 1, and of the node of `up` that has it."""
    return f"node-{number}"


def node_address(settings: Settings, number: int) -> str:
    """host:port by which HAProxy reaches the node of `up` with this number."""
    everywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}
    host = everywhere.get(settings.node.host, settings.node.host)
    return joined(host, settings.node_port(number))


def joined(host: str, port: int) -> str:
    """host:port, an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def first_places(settings: Settings) -> list[HAProxyPlace]:
    """The places as they are before any node joins or leaves. Raises ConfigFault without [haproxy]."""
    front = section(settings)
    numbers = range(1, front.places + 1)
    if not front.nodes:
        return [
            HAProxyPlace(place_name(each), node_address(settings, each), each <= settings.stack.nodes)
            for each in numbers
        ]
    named = dict(enumerate(front.nodes, 1))
    return [HAProxyPlace(place_name(each), named.get(each, _NOWHERE), each in named) for each in numbers]


def section(settings: Settings) -> HAProxySettings:
    """The section [haproxy]. Raises ConfigFault when there is none."""
    if settings.haproxy is None:
        raise ConfigFault("The settings have no section [haproxy].")
    return settings.haproxy


def render(settings: Settings, places: Sequence[HAProxyPlace]) -> str:
    """The configuration. Raises ConfigFault without [haproxy]."""
    front = section(settings)
    found = " resolvers containers resolve-prefer ipv4 init-addr none" if front.resolvers else ""
    values = {
        "port": str(front.port),
        "operators_port": str(front.operators_port),
        "connections": str(front.connections),
        "globals": "".join(f"    {line}\n" for line in _globals(settings, front)),
        "resolvers": _RESOLVERS if front.resolvers else "",
        "found_by": found,
        "players": joined(front.host, front.port) + _tls(settings.certificate),
        "operators": joined(front.operators_host, front.operators_port),
        "servers": "\n".join(_server(each) for each in places),
    }
    return re.sub("«([a-z_]+)»", lambda found: values[found[1]], TEMPLATE.read_text("utf-8"))


def _globals(settings: Settings, front: HAProxySettings) -> list[str]:
    socket = front.socket if front.nodes else SOCKET
    lines = [f"stats socket unix@{_quoted(socket)} mode 600 level admin"] if socket else []
    return [*lines, "ssl-default-bind-options ssl-min-ver TLSv1.2"] if settings.certificate else lines


def _tls(certificate: Path | None) -> str:
    return f" ssl crt {_quoted(str(certificate))} alpn h2,http/1.1" if certificate else ""


def _server(place: HAProxyPlace) -> str:
    return f"    server {place.name} {place.address}{'' if place.open else ' disabled'}"


def _quoted(text: str) -> str:
    """One word of the configuration, whatever it holds."""
    return '"' + re.sub(r'([\\"$])', r"\\\1", text) + '"'
