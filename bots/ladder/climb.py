"""Climbs the ladder: on each rung in turn the same bots play the same plan, and a node and a database are killed.

Law: a rung has the machine to itself, with data of its own that are gone afterwards; a rung that can't be run says why,
and the others are climbed all the same.
"""

import asyncio
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import aiohttp

from bots.chaos.stack import RunningStack
from bots.count.document import BadDocumentError
from bots.ladder import standing
from bots.ladder.measures import RungFigures, measured
from bots.ladder.rungs import Rung
from bots.ladder.standing import RungError
from bots.report import documents
from bots.waiting import cancel_and_wait

PROOF_SECONDS = 300.0
"""What a run may take beyond its play."""
SAMPLE_SECONDS = 0.5
_AGE = re.compile(r"^gameserver_replica_age_seconds(?:\{.*\})? (\S+)$", re.MULTILINE)
_FAULTS = """seed = {seed}
[[faults]]
kind = "kill"
target = "node"
at = {first}
[[faults]]
kind = "kill"
target = "database"
at = {second}
"""


@dataclass(frozen=True, slots=True)
class ClimbPlan:
    """`players` play for `seconds` on each rung, each `rate` actions a second (0: as fast as answers come)."""

    configs: Path
    rungs: Sequence[Rung]
    players: int
    seconds: float
    rate: float
    seed: int


Say = Callable[[Rung, RungFigures | None], None]
"""Called when a rung begins, and with its figures when it has ended."""


async def climb(plan: ClimbPlan, say: Say) -> list[RungFigures]:
    """Run every rung, one after another."""
    figures = []
    for rung in plan.rungs:
        say(rung, None)
        figures.append(await _climbed(plan, rung))
        say(rung, figures[-1])
    return figures


async def _climbed(plan: ClimbPlan, rung: Rung) -> RungFigures:
    # Postgres may run as another account, which must be able to enter.
    folder = Path(tempfile.mkdtemp(prefix=f"ladder-{rung.key}-"))
    folder.chmod(0o755)
    try:
        config = standing.require(rung, plan.configs)
        async with standing.standing(rung, config, folder / "stack") as stack:
            return await _played(plan, rung, stack, folder)
    except (RungError, BadDocumentError) as error:
        return RungFigures(rung, skipped=str(error))
    finally:
        await asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True)


async def _played(plan: ClimbPlan, rung: Rung, stack: RunningStack, folder: Path) -> RungFigures:
    faults, out = folder / "faults.toml", folder / "run.json"
    faults.write_text(_FAULTS.format(seed=plan.seed, first=round(plan.seconds / 3), second=round(plan.seconds * 2 / 3)))
    ages: list[float] = []
    watching = asyncio.create_task(_watch(stack, ages))
    try:
        await _bots(plan, rung, stack, (("--chaos", str(faults)), ("--json", str(out))), folder / "bots.log")
    finally:
        await cancel_and_wait(watching)
    has_replica = any(server.kind == "replica" for server in stack.servers)
    return measured(rung, documents.read(out), max(ages, default=0.0) if has_replica else None)


async def _bots(plan: ClimbPlan, rung: Rung, stack: RunningStack, more: Sequence[tuple[str, str]], log: Path) -> None:
    """A run of the bots as a user would start it. Raises RungError when it proves nothing."""
    options = (
        ("--url", stack.players), ("--admin-url", stack.operators), ("--admin-key-file", str(stack.admin_key_file)),
        ("--stack", str(stack.data)), ("--players", str(plan.players)), ("--seconds", f"{plan.seconds:g}"),
        ("--rate", f"{plan.rate:g}"), ("--seed", str(plan.seed)), *more,
    )  # fmt: skip
    words = ["--probes", *(word for option in options for word in option)]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bots", "run", *words, env=standing.environment(rung, stack.data),
            stdin=asyncio.subprocess.DEVNULL, stdout=output, stderr=output,
        )  # fmt: skip
    try:
        with suppress(TimeoutError):
            async with asyncio.timeout(plan.seconds + PROOF_SECONDS):
                await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    if process.returncode not in (0, 1):
        said = log.read_text("utf-8", "replace").strip().splitlines()
        raise RungError(said[-1] if said else f"the bots ended with {process.returncode}")


async def _watch(stack: RunningStack, ages: list[float]) -> None:
    """How old replicas are, as a node says."""
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=2)) as session:
        while True:
            with suppress(aiohttp.ClientError, TimeoutError):
                async with session.get(f"{stack.operators}/metrics") as answer:
                    found = [float(age) for age in _AGE.findall(await answer.text())]
                    ages += [age for age in found if age != float("inf")]
            await asyncio.sleep(SAMPLE_SECONDS)
