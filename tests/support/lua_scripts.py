"""Every Lua script of the product as Redis gets it; `python -m` writes them into a folder, for the linter."""

import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from gameserver.storage.boards.layout import CONSTANTS
from gameserver.storage.redis import lost_keys
from gameserver.storage.redis.legend import Assembled, assemble

STORAGE = "gameserver.storage"


def all_scripts() -> Iterator[tuple[str, str, Assembled]]:
    """The room, the script's name, and the script. Raises LegendFault."""
    for room in sorted(Path(str(files(STORAGE))).iterdir()):
        for file in sorted(room.glob("lua/*.lua")):
            yield (
                room.name,
                file.stem,
                assemble(f"{STORAGE}.{room.name}", file.stem, {**CONSTANTS, **lost_keys.CONSTANTS}),
            )


def main(folder: Path) -> None:
    for room, name, script in all_scripts():
        file = folder / room / f"{name}.lua"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(script.text, "utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]))
