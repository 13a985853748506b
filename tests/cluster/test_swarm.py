"""The swarm against real nodes: its report on a node that goes, and misbehaving clients that disturb no other."""

import os
import signal
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

import gameserver
from bots.cli.ending import MISSED, VOID
from bots.count.document import VIOLATED, RunDocument
from bots.history.lines import read_lines
from bots.proof.invariants import NAMES, ORDER
from bots.proof.replay import check_history
from gameserver.config.settings import Settings
from gameserver.stack.servers.node import NodeProcess
from tests.cluster.swarm import PLAYERS, RUN, Bots, has_acted, has_sockets, key_in
from tests.support.nodes import node_process
from tests.support.servers import roomy
from tests.support.wait import wait_until

SAW_ERRORS = 3


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


def send(node: NodeProcess, number: signal.Signals) -> None:
    assert node.process.pid is not None
    os.kill(node.process.pid, number)


async def test_a_swarm_that_nothing_disturbs_sees_no_error(bots: Bots, nodes: list[NodeProcess]) -> None:
    async def have_played() -> None:
        await has_sockets(nodes)
        await has_acted(nodes)

    outcome = await bots.play(nodes, *RUN, until=have_played)
    assert outcome.code == 0, outcome.output
    report = outcome.report
    assert (report["saw_no_error"], report["interruptions"]) == (True, {})
    assert report["summary"]["proof"]["pushes"] == 0
    assert sum(attempts for _, attempts, _ in outcome.report["connections"]["first"]) == PLAYERS


async def test_players_whose_node_is_killed_come_back_and_the_report_says_after_how_long(
    bots: Bots, nodes: list[NodeProcess]
) -> None:
    async def all_are_back() -> None:
        await has_sockets(nodes)
        await has_acted(nodes)
        nodes[0].kill()
        await has_sockets(nodes[1:])
        await nodes[0].start()
        await has_acted(nodes)

    outcome = await bots.play(nodes, *RUN, until=all_are_back)
    assert outcome.code == SAW_ERRORS, outcome.output
    assert outcome.report["ok"] is True
    assert outcome.report["interruptions"]["lost"]["count"] >= 1
    assert "worst second" in outcome.output
    again = outcome.report["connections"]["again"]
    assert sum(successes for *_, successes in again) == outcome.report["happened"]["reconnects"]


async def test_every_socket_that_is_sent_away_has_moved_and_resumed_before_it_is_closed(
    bots: Bots, nodes: list[NodeProcess]
) -> None:
    async def all_have_moved() -> None:
        await has_sockets(nodes)
        send(nodes[0], signal.SIGTERM)
        await wait_until(lambda: nodes[0].process.status is not None, 30, "the node has ended")
        await has_sockets(nodes[1:])
        await has_acted(nodes[1:])

    outcome = await bots.play(nodes, *RUN, until=all_have_moved)
    happened = outcome.report["happened"]
    assert outcome.report["ok"] is True, outcome.output
    assert happened["going_away"] >= 1
    assert (outcome.report["going_away_heeded"], happened.get("closed before the move", 0)) == (
        happened["going_away"],
        0,
    )
    assert "going_away" not in outcome.report["interruptions"], "no player was without a socket"
    assert happened["resumed"] >= 1


async def test_misbehaving_clients_do_not_disturb_an_honest_one(bots: Bots, nodes: list[NodeProcess]) -> None:
    outcome = await bots.run(nodes[:1], "misbehave", "mute", "resume", "--seconds", "6")
    assert outcome.code in (0, 1), outcome.output
    assert [incident["kind"] for incident in outcome.report] == ["alone", "mute", "resume"]
    assert all(incident["honest_actions"] for incident in outcome.report)
    assert not any(incident["honest_errors"] or incident["honest_problems"] for incident in outcome.report)
    assert outcome.report[2]["heard"]["another's: resumed false"] == 1


async def test_a_wrong_admin_key_is_said_before_anybody_signs_up(
    bots: Bots, nodes: list[NodeProcess], tmp_path: Path
) -> None:
    outcome = await bots.run(nodes[:1], "run", *key_in(tmp_path, "wrong"), "--players", "1")
    assert (outcome.code, outcome.report) == (2, None)
    assert outcome.output.strip().startswith(f"bots: the admin key isn't valid at {nodes[0].address}: ")


PLAN = """
players = 16
seconds = 3
warm_up = 1
sockets = 0.5
[mix]
grinder = 2
lurker = 1
[[arrivals]]
rate = 40
[[storms]]
kind = "sign_up"
at = 0.5
rate = 6
[[storms]]
kind = "reconnect"
at = 1
rate = 6
"""


async def test_two_generators_carry_out_a_plan_and_are_proved_as_one(
    bots: Bots, nodes: list[NodeProcess], tmp_path: Path
) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text(PLAN, "utf-8")
    history = tmp_path / "run.jsonl"
    words = ("run", "--plan", str(plan), "--processes", "2", "--quiet", "--slo", "act rate > 1000/s", "--probes")
    outcome = await bots.run(nodes, *words, "--name-prefix", "crew", "--history", str(history))
    made = RunDocument.from_json(outcome.report)
    assert (outcome.report["ok"], outcome.code in (MISSED, VOID)) == (True, True), outcome.output
    assert outcome.report["signed_up"] > 16
    assert made.setup.seed == 1, "the whole's, which runs it again"
    verdicts = {row.invariant: (row.verdict, row.checked > 0) for row in made.proof}
    assert verdicts[NAMES] == verdicts[ORDER] == ("held", True), "one of the generators has the probes"
    signed_up = {line.value["name"] for line in read_lines(history) if (line.f, line.type) == ("sign_up", "invoke")}
    assert {name[:4].lower() for name in signed_up} == {"crew"}
    assert {second.process for second in made.generator} == {0, 1}
    totals = made.totals()
    assert {"hunt", "read", "reconnect"} <= totals.operations.keys()
    assert totals.all().planned.count == totals.all().service.count > 20
    assert set(totals.nodes) == {node.address for node in nodes}
    assert sorted(tmp_path.iterdir()) == [plan, history]
    again = await check_history(history)
    assert [row.invariant for row in again.invariants if row.verdict == VIOLATED] == []
    assert again.players == outcome.report["signed_up"] + 1, "and one who probes the order"
    assert made.setup.versions["server"] == gameserver.__version__
