"""The terminal's door: what the command line shows of the commands' results."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence

from rich import box
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from gameserver.commands.results import (
    CheckReport,
    GroupUsage,
    Holding,
    LoadProgress,
    Member,
    MoveRecord,
    PlannedMove,
    Preview,
    Ranking,
    SeasonRecord,
)
from gameserver.rules import ranges
from gameserver.rules.game import Game
from gameserver.times import rfc3339, rfc3339_of_seconds

BAR = 24


def ranking(found: Ranking, game: Game) -> Table:
    """Players in their order."""
    table = Table("rank", "name", "class", "level", "hp", "exp", "id", box=box.SIMPLE)
    for rank, who in enumerate(found.players, 1):
        max_hp = game.max_hp(who.class_name, who.level)
        cells = (rank, who.name, who.class_name, who.level, f"{who.hp}/{max_hp}", who.exp, who.id)
        table.add_row(*map(str, cells))
    table.caption = f"as of {rfc3339(found.as_of)}"
    return table


def loaded(names: Sequence[tuple[str, bool]]) -> Table:
    """The players of a demo, and which of them are new."""
    table = Table("name", "", box=box.SIMPLE)
    for name, new in names:
        table.add_row(name, "signed up" if new else "was there already")
    return table


async def show_loading(console: Console, progress: AsyncIterator[LoadProgress], players: int) -> None:
    """A bar while players are loaded, and in the end what became of them."""
    columns = (BarColumn(None), MofNCompleteColumn(), TextColumn("{task.fields[rate]:,.0f}/s"), TimeRemainingColumn())
    loaded, began = LoadProgress(), time.monotonic()
    with Bar(*columns, console=console) as bar:
        task = bar.add_task("loading", total=players, rate=0.0)
        async for loaded in progress:
            bar.update(task, completed=loaded.done, rate=loaded.done / (time.monotonic() - began))
    seconds = time.monotonic() - began
    made = f"{loaded.made:,} signed up in {seconds:.1f} s ({loaded.made / seconds:,.0f}/s)"
    console.print(f"{made}, {loaded.there:,} were there already", highlight=False)
    if loaded.taken:
        console.print(
            f"{loaded.taken:,} left out: somebody else has their name or device, or a load that was killed had begun "
            "to take it. That is settled within minutes: load again.",
            highlight=False,
        )


def holdings(before: Sequence[Holding], after: Sequence[Holding], seconds: float) -> Table:
    """What each database has of each group, with a bar for its part of the slots, and its writes between the two."""
    table = Table("group", "database", "role", box=box.SIMPLE, caption=f"writes: rows per second over {seconds:.1f} s")
    for column in ("slots", "players", "bytes", "writes/s"):
        table.add_column(column, justify="right")
    table.add_column("share of slots", min_width=BAR)
    earlier = {(each.database, share.group): share.writes for each in before for share in each.shares}
    totals = Counter[str]()
    for each in after:
        totals.update({share.group: share.slots for share in each.shares})
    rows = sorted((share.group, number) for number, each in enumerate(after) for share in each.shares)
    for group, number in rows:
        share = next(each for each in after[number].shares if each.group == group)
        written = max(share.writes - earlier.get((after[number].database, group), share.writes), 0)
        _add_share(table, after[number], share, written / seconds, share.slots / max(totals[group], 1))
    for each in after:
        if not each.shares:
            table.add_row("", each.database, each.role)
    return table


def _add_share(table: Table, holding: Holding, share: GroupUsage, rate: float, part: float) -> None:
    players = f"{holding.players:,}" if share.group == "players" else ""
    cells = (str(share.slots), players, decimal(share.bytes), f"{rate:,.0f}")
    bar = f"{'█' * round(part * BAR):<{BAR}} {part:4.0%}"
    table.add_row(share.group, holding.database, holding.role, *cells, bar)


def plans(found: Sequence[PlannedMove]) -> Table | str:
    """What would move where."""
    if not found:
        return "Every database has its share: nothing moves."
    table = Table("group", "from", "to", "slots", "which", box=box.SIMPLE)
    for plan in found:
        table.add_row(plan.group, plan.source, plan.target, str(len(plan.slots)), ranges.shown(plan.slots))
    return table


def moves(found: Sequence[MoveRecord]) -> Table | str:
    """The moves that aren't over."""
    if not found:
        return "No slots are being moved."
    table = Table("move", "group", "from", "to", "step", "slots over", "mover", "waits for", box=box.SIMPLE)
    for move in found:
        over = f"{sum(each.over for each in move.slots)}/{len(move.slots)}"
        step = f"{move.step}, cancelled" if move.cancelled else str(move.step)
        cells = (str(move.id), move.group, move.source, move.target, step, over, move.mover, move.problem or "")
        table.add_row(*cells)
    return table


def members(found: Sequence[Member]) -> Table:
    """The databases that each group may use."""
    table = Table("group", "database", "slots", "", box=box.SIMPLE)
    for each in found:
        table.add_row(each.group, each.database, str(each.slots), "draining" if each.draining else "")
    return table


def board_verdict(name: str, season: str, verdict: CheckReport) -> str:
    """What a check of a board found, a line, and one for each place that differs."""
    lines = [
        f"{name} ({season}): {verdict.compared:,} compared, {verdict.found:,} differ, {verdict.repaired:,} repaired"
    ]
    lines += [
        f"  {each.player_id}: {each.board} on the board, {each.database} in the database"
        for each in verdict.differences
    ]
    return "\n".join(lines)


def moment(seconds: int) -> str:
    """Of Unix seconds."""
    return rfc3339_of_seconds(seconds)


def seasons(records: Sequence[SeasonRecord]) -> Table:
    table = Table("board", "began", "ends", "state", "players", box=box.SIMPLE)
    for each in records:
        players = "" if each.players is None else f"{each.players:,}"
        table.add_row(each.board, moment(each.season.start), moment(each.season.end), each.state, players)
    return table


def preview(found: Preview) -> Table:
    record = found.record
    title = f"{record.board}, {moment(record.season.start)} to {moment(record.season.end)}, as it is now"
    table = Table("rank", "score", "player", "name", "reward", box=box.SIMPLE, title=title)
    for rank, score, player_id, name, reward in found.entries:
        told = "" if reward is None else f"{reward['exp']} EXP {reward['text']}"
        table.add_row(f"{rank:,}", f"{score:,}", str(player_id), name, told)
    return table
