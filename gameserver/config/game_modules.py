"""Where a game's own modules are: beside game.toml, and beside the settings."""

import sys
from pathlib import Path


def let_import(*files: Path) -> None:
    """Puts the folders of files first on the import path, as Python does with a script's; the last one's leads."""
    for file in files:
        folder = str(file.resolve().parent)
        if folder not in sys.path:
            sys.path.insert(0, folder)
