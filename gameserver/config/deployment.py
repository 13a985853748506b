"""The shape of a deployment: a node, what `gameserver up` starts, HAProxy, and which databases hold which tables."""

from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from gameserver.config.naming import Host, ServerName
from gameserver.config.networks import Network
from gameserver.config.origins import OriginPattern
from gameserver.config.ports import Address, Port
from gameserver.config.section import Seconds, SettingsSection

GROUPS = ("accounts", "players", "items")


class NodeSettings(SettingsSection):
    """A node."""

    name: ServerName | None = None
    """What operators see; the node's address if it has no name. Clients see a name, too: in `Server`, and at hello."""
    host: Host = "127.0.0.1"
    port: Port = 8080
    own_port: Port | None = None
    """A second port that only this node listens on, where several nodes share `port`: for health checks."""
    operators_listen: Literal["port"] | Address | None = None
    """host:port of /admin and /metrics, or `port`: on the players' own port, which then only a proxy may reach.

    Without it they are on `port` where [haproxy] stands in front, and else on 127.0.0.1 alone: on `own_port`, or on
    OPERATORS_PORT_ABOVE above `port`.
    """
    drain_seconds: Seconds = 10
    """How long in-flight commands and open connections get after SIGTERM."""
    notice_seconds: Annotated[float, Field(ge=0, le=300)] = 0
    """How long the node goes on serving after SIGTERM while `/ready` answers no, so that load balancers notice."""
    origins: tuple[OriginPattern, ...] = ()
    """Web origins whose pages may use HTTP and sockets, besides the server's own (docs/browsers.md)."""
    trusted_proxies: tuple[Network, ...] = ()
    """Networks of proxies whose X-Forwarded-For is trusted."""

    @property
    def address(self) -> str:
        """`host:port` on which this node can be reached alone."""
        return f"{self.host}:{self.own_port or self.port}"

    @property
    def title(self) -> str:
        """What operators see in the log and in lists of nodes."""
        return self.name or self.address


class StackSettings(SettingsSection):
    """What `gameserver up` starts, and where it keeps its data."""

    data: Path = Path("../var/local")
    nodes: int = Field(default=2, ge=1, le=64)


class HAProxySettings(SettingsSection):
    """The load balancer in front of the nodes."""

    host: Host = "127.0.0.1"
    port: Port
    """The port for players."""
    operators_host: Host = "127.0.0.1"
    operators_port: Port
    """The port for /admin, HAProxy's metrics and its statistics page: only operators may reach it."""
    nodes: tuple[Address, ...] = ()
    """Addresses of nodes that `up` doesn't start; if there are none, the nodes are those that `up` starts."""
    places: int = Field(default=8, ge=1, le=64)
    """How many nodes HAProxy can have; places beyond its first nodes are free for nodes that join."""
    certificate: Path | None = None
    """A PEM file with key and chain: players then use TLS."""
    resolvers: bool = False
    """Whether the addresses of nodes are looked up in DNS again and again, as containers need it."""
    socket: str | None = None
    """The unix socket of its runtime API, through which free places are filled; `up` makes one itself."""
    connections: int = Field(default=4000, ge=1, le=1_000_000)
    """Players' connections at a time; each takes two of the files that `ulimit -n` allows."""
    proxy_protocol_from: tuple[Network, ...] = ()
    """Networks of load balancers that begin each connection with the PROXY protocol, version 1 or 2."""
    forwarded_from: tuple[Network, ...] = ()
    """Networks of HTTP proxies in front, whose X-Forwarded-For is passed on; nodes must trust them, too."""

    @model_validator(mode="after")
    def _require_what_fits(self) -> Self:
        if self.port == self.operators_port:
            raise ValueError(f"`port` and `operators_port` are both {self.port}")
        if len(self.nodes) > self.places:
            raise ValueError(f"`nodes` has {len(self.nodes)} addresses for {self.places} `places`")
        if len(set(self.nodes)) < len(self.nodes):
            raise ValueError("`nodes` names an address twice")
        return self


class ControlSettings(SettingsSection):
    """The database that holds the slot map."""

    database: str
    passfile: Path | None = None
    """libpq's password file, for databases whose URL has no password; without it PGPASSFILE or ~/.pgpass."""


class GroupSettings(SettingsSection):
    """A table group, and the databases that its slots are spread over when the deployment is set up.

    `items` has as many slots as `players`, and lives where they do unless it is given databases.
    """

    databases: tuple[str, ...] = Field(min_length=1)
    slots: int = Field(default=1024, ge=1, le=4096)
