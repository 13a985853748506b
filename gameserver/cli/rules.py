"""`gameserver rules`: the rulebooks that nodes have played by."""

from collections.abc import Iterator, Sequence
from typing import Annotated

import orjson
import typer

from gameserver import app as application
from gameserver.app.looking_back import rulebooks_of
from gameserver.cli.config_file import DEFAULT, Config
from gameserver.cli.running import Json, console, with_core
from gameserver.commands.results import RecordedRulebook
from gameserver.rules.errors import NotFound
from gameserver.terminal import grid, show, show_json
from gameserver.times import rfc3339

rules_cli = typer.Typer(no_args_is_help=True, help="Show the rulebooks that nodes have played by.")
SHORT = 12
"""Digits of a hash that a table shows."""


@rules_cli.command("list")
def list_rulebooks(config: Config = DEFAULT, as_json: Json = False) -> None:  # noqa: FBT002
    """Show the number of each rulebook, which ledger rows carry, from the newest."""

    async def work(core: application.Core) -> None:
        known = await rulebooks_of(core).all()
        if as_json:
            show_json([_row(rulebook) for rulebook in known])
            return
        table = grid("number", "first used", "game.toml", "code", "", right=("number",))
        for rulebook in known:
            used = "this one" if rulebook.number == core.rulebook.number else ""
            hashes = rulebook.game_hash[:SHORT], rulebook.code_hash[:SHORT]
            table.add_row(str(rulebook.number), rfc3339(rulebook.first_used_at), *hashes, used)
        show(console, table)

    with_core(config, work)


@rules_cli.command("show")
def show_rulebook(
    number: Annotated[int, typer.Argument(help="The rulebook's number.")], config: Config = DEFAULT
) -> None:
    """Print the game.toml of a rulebook, as JSON, with its hashes."""

    async def work(core: application.Core) -> None:
        chosen = _chosen(await rulebooks_of(core).all(), number)
        show_json({**_row(chosen), "game": orjson.loads(chosen.game)})

    with_core(config, work)


@rules_cli.command()
def diff(
    first: Annotated[int, typer.Argument(help="A rulebook's number.")],
    second: Annotated[int, typer.Argument(help="Another's.")],
    config: Config = DEFAULT,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show what differs between the games of two rulebooks, value by value, and whether the code does."""

    async def work(core: application.Core) -> None:
        known = await rulebooks_of(core).all()
        one, two = _chosen(known, first), _chosen(known, second)
        old, new = (dict(_values(orjson.loads(rulebook.game))) for rulebook in (one, two))
        differing = [name for name in sorted({*old, *new}) if old.get(name) != new.get(name)]
        rows = [(name, old.get(name), new.get(name)) for name in differing]
        same_code = one.code_hash == two.code_hash
        if as_json:
            shown = [dict(zip(("value", "first", "second"), row, strict=True)) for row in rows]
            show_json({"values": shown, "same_code": same_code})
            return
        table = grid("value", str(first), str(second), folded=(str(first), str(second)))
        for name, *values in rows:
            table.add_row(name, *("" if value is None else str(value) for value in values))
        table.caption = f"The code is {'the same' if same_code else 'another one'}."
        show(console, table)

    with_core(config, work)


def _values(value: object, path: str = "") -> Iterator[tuple[str, object]]:
    """Each value that isn't a table, with its path; a list is a value."""
    if not isinstance(value, dict):
        yield path, value
        return
    for name, inner in value.items():
        yield from _values(inner, f"{path}.{name}" if path else name)


def _chosen(known: Sequence[RecordedRulebook], number: int) -> RecordedRulebook:
    """Raises NotFound."""
    for rulebook in known:
        if rulebook.number == number:
            return rulebook
    raise NotFound(f"There is no rulebook {number}.")


def _row(rulebook: RecordedRulebook) -> dict[str, object]:
    return {
        "number": rulebook.number,
        "first_used_at": rfc3339(rulebook.first_used_at),
        "game_hash": rulebook.game_hash,
        "code_hash": rulebook.code_hash,
    }
