"""The settings of a command: which file they are in, and the game's own modules beside it."""

from pathlib import Path
from typing import Annotated

import typer

from gameserver.config.game_modules import let_import
from gameserver.config.settings import Settings, load
from gameserver.logs.setup import set_up_logs

DEFAULT = Path()
"""This folder: a game's own, or the repository."""
NAMES = ("gameserver.toml", "config/local.toml")
"""What a folder is searched for, in this order."""


def settings_file(path: Path) -> Path:
    """The settings file that a file or folder stands for. Ends the process with 1 if the folder has none."""
    if not path.is_dir():
        return path
    for name in NAMES:
        if (path / name).is_file():
            return path / name
    typer.echo(
        f"{path.resolve()} has no {' and no '.join(NAMES)}. Name a settings file with --config, "
        "or make a game with `gameserver new NAME`.",
        err=True,
    )
    raise typer.Exit(1)


Config = Annotated[
    Path,
    typer.Option(
        callback=settings_file,
        help=f"The settings: a TOML file, or a folder with {' or '.join(NAMES)}.",
    ),
]


def settings_of(config: Path) -> Settings:
    """The settings of a file; sets up the logs, and lets game.toml name modules beside it. Raises ConfigFault."""
    settings = load(config)
    set_up_logs(settings.log)
    let_import(settings.game_file, config)
    return settings
