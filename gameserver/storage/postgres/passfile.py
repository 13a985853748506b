"""Passwords that stand beside URLs: the password file of libpq, read again for every connection.

A line is `host:port:database:role:password`; `*` stands for anything, `\\:` and `\\\\` for a colon and a backslash. The
first line that fits counts. A file that others may read is refused; one of root's its group may read, as a Secret that
Kubernetes mounts.
"""

import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from urllib.parse import parse_qs, quote, unquote, urlsplit, urlunsplit

from pydantic import SecretStr

_FIELD = re.compile(r"(?:\\.|[^:\\])*")
_OTHERS, _OTHERS_THAN_ROOT_AND_ITS_GROUP = 0o077, 0o037
_PORT = "5432"


class PassfileFault(ConnectionError):
    """The password file can't be used; the text says why."""


def has_password(url: SecretStr) -> bool:
    """Whether a URL holds a password, as `role:password@` or as `?password=`."""
    return ":" in urlsplit(url.get_secret_value()).netloc.rpartition("@")[0] or "password" in _parameters(url)


def has_passphrase(url: SecretStr) -> bool:
    """Whether a URL holds the passphrase of a TLS key."""
    return "sslpassword" in _parameters(url)


def _parameters(url: SecretStr) -> Mapping[str, Sequence[str]]:
    return parse_qs(urlsplit(url.get_secret_value()).query, keep_blank_values=True)


def completed(url: SecretStr, passfile: Path | None) -> SecretStr:
    """The URL with its password from the file, or as it is if it has one or the file has no line for it.

    Raises PassfileFault.
    """
    if has_password(url):
        return url
    parts = urlsplit(url.get_secret_value())
    role, at, hosts = parts.netloc.rpartition("@")
    database = parts.path.removeprefix("/") or role
    lines = _lines(passfile)
    for host in hosts.split(","):
        name, port = _address(host)
        wanted = (name, port, unquote(database), unquote(role))
        for *fields, password in lines:
            if at and all(field in ("*", value) for field, value in zip(fields, wanted, strict=True)):
                return SecretStr(urlunsplit(parts._replace(netloc=f"{role}:{quote(password, safe='')}@{hosts}")))
    return url


def _address(host: str) -> tuple[str, str]:
    """Host and port of one of a URL's addresses; IPv6 without its brackets."""
    match = re.fullmatch(r"\[?(.*?)\]?(?::(\d+))?", host) if host.count(":") < 2 or "[" in host else None
    return (match[1], match[2] or _PORT) if match else (host, _PORT)


def _lines(passfile: Path | None) -> list[tuple[str, ...]]:
    path = passfile or Path(os.environ.get("PGPASSFILE", "~/.pgpass")).expanduser()
    try:
        text = path.read_text("utf-8")
        status = path.stat()
    except (OSError, UnicodeDecodeError) as error:
        if passfile is None:
            return []
        raise PassfileFault(f"The password file {path} can't be read: {error}.") from None
    if status.st_mode & (_OTHERS if status.st_uid else _OTHERS_THAN_ROOT_AND_ITS_GROUP):
        raise PassfileFault(f"The password file {path} can be read by others: chmod 600 it.")
    lines = [line for line in text.splitlines() if line.strip() and not line.startswith("#")]
    fields = [tuple(re.sub(r"\\(.)", r"\1", field) for field in _split(line)) for line in lines]
    return [line for line in fields if len(line) == 5]


def _split(line: str) -> list[str]:
    """Four fields end at a colon; the rest of the line is the password."""
    fields, rest = [], line
    for _ in range(4):
        field = _FIELD.match(rest)
        end = field.end() if field else 0
        fields.append(rest[:end])
        rest = rest[end + 1 :]
    return [*fields, rest]
