"""Ports and `host:port` addresses, and which ports the nodes of one machine use."""

import re
from collections.abc import Mapping
from typing import Annotated

from pydantic import AfterValidator, Field

LAST_PORT = 65535
OPERATORS_PORT_ABOVE = 1000
Port = Annotated[int, Field(ge=1, le=LAST_PORT)]
_ADDRESS = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):([0-9]{1,5})")


def address(text: str) -> tuple[str, int]:
    """Host (IPv6 without its brackets) and port of `host:port`. Raises ValueError."""
    match = _ADDRESS.fullmatch(text)
    if match is None or not 1 <= int(match[2]) <= LAST_PORT:
        raise ValueError(f"{text!r} isn't an address: write host:port")
    return match[1].strip("[]"), int(match[2])


def _require_address(text: str) -> str:
    address(text)
    return text


Address = Annotated[str, AfterValidator(_require_address)]
"""`host:port`, kept as text."""


def joined(host: str, port: int) -> str:
    """host:port, an IPv6 host in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def node_port(base: int, number: int) -> int:
    """The port that only the node with this number, from 1, listens on; `base` is `[node] port`."""
    return base + number


def operators_port(base: int) -> int:
    """The port for operators of a node that has no port of its own; `base` is `[node] port`."""
    return base + OPERATORS_PORT_ABOVE if base + OPERATORS_PORT_ABOVE <= LAST_PORT else base - OPERATORS_PORT_ABOVE


def conflicts(base: int, places: int, used: Mapping[str, int]) -> list[str]:
    """What is wrong with the ports of `places` nodes above `base`; `used` are other ports by their setting."""
    first, last = node_port(base, 1), node_port(base, places)
    faults = [f"node.port leaves no ports for the {places} of haproxy.places above it"] if last > LAST_PORT else []
    faults += [
        f"{setting} is {port}, which is a node's port: nodes use node.port + 1 to {last}"
        for setting, port in used.items()
        if first <= port <= last
    ]
    return faults
