"""Where the databases and Redis are: at a URL, or embedded, which means that `gameserver up` starts them.

An embedded server is described by its port alone. Its password lies in a file beside its data that only the owner
may read.
"""

import re
from pathlib import Path
from typing import Self

from pydantic import Field, SecretStr, field_validator, model_validator

from gameserver.config import postgres_url, redis_url
from gameserver.config.ports import Port
from gameserver.config.section import SettingsSection

_PATRONI = re.compile(r"https?://([A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?/?")


class EmbeddedSettings(SettingsSection):
    """A server that `gameserver up` starts on this machine."""

    port: Port


class ServerSettings(SettingsSection):
    """A server at a URL, or an embedded one."""

    url: SecretStr | None = None
    embedded: EmbeddedSettings | None = None

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if (self.url is None) == (self.embedded is None):
            raise ValueError("give either `url` or `embedded = { port = … }`")
        return self


class PostgresSettings(ServerSettings):
    """A Postgres server, or several at a URL with several addresses: whichever is the primary counts."""

    @field_validator("url")
    @classmethod
    def _require_postgres_url(cls, url: SecretStr | None) -> SecretStr | None:
        return postgres_url.require(url)


class ReplicaSettings(PostgresSettings):
    """A Postgres server that follows a database by streaming replication: only reads go there."""


class MemberSettings(SettingsSection):
    """One Postgres of a database that fails over, with its Patroni; both listen on 127.0.0.1."""

    port: Port
    api_port: Port
    """Of Patroni's REST API."""


class EtcdMemberSettings(SettingsSection):
    """One etcd, on 127.0.0.1."""

    port: Port
    peer_port: Port
    """For the other members."""


class EtcdSettings(SettingsSection):
    """The store by which Patroni elects primaries; a majority of its members has to run."""

    members: tuple[EtcdMemberSettings, ...] = Field(min_length=1, max_length=7)


class SentinelSettings(SettingsSection):
    """A Valkey with replicas and the Sentinels that make one of them the master, all on 127.0.0.1."""

    servers: tuple[Port, ...] = Field(min_length=2, max_length=8)
    """Of the Valkeys; the first is the master at first."""
    ports: tuple[Port, ...] = Field(min_length=3, max_length=9)
    """Of the Sentinels, a majority of which has to run."""


class DatabaseSettings(PostgresSettings):
    """A Postgres server, or several of which one is the primary."""

    members: tuple[MemberSettings, ...] = Field(default=(), max_length=8)
    """Instead of `url` and `embedded`: servers that `up` runs under Patroni (docs/failover.md)."""
    patroni: tuple[str, ...] = Field(default=(), max_length=8)
    """http://host:port of the REST APIs of the Patronis that run a database at a `url`: what they would do to
    replication slots is asked there (docs/postgres.md)."""
    allow_unsafe: bool = False
    """Whether nodes may use it though `fsync` or `full_page_writes` is off there, so that it may lose what it had."""
    replicas: tuple[ReplicaSettings, ...] = ()
    """Its replicas; `up` makes and starts the embedded ones (docs/replication.md)."""
    synchronous: bool = False
    """Whether a commit is acknowledged only when a replica has it on disk, too.

    `up` sets an embedded database up so; one at a `url` is refused while its server's commits wait for no standby.
    """

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if [self.url is not None, self.embedded is not None, bool(self.members)].count(True) != 1:
            raise ValueError("give either `url` or `embedded = { port = … }`, or `members`")
        if len(self.members) == 1:
            raise ValueError("`members` needs two or more: a primary and a standby")
        return self

    @field_validator("patroni")
    @classmethod
    def _require_addresses(cls, urls: tuple[str, ...]) -> tuple[str, ...]:
        if wrong := [number for number, url in enumerate(urls, 1) if not _PATRONI.fullmatch(url)]:
            raise ValueError(f"its address {wrong[0]} isn't http://host:port or https://host:port")
        return urls

    @model_validator(mode="after")
    def _require_a_url_for_patroni(self) -> Self:
        if self.patroni and self.url is None:
            raise ValueError("`patroni` is for a database at a `url`")
        return self

    @model_validator(mode="after")
    def _require_what_fits_the_replicas(self) -> Self:
        embedded = [replica for replica in self.replicas if replica.embedded]
        if embedded and not self.embedded:
            raise ValueError("a database at a `url` has its replicas at a `url`, too")
        if self.synchronous and self.embedded and not embedded:
            raise ValueError("`synchronous` needs an embedded replica")
        return self


class RedisSettings(ServerSettings):
    """Redis or Valkey, for sessions and boards (docs/redis.md)."""

    ca: Path | None = None
    """A PEM file with the authorities that may sign the server's certificate; without it, those of the machine."""
    certificate: Path | None = None
    """A PEM file with this client's certificate, if the server requires one."""
    key: Path | None = None
    """The PEM file with the key of `certificate`."""
    sentinels: SentinelSettings | None = None
    """Instead of `url` and `embedded`: servers and Sentinels that `up` runs (docs/failover.md)."""
    sentinel_username: str | None = None
    sentinel_password: SecretStr | None = None
    """The credentials of the Sentinels, if they require any; the URL has those of the master."""

    @model_validator(mode="after")
    def _require_one(self) -> Self:
        if [self.url is not None, self.embedded is not None, self.sentinels is not None].count(True) != 1:
            raise ValueError("give either `url` or `embedded = { port = … }`, or `sentinels`")
        return self

    @field_validator("url")
    @classmethod
    def _require_redis_url(cls, url: SecretStr | None) -> SecretStr | None:
        if url is not None:
            redis_url.parse(url)
        return url

    @model_validator(mode="after")
    def _require_what_fits_the_url(self) -> Self:
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
