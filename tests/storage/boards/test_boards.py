"""Boards follow the database: late commits, lost memories, stale followers, moves between boards."""

import asyncio
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gameserver.app import Core
from gameserver.storage.boards.follower import FollowedBoards, Follower
from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.writer import BoardWriter, Generation
from gameserver.storage.ids import new_command_id, slot_of
from gameserver.storage.ledger.snapshot import Checkpoint, Snapshot, Source
from gameserver.waiting import cancel_and_wait
from tests.support.client import Api, Signed
from tests.support.nodes import InProcessNode
from tests.support.wait import wait_until

NAMES = ["one", "two"]


async def board(api: Api, name: str = "exp") -> list[tuple[str, int]] | None:
    """Ids and scores of a whole board by its pages; None while it is being built."""
    found: list[tuple[str, int]] = []
    cursor = ""
    while True:
        response = await api.ask("GET", f"/v1/boards/{name}?limit=3{cursor}")
        if response.status != 200:
            assert response.code == "board_unavailable"
            return None
        found += [(each["player"]["id"], each["score"]) for each in response.body["entries"]]
        if response.body["next_cursor"] is None:
            return found
        cursor = f"&cursor={response.body['next_cursor']}"


async def database(api: Api) -> set[tuple[str, int]]:
    response = (await api.admin("rankings", limit=1000)).body
    return {(each["player"]["id"], each["player"]["exp"]) for each in response["entries"]}


async def agrees(api: Api) -> bool:
    found = await board(api)
    return found is not None and len(found) == len(set(found)) and set(found) == await database(api)


async def some_players(api: Api, count: int = 8) -> list[Signed]:
    players = [await api.sign_up("mage") for _ in range(count)]
    for number, who in enumerate(players):
        for _ in range(number % 4):
            await api.act(who)
    return players


async def test_boards_come_back_by_themselves_after_redis_forgot_everything(api: Api, node: InProcessNode) -> None:
    players = await some_players(api)
    await wait_until(lambda: agrees(api), what="the board equals the database")
    await node.core.redis.commands.flushall()
    await wait_until(lambda: agrees(api), what="the board equals the database again")
    await wait_until(lambda: has_total(api, "mage", len(players)), what="the mages' board, too")


async def has_total(api: Api, name: str, total: int) -> bool:
    found = await board(api, name)
    return found is not None and len(found) == total


@pytest.mark.own_node
async def test_equal_scores_stand_in_the_order_in_which_they_were_reached(api: Api) -> None:
    players = [await api.sign_up() for _ in range(6)]
    await wait_until(lambda: agrees(api), what="the board equals the database")
    found = await board(api)
    assert found is not None
    assert [each for each, _ in found] == [who.id for who in players]


@pytest.mark.own_node
async def test_a_change_of_class_moves_a_player_between_boards(api: Api) -> None:
    who = await api.sign_up("warrior")
    response = await api.act(who, "change_class", **{"class": "mage"})
    while response.code == "not_enough_exp":
        hunted = await api.act(who)
        if hunted.body.get("player", {}).get("hp") == 0 or hunted.code == "player_is_down":
            await api.act(who, "revive")
        response = await api.act(who, "change_class", **{"class": "mage"})
    assert response.status == 200
    await wait_until(lambda: has_total(api, "mage", 1), what="the player is among the mages")
    await wait_until(lambda: has_total(api, "warrior", 0), what="and no longer among the warriors")


async def test_a_transaction_that_commits_late_under_an_old_id_is_not_passed_over(
    api: Api, node: InProcessNode
) -> None:
    early, late = await api.sign_up(), await api.sign_up()
    await wait_until(lambda: agrees(api), what="the board equals the database")
    own = node.core.slots.owner("players", slot_of(int(late.id)))
    connection = await asyncpg.connect(own.url.get_secret_value())
    try:
        transaction = connection.transaction()
        await transaction.start()
        await change_by_hand(connection, late)
        for _ in range(3):
            await api.act(early)
        await asyncio.sleep(0.3)
        await transaction.commit()
    finally:
        await connection.close()
    await wait_until(lambda: agrees(api), what="the late one is on the board with the new score")
    found = await board(api)
    assert found is not None
    assert found[0] == (late.id, 1000)


async def change_by_hand(connection: asyncpg.Connection, who: Signed) -> None:
    slot, player_id = slot_of(int(who.id)), int(who.id)
    await connection.execute(
        "update players set exp = 1000, version = version + 1, exp_reached_at = now() where slot = $1 and id = $2",
        slot,
        player_id,
    )
    await connection.execute(
        "insert into ledger select $1, $2, $3, 'by_hand', '{}', 0, '{}', version, now(),"
        " pg_current_xact_id()::text::bigint from players where slot = $1 and id = $2",
        slot,
        player_id,
        new_command_id(int(time.time() * 1000)),
    )


@pytest.fixture
async def followed(core: Core) -> AsyncIterator[BoardWriter]:
    """The boards' writer while the followers of both databases run."""
    writer, presence = BoardWriter(core.redis.following), core.rooms.live.presence
    followed_boards = FollowedBoards(
        lambda: core.rooms.seasons.calendar.contests(core.commands.accounts.policy.now()),
        lambda: NAMES,
        core.rules,
    )
    databases = core.slots.databases("players")
    tasks = [asyncio.create_task(Follower(each, writer, presence, followed_boards).run()) for each in databases]
    yield writer
    await cancel_and_wait(tasks)


async def test_a_call_that_expects_another_checkpoint_changes_nothing(core: Core, followed: BoardWriter) -> None:
    exp = Contest(core.rooms.seasons.calendar.board("exp"))

    async def found() -> list[Generation]:
        return (await followed.generations([exp], "one", NAMES))[0]

    async def is_live() -> bool:
        return bool((await found())[0].checkpoint)

    await wait_until(is_live, what="the board has been loaded")
    (now,) = await found()
    stale = Generation(now.name, "[an old one]")
    assert await followed.apply([(exp, stale)], "one", "[a new one]", []) == [False]
    (after,) = await found()
    assert after.checkpoint != "[a new one]"


SOURCE = Source("system", "timeline", "session")
snapshots = st.builds(
    lambda xmax, below: Snapshot(xmax, tuple(sorted({xmax - each for each in below if each < xmax}))),
    st.integers(10, 10_000),
    st.sets(st.integers(1, 9)),
)


def sees(snapshot: Snapshot, txid: int) -> bool:
    return txid < snapshot.xmax and txid not in snapshot.running


@given(snapshots, st.integers(1, 10_010), st.integers(1, 10_010))
def test_reading_a_part_of_a_snapshot_claims_only_what_was_read(snapshot: Snapshot, until: int, txid: int) -> None:
    part = snapshot.until(until)
    assert sees(part, txid) == (sees(snapshot, txid) and (txid < until or until >= snapshot.xmax))


@given(snapshots, st.integers(1, 10_010))
def test_another_connection_goes_back_to_what_was_surely_committed(snapshot: Snapshot, committed: int) -> None:
    checkpoint = Checkpoint(SOURCE, snapshot, committed)
    assert Checkpoint.load(checkpoint.dump()) == checkpoint
    assert checkpoint.on(SOURCE) == checkpoint
    resumed = checkpoint.on(Source("system", "timeline", "another"))
    assert resumed is not None
    assert resumed.snapshot.xmax <= max(committed + 1, 1) or resumed.snapshot == snapshot
    assert checkpoint.on(Source("another", "timeline", "session")) is None
    assert checkpoint.on(Source("system", "promoted", "session")) is None
