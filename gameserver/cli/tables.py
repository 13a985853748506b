"""Tables and texts for the terminal, made of the commands' results."""

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
from gameserver.rules.player import shown_max_hp
from gameserver.times import rfc3339, rfc3339_of_seconds

BAR = 24


def ranking(ranked: Ranking, game: Game) -> Table:
    """The players by rank."""
    table = Table("rank", "name", "class", "level", "hp", "exp", "id", box=box.SIMPLE)
    for rank, player in enumerate(ranked.players, 1):
        max_hp = shown_max_hp(player, game)
        cells = (rank, player.name, player.class_name, player.level, f"{player.hp}/{max_hp}", player.exp, player.id)
        table.add_row(*map(str, cells))
    table.caption = f"as of {rfc3339(ranked.as_of)}"
    return table


def loaded(names: Sequence[tuple[str, bool]]) -> Table:
    """The players of a demo, and whether each is new."""
    table = Table("name", "", box=box.SIMPLE)
    for name, new in names:
        table.add_row(name, "signed up" if new else "existed already")
    return table


async def show_loading(console: Console, progress: AsyncIterator[LoadProgress], players: int) -> None:
    """A progress bar while players are loaded, then how many were new, existed, or were left out."""
    columns = (BarColumn(None), MofNCompleteColumn(), TextColumn("{task.fields[rate]:,.0f}/s"), TimeRemainingColumn())
    loaded, began = LoadProgress(), time.monotonic()
    with Bar(*columns, console=console) as bar:
        task = bar.add_task("loading", total=players, rate=0.0)
        async for loaded in progress:
            bar.update(task, completed=loaded.done, rate=loaded.done / (time.monotonic() - began))
    seconds = time.monotonic() - began
    made = f"{loaded.made:,} signed up in {seconds:.1f} s ({loaded.made / seconds:,.0f}/s)"
    console.print(f"{made}, {loaded.there:,} existed already", highlight=False)
    if loaded.taken:
        console.print(
            f"{loaded.taken:,} left out: another player has their name or device, or a load that was killed holds it. "
            "Such claims are resolved within minutes: load again then.",
            highlight=False,
        )


def holdings(before: Sequence[Holding], after: Sequence[Holding], seconds: float) -> Table:
    """Each database's part of each group, with a bar for its share of the slots, and writes between two surveys."""
    table = Table("group", "database", "role", box=box.SIMPLE, caption=f"writes: rows per second over {seconds:.1f} s")
    for column in ("slots", "players", "bytes", "writes/s"):
        table.add_column(column, justify="right")
    table.add_column("share of slots", min_width=BAR)
    earlier = {(holding.database, share.group): share.writes for holding in before for share in holding.shares}
    totals = Counter[str]()
    for holding in after:
        totals.update({share.group: share.slots for share in holding.shares})
    rows = sorted((share.group, number) for number, holding in enumerate(after) for share in holding.shares)
    for group, number in rows:
        share = next(share for share in after[number].shares if share.group == group)
        written = max(share.writes - earlier.get((after[number].database, group), share.writes), 0)
        _add_share(table, after[number], share, written / seconds, share.slots / max(totals[group], 1))
    for holding in after:
        if not holding.shares:
            table.add_row("", holding.database, holding.role)
    return table


def _add_share(table: Table, holding: Holding, share: GroupUsage, rate: float, part: float) -> None:
    players = f"{holding.players:,}" if share.group == "players" else ""
    cells = (str(share.slots), players, decimal(share.bytes), f"{rate:,.0f}")
    bar = f"{'█' * round(part * BAR):<{BAR}} {part:4.0%}"
    table.add_row(share.group, holding.database, holding.role, *cells, bar)


def plans(planned: Sequence[PlannedMove]) -> Table | str:
    """Which slots would move where."""
    if not planned:
        return "Every database has its share of the slots: nothing to move."
    table = Table("group", "from", "to", "slots", "which", box=box.SIMPLE)
    for plan in planned:
        table.add_row(plan.group, plan.source, plan.target, str(len(plan.slots)), ranges.shown(plan.slots))
    return table


def moves(unfinished: Sequence[MoveRecord]) -> Table | str:
    """The unfinished moves."""
    if not unfinished:
        return "No slots are being moved."
    table = Table("move", "group", "from", "to", "step", "slots over", "mover", "waits for", box=box.SIMPLE)
    for move in unfinished:
        over = f"{sum(slot.over for slot in move.slots)}/{len(move.slots)}"
        step = f"{move.step}, cancelled" if move.cancelled else str(move.step)
        cells = (str(move.id), move.group, move.source, move.target, step, over, move.mover, move.problem or "")
        table.add_row(*cells)
    return table


def members(listed: Sequence[Member]) -> Table:
    """The databases that each group may use."""
    table = Table("group", "database", "slots", "", box=box.SIMPLE)
    for member in listed:
        table.add_row(member.group, member.database, str(member.slots), "draining" if member.draining else "")
    return table


def board_verdict(name: str, season: str, verdict: CheckReport) -> str:
    """The result of a check of a board: a line, and one more for each place that differs."""
    lines = [
        f"{name} ({season}): {verdict.compared:,} compared, {verdict.found:,} differ, {verdict.repaired:,} repaired"
    ]
    lines += [
        f"  {difference.player_id}: {difference.board} on the board, {difference.database} in the database"
        for difference in verdict.differences
    ]
    return "\n".join(lines)


def moment(seconds: int) -> str:
    """RFC 3339 of Unix seconds."""
    return rfc3339_of_seconds(seconds)


def seasons(records: Sequence[SeasonRecord]) -> Table:
    """The seasons that have begun, and the state of each."""
    table = Table("board", "began", "ends", "state", "players", box=box.SIMPLE)
    for record in records:
        start, end = moment(record.season.start), moment(record.season.end)
        players = "" if record.players is None else f"{record.players:,}"
        table.add_row(record.board, start, end, record.state, players)
    return table


def preview(standings: Preview) -> Table:
    """The final standings of a season if it ended now."""
    record = standings.record
    title = f"{record.board}, {moment(record.season.start)} to {moment(record.season.end)}, as it is now"
    table = Table("rank", "score", "player", "name", "reward", box=box.SIMPLE, title=title)
    for rank, score, player_id, name, reward in standings.entries:
        prize = "" if reward is None else f"{reward['exp']} EXP {reward['text']}"
        table.add_row(f"{rank:,}", f"{score:,}", str(player_id), name, prize)
    return table
