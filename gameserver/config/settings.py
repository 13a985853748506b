"""All settings: one TOML file, overridden by the environment.

A variable `GAMESERVER_NODE__PORT=8081` overrides `[node] port`; one with `__` that names no section is a fault. Paths
in a file are relative to that file. Every fault is reported at once, each with its path. Keys and URLs are `SecretStr`:
no text, log line or error shows them.
"""

import base64
import hmac
import os
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, PrivateAttr, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from gameserver.config import consistency, environment, ports
from gameserver.config.backups import BackupSettings
from gameserver.config.deployment import (
    ControlSettings,
    GroupSettings,
    HAProxySettings,
    NodeSettings,
    StackSettings,
)
from gameserver.config.errors import ConfigFault
from gameserver.config.files import read_toml, require_readable, secret
from gameserver.config.limits import LimitSettings
from gameserver.config.naming import ServerName, member_name, replica_name
from gameserver.config.redis_url import RedisAccess
from gameserver.config.sections import (
    AccountSettings,
    AdminSettings,
    BackendSettings,
    ConsoleSettings,
    FriendSettings,
    LedgerSettings,
    MailSettings,
    NameSettings,
    OperatorSettings,
    PasswordSettings,
    ReadSettings,
    SessionSettings,
    SocketSettings,
    WriteSettings,
)
from gameserver.config.servers import DatabaseSettings, EtcdSettings, RedisSettings, ServerSettings
from gameserver.config.tracing import TracingSettings

REDIS_MASTER = "gameserver"
"""The name of the master that Sentinels of `up` watch."""

STACK_KEY = "operator"
"""The name of the key that `gameserver up` makes."""


class Settings(BaseSettings):
    """Every section, and what follows from several of them."""

    model_config = SettingsConfigDict(
        env_prefix=environment.PREFIX,
        env_nested_delimiter=environment.DELIMITER,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    game: Path = Path("game.toml")
    log: Literal["debug", "info", "warning", "error"] = "info"
    stack: StackSettings = StackSettings()
    node: NodeSettings = NodeSettings()
    haproxy: HAProxySettings | None = None
    databases: dict[ServerName, DatabaseSettings] = Field(min_length=1)
    redis: RedisSettings
    etcd: EtcdSettings | None = None
    control: ControlSettings
    groups: dict[str, GroupSettings]
    writes: WriteSettings = WriteSettings()
    reads: ReadSettings = ReadSettings()
    sessions: SessionSettings = SessionSettings()
    friends: FriendSettings = FriendSettings()
    sockets: SocketSettings = SocketSettings()
    ledger: LedgerSettings = LedgerSettings()
    accounts: AccountSettings = AccountSettings()
    names: NameSettings = NameSettings()
    passwords: PasswordSettings = PasswordSettings()
    mail: MailSettings = MailSettings()
    admin: AdminSettings = AdminSettings()
    console: ConsoleSettings = ConsoleSettings()
    operators: OperatorSettings = OperatorSettings()
    backend: BackendSettings = BackendSettings()
    limits: LimitSettings = LimitSettings()
    tracing: TracingSettings = TracingSettings()
    backups: BackupSettings | None = None
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
        """The environment first, then the values of the file."""
        return environment.EnvironmentVariables(settings_cls), init_settings

    @model_validator(mode="after")
    def _require_what_fits(self) -> Self:
        faults = consistency.unknown_databases(self.control.database, self.groups, self.databases)
        faults += consistency.unknown_groups(self.groups)
        self.groups.update(consistency.items_group(self.groups))
        faults += consistency.items_slots(self.groups)
        faults += consistency.operators_faults(self.haproxy, self.node)
        faults += consistency.server_names(self.databases)
        faults += consistency.missing_etcd(self.databases, self.etcd)
        faults += consistency.node_faults(self.haproxy, self.stack.nodes, self.node.port)
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def node_port(self, number: int) -> int:
        """The port that only the node of `up` with this number, from 1, listens on."""
        return ports.node_port(self.node.port, number)

    def operators_listen(self, number: int = 1) -> str:
        """host:port of the operators' doors of a node, or `port` for the players' port.

        `number` counts the nodes of `up` from 1: each listens one port above the one before.
        """
        node = self.node
        if node.operators_listen is not None and node.operators_listen != "port":
            host, port = ports.address(node.operators_listen)
            return ports.joined(host, port + number - 1)
        if node.operators_listen is None and self.haproxy is None:
            return ports.joined("127.0.0.1", node.own_port or ports.operators_port(node.port))
        return "port"

    @property
    def certificate(self) -> Path | None:
        """HAProxy's certificate."""
        path = self.haproxy.certificate if self.haproxy is not None else None
        return None if path is None else self._absolute(path)

    @property
    def data(self) -> Path:
        """The folder of the embedded servers' data."""
        return self._absolute(self.stack.data)

    @property
    def backup_folder(self) -> Path | None:
        """The folder of the databases' backups; None if there are to be none."""
        return None if self.backups is None else self._absolute(self.backups.folder)

    @property
    def admin_key_file(self) -> Path:
        """The file with the embedded stack's own admin key."""
        return self.data / "admin.key"

    @property
    def game_file(self) -> Path:
        """The game's game.toml."""
        return self._absolute(self.game)

    def game_mapping(self) -> dict[str, Any]:
        """The content of game.toml. Raises ConfigFault."""
        return read_toml(self.game_file)

    def database_url(self, name: str) -> SecretStr:
        """postgresql://… of a database. Raises ConfigFault for a password that can't be read or made."""
        database = self.databases[name]
        if database.url is not None:
            return database.url
        password = self.server_password(name, "gameserver")
        if database.members:
            hosts = ",".join(f"127.0.0.1:{member.port}" for member in database.members)
            return SecretStr(f"postgresql://gameserver:{password.get_secret_value()}@{hosts}/gameserver")
        return _embedded_url("postgresql://gameserver:{}@127.0.0.1:{}/gameserver", password, database)

    def replica_urls(self, name: str) -> dict[str, SecretStr]:
        """postgresql://… of what may follow a database, by its name: replicas, and every member of one that fails over.

        Raises ConfigFault as `database_url` does.
        """
        if members := self.databases[name].members:
            own = self.server_password(name, "gameserver").get_secret_value()
            urls = (f"postgresql://gameserver:{own}@127.0.0.1:{member.port}/gameserver" for member in members)
            return {member_name(name, number): SecretStr(url) for number, url in enumerate(urls, 1)}
        replicas = self.databases[name].replicas
        password = self.server_password(name, "gameserver") if any(replica.embedded for replica in replicas) else None
        return {
            replica_name(name, number): replica.url
            or _embedded_url("postgresql://gameserver:{}@127.0.0.1:{}/gameserver", password or SecretStr(""), replica)
            for number, replica in enumerate(replicas, 1)
        }

    def patroni_urls(self, database: str) -> list[str]:
        """The REST APIs of the Patronis that run a database; none of one that the settings don't name."""
        known = self.databases.get(database)
        if known is None:
            return []
        return [*known.patroni, *(f"http://127.0.0.1:{member.api_port}" for member in known.members)]

    def allows_unsafe(self, database: str) -> bool:
        """Whether nodes may use a database that can lose what it had; never one that the settings don't name."""
        return database in self.databases and self.databases[database].allow_unsafe

    def requires_standby(self, database: str) -> bool:
        """Whether nodes refuse a database whose commits wait for no standby."""
        known = self.databases.get(database)
        return known is not None and (known.synchronous or bool(known.members))

    def redis_url(self) -> SecretStr:
        """redis://… or one of its kinds. Raises ConfigFault for a password that can't be read or made."""
        if self.redis.url is not None:
            return self.redis.url
        if self.redis.sentinels is not None:
            password = self.server_password("redis", "default").get_secret_value()
            hosts = ",".join(f"127.0.0.1:{port}" for port in self.redis.sentinels.ports)
            return SecretStr(f"redis+sentinel://:{password}@{hosts}/{REDIS_MASTER}")
        return _embedded_url("redis://:{}@127.0.0.1:{}/0", self.server_password("redis", "default"), self.redis)

    def redis_access(self) -> RedisAccess:
        """The files and credentials besides the URL. Raises ConfigFault for a file that can't be read."""
        redis = self.redis
        files = {name: getattr(redis, name) for name in ("ca", "certificate", "key")}
        return RedisAccess(
            **{
                name: None if path is None else require_readable(f"redis.{name}", self._absolute(path))
                for name, path in files.items()
            },
            sentinel_username=redis.sentinel_username,
            sentinel_password=self.server_password("redis", "sentinel")
            if redis.sentinels is not None
            else redis.sentinel_password,
        )

    @property
    def passfile(self) -> Path | None:
        """The password file of the databases."""
        return None if self.control.passfile is None else self._absolute(self.control.passfile)

    def server_secret(self) -> SecretStr:
        """What the passwords of the embedded servers are made of; it was itself the password of all of them once."""
        return secret(self.data / "servers.key")

    def server_password(self, server: str, role: str) -> SecretStr:
        """The password of one role of an embedded server: who learns it knows no other one."""
        key = self.server_secret().get_secret_value().encode()
        digest = hmac.digest(key, f"{server}/{role}".encode(), "sha256")
        return SecretStr(base64.urlsafe_b64encode(digest).decode().rstrip("="))

    def admin_keys(self) -> dict[str, SecretStr]:
        """Keys by name: those of the settings, and the embedded stack's own, which is made when it is missing."""
        return {**({STACK_KEY: secret(self.admin_key_file)} if self._is_embedded() else {}), **self.admin.keys}

    def admin_key_names(self) -> list[str]:
        """Of `admin_keys`; nothing is read or made."""
        return [*dict.fromkeys([*([STACK_KEY] if self._is_embedded() else []), *self.admin.keys])]

    def _is_embedded(self) -> bool:
        started = any(database.embedded or database.members for database in self.databases.values())
        return bool(started or self.redis.embedded or self.redis.sentinels)

    def _absolute(self, path: Path) -> Path:
        return (self._folder / path).resolve()


def _embedded_url(form: str, password: SecretStr, server: ServerSettings) -> SecretStr:
    assert server.embedded is not None
    return SecretStr(form.format(password.get_secret_value(), server.embedded.port))


def load(path: Path) -> Settings:
    """Settings from `path`, overridden by the environment. Raises ConfigFault."""
    sections = Settings.model_fields.keys() - {"game", "log"}
    mapping, faults = read_toml(path), environment.unknown(os.environ, sections)
    try:
        settings = Settings(**mapping)
    except ValidationError as error:
        faults += map(environment.fault, error.errors())
    if faults:
        raise ConfigFault("\n".join([f"{path} can't be used:", *(f"  {fault}" for fault in faults)]))
    settings._folder = path.resolve().parent
    return settings
