"""The bots' proof knows what a server does of itself, and what its operators do: rewards of seasons, and bans."""

import tempfile
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gameserver.config.settings import Settings
from gameserver.stack.servers.node import NodeProcess
from tests.cluster.swarm import RUN, Bots, has_acted, has_sockets, key_in
from tests.support.client import ADMIN_KEY, Api, command_id
from tests.support.command_line import CommandLine
from tests.support.nodes import node_process
from tests.support.servers import GAME, roomy
from tests.support.wait import wait_until

BOARD = "dragons_weekly"
PROVED = RUN[:-1]


@pytest.fixture
async def generous(settings: Settings) -> AsyncIterator[list[NodeProcess]]:
    """Two nodes of the example game in which every foe counts for the season of the dragon slayers."""
    with tempfile.TemporaryDirectory(dir=roomy()) as folder:
        game = Path(folder) / "game.toml"
        text = GAME.read_text("utf-8").replace("points = { dragons = 1 }\n", "")
        game.write_text(text.replace("max_damage", "points = { dragons = 1 }\nmax_damage"), "utf-8")
        played = settings.model_copy(update={"game": game})
        both = [node_process(played, Path(folder), f"node-{number}") for number in (1, 2)]
        for node in both:
            await node.start()
        yield both
        for node in both:
            node.kill()


async def close_season(command_line: CommandLine, node: NodeProcess) -> None:
    """Ends the season 5 s from now."""
    words = ("seasons", "close", BOARD, "--reason", "a test", "--config", node.argv[-1])
    done = await command_line.gameserver(*words)
    assert done.code == 0, done.text


async def rewards(api: Api) -> int:
    """How many of the first players have more EXP than half a minute of play can give."""
    entries = (await api.admin("rankings", limit=1000)).body["entries"]
    return sum(entry["player"]["exp"] >= 1000 for entry in entries)


async def test_a_run_in_which_a_season_pays_rewards_is_proved(
    bots: Bots, generous: list[NodeProcess], tmp_path: Path
) -> None:
    async def close() -> None:
        await has_sockets(generous)
        await close_season(bots.command_line, generous[0])
        async with Api(generous[0].address) as api:

            async def is_paid() -> bool:
                return await rewards(api) > 0

            await wait_until(is_paid, 30, "rewards arrive")
        await has_acted(generous)

    outcome = await bots.play(generous, *PROVED, *key_in(tmp_path), until=close)
    assert outcome.code == 0, outcome.output
    assert outcome.report["ok"] is True
    assert outcome.report["summary"]["proof"]["boards_proved"] is True


async def test_a_run_in_which_bans_are_lifted_after_the_rewards_is_proved(
    bots: Bots, generous: list[NodeProcess], tmp_path: Path
) -> None:
    async def pay_beside_bans() -> None:
        await has_sockets(generous)
        await has_acted(generous)
        async with Api(generous[0].address) as api:
            board = (await api.ask("GET", f"/v1/boards/{BOARD}?limit=100")).body["entries"]
            # Fewer are left than ranks are rewarded, so the others come back to ranks that were.
            banned = [entry["player"]["id"] for entry in board[8:]]
            for player in banned:
                await order(api, f"/admin/v1/players/{player}/ban")
            await close_season(bots.command_line, generous[0])

            async def is_paid() -> bool:
                return await rewards(api) > 0

            await wait_until(is_paid, 30, "rewards arrive")
            for player in banned:
                path = f"/admin/v1/players/{player}/ban?reason=mercy"
                assert (await api.ask("DELETE", path, token=ADMIN_KEY, key=command_id())).status == 200
        await has_acted(generous)

    outcome = await bots.play(generous, *PROVED, *key_in(tmp_path), until=pay_beside_bans)
    assert outcome.code == 0, outcome.output
    assert outcome.report["summary"]["proof"]["banned"] == 0


async def order(api: Api, path: str, **fields: object) -> None:
    """An operator's order, again if the player has acted meanwhile."""

    async def is_done() -> bool:
        answer = await api.ask("POST", path, body={"reason": "a test", **fields}, token=ADMIN_KEY, key=command_id())
        assert answer.code in (None, "player_changed", "overloaded", "database_unavailable"), answer.body
        return answer.status == 200

    await wait_until(is_done, 20, f"{path} is done")


async def correct(api: Api, player_id: str, number: int, began: datetime) -> None:
    """Values and items for each; an action of each is undone; some are set back, and some renamed."""
    player = f"/admin/v1/players/{player_id}"
    await order(api, f"{player}/corrections", exp=5000 + number, hp=50, items={"potion": 3})
    ledger = (await api.admin(f"players/{player_id}/ledger", limit=20)).body["entries"]
    hunts = [row["command_id"] for row in ledger if row["action"] == "hunt"]
    await order(api, f"{player}/undo", command_id=hunts[-1])
    if number % 2:
        await order(api, f"{player}/rollback", to=began.isoformat(timespec="milliseconds"))
    else:
        await order(api, f"{player}/name", name=f"Renamed {number}")


async def test_a_run_in_which_players_are_corrected_and_banned_is_proved_and_says_so(
    bots: Bots, generous: list[NodeProcess], tmp_path: Path
) -> None:
    async def meddle() -> None:
        await has_sockets(generous)
        await has_acted(generous)
        began = datetime.now(UTC)
        await has_acted(generous)
        async with Api(generous[0].address) as api:
            first, second, *others = (await api.admin("rankings", limit=6)).body["entries"]
            for number, entry in enumerate(others):
                await correct(api, entry["player"]["id"], number, began)
            for entry in (first, second):
                path = f"/admin/v1/players/{entry['player']['id']}/ban"
                await order(api, path)
            lifted = await api.ask("DELETE", f"{path}?reason=mercy", token=ADMIN_KEY, key=command_id())
            assert lifted.status == 200
            marked = [entry["player"]["banned"] for entry in (await api.admin("rankings", limit=1000)).body["entries"]]
            assert marked.count(True) == 1
        await has_acted(generous)

    outcome = await bots.play(generous, *PROVED, *key_in(tmp_path), until=meddle)
    assert outcome.code == 0, outcome.output
    proof = outcome.report["summary"]["proof"]
    assert (proof["banned"], proof["boards_proved"], outcome.report["ok"]) == (1, True, True)
    assert "players that could not be read and were not compared: banned 1" in outcome.output
