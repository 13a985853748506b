"""Loads the hand-written statements of a `.sql` file by their names."""

import re
from importlib.resources import files

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_PART = re.compile(r"\{(\w+)\}")


def load(package: str, file: str) -> dict[str, str]:
    """Each statement of a room's file, by the name in its `-- name:` line, without comments.

    `{name}` in one stands for another one of the file.
    """
    _, *parts = _NAME.split(files(package).joinpath(file).read_text("utf-8"))
    written = {name: _bare(body) for name, body in zip(parts[::2], parts[1::2], strict=True)}

    def whole(text: str) -> str:
        return _PART.sub(lambda part: whole(written[part[1]]) if part[1] in written else part[0], text)

    return {name: whole(body) for name, body in written.items()}


def _bare(body: str) -> str:
    return "\n".join(line for line in body.splitlines() if not line.startswith("--")).strip()
