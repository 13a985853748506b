"""How servers and keys may be called in the settings.

The name of a database becomes part of folders, of connection strings, of replication slots, of Patroni's place in
etcd, of labels of metrics and of addresses of HTTP, and operators type it. So it is a plain word, as a node's is. Who
holds a key is a text, which is only shown: any script, but nothing that can't be seen.
"""

import ipaddress
import re
from collections.abc import Iterable
from typing import Annotated

from pydantic import AfterValidator

LONGEST_RUN_HERE = 48
"""Characters in the name of a database that `up` runs: Postgres cuts off the names of its servers behind 63."""
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_TEXT = re.compile(r"[\[\]A-Za-z0-9._,-]{0,80}")
_HOST = re.compile(r"\*|[A-Za-z0-9._-]{0,253}")


def require_plain(name: str) -> str:
    """The name. Raises ValueError for one that can't be a server's."""
    if not _PLAIN.fullmatch(name):
        raise ValueError(
            f"{shown(name)} can't be a name: write 1 to 64 letters (A to Z), digits, dots, dashes and underscores, "
            "of which the first is a letter or a digit"
        )
    return name


def shown(text: str, most: int = 80) -> str:
    """A text of the settings within a sentence: on one line, and nothing in it turns or hides what stands beside it."""
    return ascii(text if len(text) <= most else text[:most] + "…")


def member_name(database: str, number: int) -> str:
    """How the server of a database that fails over with this number, from 1, is called by Patroni and in tables."""
    return f"{database}-{number}"


def replica_name(database: str, number: int) -> str:
    """How the replica of a database with this number, from 1, is called in logs, tables and metrics."""
    return f"{database}-replica-{number}"


def place(parts: Iterable[str | int]) -> str:
    """Where in the settings something is, such as `databases.one.url`, whatever its names are."""
    plain = (part if isinstance(part, int) or _TEXT.fullmatch(part) else shown(part) for part in parts)
    return ".".join(str(part) for part in plain)


def _require_visible(name: str) -> str:
    if not 1 <= len(name) <= 64 or not name.isprintable() or name != name.strip():
        raise ValueError(f"{shown(name)} can't be a name: write 1 to 64 characters that can be seen")
    return name


def _require_host(host: str) -> str:
    if not _HOST.fullmatch(host) and not _is_ipv6(host):
        raise ValueError(f"{shown(host)} isn't a host: write its name or an address, without a port")
    return host


def _is_ipv6(host: str) -> bool:
    try:
        zone = ipaddress.IPv6Address(host).scope_id
    except ValueError:
        return False
    return zone is None or _PLAIN.fullmatch(zone) is not None


ServerName = Annotated[str, AfterValidator(require_plain)]
"""Of a database or a node."""
HolderName = Annotated[str, AfterValidator(_require_visible)]
"""Who holds a key."""
Host = Annotated[str, AfterValidator(_require_host)]
"""Where to listen; IPv6 without brackets."""
