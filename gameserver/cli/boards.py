"""`gameserver boards`: compares the boards with the databases, and rebuilds them."""

import asyncio
import contextlib
import time
from collections.abc import Sequence
from typing import Annotated

import typer

from gameserver import app as application
from gameserver.cli import tables
from gameserver.cli.actor import Reason, ReasonIfChanged, needed
from gameserver.cli.auditing import by_command, change_of
from gameserver.cli.config_file import DEFAULT, Config
from gameserver.cli.running import Json, console, with_core
from gameserver.commands import board_repair, boards
from gameserver.commands.results import CheckReport, Contest
from gameserver.rules.errors import BoardUnavailable, GameError
from gameserver.storage.operators.audit import AuditedEnd
from gameserver.terminal import show_json
from gameserver.transport import answers

boards_cli = typer.Typer(no_args_is_help=True, help="Compare the boards with the databases, and rebuild them.")
LOOK_SECONDS = 0.2
"""Between two looks at a board that is being rebuilt."""
PATIENCE_SECONDS = 1800.0
"""How long `rebuild` waits for the nodes to build a board."""
Names = Annotated[list[str] | None, typer.Argument(help="The boards; all if none is named.")]
Season = Annotated[str, typer.Option(help="current, or the time at which the season began.")]


@boards_cli.command()
def check(  # noqa: PLR0913 (one for each option)
    names: Names = None,
    config: Config = DEFAULT,
    full: Annotated[bool, typer.Option("--full", help="Compare every player.")] = False,  # noqa: FBT002
    sample: Annotated[
        int, typer.Option(min=1, max=1_000_000, help="About how many players to compare without --full.")
    ] = 1000,
    repair: Annotated[bool, typer.Option("--repair", help="Correct the entries that differ.")] = False,  # noqa: FBT002
    season: Season = boards.CURRENT,
    reason: ReasonIfChanged = None,
    as_json: Json = False,  # noqa: FBT002
) -> None:
    """Compare boards with the databases; the exit code is 1 if something differs."""
    why = needed(reason) if repair else None

    async def work(core: application.Core) -> None:
        chosen = names or [board.name for board in core.rooms.seasons.calendar.boards()]
        checked = []
        async with _recorded(core, chosen, season, why) as end:
            for name in chosen:
                if full:
                    checked.append(await _check_all(core, name, season, repair=repair))
                else:
                    checked.append(
                        await board_repair.check(core.commands.board_repair, name, season, sample, repair=repair)
                    )
                if not as_json:
                    _show(*checked[-1])
            end.after = {"repaired": sum(report.repaired for _, report in checked)}
        if as_json:
            show_json([{**answers.verdict(*each), "repaired": each[1].repaired} for each in checked])
        if any(report.found for _, report in checked):
            raise GameError(f"{sum(report.found for _, report in checked)} places differ.")

    with_core(config, work)


def _recorded(
    core: application.Core, names: Sequence[str], season: str, reason: str | None
) -> contextlib.AbstractAsyncContextManager[AuditedEnd]:
    """A repair in the audit log; without a reason it isn't one."""
    if reason is None:
        return contextlib.nullcontext(AuditedEnd())
    target = names[0] if len(names) == 1 else "boards"
    change = change_of("board_repair", target, reason, {"boards": list(names), "season": season}, {"repaired": 0})
    return core.rooms.operators.audit.recorded(change)


async def _check_all(core: application.Core, name: str, season: str, *, repair: bool) -> tuple[Contest, CheckReport]:
    with console.status(f"{name} …") as status:

        def show(done: int) -> None:
            status.update(f"{name}: {done:,}")

        return await board_repair.check_all(core.commands.board_repair, name, season, show, repair=repair)


def _show(contest: Contest, verdict: CheckReport) -> None:
    console.print(tables.board_verdict(contest.board.name, boards.season_name(contest), verdict), soft_wrap=True)


@boards_cli.command()
def rebuild(
    name: Annotated[str, typer.Argument(help="The board.")],
    reason: Reason,
    config: Config = DEFAULT,
    season: Season = boards.CURRENT,
) -> None:
    """Rebuild a board while the old one serves; the running nodes do it. Waits for up to half an hour."""

    async def work(core: application.Core) -> None:
        generation = await board_repair.rebuild(core.commands.board_repair, by_command(reason), name, season)
        with console.status(f"{name} is being rebuilt …"):
            await _until_live(core, name, season, generation)
        console.print(f"{name} has been rebuilt.")

    with_core(config, work)


async def _until_live(core: application.Core, name: str, season: str, generation: str) -> None:
    """Waits until the generation is served. Raises BoardUnavailable after PATIENCE_SECONDS."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < deadline:
        with contextlib.suppress(BoardUnavailable):
            if await board_repair.is_live(core.commands.board_repair, name, season, generation):
                return
        await asyncio.sleep(LOOK_SECONDS)
    raise BoardUnavailable(f"{name} isn't live yet. Is a node running? The rebuild goes on as long as one is.")
