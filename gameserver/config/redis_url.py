"""Where Redis is, as users write it: one server, a Sentinel's master, or a cluster, each with or without TLS."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import unquote

from pydantic import SecretStr

from gameserver.config.ports import LAST_PORT

Kind = Literal["server", "sentinel", "cluster"]
KINDS: dict[str, Kind] = {
    "redis": "server",
    "rediss": "server",
    "redis+sentinel": "sentinel",
    "rediss+sentinel": "sentinel",
    "redis+cluster": "cluster",
    "rediss+cluster": "cluster",
}
PORTS: dict[Kind, int] = {"server": 6379, "sentinel": 26379, "cluster": 6379}
_HOST = re.compile(r"([A-Za-z0-9._-]{1,253}|\[[0-9A-Fa-f:.]{2,45}\])(?::([0-9]{1,5}))?")
_MASTER = re.compile(r"[A-Za-z0-9._-]{1,128}")


@dataclass(frozen=True, slots=True)
class RedisUrl:
    """`hosts` are the server, the Sentinels, or some of a cluster's nodes; `master` is a Sentinel's name for it."""

    kind: Kind
    tls: bool
    hosts: tuple[tuple[str, int], ...]
    username: str | None
    password: SecretStr | None
    master: str = ""
    database: int = 0


@dataclass(frozen=True, slots=True)
class RedisAccess:
    """What a URL doesn't say: PEM files for TLS, and the Sentinels' credentials, which may differ from the master's."""

    ca: Path | None = None
    """The authorities that may sign the server's certificate; None for those of the machine."""
    certificate: Path | None = None
    key: Path | None = None
    sentinel_username: str | None = None
    sentinel_password: SecretStr | None = None


def parse(url: SecretStr) -> RedisUrl:
    """The parts of a Redis URL. Raises ValueError, which quotes nothing of it: it may be a part of the password."""
    scheme, separator, rest = url.get_secret_value().partition("://")
    if not separator or scheme not in KINDS:
        raise ValueError(f"the scheme isn't one of {', '.join(f'{known}://' for known in KINDS)}")
    if "?" in rest or "#" in rest:
        raise ValueError("a Redis URL takes no options after `?` or `#` (write %3F and %23 in a password)")
    kind = KINDS[scheme]
    authority, _, path = rest.partition("/")
    if "@" in path:
        raise ValueError("special characters of the password must be percent-encoded, such as / as %2F and @ as %40")
    credentials, _, addresses = authority.rpartition("@")
    hosts = tuple(_host(number, address, PORTS[kind]) for number, address in enumerate(addresses.split(","), 1))
    if kind == "server" and len(hosts) > 1:
        raise ValueError(f"{scheme}:// names one server; for several write redis+sentinel:// or redis+cluster://")
    username, password = _credentials(credentials)
    master, database = _path(kind, path)
    return RedisUrl(kind, scheme.startswith("rediss"), hosts, username, password, master, database)


def _host(number: int, text: str, default_port: int) -> tuple[str, int]:
    match = _HOST.fullmatch(text)
    if match is None or not 1 <= int(match[2] or default_port) <= LAST_PORT:
        raise ValueError(f"its address {number} isn't a host: write host:port, several with commas between them")
    return match[1].strip("[]"), int(match[2] or default_port)


def _credentials(text: str) -> tuple[str | None, SecretStr | None]:
    username, separator, password = text.partition(":")
    if username and not separator:
        raise ValueError("a user without a password: write user:password@ or :password@ before the host")
    return unquote(username) or None, SecretStr(unquote(password)) if password else None


def _path(kind: Kind, path: str) -> tuple[str, int]:
    """The master's name and the database's number."""
    if kind != "sentinel":
        return "", _database(kind, path)
    master, _, number = path.partition("/")
    if not _MASTER.fullmatch(master):
        raise ValueError("the master's name is missing: redis+sentinel://host:port,host:port/master-name")
    return master, _database(kind, number)


def _database(kind: Kind, number: str) -> int:
    if not re.fullmatch(r"[0-9]{0,5}", number):
        raise ValueError("what follows its last / isn't the number of a database")
    if kind == "cluster" and int(number or 0):
        raise ValueError("a cluster has only database 0")
    return int(number or 0)
