"""`gameserver up` as a process tree: play, `kill -9` of all of it, and everything acknowledged is there again."""

import asyncio
import re
from collections.abc import Iterator

import pytest

from tests.cluster.running_up import RunningUp, prepared
from tests.support.client import Api, Signed
from tests.support.wait import wait_until

CONFIG = """
game = "{game}"
[stack]
data = "var"
[node]
port = {node}
drain_seconds = 3
[databases.one]
embedded = {{ port = {one} }}
[[databases.one.replicas]]
embedded = {{ port = {replica} }}
[databases.two]
embedded = {{ port = {two} }}
[redis]
embedded = {{ port = {redis} }}
[control]
database = "one"
[groups.accounts]
databases = ["one", "two"]
[groups.players]
databases = ["one", "two"]
[backups]
folder = "{game}/backups"
"""
"""There can't be any backups: it is a file, as if their disk were away. That keeps nothing from starting."""


@pytest.fixture
def up() -> Iterator[RunningUp]:
    with prepared(CONFIG, nodes=2) as run:
        # Nor does a replica that no commit waits for, which can't use its folder.
        (run.folder / "var" / "postgres-one-replica-1" / "foreign").mkdir(parents=True)
        yield run


async def test_whatever_was_acknowledged_before_all_was_killed_is_there_after_the_next_start(up: RunningUp) -> None:
    await up.start()
    assert re.search(r"node-2.*\n", up.output()), "it prints what runs where"
    assert up.output().count("can't be started, next try") >= 3, "the replica, and each database's log"
    assert "Postgres one-replica-1 can't be started" in up.output()
    key = (up.folder / "var" / "admin.key").read_text()
    async with Api(f"http://127.0.0.1:{up.port}") as api:
        players = [await api.sign_up() for _ in range(6)]
        players_by_id = dict(await asyncio.gather(*(play(api, player) for player in players)))
        up.kill()
    await wait_until(lambda: not up.alive(), what="all of it is dead")
    await up.start()
    async with Api(f"http://127.0.0.1:{up.port}") as api:
        for player in players:
            back = await api.ask("POST", "/v1/sessions", body={"device": player.device})
            assert back.body["player"] == players_by_id[player.id]
        assert (await api.ask("GET", "/admin/v1/rankings", token=key)).status == 404
        async with Api(f"http://127.0.0.1:{up.port + 1}") as operators:
            ranked = await operators.ask("GET", "/admin/v1/rankings", token=key)
        assert {entry["player"]["id"] for entry in ranked.body["entries"]} == set(players_by_id)

        async def boards_are_back() -> bool:
            return bool((await api.ask("GET", "/v1/boards/exp")).body.get("total") == len(players))

        await wait_until(boards_are_back, what="the board has every player")
        assert (await api.act(await api.sign_up())).status == 200
    assert up.popen is not None
    up.popen.terminate()
    await wait_until(up.ended, 30, "it has ended")
    assert up.popen.returncode == 0, up.output()
    assert up.alive() == []


async def play(api: Api, player: Signed) -> tuple[str, object]:
    """A player's id and its state in the last answer."""
    last: object = None
    for _ in range(15):
        answer = await api.act(player)
        last = answer.body["player"] if answer.status == 200 else last
    return player.id, last
