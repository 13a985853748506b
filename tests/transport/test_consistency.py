"""Reads of players from replicas: never older than the token or the socket says, whatever the replica's state."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gameserver.config.settings import Settings
from gameserver.stack.servers.replica import PostgresReplica
from gameserver.storage.players import replica_reads
from gameserver.telemetry import players_read
from tests.support.client import Answer, Api, Signed
from tests.support.deployment import owner
from tests.support.freezing import frozen
from tests.support.nodes import InProcessNode, start_node
from tests.support.replicas import paused, standing_replica, url_of, with_replica
from tests.support.servers import Servers
from tests.support.wait import wait_until
from tests.transport.doors import assert_problem, fields_of

TRIES = 300
LONG = 3600
"""A replica that shows nothing new is asked for so long: only versions tell then."""


@pytest.fixture(scope="module")
def replica(servers: Servers) -> Iterator[PostgresReplica]:
    """Of database `one`."""
    with standing_replica(servers) as standing:
        yield standing


@pytest.fixture
def plain() -> float:
    """How old a read that says nothing may be."""
    return 0


@pytest.fixture
async def node(settings: Settings, replica: PostgresReplica, plain: float) -> AsyncIterator[InProcessNode]:
    """A node that asks the replica, which is fresh."""
    reads = {"max_staleness_seconds": LONG, "plain_max_staleness_seconds": plain}
    async with AsyncExitStack() as stack:
        started = await start_node(stack, with_replica(settings, url_of(replica, settings), **reads))
        await wait_until(lambda: started.core.replicas.fresh("one", LONG) is not None, 20, "the replica is fresh")
        yield started


async def enter(api: Api, node: InProcessNode) -> Signed:
    """A player of database `one`."""
    while True:
        signed = await api.sign_up()
        if owner(node.core, int(signed.id)) == "one":
            return signed


async def read(api: Api, who: Signed, query: str = "", **headers: Any) -> Answer:
    return await api.ask("GET", f"/v1/players/me{query}", token=who.token, **headers)


async def is_on_replica(api: Api, who: Signed) -> None:
    """Waits until the replica shows the player."""

    async def there() -> bool:
        before = counted("replica")
        assert (await read(api, who, Consistency_Token=f"{who.id}:1")).status == 200
        return counted("replica") > before

    await wait_until(there, 20, "the replica has the player")


def counted(source: str) -> float:
    return float(players_read(source)._value.get())


async def test_a_read_with_a_token_is_as_new_as_its_token_while_the_replica_shows_nothing_new(
    api: Api, node: InProcessNode, replica: PostgresReplica
) -> None:
    who = await enter(api, node)
    await is_on_replica(api, who)
    async with paused(replica):
        acted = await api.act(who)
        token = acted.headers["Consistency-Token"]
        assert token == f"{who.id}:2"
        # The replica is asked, and shows what it has.
        old = await read(api, who, Consistency_Token=f"{who.id}:1")
        assert (old.body["version"], old.headers["Consistency-Token"]) == (1, f"{who.id}:1")
        # What is newer comes from the primary.
        before = counted("primary instead")
        assert (await read(api, who, Consistency_Token=token)).body == acted.body["player"]
        assert counted("primary instead") == before + 1
        # Of several players each is as new as its own token.
        young = await enter(api, node)
        path = f"/v1/players?ids={who.id},{young.id}"
        for mine, version in ((1, 1), (2, 2)):
            tokens = f"{who.id}:{mine}, {young.id}:1"
            both = (await api.ask("GET", path, token=who.token, Consistency_Token=tokens)).body["players"]
            assert [(player["id"], player["version"]) for player in both] == [(who.id, version), (young.id, 1)]
        # A newer one than there is, as after a loss of writes: what is there.
        assert (await read(api, who, Consistency_Token=f"{who.id}:9")).body["version"] == 2
    await is_on_replica(api, young)


async def test_a_page_of_the_ledger_and_of_items_is_as_new_as_a_token_while_the_replica_shows_nothing_new(
    api: Api, node: InProcessNode, replica: PostgresReplica
) -> None:
    who = await enter(api, node)
    await is_on_replica(api, who)
    async with paused(replica):
        acted, granted = await granted_something(api, who)
        token = {"Consistency_Token": acted.headers["Consistency-Token"]}
        page = await api.ask("GET", "/v1/players/me/ledger?limit=1", token=who.token, **token)
        assert [entry["version"] for entry in page.body["entries"]] == [acted.body["player"]["version"]]
        owned = await api.ask("GET", "/v1/players/me/items", token=who.token, **token)
        assert {stack["item"]: stack["count"] for stack in owned.body["items"]} == granted
        # The replica is asked meanwhile, and has none of it.
        assert (await read(api, who, "?max_staleness=60")).body["version"] == 1


async def granted_something(api: Api, who: Signed) -> tuple[Answer, dict[str, int]]:
    """Hunts until something is found, and rests between, or rises again; the last answer, and what was granted."""
    for _ in range(TRIES):
        for action, args in (("hunt", {"foe": "wolf"}), ("rest", {}), ("revive", {})):
            acted = await api.act(who, action, **args)
            if acted.status != 200:
                continue
            for event in acted.body["events"]:
                if event["type"] == "items_granted":
                    return acted, event["items"]
    raise AssertionError(f"{TRIES} hunts have found nothing")


async def test_a_read_is_only_as_old_as_it_allows(api: Api, node: InProcessNode, replica: PostgresReplica) -> None:
    who, gone = await enter(api, node), await enter(api, node)
    await is_on_replica(api, gone)
    async with paused(replica):
        await api.act(who)
        young = await enter(api, node)
        assert (await api.ask("DELETE", "/v1/players/me", token=gone.token)).status == 204
        for query, version in (("", 2), ("?max_staleness=0", 2), ("?max_staleness=60", 1)):
            assert (await read(api, who, query)).body["version"] == version
        token = {"Consistency_Token": f"{who.id}:1"}
        assert (await read(api, who, "?max_staleness=0", **token)).body["version"] == 2
        # That a player isn't there only the primary says; that it was there a replica may say.
        assert (await read(api, young, "?max_staleness=60")).status == 200
        path = f"/v1/players/{gone.id}"
        assert (await api.ask("GET", path, token=who.token)).status == 404
        assert (await api.ask("GET", f"{path}?max_staleness=60", token=who.token)).status == 200
        # Whose session has ended only the primary says.
        assert (await read(api, gone, "?max_staleness=60")).status == 401


@pytest.mark.parametrize("plain", [60])
async def test_plain_reads_go_to_replicas_if_the_settings_say_so(
    api: Api, node: InProcessNode, replica: PostgresReplica
) -> None:
    who = await enter(api, node)
    await is_on_replica(api, who)
    async with paused(replica):
        await api.act(who)
        assert (await read(api, who)).body["version"] == 1
        assert (await read(api, who, "?max_staleness=0")).body["version"] == 2


async def test_a_socket_is_never_shown_an_older_state_than_it_was_sent(
    api: Api, node: InProcessNode, replica: PostgresReplica
) -> None:
    who = await enter(api, node)
    await is_on_replica(api, who)
    async with paused(replica):
        socket, other = await api.socket(who.token), await api.socket(who.token)
        assert (await socket.ask("act", action="hunt", args={"foe": "slime"}))["ok"]["player"]["version"] == 2
        assert (await read(api, who, "?max_staleness=60")).body["version"] == 1
        for fields in ({"max_staleness": 60}, {"at_least": 1}, {"at_least": 2}, {}):
            assert (await socket.ask("read", **fields))["ok"]["player"]["version"] == 2
        assert (await other.ask("read"))["ok"]["player"]["version"] == 2


async def test_a_read_that_a_replica_answers_late_is_no_older_than_what_was_pushed_meanwhile(
    api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = await enter(api, node)
    await is_on_replica(api, who)
    asked, goes_on, ask = asyncio.Event(), asyncio.Event(), replica_reads.ReplicaReads._asked

    async def late(*args: Any) -> Any:
        players = await ask(*args)
        asked.set()
        await goes_on.wait()
        return players

    monkeypatch.setattr(replica_reads.ReplicaReads, "_asked", late)
    connection = (await api.socket(who.token)).connection
    await connection.send_json({"id": "late", "op": "read", "max_staleness": 60})
    await asyncio.wait_for(asked.wait(), 10)
    await api.act(who)
    pushed = await connection.receive_json(timeout=10)
    assert (pushed["push"], pushed["data"]["version"]) == ("player", 2)
    goes_on.set()
    answer = await connection.receive_json(timeout=10)
    assert (answer["id"], answer["ok"]["player"]["version"]) == ("late", 2)


async def test_a_replica_that_says_nothing_is_left(
    api: Api, node: InProcessNode, replica: PostgresReplica, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replica_reads, "REST_SECONDS", 1.0)
    who = await enter(api, node)
    await is_on_replica(api, who)
    token = {"Consistency_Token": f"{who.id}:1"}
    with frozen(replica):
        assert (await read(api, who, **token)).body["version"] == 1
        (only,) = node.core.replicas.all()
        assert "does not answer" in str(only.problem)
        before = counted("primary")
        assert (await read(api, who, **token)).body["version"] == 1
        assert counted("primary") == before + 1, "it isn't asked again"
    await is_on_replica(api, who)


GARBAGE = ("", ":", "ID", "ID:", ":1", "ID:1:1", "0:1", "0ID:1", "ID:0", "ID:-1", "ID:01", "ID:9007199254740992",
           "ID:1,", "a:b")  # fmt: skip
"""ID stands for that of the player that is read."""


async def test_a_token_that_is_none_or_of_another_player_and_wrong_terms_are_refused_with_the_reason(api: Api) -> None:
    who, other = await api.sign_up(), await api.sign_up()
    paths = ("/v1/players/me", f"/v1/players/{other.id}", f"/v1/players?ids={other.id}")
    for path in paths:
        own, stranger = (other, who) if other.id in path else (who, other)
        tokens = [garbage.replace("ID", own.id) for garbage in GARBAGE]
        answers = {token: await api.ask("GET", path, token=who.token, Consistency_Token=token) for token in tokens}
        answers["another's"] = await api.ask("GET", path, token=who.token, Consistency_Token=f"{stranger.id}:1")
        for garbage, answer in answers.items():
            assert_problem(answer, "bad_consistency_token", garbage)
            assert fields_of(answer.body) == ["Consistency-Token"]
        assert "isn't read here" in answers["another's"].body["errors"][0]["problem"]
        query = f"{path}{'&' if '?' in path else '?'}max_staleness=-1"
        assert_problem(await api.ask("GET", query, token=who.token), "bad_input")
    socket = await api.socket(who.token)
    wrong = ({"at_least": 0}, {"at_least": "2"}, {"at_least": 2**53}, {"max_staleness": 3601}, {"max_staleness": 0.5})
    for fields in wrong:
        error = (await socket.ask("read", **fields))["error"]
        assert (error["code"], fields_of(error)) == ("bad_input", [*fields])
