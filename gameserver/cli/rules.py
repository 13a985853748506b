"""`gameserver rules`: the rulebooks that nodes have played by, and ordering others."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.table import Table

from gameserver import app as application
from gameserver.cli.actor import Reason, actor
from gameserver.cli.config_file import DEFAULT, Config
from gameserver.cli.running import Json, console, with_core
from gameserver.commands import command_ids, fleet, rollouts
from gameserver.commands.results import ChangedBy, RolloutPlan, RuleOrder
from gameserver.config.files import read_toml
from gameserver.rules.differences import RuleChange
from gameserver.terminal import grid, show, show_json
from gameserver.times import rfc3339
from gameserver.transport import answers, wire

At = Annotated[
    datetime | None,
    typer.Option(formats=["%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%SZ"], help="The moment, in UTC; or use --in."),
]
InSeconds = Annotated[
    int | None, typer.Option("--in", min=wire.SOONEST, max=wire.LATEST, help="Seconds until the moment.")
]
CommandId = Annotated[str | None, typer.Option(help="Of an order that may have been made: it isn't repeated.")]
Edition = Annotated[
    int | None,
    typer.Option(
        "--edition",
        min=0,
        max=wire.MOST_EDITIONS,
        help="The edition in force, as the preview said: refused if it is another.",
    ),
]
Preview = Annotated[
    bool, typer.Option("--preview", help="Order nothing: show what would change, and what is in the way.")
]

rules_cli = typer.Typer(no_args_is_help=True, help="The rulebooks that nodes play by, over time.")
SHORT = 12
"""Digits of a hash that a table shows."""


@rules_cli.command("list")
def list_rulebooks(config: Config = DEFAULT, as_json: Json = False) -> None:  # noqa: FBT002
    """Show the number of each rulebook, which ledger rows carry, from the newest."""

    async def work(core: application.Core) -> None:
        known = await core.commands.rollouts.library.records.all()
        if as_json:
            show_json([answers.rulebook(rulebook) for rulebook in known])
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
    number: Annotated[int, typer.Argument(min=1, max=wire.MOST_RULEBOOKS, help="The rulebook's number.")],
    config: Config = DEFAULT,
) -> None:
    """Print the game.toml of a rulebook, as JSON, with its hashes."""

    async def work(core: application.Core) -> None:
        chosen = await core.commands.rollouts.library.record(number)
        show_json({**answers.rulebook(chosen), "game": orjson.loads(chosen.game)})

    with_core(config, work)


@rules_cli.command()
def diff(
    first: Annotated[int, typer.Argument(min=1, max=wire.MOST_RULEBOOKS, help="A rulebook's number.")],
    second: Annotated[int, typer.Argument(min=1, max=wire.MOST_RULEBOOKS, help="Another's.")],
    config: Config = DEFAULT,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show what differs between the games of two rulebooks, value by value, and whether the code does."""

    async def work(core: application.Core) -> None:
        found, same_code = await rollouts.compare(core.commands.rollouts, first, second)
        if as_json:
            shown = [dict(zip(("value", "first", "second"), row, strict=True)) for row in found]
            show_json({"values": shown, "same_code": same_code})
            return
        table = _table(found, str(first), str(second))
        table.caption = f"The code is {'the same' if same_code else 'another one'}."
        show(console, table)

    with_core(config, work)


@rules_cli.command()
def publish(  # noqa: PLR0913 (one for each option)
    game: Annotated[Path, typer.Option(help="The game.toml to put in force.", exists=True, dir_okay=False)],
    reason: Reason,
    at: At = None,
    in_seconds: InSeconds = None,
    command_id: CommandId = None,
    edition: Edition = None,
    preview: Preview = False,  # noqa: FBT002
    config: Config = DEFAULT,
) -> None:
    """Put a game.toml in force on every node at one moment, without a restart."""

    async def work(core: application.Core) -> None:
        context, content = core.commands.rollouts, read_toml(game)
        if preview:
            _show_plan(await rollouts.preview(context, content, _foreseen(at, in_seconds)))
        else:
            by, moment = _by(core, reason, command_id), _when(at, in_seconds)
            await _show_ordered(context, await rollouts.publish(context, content, moment, by, edition))

    with_core(config, work)


@rules_cli.command()
def revert(  # noqa: PLR0913 (one for each option)
    reason: Reason,
    at: At = None,
    in_seconds: InSeconds = None,
    command_id: CommandId = None,
    edition: Edition = None,
    preview: Preview = False,  # noqa: FBT002
    config: Config = DEFAULT,
) -> None:
    """Put the rulebook that was in force before the present one in force again, the same way."""

    async def work(core: application.Core) -> None:
        context = core.commands.rollouts
        if preview:
            _show_plan(await rollouts.revert_preview(context, _foreseen(at, in_seconds)))
        else:
            by, moment = _by(core, reason, command_id), _when(at, in_seconds)
            await _show_ordered(context, await rollouts.revert(context, moment, by, edition))

    with_core(config, work)


@rules_cli.command()
def cancel(
    edition: Annotated[
        int, typer.Option("--edition", min=1, max=wire.MOST_EDITIONS, help="The order's, as `rules orders` says.")
    ],
    reason: Reason,
    config: Config = DEFAULT,
) -> None:
    """Take back an order whose moment lies ahead."""

    async def work(core: application.Core) -> None:
        _show_order(await rollouts.cancel(core.commands.rollouts, _by(core, reason, None), edition))

    with_core(config, work)


@rules_cli.command()
def orders(config: Config = DEFAULT, as_json: Json = False) -> None:  # noqa: FBT002
    """Show what was ordered, from the newest, and which nodes are ready for it."""

    async def work(core: application.Core) -> None:
        found, nodes = await rollouts.overview(core.commands.rollouts), await fleet.nodes_if_told(core.commands.fleet)
        shown = answers.rules(found, nodes)
        if as_json:
            show_json(shown)
            return
        table = grid("edition", "rulebook", "from", "state", "by", "reason", right=("edition", "rulebook"))
        for order in shown["orders"]:
            table.add_row(
                str(order["edition"]),
                str(order["rulebook"]),
                order["at"],
                order["state"],
                order["admin"],
                order["reason"],
            )
        show(console, table)
        if nodes is None:
            console.print("Which nodes are ready isn't known: Redis is away.")
        for node in shown["nodes"] or ():
            ready = ", ".join(map(str, node["rules"].get("ready", []))) or "unknown"
            problems = "".join(f" {problem}" for problem in node["rules"].get("problems", {}).values())
            console.print(
                f"{node['name']}: in force is edition {node['rules'].get('edition')}, ready are {ready}.{problems}"
            )

    with_core(config, work)


def _by(core: application.Core, reason: str, command_id: str | None) -> ChangedBy:
    chosen = command_ids.checked_or_new(command_id, core.commands.rollouts.policy.now, "command_id")
    return ChangedBy(actor(), reason, chosen)


def _when(at: datetime | None, in_seconds: int | None) -> rollouts.When:
    """Raises BadParameter unless exactly one is given."""
    if (at is None) == (in_seconds is None):
        raise typer.BadParameter("give either --at or --in")
    return rollouts.when(None if at is None else at.replace(tzinfo=UTC), in_seconds)


def _foreseen(at: datetime | None, in_seconds: int | None) -> rollouts.When | None:
    """The same of a preview, which needs none."""
    return None if at is None and in_seconds is None else _when(at, in_seconds)


def _show_plan(plan: RolloutPlan) -> None:
    show(console, _table(plan.differences, f"rulebook {plan.present}", "then"))
    console.print(f"In force is edition {plan.edition}.")
    for problem in plan.problems:
        console.print(problem)
    console.print("It can't be published." if plan.problems else "Nothing stands in the way.")
    console.print(f"What players would have gained and lost: {answers.WHAT_IF}")


async def _show_ordered(context: rollouts.Rollouts, order: RuleOrder) -> None:
    """With what it changes: it may be cancelled until its moment."""
    found, _ = await rollouts.compare(context, order.prior, order.rulebook)
    show(console, _table(found, f"rulebook {order.prior}", f"rulebook {order.rulebook}"))
    _show_order(order)


def _show_order(order: RuleOrder) -> None:
    shown = answers.rule_order(order)
    console.print(f"edition {order.edition}: rulebook {order.rulebook} from {shown['at']} on, {shown['state']}")


def _table(found: Sequence[RuleChange], first: str, second: str) -> Table:
    table = grid("value", first, second, folded=(first, second))
    for name, *values in found:
        table.add_row(name, *("" if value is None else str(value) for value in values))
    return table
