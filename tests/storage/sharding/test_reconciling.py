"""A database that was failed over or restored takes no write before its slots have been compared with the map."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from pydantic import SecretStr

from gameserver.app import Core
from gameserver.config.servers import DatabaseSettings
from gameserver.config.settings import Settings
from gameserver.rules.errors import Conflict, DatabaseUnavailable, PlayerNotFound
from gameserver.rules.player import Player
from gameserver.stack.servers.postgres import PostgresServer
from gameserver.storage.ids import slot_of
from gameserver.storage.sharding import comparing, provision
from gameserver.storage.sharding.cutover import Cutover
from gameserver.storage.sharding.judging import What
from gameserver.storage.sharding.move import SlotStep
from gameserver.storage.sharding.reconciling import Reconciler
from tests.storage.sharding import moving
from tests.support.client import command_id
from tests.support.deployment import act, connected, enlist, enlist_many, owner, working
from tests.support.promotions import back_up, promote, reconciling, restore, standby_of
from tests.support.servers import Servers, running_servers, standing_servers
from tests.support.switches import switched
from tests.support.wait import wait_until

SOAK = pytest.mark.soak
OTHER_TIMELINE = "update {group}_lineage set timeline = timeline + 7"


@pytest.fixture(scope="module")
def own_servers() -> Iterator[Servers]:
    """Servers that this module may kill."""
    with standing_servers() as standing:
        yield standing


@pytest.fixture
async def apart(own_servers: Servers) -> AsyncIterator[Core]:
    """A node's storage on those servers, and what opens its databases again."""
    database = await own_servers.fresh()
    async with working(own_servers.settings(database)) as opened, reconciling(opened):
        await reconciler(opened).insist()  # earlier tests left the servers on later timelines than their template
        yield opened
    own_servers.drop(database)


def reconciler(core: Core) -> Reconciler:
    return provision.reconciler_of(core.settings, core.databases)


async def tell(core: Core, database: str, *statements: str) -> None:
    async with connected(core.databases[database].url) as connection:
        for statement in statements:
            await connection.execute(statement)


async def asked(core: Core, database: str, question: str) -> Any:
    async with connected(core.databases[database].url) as connection:
        return await connection.fetchval(question)


async def owners(core: Core, slot: int) -> list[str]:
    """The databases that would take a write to a slot of players."""
    question = f"select owned from players_owned_slots where slot = {slot}"
    return [name for name in core.databases.names() if await asked(core, name, question)]


async def test_a_database_of_another_timeline_is_closed_until_it_was_compared_and_gives_up_what_it_forgot(
    core: Core, settings: Settings
) -> None:
    stays = await enlist(core, database="two")
    gone = await _elsewhere(core, stays, "two")
    await moving.move(core, [slot_of(gone.id)], "one")
    # The database forgets that it gave the slot up.
    back = f"update players_owned_slots set owned = true, epoch = 1 where slot = {slot_of(gone.id)}"
    await tell(core, "two", back, OTHER_TIMELINE.format(group="players"))
    async with working(settings) as other:
        with pytest.raises(DatabaseUnavailable):
            await other.databases["two"].ask("select 1")
        assert "compared with the map" in str(other.databases["two"].problem)
        waiting = asyncio.create_task(moving.insist(other, stays.id))
        assert (await act(other, gone.id)).player.version == 2  # on database one
        assert await asked(other, "two", f"select version from players where id = {stays.id}") == 1
        done = await reconciler(other).run()
        assert done is not None
        assert (list(done.opened), done.closed) == (["two"], {})
        assert [(each.view.slot, each.verdict.what) for each in done.judgements] == [(slot_of(gone.id), What.RELEASED)]
        assert (await waiting).player.version == 2
        audited = await asked(other, "one", "select details::text from audit where action = 'slots_reconcile'")
        assert audited == f'{{"released": {{"players": [{slot_of(gone.id)}]}}}}'
    await moving.move(core, [slot_of(gone.id)], "two")
    await moving.assert_settled(core)


async def test_the_control_database_and_one_that_refuses_are_waited_for_however_slowly_they_connect(
    core: Core, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tell(core, "two", OTHER_TIMELINE.format(group="players"))
    monkeypatch.setattr(comparing, "ANSWER_SECONDS", 0.0)
    async with working(settings) as other:
        with pytest.raises(DatabaseUnavailable):
            await other.databases["two"].ask("select 1")
        done = await reconciler(other).run()
        assert done is not None
        assert (list(done.opened), done.absent) == (["two"], {})


async def test_all_are_waited_for_however_slowly_they_connect_where_all_have_to_be_seen(
    core: Core, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    await tell(core, "one", *(OTHER_TIMELINE.format(group=group) for group in ("control", "players")))
    monkeypatch.setattr(comparing, "ANSWER_SECONDS", 0.0)
    async with working(settings) as other:  # compares it when it is opened
        await enlist(other, database="one")


async def test_the_control_database_learns_from_the_others_what_it_forgot(core: Core, settings: Settings) -> None:
    first, second = await enlist(core, database="one"), await enlist(core, database="two")
    before = await asked(core, "one", "select json_agg(s) from slots s")
    await moving.move(core, [slot_of(first.id)], "two")
    await moving.move(core, [slot_of(second.id)], "one")
    # It goes back to before both moves, and the database beside it has forgotten what it got by the second one.
    await tell(
        core,
        "one",
        "truncate slots, moves, move_slots",
        f"insert into slots select * from json_populate_recordset(null::slots, '{before}')",
        f"update players_owned_slots set owned = false, epoch = 0 where slot = {slot_of(second.id)}",
        *(OTHER_TIMELINE.format(group=group) for group in ("control", "players")),
    )
    async with working(settings) as other, reconciling(other):
        await wait_until(lambda: owner(other, first.id) == "two", what="the map has learnt the owner")
        assert (await moving.insist(other, first.id)).player.version == 2
        # Nobody has the rows of the other slot any more.
        found = await reconciler(other).check()
        assert [(each.view.slot, each.verdict.what) for each in found.judgements] == [
            (slot_of(second.id), What.CONFLICT)
        ]
        assert await owners(other, slot_of(second.id)) == []
        with pytest.raises(Conflict, match="no conflicts"):
            await accepted(other, slot_of(first.id), "one")
        await accepted(other, slot_of(second.id), "two")
        with pytest.raises(PlayerNotFound):
            await act(other, second.id)
        assert (await reconciler(other).check()).judgements == []


async def accepted(core: Core, slot: int, owner_now: str) -> None:
    """Ends a conflict, once no other process compares databases with the map."""

    async def is_accepted() -> bool:
        try:
            await reconciler(core).accept("players", [slot], owner_now)
        except Conflict as error:
            if "Another process" in error.detail:
                return False
            raise
        return True

    await wait_until(is_accepted, what="the conflict is ended")


@pytest.mark.parametrize(("group", "was_compared", "state"), [
    ("control", True, "waiting"), ("control", False, "running"), ("players", True, "running")
])  # fmt: skip
async def test_a_campaign_that_runs_waits_for_an_operator_once_the_control_database_went_back(
    core: Core, settings: Settings, group: str, was_compared: bool, state: str
) -> None:
    """It may have been revoked since."""
    await tell(
        core,
        "one",
        "insert into campaigns (id, admin, reason, filter, text, items, counted, state, slot, agreed_by, changed_at)"
        f" values ('{command_id()}', 'ann', 'a test', '{{}}', 'Hello', '{{}}', 1, 'running', 7, 'bob',"
        " now() - interval '8 days')",
        OTHER_TIMELINE.format(group=group) if was_compared else f"delete from {group}_lineage",
    )
    async with working(settings) as other:
        (campaign,) = await other.rooms.operators.campaigns.newest(10)
        assert (campaign.state, campaign.agreed_by) == (state, None if state == "waiting" else "bob")
        assert campaign.agree_until is None or campaign.agree_until > datetime.now(UTC)


async def test_a_database_that_joined_and_was_forgotten_keeps_its_slots(core: Core, settings: Settings) -> None:
    """The settings name it: else the slot would go back to the database that fenced it, which has erased the rows."""
    player = await enlist(core, database="one")
    before = await asked(core, "one", "select json_agg(s) from slots s")
    await moving.move(core, [slot_of(player.id)], "two")
    await tell(
        core,
        "one",
        "truncate slots, moves, move_slots",
        f"insert into slots select * from json_populate_recordset(null::slots, '{before}')",
        "delete from members where database = 'two'",
        "delete from databases where name = 'two'",
        OTHER_TIMELINE.format(group="control"),
    )
    async with working(settings) as other, reconciling(other):
        await wait_until(lambda: owner(other, player.id) == "two", what="the map has learnt the owner")
        assert (await moving.insist(other, player.id)).player.version == 2
        joined = """select array_agg("group" order by "group") from members where database = 'two'"""
        assert await asked(other, "one", joined) == ["players"]


async def test_while_the_map_went_back_nobody_opens_before_everyone_was_seen(own_servers: Servers) -> None:
    database = await own_servers.fresh()
    settings, two = own_servers.settings(database), own_servers.postgres["two"]
    async with working(settings) as core:
        await reconciler(core).run()  # another test may have promoted a server
        await tell(core, "one", *(OTHER_TIMELINE.format(group=group) for group in ("control", "accounts", "players")))
        two.kill()
        try:
            done = await reconciler(core).run()
            assert done is not None
            assert done.opened == []
            assert "two" in done.closed["one"]
            with pytest.raises(DatabaseUnavailable):
                async with working(settings):
                    pass
            given_up = await reconciler(core).run(["two"])
            assert given_up is not None
            assert given_up.opened == ["one"]
        finally:
            await two.start()
        async with working(settings) as other:
            assert (await act(other, (await enlist(other, database="one")).id)).player.version == 2
    own_servers.drop(database)


async def test_a_restored_database_takes_its_players_back_and_nobody_elses(apart: Core, own_servers: Servers) -> None:
    stays, comes = await enlist(apart, database="two"), await enlist(apart, database="one")
    leaves = await _elsewhere(apart, stays, "two")
    for player in (stays, leaves, comes):
        await act(apart, player.id)
    backup = await back_up(own_servers.postgres["two"], own_servers.folder)
    for player in (stays, leaves, comes):
        await act(apart, player.id)
    await moving.move(apart, [slot_of(leaves.id)], "one")
    await moving.move(apart, [slot_of(comes.id)], "two")
    for player in (stays, leaves, comes):
        await act(apart, player.id)
    await restore(own_servers.postgres["two"], backup)
    # Its own player is where the backup had it, the one that left has lost nothing, and nobody has the third.
    assert (await moving.insist(apart, stays.id)).player.version == 3
    assert (await moving.insist(apart, leaves.id)).player.version == 5
    assert await owners(apart, slot_of(comes.id)) == []
    found = await reconciler(apart).check()
    assert [(each.view.slot, each.verdict.what) for each in found.judgements] == [(slot_of(comes.id), What.CONFLICT)]
    refused = await moving.move(apart, [slot_of(comes.id)], "one")
    assert "doesn't own it" in str(refused.problem)
    assert owner(apart, comes.id) == "two"


async def _elsewhere(core: Core, player: Player, database: str) -> Player:
    """A new player of the database, in another slot."""
    while slot_of((other := await enlist(core, database=database)).id) == slot_of(player.id):
        pass
    return other


@pytest.mark.parametrize(
    ("step", "killed"),
    [
        pytest.param("while it is copied", "one", marks=SOAK),
        pytest.param("while it is copied", "two", marks=SOAK),
        pytest.param("when it is fenced", "one", marks=SOAK),
        pytest.param("when it is fenced", "two", marks=SOAK),
        pytest.param("when it has flipped", "one", marks=SOAK),
        pytest.param("when it has flipped", "two"),
    ],
)
async def test_a_failover_under_a_move_ends_it_with_one_owner_and_nothing_lost(
    apart: Core, own_servers: Servers, monkeypatch: pytest.MonkeyPatch, killed: str, step: str
) -> None:
    players = await enlist_many(apart, 3, "one")
    server, stop = own_servers.postgres[killed], asyncio.Event()

    async def fail_over() -> None:
        server.kill()
        await promote(server)

    promotions = moving.strike(monkeypatch, step, fail_over)
    playing = [asyncio.create_task(moving.play_until(apart, player.id, stop)) for player in players]
    moved = await asyncio.wait_for(moving.move(apart, moving.slot_with(players), "two"), 90)
    assert promotions
    await asyncio.gather(*promotions)
    assert {each.step for each in moved.slots} <= {SlotStep.MOVED, SlotStep.KEPT}
    if rest := [player for player in players if owner(apart, player.id) == "one"]:
        await asyncio.wait_for(moving.move(apart, moving.slot_with(rest), "two"), 60)
    stop.set()
    receipts = await asyncio.gather(*playing)
    await moving.assert_nothing_lost(apart, dict(zip([player.id for player in players], receipts, strict=True)))
    await moving.assert_settled(apart)


@SOAK
async def test_rows_that_the_target_got_and_the_sources_standby_did_not_are_copied_anew(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The source dies between what it had sent to the move's target and what its asynchronous standby had."""
    async with running_servers() as servers, switched(servers.postgres["one"].port) as switch:
        one, database = servers.postgres["one"], await servers.fresh()
        standby = await standby_of(one, switch.port, servers.folder)
        settings = servers.settings(database)
        url = (
            settings.database_url("one")
            .get_secret_value()
            .replace(f":{one.port}", f":{one.port},127.0.0.1:{standby.port}")
        )
        databases = {**settings.databases, "one": DatabaseSettings(url=SecretStr(url), allow_unsafe=True)}
        async with working(settings.model_copy(update={"databases": databases})) as core, reconciling(core):
            player = await enlist(core, database="one")
            before = await act(core, player.id)
            await wait_until(lambda: _has_all(one), what="the standby has everything")
            near = Cutover.require_near

            async def deadly(self: Cutover, *args: Any) -> None:
                if switch.to is not None:
                    switch.to = None
                    switch.cut()
                    acted = await act(core, player.id)
                    assert acted.player.version == before.player.version + 1
                    seen = f"select version > {before.player.version} from players where id = {player.id}"
                    await wait_until(lambda: asked(core, "two", seen), what="the target has what the standby hasn't")
                    one.kill()
                    async with connected(SecretStr(standby.superuser_url)) as connection:
                        assert await connection.fetchval("select pg_promote()")
                await near(self, *args)

            monkeypatch.setattr(Cutover, "require_near", deadly)
            moved = await asyncio.wait_for(moving.move(core, [slot_of(player.id)], "two"), 90)
            assert switch.to is None
            assert {each.step for each in moved.slots} == {SlotStep.MOVED}
            # What the standby never had is lost, and on the target, too.
            again = await moving.insist(core, player.id, "hunt" if before.player.hp else "revive")
            assert again.player.version == before.player.version + 1
            await moving.assert_nothing_lost(core, {player.id: [before, again]})
            await moving.assert_settled(core)
        await standby.stop()


async def _has_all(server: PostgresServer) -> bool:
    async with connected(SecretStr(server.superuser_url)) as connection:
        return bool(
            await connection.fetchval("select bool_and(replay_lsn = pg_current_wal_lsn()) from pg_stat_replication")
        )
