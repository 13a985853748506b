"""The terminal's door: what the command line shows of the commands' results."""

from collections.abc import Mapping, Sequence

from rich import box
from rich.table import Table

from gameserver.commands.results import Ranking
from gameserver.rules.game import Game
from gameserver.transport import answers


def ranking(found: Ranking, game: Game) -> Table:
    """Players in their order."""
    table = Table("rank", "name", "class", "level", "hp", "exp", "id", box=box.SIMPLE)
    for rank, who in enumerate(found.players, 1):
        max_hp = game.max_hp(who.class_name, who.level)
        cells = (rank, who.name, who.class_name, who.level, f"{who.hp}/{max_hp}", who.exp, who.id)
        table.add_row(*map(str, cells))
    table.caption = f"as of {answers.time(found.as_of)}"
    return table


def loaded(names: Sequence[tuple[str, bool]]) -> Table:
    """The players of a demo, and which of them are new."""
    table = Table("name", "", box=box.SIMPLE)
    for name, new in names:
        table.add_row(name, "signed up" if new else "was there already")
    return table


def slots(placement: Mapping[str, Mapping[str, int]]) -> Table:
    """How many slots of each group a database owns."""
    table = Table("group", "database", "slots", box=box.SIMPLE)
    for group, databases in sorted(placement.items()):
        for database, count in sorted(databases.items()):
            table.add_row(group, database, str(count))
    return table
