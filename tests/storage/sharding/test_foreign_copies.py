"""What other moves have left of copies is ended before rows are erased that they would erase elsewhere."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import asyncpg
import pytest
from pydantic import SecretStr

from gameserver.app import Core
from gameserver.commands import sharding
from gameserver.config import postgres_url
from gameserver.storage.postgres.database import Database
from gameserver.storage.postgres.driver import DriverConnection
from gameserver.storage.sharding import copy_names, ending, provision
from gameserver.storage.sharding.copying import Copy
from gameserver.storage.sharding.move import PlannedMove, SlotStep
from tests.storage.sharding import moving
from tests.support.client import command_id
from tests.support.deployment import act, connected, enlist, owner, slots_of
from tests.support.servers import Servers

LEFT = (
    "select (select count(*) from pg_publication)"
    " + (select count(*) from pg_replication_slots where database = d.datname)"
    " + (select count(*) from pg_subscription where subdbid = d.oid)"
    " from pg_database d where datname = current_database()"
)


async def leave_copy(core: Core, name: str, slot: int, source: str, target: str) -> None:
    """A copy of a slot's players that goes on, as a mover makes it that wakes when its move is over."""
    async with connected(core.databases[source].url) as connection:
        parts = ", ".join(f"{table} where (slot in ({slot}))" for table in ("players", "players_marks"))
        await connection.execute(f"create publication {name} for table {parts}")
        await connection.fetch("select pg_create_logical_replication_slot($1, 'pgoutput')", name)
    address = postgres_url.for_servers(core.databases[source].url).get_secret_value()
    async with connected(core.databases[target].url) as connection:
        await connection.execute(
            f"create subscription {name} connection '{address}' publication {name}"
            " with (create_slot = false, copy_data = false)"
        )


async def left_at(core: Core, database: str) -> int:
    async with connected(core.databases[database].url) as connection:
        return int(await connection.fetchval(LEFT))


@asynccontextmanager
async def left_before_an_end(
    core: Core, monkeypatch: pytest.MonkeyPatch, call: int, name: str, slot: int, ends: tuple[str, str]
) -> AsyncIterator[None]:
    """A copy of this name is made before this call of `Copy.end`: the first begins a copy, the second cleans."""
    end, calls = Copy.end, 0

    async def leave_and_end(self: Copy, *arguments: object) -> None:
        nonlocal calls
        calls += 1
        if calls == call:
            await leave_copy(core, name, slot, *ends)
        await end(self, *arguments)  # type: ignore[arg-type]

    with monkeypatch.context() as leaving:
        leaving.setattr(Copy, "end", leave_and_end)
        yield
    assert calls >= call


@pytest.mark.parametrize("ends", [("one", "two"), ("two", "one")], ids=["along the move", "against it"])
@pytest.mark.parametrize("call", [1, 2], ids=["as it begins", "as it cleans"])
async def test_a_copy_of_another_move_that_goes_on_with_its_slots_is_ended_and_erases_nothing(
    core: Core, monkeypatch: pytest.MonkeyPatch, call: int, ends: tuple[str, str]
) -> None:
    player = await enlist(core, database="one")
    (slot,) = moving.slot_with([player])
    async with left_before_an_end(core, monkeypatch, call, "gs_0123abcd_move_7000", slot, ends):
        moved = await moving.move(core, [slot], "two")
    assert (moved.problem, {each.step for each in moved.slots}) == (None, {SlotStep.MOVED})
    assert (await act(core, player.id)).player.version == 2
    assert owner(core, player.id) == "two"
    await moving.assert_settled(core)


async def test_a_copy_of_other_slots_goes_on(core: Core) -> None:
    player = await enlist(core, database="one")
    (slot,) = moving.slot_with([player])
    others = [each for each in slots_of(core, "one") if each != slot]
    (open_move,) = await core.sharding.moves.order([PlannedMove("players", "one", "two", others[:1])], command_id())
    await leave_copy(core, f"gs_0123abcd_move_{open_move}", others[0], "one", "two")
    await moving.move(core, [slot], "two")
    assert [await left_at(core, name) for name in ("one", "two")] == [2, 1]
    await sharding.carry_out(core.sharding, [open_move], lambda _: None)
    await moving.assert_settled(core)


@pytest.mark.parametrize(
    ("ends", "left"), [(("one", "two"), [2, 1]), (("two", "one"), [0, 0])], ids=["that move's", "another one's"]
)
async def test_a_copy_under_the_number_of_an_open_move_stays_only_where_that_move_has_its_ends(
    core: Core, ends: tuple[str, str], left: list[int]
) -> None:
    """As when a control database that went back gives the same number out again."""
    slot = slots_of(core, "one")[0]
    (open_move,) = await core.sharding.moves.order([PlannedMove("players", "one", "two", [slot])], command_id())
    await leave_copy(core, f"gs_0123abcd_move_{open_move}", slot, *ends)
    async with connected(core.databases["one"].url) as control:
        await control.execute("update control_lineage set timeline = timeline + 7")
    await provision.reconciler_of(core.settings, core.databases).insist()
    assert [await left_at(core, name) for name in ("one", "two")] == left
    await moving.lapse(core.sharding, core.databases["one"].url)
    await sharding.carry_out(core.sharding, [open_move], lambda _: None)
    await moving.assert_settled(core)


async def test_a_slot_of_another_database_on_the_same_server_is_left_to_that_one(core: Core, servers: Servers) -> None:
    slot, name = slots_of(core, "one")[0], "gs_0123abcd_move_7000"
    await leave_copy(core, name, slot, "one", "two")
    async with connected(SecretStr(servers.postgres["one"].superuser_url)) as beside:
        await ending.end_publications(beside, [name])
    assert await left_at(core, "one") == 2
    await moving.move(core, [slot], "two")
    await moving.assert_settled(core)


async def test_a_copy_that_begins_takes_no_name_that_an_old_subscription_may_ask_for(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot, begin, names = slots_of(core, "one")[0], Copy.begin, list[str]()
    (move_id,) = await core.sharding.moves.order([PlannedMove("players", "one", "two", [slot])], command_id())
    await leave_copy(core, f"gs_0123abcd_move_{move_id}", slot, "one", "two")

    async def note(self: Copy, *arguments: object) -> None:
        names.append(self.name)
        await begin(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Copy, "begin", note)
    await sharding.carry_out(core.sharding, [move_id], lambda _: None)
    move = await core.sharding.moves.find(move_id)
    assert names == [copy_names.name_of(await core.sharding.moves.deployment(), move)]
    await moving.assert_settled(core)


async def test_a_frozen_mover_does_nothing_more_on_the_source_once_its_move_was_ended_without_the_target(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    slot, opened = slots_of(core, "one")[0], Copy.opened
    (move_id,) = await core.sharding.moves.order([PlannedMove("players", "one", "two", [slot])], command_id())
    deployment = await core.sharding.moves.deployment()
    move = await core.sharding.moves.find(move_id)
    frozen = Copy(move, deployment, core.databases["one"], core.databases["two"])
    await core.sharding.moves.cancel(move_id)

    @asynccontextmanager
    async def reach_only_one(self: Copy, database: Database) -> AsyncIterator[DriverConnection]:
        if database.name == "two":
            raise ConnectionRefusedError
        async with opened(self, database) as connection:
            yield connection

    async with frozen.opened(core.databases["one"]) as source:
        monkeypatch.setattr(Copy, "opened", reach_only_one)
        await sharding.carry_out(core.sharding, [move_id], lambda _: None)
        assert "two was away" in str((await core.sharding.moves.find(move_id)).problem)
        with pytest.raises((asyncpg.PostgresError, asyncpg.InterfaceError, OSError)):
            await source.execute(f"create publication {frozen.name}")
    assert await left_at(core, "one") == 0
