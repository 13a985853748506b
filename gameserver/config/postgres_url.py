"""Where a Postgres database is, as users write it: one address, or several of which one is the primary, as libpq does.

`postgresql://role@one:5432,two:5432/database?sslmode=require`, or the lists as `?host=one,two&port=5432,5432`.
"""

import re
from typing import NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, unquote, urlencode, urlsplit, urlunsplit

from pydantic import SecretStr

from gameserver.config.ports import LAST_PORT

SCHEMES = ("postgresql", "postgres")
MOST_ADDRESSES = 16
PORT = "5432"
DEADLINE_MS = 5000
"""After so long without a sign of life a server gives up a connection that it opened itself to the next address."""
_ADDRESS = re.compile(
    r"(?:[^\[\]:,/?#@\s]{1,253}|\[[0-9A-Fa-f:.]{2,45}(?:%[A-Za-z0-9._-]{1,64})?\])(?::(?P<port>[0-9]{1,5}))?"
)
_SOCKET = re.compile(r"/[^,\s]+:(?P<port>[0-9]{1,5})")
_NO_HOST = re.compile(r":(?P<port>[0-9]{1,5})")

_NOT_A_URL = "it isn't a URL: special characters of the password must be percent-encoded, such as / as %2F and @ as %40"


class Place(NamedTuple):
    """One address: `host:port` for operators, and the URL that leads there alone."""

    address: str
    url: SecretStr


def places(url: SecretStr) -> list[Place]:
    """The addresses of a URL, each with all else that the URL says.

    Raises ValueError, which quotes nothing of it: what stands in a wrong place may be the end of the password.
    """
    parts, query = _split(url.get_secret_value())
    role, at, listed = parts.netloc.rpartition("@")
    if listed:
        addresses = listed.split(",")
        alone = [urlunsplit(parts._replace(netloc=f"{role}{at}{address}")) for address in addresses]
    else:
        addresses = _of_query(query)
        alone = [f"{parts.scheme}://{role}{at}{parts.path}?{_query_with(query, address)}" for address in addresses]
    _require_addresses(addresses)
    if len(addresses) == 1:
        return [Place(_shown(addresses[0]), url)]
    return [Place(_shown(address), SecretStr(one)) for address, one in zip(addresses, alone, strict=True)]


def require(url: SecretStr | None) -> SecretStr | None:
    """The URL, as it is. Raises ValueError as `places` does."""
    if url is not None:
        places(url)
    return url


def for_servers(url: SecretStr) -> SecretStr:
    """The URL for a server that connects by itself, by libpq: with several addresses it looks for the primary, too."""
    if len(places(url)) == 1:
        return url
    parts = urlsplit(url.get_secret_value())
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    query = {"tcp_user_timeout": str(DEADLINE_MS), **query, "target_session_attrs": "read-write"}
    return SecretStr(urlunsplit(parts._replace(query=urlencode(query, quote_via=quote))))


def _split(text: str) -> tuple[SplitResult, dict[str, str]]:
    """A URL's parts, and its parameters. Raises ValueError as `places` does."""
    try:
        parts = urlsplit(text)
    except ValueError:  # its own text quotes what it found
        raise ValueError(_NOT_A_URL) from None
    if parts.scheme not in SCHEMES:
        raise ValueError(f"the scheme isn't one of {', '.join(f'{known}://' for known in SCHEMES)}")
    if "#" in text or "@" in parts.netloc.rpartition("@")[0] + parts.path + parts.query:
        raise ValueError(_NOT_A_URL)
    given = parts.query.strip("&")
    try:
        return parts, dict(parse_qsl(given, keep_blank_values=True, strict_parsing=True)) if given else {}
    except ValueError:
        raise ValueError("a parameter of its query has no `=`") from None


def _of_query(query: dict[str, str]) -> list[str]:
    """`host:port` of the lists `host` and `port`."""
    hosts = query.get("host", "").split(",")
    ports = query["port"].split(",") if query.get("port") else [PORT]
    if len(ports) == 1:
        ports *= len(hosts)
    if len(ports) != len(hosts):
        raise ValueError(f"`host` lists {len(hosts)} addresses and `port` {len(ports)}")
    return [f"{host}:{port}" for host, port in zip(hosts, ports, strict=True)]


def _query_with(query: dict[str, str], address: str) -> str:
    host, _, port = address.rpartition(":")
    return urlencode({**query, "host": host, "port": port}, quote_via=quote)


def _require_addresses(addresses: list[str]) -> None:
    if len(addresses) > MOST_ADDRESSES:
        raise ValueError(f"it has {len(addresses)} addresses, and {MOST_ADDRESSES} are the most")
    for number, address in enumerate(addresses, 1):
        match = _ADDRESS.fullmatch(address) or _SOCKET.fullmatch(address)
        if len(addresses) == 1:  # which may leave its host out: it is then the machine's own server
            match = match or _NO_HOST.fullmatch(address)
        if match is None or int(match["port"] or PORT) not in range(1, LAST_PORT + 1):
            raise ValueError(f"its address {number} isn't a host, or host:port")
    if len(set(map(_shown, addresses))) < len(addresses):
        raise ValueError("it names an address twice")


def _shown(address: str) -> str:
    """`host:port`, for operators."""
    match = _ADDRESS.fullmatch(address)
    return f"{unquote(address)}:{PORT}" if match and match["port"] is None else unquote(address)
