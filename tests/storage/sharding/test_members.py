"""Databases of groups: a drain is taken back whole; and records of moves that have long been over are deleted."""

import pytest

from gameserver.app import Core
from gameserver.commands import sharding
from gameserver.commands.results import ChangedBy
from gameserver.config.settings import Settings
from gameserver.rules.errors import Conflict
from gameserver.storage.sharding.admission import admit
from gameserver.storage.sharding.records import MoveRecords
from tests.storage.sharding import moving
from tests.support.client import command_id
from tests.support.deployment import connected, enlist


async def test_adding_a_database_takes_back_its_drain_in_all_of_its_groups(core: Core, settings: Settings) -> None:
    before = await core.sharding.membership.listed()
    await sharding.drain(core.sharding, "two", [])
    draining = {member.group for member in await core.sharding.membership.listed() if member.draining}
    assert draining == {member.group for member in before if member.database == "two"}
    assert len(draining) > 1
    await admit(settings, "two", None, ["players"])
    assert await core.sharding.membership.listed() == before


async def test_a_second_drain_that_is_refused_leaves_the_first_ones_mark(core: Core) -> None:
    plans = await sharding.plan_drain(core.sharding, "one")
    moves = await sharding.drain(core.sharding, "one", plans)
    assert moves
    marked = await core.sharding.membership.listed()
    assert "one" in {member.database for member in marked if member.draining}
    with pytest.raises(Conflict, match="in a move already"):
        await sharding.drain(core.sharding, "one", plans, ChangedBy("ann", "a test", command_id()))
    assert await core.sharding.membership.listed() == marked
    assert [move.id for move in await core.sharding.moves.unfinished()] == moves


async def test_records_of_moves_go_thirty_days_after_their_end_with_their_slots(core: Core) -> None:
    player = await enlist(core, database="one")
    moves: MoveRecords = core.sharding.moves
    old = await moving.move(core, moving.slot_with([player]), "two")
    new = await moving.move(core, moving.slot_with([player]), "one")
    assert await moves.forget_old(10) == 0
    async with connected(core.databases["one"].url) as connection:
        await connection.execute("update moves set ended_at = ended_at - interval '31 days' where id = $1", old.id)
        assert await moves.forget_old(10) == 1
        assert [row["id"] for row in await connection.fetch("select id from moves")] == [new.id]
        assert {row["move"] for row in await connection.fetch("select move from move_slots")} == {new.id}
