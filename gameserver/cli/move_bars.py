"""Shows moves of slots while they are carried out: rows copied, slots cut over, lag, pauses and time left."""

from collections.abc import Sequence

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from gameserver.cli.running import console
from gameserver.commands import sharding
from gameserver.commands.results import MoveProgress
from gameserver.commands.sharding import Sharding


async def carry_out(moves: Sharding, ids: Sequence[int]) -> None:
    """Carries moves out under two bars each; Ctrl-C leaves them to the nodes."""
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
    )
    with Progress(*columns, console=console) as bars:
        shown = Shown(bars)
        await sharding.carry_out(moves, ids, shown.tell)
    for line in shown.ends:
        console.print(line)


class Shown:
    """The bars of the moves of one command; `ends` says how each ended."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[int, tuple[TaskID, TaskID]] = {}
        self._ended: dict[int, str] = {}

    @property
    def ends(self) -> Sequence[str]:
        return list(self._ended.values())

    def tell(self, told: MoveProgress) -> None:
        move = told.move
        copying, cutting = self._of(told)
        if told.copied is not None:
            self._bars.update(copying, completed=told.copied.rows, total=told.copied.total)
            if told.copied.ready:
                self._bars.update(copying, completed=told.copied.total)
        lag = "" if told.lag_ms is None else f"lag {told.lag_ms} ms, longest pause {told.longest_pause_ms} ms"
        self._bars.update(cutting, completed=told.over, note=told.note or lag)
        if move.ended_at is not None:
            kept = len(move.slots) - told.moved
            self._ended[move.id] = (
                f"Move {move.id}: {told.moved} slots of {move.group} from {move.source} to {move.target}, longest pause"
                f" {told.longest_pause_ms} ms"
                + (f"; {kept} stayed on {move.source}" if kept else "")
                + (f": {move.problem}" if kept and move.problem else ".")
            )

    def _of(self, told: MoveProgress) -> tuple[TaskID, TaskID]:
        move = told.move
        if move.id not in self._tasks:
            way = f"{move.id}: {move.group}, {move.source} to {move.target}"
            self._tasks[move.id] = (
                self._bars.add_task(way, total=None, unit="rows", note=""),
                self._bars.add_task(" " * len(way), total=len(move.slots), unit="slots", note=""),
            )
        return self._tasks[move.id]
