"""One of two databases goes back to a moment while nodes serve: its players go back, nobody else does."""

import asyncio
import re
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime

import orjson
import pytest

from gameserver.storage.ids import slot_of
from tests.cluster.running_up import RunningUp, prepared
from tests.support.client import Api, Signed
from tests.support.wait import wait_until

SOME = 4
"""Players of each database, at least."""
CONFIG = """
game = "{game}"
[stack]
data = "var"
nodes = 2
[node]
port = {node}
drain_seconds = 3
[limits]
exempt = ["127.0.0.0/8"]
actions_per_player = {{ per_second = 5000, burst = 10000 }}
reads_per_player = {{ per_second = 5000, burst = 10000 }}
[databases.one]
embedded = {{ port = {one} }}
[databases.two]
embedded = {{ port = {two} }}
[[databases.two.replicas]]
embedded = {{ port = {players} }}
[redis]
embedded = {{ port = {redis} }}
[control]
database = "one"
[groups.accounts]
databases = ["one"]
slots = 8
[groups.players]
databases = ["one", "two"]
slots = 8
[backups]
folder = "backups"
"""


@pytest.fixture
def up() -> Iterator[RunningUp]:
    with prepared(CONFIG, nodes=2) as run:
        yield run


async def gameserver(up: RunningUp, *words: str) -> str:
    """What a command of the product prints; it must succeed."""
    command = [sys.executable, "-m", "gameserver", *words, "--config", str(up.config)]
    done = await asyncio.to_thread(subprocess.run, command, stdin=subprocess.DEVNULL, capture_output=True, timeout=240)
    assert done.returncode == 0, (done.stdout + done.stderr).decode()
    return done.stdout.decode()


@pytest.mark.timeout(240)
async def test_the_players_of_a_restored_database_go_back_and_nobody_else_does(up: RunningUp) -> None:
    await up.start()
    async with Api(f"http://127.0.0.1:{up.port}") as api:
        owners = await database_of_slots(up)
        players, here, there = list[Signed](), list[Signed](), list[Signed]()
        while min(len(here), len(there)) < SOME:
            players.append(await api.sign_up())
            (here if owners[slot_of(int(players[-1].id))] == "one" else there).append(players[-1])
        await gameserver(up, "backup")
        await hunt(api, players)
        at_moment = await states(api, players)
        renamed, moment = there[0], datetime.now(UTC)

        # What is undone: hunting, a rename, and a sign-up on the restored database.
        await hunt(api, players)
        assert await states(api, players) != at_moment
        new_name = f"{renamed.name} again"
        asked = await api.ask("POST", "/v1/players/me/name", token=renamed.token, body={"name": new_name})
        assert asked.status == 200, asked.body
        gone = list[Signed]()
        while not gone:
            late = await api.sign_up()
            gone += [late] if owners[slot_of(int(late.id))] == "two" else []
        before = await states(api, here)

        words = ("restore", "--database", "two", "--to", moment.isoformat(), "--reason", "a drill", "--yes", "--json")
        printed = await gameserver(up, *words)
        report = orjson.loads(printed)
        assert report["running"], report
        findings = {kind["kind"]: kind for kind in report["findings"]}
        assert findings["claims_doubted"]["count"] >= len(gone)
        assert findings["claims_taken"]["count"] == 0
        audit = orjson.loads(await gameserver(up, "audit", "--json"))["entries"]
        ended = [entry["ended"] for entry in audit if (entry["action"], entry["target"]) == ("database_restore", "two")]
        assert ended == ["done"]

        assert await settled(api, there) == {player.id: at_moment[player.id] for player in there}
        assert await states(api, here) == before
        for player in players:
            await plays_on(api, player)
        await board_is_right(api, players)
        await all_is_well(up)
        await nothing_acknowledged_is_lost(up, api, there)
    assert not re.search(r"Node node-\d died", up.output()), up.output()


async def nothing_acknowledged_is_lost(up: RunningUp, api: Api, players: list[Signed]) -> None:
    """A restore to `latest` keeps what players were answered while it ran."""
    versions, over = {player.id: list[int]() for player in players}, asyncio.Event()

    async def act(player: Signed) -> None:
        answer = await api.act(player)
        while not over.is_set():
            answer = await api.act(player, "revive" if answer.code == "player_is_down" else "hunt")
            if answer.status == 200:
                versions[player.id].append(answer.body["player"]["version"])
            else:
                await asyncio.sleep(0.05)

    acting = [asyncio.create_task(act(player)) for player in players]
    words = ("restore", "--database", "two", "--to", "latest", "--reason", "a drill", "--yes", "--json")
    assert orjson.loads(await gameserver(up, *words))["running"]
    await settled(api, players)
    over.set()
    await asyncio.gather(*acting)
    for player in players:
        now = (await api.ask("GET", "/v1/players/me", token=player.token)).body["version"]
        acknowledged = [*versions[player.id], now]
        assert acknowledged == sorted(acknowledged), "none goes back"
        assert len(acknowledged) > 1


async def plays_on(api: Api, player: Signed) -> None:
    """Acts are refused with 503 until each node has seen that the database's slots agree with the map."""

    async def acts() -> bool:
        answer = await api.act(player)
        assert answer.status in (200, 503), answer.body
        return answer.status == 200

    await wait_until(acts, 60, f"{player.name} plays on")


async def all_is_well(up: RunningUp) -> None:
    """The restored database has its replica again, and its log is kept again."""

    async def examined() -> bool:
        command = [sys.executable, "-m", "gameserver", "doctor", "--json", "--config", str(up.config)]
        done = await asyncio.to_thread(subprocess.run, command, capture_output=True, timeout=60)
        found = [
            finding["problem"] for server in orjson.loads(done.stdout)["servers"] for finding in server["findings"]
        ]
        told[:] = found
        return done.returncode == 0 and not any("log" in problem or "backup" in problem for problem in found)

    told: list[str] = []
    try:
        await wait_until(examined, 90, "doctor finds nothing")
    except AssertionError:
        raise AssertionError(told) from None


async def board_is_right(api: Api, players: list[Signed]) -> None:
    """Every player stands on the board as its database has it."""

    async def right() -> bool:
        ranks = (await api.ask("GET", "/v1/boards/exp?limit=100")).body
        shown = {entry["player"]["id"]: entry["score"] for entry in ranks["entries"]}
        now = await states(api, players)
        return all(shown.get(player) == exp for player, exp in now.items())

    await wait_until(right, 60, "the board follows")


async def database_of_slots(up: RunningUp) -> dict[int, str]:
    key = (up.folder / "var" / "admin.key").read_text()
    async with Api(f"http://127.0.0.1:{up.port + 1}") as operators:
        groups = (await operators.ask("GET", "/admin/v1/slots", token=key)).body["groups"]
    (ranges,) = (group["ranges"] for group in groups if group["group"] == "players")
    return {slot: part["database"] for part in ranges for slot in range(part["first"], part["last"] + 1)}


async def hunt(api: Api, players: list[Signed]) -> None:
    for player in players:
        for _ in range(3):
            await api.act(player)


async def states(api: Api, players: list[Signed]) -> dict[str, int]:
    """The exp of each, by id."""
    found = {}
    for player in players:
        answer = await api.ask("GET", "/v1/players/me", token=player.token)
        assert answer.status == 200, answer.body
        found[player.id] = answer.body["exp"]
    return found


async def settled(api: Api, players: list[Signed]) -> dict[str, int]:
    """Their exp once the nodes reach their database again."""

    async def served() -> bool:
        answers = [await api.ask("GET", "/v1/players/me", token=player.token) for player in players]
        return all(answer.status == 200 for answer in answers)

    await wait_until(served, 60, "the restored database is served")
    return await states(api, players)
