"""Tables and texts for the terminal, made of the commands' results."""

import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bar
from rich.table import Table

from gameserver.commands.results import (
    CheckReport,
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
from gameserver.storage.sharding.provision import Migrated
from gameserver.storage.sharding.reconciling import Reconciliation
from gameserver.terminal import grid, show
from gameserver.times import rfc3339, rfc3339_of_seconds

BAR = 5
"""Characters of a bar that stands for all slots of a group."""


def ranking(ranked: Ranking, game: Game) -> Table:
    """The players by rank."""
    headings = ("rank", "name", "class", "level", "hp", "exp", "id")
    table = grid(*headings, right=("rank", "level", "hp", "exp"), folded=("name", "class"))
    for rank, player in enumerate(ranked.players, 1):
        max_hp = shown_max_hp(player, game)
        name = f"{player.name} (banned)" if player.id in ranked.banned else player.name
        cells = (rank, name, player.class_name, player.level, f"{player.hp}/{max_hp}", player.exp, player.id)
        table.add_row(*map(str, cells))
    table.caption = f"as of {rfc3339(ranked.as_of)}"
    return table


def show_or_say(console: Console, shown: Table | str) -> None:
    """Prints a table, or the sentence that stands for an empty one."""
    if isinstance(shown, str):
        console.print(shown)
    else:
        show(console, shown)


def migrated(done: Migrated) -> list[str]:
    """What was done: a line for each database and group whose tables changed, and one for slots."""
    lines = [
        f"{step.database}: the tables of {step.group} are now at {step.after} (before: {step.before or 'none'})."
        for step in done.steps
        if step.before != step.after
    ]
    lines += [f"{count} slots of {group} were given to databases." for group, count in done.assigned.items() if count]
    return lines or [
        f"Nothing to do: the tables of {done.databases} databases are up to date, and all slots have owners."
    ]


def loaded(names: Sequence[tuple[str, bool]]) -> Table:
    """The players of a demo, and whether each is new."""
    table = grid("name", "", folded=("name",))
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
    console.print(f"{made}, {loaded.there:,} existed already")
    if loaded.taken:
        console.print(
            f"{loaded.taken:,} left out: another player has their name or device, or a load that was killed holds it. "
            "Such claims are resolved within minutes: load again then.",
        )


def holdings(before: Sequence[Holding], after: Sequence[Holding], seconds: float) -> Table:
    """Each database's part of each group, with a bar for its share of the slots, and writes between two surveys."""
    numbers = ("slots", "players", "bytes", "writes/s")
    table = grid("group", "database", "role", *numbers, "share", right=numbers)
    table.caption = f"writes: rows per second over {seconds:.1f} s"
    for row in holding_rows(before, after, seconds):
        if row["group"] is None:
            table.add_row("", row["database"], row["role"])
            continue
        players = "" if row["players"] is None else f"{row['players']:,}"
        cells = (str(row["slots"]), players, decimal(row["bytes"]), f"{row['writes_per_second']:,.0f}")
        bar = f"{'█' * round(row['share'] * BAR):<{BAR}} {row['share']:4.0%}"
        table.add_row(row["group"], row["database"], row["role"], *cells, bar)
    return table


def holding_rows(before: Sequence[Holding], after: Sequence[Holding], seconds: float) -> list[dict[str, Any]]:
    """The same for programs: by group and database; a database that has nothing, or is away, has no group."""
    earlier = {(holding.database, share.group): share.writes for holding in before for share in holding.shares}
    totals = Counter[str]()
    for holding in after:
        totals.update({share.group: share.slots for share in holding.shares})
    rows = [
        {
            "group": share.group,
            "database": holding.database,
            "role": holding.role,
            "slots": share.slots,
            "players": holding.players if share.group == "players" else None,
            "bytes": share.bytes,
            "writes_per_second": max(share.writes - earlier.get((holding.database, share.group), share.writes), 0)
            / seconds,
            "share": share.slots / max(totals[share.group], 1),
        }
        for holding in after
        for share in holding.shares
    ]
    empty = [
        {"group": None, "database": holding.database, "role": holding.role} for holding in after if not holding.shares
    ]
    return sorted(rows, key=lambda row: str(row["group"])) + empty


def plans(planned: Sequence[PlannedMove]) -> Table | str:
    """Which slots would move where."""
    if not planned:
        return "Every database has its share of the slots: nothing to move."
    table = grid("group", "from", "to", "slots", "which", right=("slots",), folded=("which",))
    for plan in planned:
        table.add_row(plan.group, plan.source, plan.target, str(len(plan.slots)), ranges.shown(plan.slots))
    return table


def moves(unfinished: Sequence[MoveRecord]) -> Table | str:
    """The unfinished moves."""
    if not unfinished:
        return "No slots are being moved."
    headings = ("move", "group", "from", "to", "step", "slots over", "mover", "waits for")
    table = grid(*headings, right=("move", "slots over"), folded=("step", "mover", "waits for"))
    for move in unfinished:
        over = f"{sum(slot.over for slot in move.slots)}/{len(move.slots)}"
        step = f"{move.step}, cancelled" if move.cancelled else str(move.step)
        cells = (str(move.id), move.group, move.source, move.target, step, over, move.mover, move.problem or "")
        table.add_row(*cells)
    return table


def reconciliation(found: Reconciliation) -> Table | str:
    """What was found of databases and slots that don't agree with the map, and what was done."""
    rows = reconciliation_rows(found)
    if not rows:
        return "Every database owns what the map says."
    table = grid("database or group", "slots", "what", "why", folded=("slots", "what", "why"))
    for row in rows:
        table.add_row(row["about"], row["slots"], row["what"], row["reason"])
    return table


def reconciliation_rows(found: Reconciliation) -> list[dict[str, str]]:
    """The same, for programs: one row for each database, and for slots of a group that share a reason."""
    rows = [{"about": name, "slots": "", "what": "open again", "reason": ""} for name in found.opened]
    rows += [{"about": name, "slots": "", "what": "closed", "reason": why} for name, why in found.closed.items()]
    rows += [{"about": name, "slots": "", "what": "not asked", "reason": why} for name, why in found.absent.items()]
    slots: dict[tuple[str, str, str], list[int]] = {}
    for each in found.judgements:
        slots.setdefault((each.view.group, each.verdict.what.value, each.verdict.reason), []).append(each.view.slot)
    rows += [
        {"about": group, "slots": ranges.shown(numbers), "what": what, "reason": reason}
        for (group, what, reason), numbers in slots.items()
    ]
    return rows


def members(listed: Sequence[Member]) -> Table:
    """The databases that each group may use."""
    table = grid("group", "database", "slots", "", right=("slots",))
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
    """RFC 3339 of Unix seconds, without a fraction."""
    return rfc3339_of_seconds(seconds).replace(".000Z", "Z")


def seasons(records: Sequence[SeasonRecord]) -> Table:
    """The seasons that have begun, and the state of each."""
    table = grid("board", "began", "ends", "state", "players", right=("players",), folded=("board",))
    for record in records:
        start, end = moment(record.season.start), moment(record.season.end)
        players = "" if record.players is None else f"{record.players:,}"
        table.add_row(record.board, start, end, record.state, players)
    return table


def preview(standings: Preview) -> Table:
    """The final standings of a season if it ended now."""
    record = standings.record
    table = grid("rank", "score", "player", "name", "reward", right=("rank", "score"), folded=("name", "reward"))
    table.caption = f"{record.board}, {moment(record.season.start)} to {moment(record.season.end)}, as it is now"
    for rank, score, player_id, name, reward in standings.entries:
        prize = "" if reward is None else f"{reward['exp']} EXP {reward['text']}"
        table.add_row(f"{rank:,}", f"{score:,}", str(player_id), name, prize)
    return table


def season_rows(records: Sequence[SeasonRecord]) -> list[dict[str, Any]]:
    """The seasons for programs."""
    return [
        {
            "board": record.board,
            "began": moment(record.season.start),
            "ends": moment(record.season.end),
            "state": record.state,
            "players": record.players,
        }
        for record in records
    ]


def member_rows(listed: Sequence[Member]) -> list[Mapping[str, Any]]:
    """The databases of each group for programs."""
    return [asdict(member) for member in listed]
