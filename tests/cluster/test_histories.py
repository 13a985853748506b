"""A run that writes its history can be judged again without its server; what is taken out of the history is missed."""

import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import orjson
import pytest

from bots.count.document import HELD, VIOLATED
from bots.proof import invariants
from bots.proof.replay import check_history
from bots.wire.bodies import player_of
from gameserver.config.settings import Settings
from gameserver.stack.servers.node import NodeProcess
from tests.cluster.swarm import Bots
from tests.support.command_line import CommandLine
from tests.support.nodes import node_process
from tests.support.servers import roomy

RUN = ("run", "--players", "6", "--seconds", "3", "--rate", "8", "--probes")
PROVED = {
    invariants.KEPT, invariants.ONCE, invariants.ANSWERS, invariants.CHAIN, invariants.STATE, invariants.FRESH,
    invariants.SEEN, invariants.ITEMS, invariants.PUSHES, invariants.NAMES,
}  # fmt: skip
"""What even a short run compares."""
TRIED = {invariants.ORDER, invariants.SESSIONS}
"""What probes compare while the server runs."""


@pytest.fixture
async def nodes(settings: Settings) -> AsyncIterator[list[NodeProcess]]:
    """Two nodes as processes."""
    with tempfile.TemporaryDirectory(dir=roomy()) as folder:
        both = [node_process(settings, Path(folder), f"node-{number}") for number in (1, 2)]
        for node in both:
            await node.start()
        yield both
        for node in both:
            node.kill()


async def test_a_history_is_judged_as_the_run_was_and_shows_what_is_taken_out_of_it(
    bots: Bots, nodes: list[NodeProcess], command_line: CommandLine, tmp_path: Path
) -> None:
    history = tmp_path / "run.jsonl"
    outcome = await bots.run(nodes, *RUN, "--history", str(history))
    assert outcome.code == 0, outcome.output
    by_run = {row["invariant"]: row["verdict"] for row in outcome.report["proof"]}
    assert {name for name, verdict in by_run.items() if verdict == HELD} >= PROVED | TRIED

    code, verdicts = await judged(command_line, history)
    assert (code, {name: verdicts[name] for name in PROVED}) == (0, dict.fromkeys(PROVED, HELD))

    for spoil, invariant in (
        (without_the_last_acknowledged, invariants.KEPT),
        (with_an_older_read, invariants.FRESH),
        (with_a_state_that_nobody_made, invariants.STATE),
    ):
        rewrite(history, tmp_path / "spoilt.jsonl", spoil)
        verdict = await check_history(tmp_path / "spoilt.jsonl")
        assert VIOLATED in [row.verdict for row in verdict.invariants if row.invariant == invariant], spoil


async def judged(command_line: CommandLine, history: Path) -> tuple[int, dict[str, str]]:
    async with command_line.running("bots.__main__", "check-history", str(history), "--json", "-") as command:
        done = await command.end()
    return done.code, {row["invariant"]: row["verdict"] for row in orjson.loads(done.out)["invariants"]}


Lines = list[dict[str, Any]]


def rewrite(history: Path, spoilt: Path, spoil: Callable[[Lines], None]) -> None:
    lines: Lines = [orjson.loads(line) for line in history.read_bytes().splitlines()]
    spoil(lines)
    spoilt.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))


def without_the_last_acknowledged(lines: Lines) -> None:
    """No ledger has the last acknowledged action any more."""
    done = [line["value"] for line in lines if line.get("type") == "ok"]
    pages = [value for value in done if "command_id" in next(iter(value.get("entries", ())), {})]
    stored = {entry["command_id"] for page in pages for entry in page["entries"]}
    missing = next(value["command_id"] for value in reversed(done) if value.get("command_id") in stored)
    for page in pages:
        page["entries"] = [entry for entry in page["entries"] if entry["command_id"] != missing]


def with_an_older_read(lines: Lines) -> None:
    """The last read that began after its state was known shows the player as it was before."""
    done = [line for line in lines if line.get("type") == "ok"]

    def is_known(read: Any) -> bool:
        player, earlier = player_of(read["value"]), [line for line in done if line["index"] < read["operation"]]
        acted = [line["value"]["player"] for line in earlier if "command_id" in line["value"]]
        return any((other["id"], other["version"]) == (player["id"], player["version"]) for other in acted)

    reads = [line for line in done if line["f"] == "read" and player_of(line["value"])["version"] > 1]
    player_of(next(read for read in reversed(reads) if is_known(read))["value"])["version"] -= 1


def with_a_state_that_nobody_made(lines: Lines) -> None:
    """The present state of a player, as the proof read it, has more EXP than its ledger."""
    asked = {line["index"] for line in lines if "max_staleness" in str(line.get("value", {}).get("path"))}
    shown = next(line for line in reversed(lines) if line.get("operation") in asked and line["type"] == "ok")
    player_of(shown["value"])["exp"] += 1
