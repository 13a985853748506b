"""Progress bars of slot moves: rows copied, slots cut over, lag, pauses and time left."""

from collections.abc import Sequence

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from gameserver.cli.running import console
from gameserver.commands import sharding
from gameserver.commands.results import MoveProgress
from gameserver.commands.sharding import Sharding


async def carry_out(moves: Sharding, ids: Sequence[int]) -> None:
    """As `see_through`. Ends the process with 1 if a slot has stayed where it was."""
    if await see_through(moves, ids):
        raise typer.Exit(1)


async def see_through(moves: Sharding, ids: Sequence[int]) -> int:
    """Carries out moves, with two progress bars for each; Ctrl-C leaves them to the running nodes.

    Returns how many slots have stayed where they were.
    """
    columns = (
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[unit]}", markup=False),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}", markup=False),
    )
    with Progress(*columns, console=console) as bars:
        progress = MoveBars(bars)
        await sharding.carry_out(moves, ids, progress.show)
    for line in progress.ends:
        console.print(line)
    return progress.stayed


class MoveBars:
    """The bars of the moves of one command; `ends` has a sentence for each move that has ended."""

    def __init__(self, bars: Progress) -> None:
        self._bars = bars
        self._tasks: dict[int, tuple[TaskID, TaskID]] = {}
        self._ended: dict[int, str] = {}
        self._stayed: dict[int, int] = {}

    @property
    def ends(self) -> Sequence[str]:
        return list(self._ended.values())

    @property
    def stayed(self) -> int:
        """How many slots of moves that have ended stayed where they were."""
        return sum(self._stayed.values())

    def show(self, progress: MoveProgress) -> None:
        move = progress.move
        copying, cutting = self._of(progress)
        if progress.copied is not None:
            self._bars.update(copying, completed=progress.copied.rows, total=progress.copied.total)
            if progress.copied.ready:
                self._bars.update(copying, completed=progress.copied.total)
        lag = (
            "" if progress.lag_ms is None else f"lag {progress.lag_ms} ms, longest pause {progress.longest_pause_ms} ms"
        )
        self._bars.update(cutting, completed=progress.over, note=progress.note or lag)
        if move.ended_at is not None:
            self._stayed[move.id] = stayed = len(move.slots) - progress.moved
            self._ended[move.id] = (
                f"Move {move.id}: {progress.moved} slots of {move.group} from {move.source} to {move.target}, "
                f"longest pause {progress.longest_pause_ms} ms"
                + (f"; {stayed} stayed on {move.source}" if stayed else "")
                + (f": {move.problem}" if stayed and move.problem else ".")
            )

    def _of(self, progress: MoveProgress) -> tuple[TaskID, TaskID]:
        move = progress.move
        if move.id not in self._tasks:
            title = f"{move.id}: {move.group}, {move.source} to {move.target}"
            self._tasks[move.id] = (
                self._bars.add_task(title, total=None, unit="rows", note=""),
                self._bars.add_task(" " * len(title), total=len(move.slots), unit="slots", note=""),
            )
        return self._tasks[move.id]
