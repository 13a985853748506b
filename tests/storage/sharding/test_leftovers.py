"""What a database has of slots that are another one's is erased, and nothing else is."""

import pytest

from gameserver.app import Core
from gameserver.app.node import debtors_of, leftovers_of
from gameserver.rules.player import Player
from gameserver.storage.ledger import retention
from gameserver.storage.sharding.move import PlannedMove
from gameserver.upkeep import loops
from tests.storage.sharding import moving
from tests.support.client import command_id
from tests.support.deployment import act, connected, enlist, slots_of

LETTER = (
    "insert into outbox (slot, player_id, command_id, number, kind, recipient, payload, at)"
    " values ($1, $2, $3, 0, 'note', $2, '{}', now())"
)
PUBLISH = "create publication gs_0123abcd_move_{} for table players"


async def moved_and_left(core: Core) -> Player:
    """A player that has moved to `two`, and whose rows `one` has, too."""
    player = await enlist(core, database="one")
    (slot,) = moving.slot_with([player])
    await moving.move(core, [slot], "two")
    async with connected(core.databases["one"].url) as one, connected(core.databases["two"].url) as two:
        for table in ("players", "ledger", "credentials"):
            rows = await two.fetch(f"select * from {table} where slot = $1", slot)
            await one.copy_records_to_table(table, records=[tuple(row) for row in rows])
    return player


async def rows_of(core: Core, player: Player) -> dict[str, int]:
    """The player's rows in the ledger, by database."""
    counts = dict[str, int]()
    for name in ("one", "two"):
        async with connected(core.databases[name].url) as connection:
            query = "select count(*) from ledger where player_id = $1"
            counts[name] = await connection.fetchval(query, player.id)
    return counts


async def test_rows_of_a_slot_that_another_database_owns_are_erased_and_hold_up_no_retention(core: Core) -> None:
    player = await moved_and_left(core)
    (slot,) = moving.slot_with([player])
    async with connected(core.databases["one"].url) as one:
        await one.execute(LETTER, slot, player.id, command_id())
    assert await retention.oldest_debt(debtors_of(core)) is not None
    assert await rows_of(core, player) == {"one": 1, "two": 1}
    assert await leftovers_of(core).erase(core.databases["one"]) == 1
    assert await rows_of(core, player) == {"one": 0, "two": 1}
    assert await retention.oldest_debt(debtors_of(core)) is None
    assert await leftovers_of(core).erase(core.databases["one"]) == 0
    assert (await act(core, player.id)).player.version == 2
    await moving.assert_settled(core)


@pytest.mark.parametrize("held", ["by its owner's silence", "by a move", "by a copy", "by its own ownership"])
async def test_rows_of_a_slot_stay_unless_it_is_surely_another_ones(core: Core, held: str) -> None:
    player = await moved_and_left(core)
    (slot,) = moving.slot_with([player])
    async with connected(core.databases["one"].url) as one, connected(core.databases["two"].url) as two:
        if held == "by its owner's silence":
            await two.execute("update players_owned_slots set owned = false where slot = $1", slot)
        elif held == "by its own ownership":
            await one.execute("update players_owned_slots set owned = true where slot = $1", slot)
        elif held == "by a move":
            await core.sharding.moves.order([PlannedMove("players", "two", "one", [slot])], command_id())
        else:
            plan = PlannedMove("players", "one", "two", slots_of(core, "one")[:1])
            (move_id,) = await core.sharding.moves.order([plan], command_id())
            await one.execute(PUBLISH.format(move_id))
        await leftovers_of(core).erase(core.databases["one"])
    assert await rows_of(core, player) == {"one": 1, "two": 1}


async def test_what_is_left_of_the_copy_of_a_move_that_is_over_goes(core: Core) -> None:
    async with connected(core.databases["one"].url) as one:
        await one.execute(PUBLISH.format(4711))
        assert await retention.is_moving(one)
        await loops.on_each(core.databases.used(), leftovers_of(core).erase)
        assert not await retention.is_moving(one)
