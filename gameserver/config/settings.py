"""Typed settings from one TOML file and the environment; every fault is named at once, by its path.

A variable `GAMESERVER_NODE__PORT=8081` overrides `[node] port`. Paths in a file are relative to that file.
An embedded server is described by its port alone: its password lies beside its data, in a file that only its
owner may read, and is made by whoever asks for it first.
"""

import os
import re
import secrets
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    ConfigDict,
    Field,
    IPvAnyNetwork,
    PrivateAttr,
    StringConstraints,
    ValidationError,
    ValidationInfo,
    field_validator,
    model_validator,
)
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gameserver.config import redis_url
from gameserver.config.redis_url import Access

Port = Annotated[int, Field(ge=1, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=3600)]
Rate = Annotated[float, Field(gt=0, le=1_000_000, allow_inf_nan=False)]
BackendKey = Annotated[str, StringConstraints(min_length=32, max_length=1024, pattern=r"^[!-~]*$")]
DAY = 86_400
GROUPS = ("accounts", "players", "items")
_ADDRESS = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\]):([0-9]{1,5})")


class ConfigFault(Exception):
    """The configuration can't be used; the text names every fault, one a line."""


def address(text: str) -> tuple[str, int]:
    """Host (of IPv6 without its brackets) and port of `host:port`. Raises ValueError."""
    found = _ADDRESS.fullmatch(text)
    if found is None or not 1 <= int(found[2]) <= 65535:
        raise ValueError(f"{text!r} isn't an address: it takes host:port")
    return found[1].strip("[]"), int(found[2])


def _checked_address(text: str) -> str:
    address(text)
    return text


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Embedded(_Section):
    """A server that `gameserver up` starts on this machine."""

    port: Port


class _Server(_Section):
    url: str | None = None
    embedded: Embedded | None = None

    @model_validator(mode="after")
    def _one_of_both(self) -> Self:
        if (self.url is None) == (self.embedded is None):
            raise ValueError("give either `url` or `embedded = { port = … }`")
        return self


class Database(_Server):
    """A Postgres instance of its own."""


class Redis(_Server):
    """Redis or Valkey, for sessions and boards (docs/redis.md)."""

    ca: Path | None = None
    """A PEM file with the authorities that a TLS server's certificate is checked by; the machine's own without it."""
    certificate: Path | None = None
    """A PEM file with this client's certificate, where the server asks for one."""
    key: Path | None = None
    sentinel_username: str | None = None
    sentinel_password: str | None = None
    """Of the Sentinels, where these ask for it; the URL has the master's."""

    @field_validator("url")
    @classmethod
    def _parses(cls, url: str | None) -> str | None:
        if url is not None:
            redis_url.parse(url)
        return url

    @model_validator(mode="after")
    def _fits(self) -> Self:
        url = redis_url.parse(self.url) if self.url is not None else None
        if not (url is not None and url.tls) and (self.ca or self.certificate or self.key):
            raise ValueError(
                "`ca`, `certificate` and `key` are for TLS: rediss://, rediss+sentinel://, rediss+cluster://"
            )
        if (self.certificate is None) != (self.key is None):
            raise ValueError("`certificate` and `key` go together")
        if not (url is not None and url.kind == "sentinel") and (self.sentinel_username or self.sentinel_password):
            raise ValueError("`sentinel_username` and `sentinel_password` are for redis+sentinel://")
        return self


class Node(_Section):
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")] | None = None
    """What operators see; its address if there is none."""
    host: str = "127.0.0.1"
    port: Port = 8080
    own_port: Port | None = None
    """A second port that only this node listens on, where several share `port`: for health checks and metrics."""
    drain_seconds: Seconds = 10
    """How long in-flight commands and open connections get after SIGTERM."""
    notice_seconds: Annotated[float, Field(ge=0, le=300)] = 0
    """How long a node that was told to stop goes on serving while `/ready` is off, so that whoever asks it notices."""
    origins: tuple[str, ...] = ()
    """Web origins that may open a socket, besides the server's own."""
    trusted_proxies: tuple[IPvAnyNetwork, ...] = ()
    """Networks of proxies whose X-Forwarded-For is believed."""


class Stack(_Section):
    """What `gameserver up` starts, and where it keeps its data."""

    data: Path = Path("../var/local")
    nodes: int = Field(default=2, ge=1, le=64)


class HAProxy(_Section):
    """What stands before the nodes."""

    host: str = "127.0.0.1"
    port: Port
    """The players' door."""
    operators_host: str = "127.0.0.1"
    operators_port: Port
    """The door of /admin, of HAProxy's metrics and of its page: only operators may reach it."""
    nodes: tuple[Annotated[str, AfterValidator(_checked_address)], ...] = ()
    """Addresses of nodes that `up` doesn't start; without any the nodes are those of `up`."""
    places: int = Field(default=8, ge=1, le=64)
    """How many nodes it can have; those beyond the ones that it begins with are free for nodes that join."""
    certificate: Path | None = None
    """A PEM file with key and chain: players then speak TLS."""
    resolvers: bool = False
    """Whether nodes are found by DNS, again and again, as containers need it."""
    socket: str | None = None
    """The unix socket of its runtime API, by which free places are filled; `up` has one of its own."""
    connections: int = Field(default=4000, ge=1, le=1_000_000)
    """Players' connections at a time; each takes two files of what `ulimit -n` allows."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.port == self.operators_port:
            raise ValueError(f"`port` and `operators_port` are both {self.port}")
        if len(self.nodes) > self.places:
            raise ValueError(f"`nodes` has {len(self.nodes)} for {self.places} `places`")
        if len(set(self.nodes)) < len(self.nodes):
            raise ValueError("`nodes` names an address twice")
        return self


class Control(_Section):
    """Where the slot map is kept."""

    database: str


class Group(_Section):
    """A table group and the databases that its slots are spread over when it is set up.

    `items` has as many slots as `players`, and lives where they do unless it is given databases.
    """

    databases: tuple[str, ...] = Field(min_length=1)
    slots: int = Field(default=1024, ge=1, le=4096)


class Writes(_Section):
    """Group commit, per node and database."""

    batch: int = Field(default=256, ge=1, le=2000)
    """Players in one transaction, at the most."""
    in_flight: int = Field(default=2, ge=1, le=8)
    """Transactions at a time."""
    queue: int = Field(default=8192, ge=1)
    """Commands waiting, at the most; one more is refused as overloaded."""
    deadline_seconds: Seconds = 5
    """How long a command may wait for its commit."""
    transaction_seconds: Seconds = 2
    """After which the server takes the locks from a node that froze."""


class SessionSettings(_Section):
    idle_seconds: Annotated[int, Field(ge=60)] = 30 * 86400
    """A session that isn't used for so long ends."""
    longest_seconds: Annotated[int, Field(ge=60)] = 180 * 86400
    """However much it is used, a session ends after this."""
    per_player: int = Field(default=20, ge=1, le=1000)
    """The oldest goes when one more is opened."""


class FriendSettings(_Section):
    per_player: int = Field(default=200, ge=1, le=1000)
    """Friends that a player may have, at the most."""


class SocketSettings(_Section):
    per_player: int = Field(default=8, ge=1, le=1000)
    """Sockets of one player on one node; one more closes his oldest."""


class Ledger(_Section):
    window_back_seconds: Annotated[int, Field(ge=60)] = 48 * 3600
    window_ahead_seconds: Annotated[int, Field(ge=1)] = 300


class Accounts(_Section):
    deleted_names: Literal["free", "blocked"] = "free"
    """Whether somebody else may have the name of a player who was deleted."""


class Mail(_Section):
    keep_seconds: Annotated[int, Field(ge=3600)] = 30 * DAY
    """How long a letter lies in an inbox."""


class Admin(_Section):
    keys: Mapping[str, str] = Field(default_factory=dict)
    """Key by the name that the audit log shows, besides the one of the embedded stack."""


class Backends(_Section):
    keys: Mapping[str, BackendKey] = Field(default_factory=dict)
    """Key by the name of the back end; who shows one is never limited."""


class PerMinute(_Section):
    """So many at once, and then so many a minute."""

    per_minute: Rate
    burst: int = Field(ge=1, le=1_000_000)

    @property
    def interval(self) -> float:
        """Seconds from one to the next."""
        return 60 / self.per_minute

    @field_validator("burst")
    @classmethod
    def _recovers(cls, burst: int, info: ValidationInfo) -> int:
        return _within_a_day(burst, info.data.get("per_minute", burst) / 60)


class PerSecond(_Section):
    """So many at once, and then so many a second."""

    per_second: Rate
    burst: int = Field(ge=1, le=1_000_000)

    @property
    def interval(self) -> float:
        """Seconds from one to the next."""
        return 1 / self.per_second

    @field_validator("burst")
    @classmethod
    def _recovers(cls, burst: int, info: ValidationInfo) -> int:
        return _within_a_day(burst, info.data.get("per_second", burst))


def _within_a_day(burst: int, per_second: float) -> int:
    if burst > per_second * DAY:
        raise ValueError("a burst must come back within a day")
    return burst


class Limits(_Section):
    """How often a client may do what (docs/limits.md)."""

    sign_ups_per_address: PerMinute = PerMinute(per_minute=10, burst=20)
    sign_ins_per_address: PerMinute = PerMinute(per_minute=30, burst=30)
    sign_ins_per_name: PerMinute = PerMinute(per_minute=10, burst=10)
    password_changes_per_player: PerMinute = PerMinute(per_minute=2, burst=5)
    actions_per_player: PerSecond = PerSecond(per_second=500, burst=1000)
    """On each node."""
    frames_per_socket: PerSecond = PerSecond(per_second=1000, burst=4000)
    exempt: tuple[IPvAnyNetwork, ...] = ()
    """Networks whose clients aren't limited in sign-up and sign-in."""


class Settings(BaseSettings):
    model_config = SettingsConfigDict(env_prefix="GAMESERVER_", env_nested_delimiter="__", extra="forbid", frozen=True)

    game: Path = Path("game.toml")
    log: Literal["debug", "info", "warning", "error"] = "info"
    stack: Stack = Stack()
    node: Node = Node()
    haproxy: HAProxy | None = None
    databases: dict[str, Database] = Field(min_length=1)
    redis: Redis
    control: Control
    groups: dict[str, Group]
    writes: Writes = Writes()
    sessions: SessionSettings = SessionSettings()
    friends: FriendSettings = FriendSettings()
    sockets: SocketSettings = SocketSettings()
    ledger: Ledger = Ledger()
    accounts: Accounts = Accounts()
    mail: Mail = Mail()
    admin: Admin = Admin()
    backend: Backends = Backends()
    limits: Limits = Limits()
    _folder: Path = PrivateAttr(default=Path())

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return env_settings, init_settings

    @model_validator(mode="after")
    def _names_exist(self) -> Self:
        named = {("control", self.control.database)}
        named |= {(f"groups.{name}", database) for name, group in self.groups.items() for database in group.databases}
        faults = [f"{where} names the database {name!r}, which `databases` has not" for where, name in sorted(named)
                  if name not in self.databases]  # fmt: skip
        faults += [f"groups.{name} is missing" for name in GROUPS if name not in self.groups and name != "items"]
        faults += [f"groups.{name}: there is no such group" for name in self.groups if name not in GROUPS]
        faults += self._place_items() + self._front_faults()
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _place_items(self) -> list[str]:
        """Items live where players do unless they are placed; their slots are the players' own."""
        players, items = self.groups.get("players"), self.groups.get("items")
        if players is None:
            return []
        given = items or players
        slots = given.slots if "slots" in given.model_fields_set else players.slots
        self.groups["items"] = Group(databases=given.databases, slots=slots)
        if slots == players.slots:
            return []
        return [f"groups.items.slots is {slots}, groups.players has {players.slots}: an item's slot is its player's"]

    def _front_faults(self) -> list[str]:
        """What keeps the nodes of `up` from their places behind HAProxy."""
        front = self.haproxy
        if front is None or front.nodes:
            return []
        faults = []
        if self.stack.nodes > front.places:
            faults.append(f"stack.nodes is {self.stack.nodes}, and haproxy.places only {front.places}")
        last = self.node.port + front.places
        if last > 65535:
            faults.append(f"node.port leaves no ports for the {front.places} of haproxy.places above it")
        taken = {"haproxy.port": front.port, "haproxy.operators_port": front.operators_port}
        faults += [f"{name} is {port}, which is a node's: they have node.port + 1 to {last}"
                   for name, port in taken.items() if self.node.port < port <= last]  # fmt: skip
        return faults

    def node_port(self, number: int) -> int:
        """Where the node of `up` with this number, from 1, listens alone."""
        return self.node.port + number

    @property
    def certificate(self) -> Path | None:
        """HAProxy's certificate."""
        given = self.haproxy.certificate if self.haproxy is not None else None
        return None if given is None else (self._folder / given).resolve()

    @property
    def data(self) -> Path:
        """The folder of the embedded servers' data."""
        return (self._folder / self.stack.data).resolve()

    @property
    def admin_key_file(self) -> Path:
        return self.data / "admin.key"

    def game_mapping(self) -> dict[str, Any]:
        """The game's rules as TOML gave them. Raises ConfigFault."""
        return read_toml(self._folder / self.game)

    def database_url(self, name: str) -> str:
        """postgresql://… of a database. Raises ConfigFault for a password that can't be read or made."""
        database = self.databases[name]
        if database.embedded is None:
            return str(database.url)
        return f"postgresql://gameserver:{self.server_password()}@127.0.0.1:{database.embedded.port}/gameserver"

    def redis_url(self) -> str:
        if self.redis.embedded is None:
            return str(self.redis.url)
        return f"redis://:{self.server_password()}@127.0.0.1:{self.redis.embedded.port}/0"

    def redis_access(self) -> Access:
        """The files and credentials besides the URL. Raises ConfigFault for a file that can't be read."""
        given = self.redis
        files = {name: self._readable(f"redis.{name}", getattr(given, name)) for name in ("ca", "certificate", "key")}
        return Access(**files, sentinel_username=given.sentinel_username, sentinel_password=given.sentinel_password)

    def _readable(self, name: str, path: Path | None) -> Path | None:
        if path is None:
            return None
        whole = (self._folder / path).resolve()
        if not os.access(whole, os.R_OK) or whole.is_dir():
            raise ConfigFault(f"{name}: the file {whole} can't be read")
        return whole

    def server_password(self) -> str:
        """The password of the embedded servers."""
        return secret(self.data / "servers.key")

    def admin_keys(self) -> dict[str, str]:
        """Key by name: those of the settings, and the embedded stack's own, which is made when it is missing."""
        embedded = any(server.embedded for server in (*self.databases.values(), self.redis))
        return {**({"operator": secret(self.admin_key_file)} if embedded else {}), **self.admin.keys}


def load(path: Path) -> Settings:
    """Settings from `path`, overridden by the environment. Raises ConfigFault."""
    mapping = read_toml(path)
    try:
        settings = Settings(**mapping)
    except ValidationError as error:
        faults = [f"  {'.'.join(map(str, e['loc'])) or 'settings'}: {e['msg']}" for e in error.errors()]
        raise ConfigFault("\n".join([f"{path} can't be used:", *faults])) from None
    settings._folder = path.resolve().parent
    return settings


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's content. Raises ConfigFault."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigFault(f"{path} can't be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise ConfigFault(f"{path} isn't TOML: {error}") from None


def secret(path: Path) -> str:
    """The secret in a file that only its owner reads; a new one when there is none. Raises ConfigFault.

    Made beside and linked into place, so that two processes that ask at the same time get the same one.
    """
    try:
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            mine = path.with_name(f"{path.name}.{os.getpid()}")
            mine.touch(mode=0o600)
            mine.write_text(secrets.token_urlsafe(32))
            try:
                os.link(mine, path)
            except FileExistsError:
                pass
            finally:
                mine.unlink()
        return path.read_text().strip()
    except OSError as error:
        raise ConfigFault(f"the secret in {path} can't be read or made: {error}") from None
