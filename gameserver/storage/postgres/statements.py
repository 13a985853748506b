"""Loads the hand-written statements of a `.sql` file by their names."""

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)


def load(package: str, file: str) -> dict[str, str]:
    """Each statement of a room's file, by the name in its `-- name:` line, without comments."""
    _, *parts = _NAME.split(files(package).joinpath(file).read_text("utf-8"))
    return {name: _bare(body) for name, body in zip(parts[::2], parts[1::2], strict=True)}


def _bare(body: str) -> str:
    return "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip()
