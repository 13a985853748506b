"""Where the databases and Redis are: at a URL, or embedded, which means that `gameserver up` starts them.

An embedded server is described by its port alone. Its password lies in a file beside its data that only the owner
may read.
"""

from pathlib import Path
from typing import Self

from pydantic import SecretStr, field_validator, model_validator

from gameserver.config import postgres_url, redis_url
from gameserver.config.ports import Port
from gameserver.config.section import SettingsSection


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


class DatabaseSettings(PostgresSettings):
    """A Postgres server that takes writes."""

    allow_unsafe: bool = False
    """Whether nodes may use it though `fsync` or `full_page_writes` is off there, so that it may lose what it had."""
    replicas: tuple[ReplicaSettings, ...] = ()
    """Its replicas; `up` makes and starts the embedded ones (docs/replication.md)."""
    synchronous: bool = False
    """Whether a commit is acknowledged only when a replica has it on disk, too.

    `up` sets an embedded database up so; one at a `url` is refused while its server's commits wait for no standby.
    """

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
    sentinel_username: str | None = None
    sentinel_password: SecretStr | None = None
    """The credentials of the Sentinels, if they require any; the URL has those of the master."""

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
