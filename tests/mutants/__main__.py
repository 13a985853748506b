"""`make mutants`: runs the swarm against each mutant, and tells which invariant caught it, and how soon.

`python -m tests.mutants [--processes N] [--json FILE] [--markdown FILE] [--keep FOLDER] [NAME ...]`. Exit code 1 if a
mutant wasn't caught by an invariant that it breaks, or if the honest server was accused.
"""

import argparse
import asyncio
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import orjson
from rich.console import Console
from rich.table import Table

from bots.count.document import HELD, VIOLATED
from bots.proof import invariants
from bots.waiting import cancel_and_wait
from tests.mutants.events import EVENTS, WANDER, is_played, slots_moved
from tests.mutants.mutant import Mutant
from tests.mutants.mutants import HONEST, LATE, MUTANTS
from tests.mutants.stack import START_SECONDS, MutantStack, planted
from tests.support.repository import ROOT

BOTS_SECONDS = 150
PLAYERS, RATE = 24, 6
HISTORY = "history.jsonl"
GOAL_SECONDS = 60.0
MUST_HOLD = (
    invariants.KEPT, invariants.ONCE, invariants.ANSWERS, invariants.CHAIN, invariants.STATE, invariants.FRESH,
    invariants.SEEN, invariants.LETTERS, invariants.ITEMS, invariants.PUSHES, invariants.BOARDS, invariants.POINTS,
    invariants.BANS, invariants.SESSIONS,
)  # fmt: skip
"""What a run of an honest server has to find kept: not being accused by a run that saw nothing says nothing."""

console = Console(width=120, highlight=False)


@dataclass
class Catch:
    """What became of a mutant: the violated invariants, `seconds` from the swarm's start to its verdict, a story.

    `by_history` are the invariants that `bots check-history` found violated, with the server gone.
    """

    mutant: str
    what: str
    caught: bool
    invariants: list[str]
    seconds: float
    story: list[str]
    by_history: list[str] = field(default_factory=list)


async def run(mutant: Mutant, keep: Path | None = None, processes: int = 1) -> Catch:
    """Starts the mutant, lets the swarm play and prove, and stops the mutant; its history goes to the folder `keep`.

    The swarm is of so many generators.
    """
    with planted(mutant) as stack:
        await stack.start(START_SECONDS)
        began = time.monotonic()
        try:
            async with asyncio.TaskGroup() as group:
                happening = [
                    group.create_task(_happen(stack, name, 3.0 * number))
                    for number, name in enumerate(mutant.meanwhile)
                ]
                playing = group.create_task(_play(stack, mutant, happening, processes))
            is_idle = not mutant.invariants and WANDER in mutant.meanwhile and not await slots_moved(stack)
        finally:
            seconds = time.monotonic() - began
            await stack.stop()
        report, output = playing.result()
        catch = _judged(mutant, report, output, seconds)
        if is_idle:
            catch.caught, catch.story = False, [*catch.story, "no slot moved"]
        catch.by_history = await _judged_again(stack.folder / HISTORY)
        if not mutant.invariants and catch.by_history:
            catch.caught, catch.story = False, [*catch.story, "its history alone was accused"]
        if keep is not None:
            shutil.copy(stack.folder / HISTORY, keep / f"{mutant.name}-{time.time_ns()}.jsonl")
    return catch


async def _caught(mutant: Mutant, keep: Path | None, processes: int) -> Catch:
    """The same; a run that fails has caught nothing."""
    try:
        return await run(mutant, keep, processes)
    except Exception as error:
        story = [*map(repr, error.exceptions)] if isinstance(error, BaseExceptionGroup) else [repr(error)]
        return Catch(mutant.name, mutant.what, caught=False, invariants=["the run failed"], seconds=0.0, story=story)


async def _happen(stack: MutantStack, name: str, later: float) -> None:
    event = EVENTS[name]
    if event.after:
        await is_played(stack)
    await asyncio.sleep(event.after + later)
    await event.carry_out(stack)


async def _play(
    stack: MutantStack, mutant: Mutant, happening: Sequence[asyncio.Task[None]], processes: int
) -> tuple[dict[str, Any], str]:
    """Returns the report of the bots and what they printed."""
    urls = [word for url in stack.urls for word in ("--url", url)]
    with tempfile.NamedTemporaryFile(suffix=".json") as report:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bots", "run", *urls, "--admin-url", stack.operators, "--admin-key-file",
            str(stack.admin_key), "--players", str(PLAYERS), "--seconds", str(mutant.seconds),
            "--rate", str(RATE), "--mix", mutant.mix, "--patience", "20", "--probes", "--json", report.name,
            "--history", str(stack.folder / HISTORY), "--processes", str(processes),
            cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        async with asyncio.timeout(BOTS_SECONDS):
            ending = asyncio.create_task(_interrupt_after(process, happening)) if mutant.plays_on else None
            output, _ = await process.communicate()
        if ending is not None:
            await cancel_and_wait(ending)
        text = Path(report.name).read_bytes()
    return orjson.loads(text) if text else {}, output.decode()


async def _interrupt_after(process: asyncio.subprocess.Process, happening: Sequence[asyncio.Task[None]]) -> None:
    """Ends the play by Ctrl-C once all that happens meanwhile is over; the swarm goes on to its proof."""
    await asyncio.wait(happening)
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGINT)


async def _judged_again(history: Path) -> list[str]:
    """The invariants that the history alone shows to be violated."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bots", "check-history", str(history), "--json", "-",
        cwd=ROOT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    async with asyncio.timeout(BOTS_SECONDS):
        output, errors = await process.communicate()
    if not output:
        return [f"not judged: {errors.decode().strip()}"]
    return [row["invariant"] for row in orjson.loads(output)["invariants"] if row["verdict"] == VIOLATED]


def _judged(mutant: Mutant, report: dict[str, Any], output: str, seconds: float) -> Catch:
    proof: Any = report.get("proof")
    if not proof:
        return Catch(mutant.name, mutant.what, False, ["the bots gave up"], seconds, output.splitlines()[-5:])
    violated = {row["invariant"]: row["story"] for row in proof if row["verdict"] == VIOLATED}
    failure = next((row["story"][0] for row in proof if row["verdict"] != VIOLATED and row["story"]), "")
    names = [name for name in mutant.invariants if name in violated]
    if not mutant.invariants and not violated:
        held = {row["invariant"] for row in proof if row["verdict"] == HELD}
        failure = failure or ", ".join(f"not seen to hold: {name}" for name in MUST_HOLD if name not in held)
    caught = bool(names) if mutant.invariants else not violated and not failure
    others = [name for name in violated if name not in names]
    story = violated[names[0]] if names else [line for name in others for line in violated[name]] or [failure]
    return Catch(mutant.name, mutant.what, caught, names + others, seconds, story)


def table(catches: list[Catch]) -> Table:
    """One row for each."""
    shown = Table("mutant", "what it does", "caught by", show_lines=True)
    shown.add_column("by its history alone")
    shown.add_column("seconds", justify="right")
    for catch in catches:
        by = "\n".join(catch.invariants) or ("nothing, as it should be" if catch.caught else "NOTHING")
        again = "\n".join(catch.by_history)
        shown.add_row(catch.mutant, catch.what, by if catch.caught else f"MISSED\n{by}", again, f"{catch.seconds:.0f}")
    return shown


def markdown(catches: Sequence[Catch]) -> str:
    """The rows of the table in docs/mutants.md: every mutant, without the honest servers."""
    rows = [
        f"| `{catch.mutant}` | {catch.what} | {'; '.join(catch.invariants) if catch.caught else 'MISSED'} "
        f"| {catch.seconds:.0f} |\n"
        for catch in catches
        if catch.mutant not in (HONEST.name, LATE.name)
    ]
    return "| mutant | what it does | caught by | seconds |\n|---|---|---|---|\n" + "".join(rows)


def verdict(catch: Catch) -> str:
    if catch.mutant in (HONEST.name, LATE.name):
        return "not accused" if catch.caught else "ACCUSED"
    return "caught" if catch.caught else "MISSED"


async def main() -> int:
    """Returns the exit code."""
    parser = argparse.ArgumentParser(
        prog="make mutants", description="Plant faults, and see whether the swarm finds them."
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="only these mutants")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the result here, too")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write the table of docs/mutants.md here, too")
    parser.add_argument("--processes", type=int, default=1, metavar="N", help="of how many generators the swarm is")
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="put the histories of the runs here")
    options = parser.parse_args()
    everything = {mutant.name: mutant for mutant in (HONEST, LATE, *MUTANTS)}
    if unknown := [name for name in options.names if name not in everything]:
        parser.error(f"there is no mutant {unknown[0]}: {', '.join(everything)}")
    catches = []
    for name in options.names or everything:
        catch = await _caught(everything[name], options.keep, options.processes)
        catches.append(catch)
        console.print(f"[bold]{name}[/]: {verdict(catch)} after {catch.seconds:.0f} s")
        for line in catch.story[:12]:
            console.print(f"  {line}", markup=False)
    console.print(table(catches))
    if options.json is not None:
        options.json.write_bytes(orjson.dumps([asdict(catch) for catch in catches], option=orjson.OPT_INDENT_2))
    if options.markdown is not None:
        options.markdown.write_text(markdown(catches), "utf-8")
    late = [catch.mutant for catch in catches if catch.seconds > GOAL_SECONDS]
    if late:
        console.print(f"later than {GOAL_SECONDS:g} s: {', '.join(late)}")
    return 0 if all(catch.caught for catch in catches) else 1


async def interruptible() -> int:
    """The same; a signal ends the stack that runs, too."""
    running = asyncio.ensure_future(main())
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, running.cancel)
    return await running


if __name__ == "__main__":
    sys.exit(asyncio.run(interruptible()))
