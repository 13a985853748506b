"""Files of the configuration: TOML, secrets that only their owner may read, and files that a setting names."""

import os
import secrets
import tomllib
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from gameserver.config.errors import ConfigFault

SECRET_BYTES = 32
SHORTEST_SECRET = 32
"""Characters."""
OWNER_ONLY = 0o600


def read_toml(path: Path) -> dict[str, Any]:
    """A TOML file's content. Raises ConfigFault."""
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigFault(f"{path} can't be read: {error}") from None
    except ValueError as error:  # also a number of more digits than Python reads
        raise ConfigFault(f"{path} isn't TOML: {error}") from None
    except RecursionError:
        raise ConfigFault(f"{path} can't be read: it is nested too deep") from None


def secret(path: Path) -> SecretStr:
    """The secret in a file, which is created with a random secret if it is missing. Raises ConfigFault."""
    try:
        if not path.exists():
            _create(path)
        text = path.read_text().strip()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigFault(f"the secret in {path} can't be read or made: {error}") from None
    if len(text) < SHORTEST_SECRET:
        raise ConfigFault(
            f"the secret in {path} has {len(text)} characters, and needs {SHORTEST_SECRET}: "
            "put the old one back, or a new one, as `openssl rand -hex 24` makes"
        )
    return SecretStr(text)


def _create(path: Path) -> None:
    """Writes a temporary file and links it into place: processes that do so at the same time read one secret."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{os.getpid()}")
    temporary.touch(mode=OWNER_ONLY)
    temporary.write_text(secrets.token_urlsafe(SECRET_BYTES))
    try:
        os.link(temporary, path)
    except FileExistsError:
        pass  # another process was first: its secret is the one to read
    finally:
        temporary.unlink()


def require_readable(setting: str, path: Path) -> Path:
    """The path of a file that may be read. Raises ConfigFault, naming the setting."""
    if not os.access(path, os.R_OK) or path.is_dir():
        raise ConfigFault(f"{setting}: the file {path} can't be read")
    return path
