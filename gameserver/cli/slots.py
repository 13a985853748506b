"""`gameserver slots`: shows which database owns which slots, and moves them."""

import asyncio
import contextlib
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live

from gameserver.cli import move_bars, tables
from gameserver.cli.actor import Reason, ReasonIfChanged, actor, needed
from gameserver.cli.auditing import by_command
from gameserver.cli.config_file import DEFAULT, Config, settings_of
from gameserver.cli.running import Json, carry_out, console, faults, with_sharding
from gameserver.commands import sharding
from gameserver.commands.sharding import Sharding
from gameserver.rules import ranges
from gameserver.rules.arguments import LARGEST_ID
from gameserver.rules.errors import Conflict
from gameserver.storage.operators.survey import Holding, Survey
from gameserver.storage.sharding import provision
from gameserver.storage.sharding.reconciling import Reconciler, Reconciliation
from gameserver.terminal import on_the_way, show, show_json

SAMPLE_SECONDS = 2.0
"""Between two readings of the write counters; Postgres publishes them about once a second."""

slots = typer.Typer(no_args_is_help=True, help="Show and change which database owns which slots.")


@slots.command()
def status(
    config: Config = DEFAULT,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh until Ctrl-C.")] = False,  # noqa: FBT002
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Show each database's part of each group: slots, players, bytes on disk, and rows written per second.

    Ends with 1 if a database is away.
    """
    last: list[Holding] = []

    async def run() -> None:
        settings = settings_of(config)
        databases = provision.open_databases(settings)
        try:
            survey = Survey(databases, databases[settings.control.database])
            last.extend(await (_print_rows if as_json else _show)(survey, watch=watch))
        finally:
            await databases.close()

    with faults():
        carry_out(run())
    if away := [holding.database for holding in last if holding.role == "away"]:
        typer.echo(f"Away: {', '.join(away)}.", err=True)
        raise typer.Exit(1)


async def _show(survey: Survey, *, watch: bool) -> Sequence[Holding]:
    with Live(console=console, auto_refresh=False) if watch else contextlib.nullcontext() as live:
        async for before, after, seconds in _samples(survey):
            table = tables.holdings(before, after, seconds)
            if live is None:
                show(console, table)
                return after
            live.update(table, refresh=True)
    return ()


async def _print_rows(survey: Survey, *, watch: bool) -> Sequence[Holding]:
    async for before, after, seconds in _samples(survey):
        show_json(tables.holding_rows(before, after, seconds))
        if not watch:
            return after
    return ()


async def _samples(survey: Survey) -> AsyncIterator[tuple[Sequence[Holding], Sequence[Holding], float]]:
    """What two readings of the databases say, and the seconds between them, for ever."""
    before, began = await survey.take(), time.monotonic()
    while True:
        await asyncio.sleep(SAMPLE_SECONDS)
        after, now = await survey.take(), time.monotonic()
        yield before, after, now - began
        before, began = after, now


Groups = Annotated[list[str] | None, typer.Option("--group", help="Only this group; repeat for more.")]


@slots.command()
def move(
    slots_given: Annotated[str, typer.Argument(metavar="SLOTS", help="The slots, such as 0-15,20.")],
    target: Annotated[str, typer.Option("--to", help="The database to move them to.")],
    reason: Reason,
    group: Annotated[str, typer.Option(help="Their group.")] = "players",
    config: Config = DEFAULT,
) -> None:
    """Move slots to another database while players play."""

    async def work(moves: Sharding) -> None:
        plans = await sharding.plan_move(moves, group, ranges.parse(slots_given), target)
        await move_bars.carry_out(moves, await sharding.begin(moves, plans, by_command(reason)))

    with_sharding(config, work)


@slots.command()
def rebalance(
    group: Groups = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would move.")] = False,  # noqa: FBT002
    reason: ReasonIfChanged = None,
    config: Config = DEFAULT,
) -> None:
    """Give every database of a group its share of the slots; the plan is shown first."""
    by = None if dry_run else by_command(needed(reason))

    async def work(moves: Sharding) -> None:
        plans = await sharding.plan_rebalance(moves, group or moves.slots.groups())
        with on_the_way():
            tables.show_or_say(console, tables.plans(plans))
        if plans and by is not None:
            await move_bars.carry_out(moves, await sharding.begin(moves, plans, by, "slots_rebalance"))

    with_sharding(config, work)


@slots.command("moves")
def show_moves(config: Config = DEFAULT) -> None:
    """Show the unfinished moves, and what each waits for."""

    async def work(moves: Sharding) -> None:
        tables.show_or_say(console, tables.moves(await moves.moves.unfinished()))

    with_sharding(config, work)


@slots.command()
def resume(reason: Reason, config: Config = DEFAULT) -> None:
    """Continue the unfinished moves; running nodes do this by themselves."""

    async def work(moves: Sharding) -> None:
        await move_bars.carry_out(moves, await sharding.resume(moves, by_command(reason)))

    with_sharding(config, work)


@slots.command()
def cancel(
    move_id: Annotated[int, typer.Argument(metavar="MOVE", min=1, max=LARGEST_ID, help="The number of the move.")],
    reason: Reason,
    config: Config = DEFAULT,
) -> None:
    """End a move early: slots that have moved stay moved, the others stay where they are."""

    async def work(moves: Sharding) -> None:
        await sharding.cancel(moves, move_id, by_command(reason))
        await move_bars.see_through(moves, [move_id])

    with_sharding(config, work)


@slots.command()
def check(config: Config = DEFAULT, as_json: Json = False) -> None:  # noqa: FBT002
    """Compare what the databases say they own with the slot map. Changes nothing.

    Ends with 1 if they differ, or if a database doesn't answer.
    """

    async def work(reconciler: Reconciler) -> None:
        found = await reconciler.check()
        _show_reconciliation(found, as_json=as_json)
        if found.judgements or found.closed or found.absent:
            sys.exit(1)

    _with_reconciler(config, work)


Without = Annotated[list[str] | None, typer.Option("--without", help="A database that is given up; repeat for more.")]


@slots.command()
def reconcile(
    reason: Reason,
    without: Without = None,
    config: Config = DEFAULT,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Set ownership right after a failover or a restore, and open databases; running nodes do this by themselves.

    Ends with 1 if a database stays closed or doesn't answer, or if a slot waits or is a conflict.
    """

    async def work(reconciler: Reconciler) -> None:
        done = await reconciler.run(without or (), force=True)
        if done is None:
            raise Conflict("Another process is at it: look again by `slots check`.")
        _show_reconciliation(done, as_json=as_json)
        if done.closed or done.absent or done.undecided:
            sys.exit(1)

    _with_reconciler(config, work, (actor(), reason))


@slots.command()
def accept(
    slots_given: Annotated[str, typer.Argument(metavar="SLOTS", help="The slots, such as 0-15,20.")],
    owner: Annotated[str, typer.Option("--owner", help="The database that is to own them.")],
    reason: Reason,
    group: Annotated[str, typer.Option(help="Their group.")] = "players",
    config: Config = DEFAULT,
) -> None:
    """End a conflict that `slots check` shows: a database owns the slots with whatever rows it has of them."""

    async def work(reconciler: Reconciler) -> None:
        await reconciler.accept(group, ranges.parse(slots_given), owner)
        console.print(f"{owner} owns these slots of {group} now.")

    _with_reconciler(config, work, (actor(), reason))


def _with_reconciler(
    config: Path, work: Callable[[Reconciler], Awaitable[None]], author: tuple[str, str] | None = None
) -> None:
    async def run() -> None:
        settings = settings_of(config)
        databases = provision.open_databases(settings)
        try:
            await work(provision.reconciler_of(settings, databases, author))
        finally:
            await databases.close()

    with faults():
        carry_out(run())


def _show_reconciliation(found: Reconciliation, *, as_json: bool) -> None:
    if as_json:
        show_json(tables.reconciliation_rows(found))
    else:
        tables.show_or_say(console, tables.reconciliation(found))
