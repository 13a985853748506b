"""Ordering rules: judged first, decided once every database knows, cancelled the same way; what isn't sure waits."""

import asyncio
import contextlib
import tomllib
from collections.abc import AsyncIterator, Mapping
from datetime import timedelta
from typing import Any

import asyncpg
import pytest

from gameserver.app import Core
from gameserver.commands import game_texts, rollouts
from gameserver.commands.corrections import ChangedBy
from gameserver.commands.rollouts import Rollouts
from gameserver.commands.rulebooks import Library
from gameserver.config.settings import Settings
from gameserver.rules.errors import (
    BadInput,
    CommandMismatch,
    Conflict,
    DatabaseUnavailable,
    GameError,
    Refused,
    RulesChanging,
    UnknownFoe,
)
from gameserver.rules.game import GameFault
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.operators import rule_orders
from gameserver.storage.operators.rule_orders import NewRuleOrder, RuleOrder
from gameserver.storage.players.command import Receipt
from gameserver.upkeep.rules import RulesUpkeep
from gameserver.waiting import cancel_and_wait
from tests.support.client import command_id
from tests.support.deployment import act, connected, enlist, enlist_many, ledger, order, settled, working
from tests.support.freezing import frozen
from tests.support.servers import GAME, Servers
from tests.support.wait import wait_until

TEXT = GAME.read_text("utf-8")
EASIER = TEXT.replace("exp = 5\n", "exp = 6\n")
SOON = timedelta(seconds=1)
CLOCK_ERROR = timedelta(seconds=0.2)
"""By how much a node may know its databases' clocks wrongly while other tests keep the machine busy."""


@pytest.fixture(autouse=True)
def short_leads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rule_orders, "SHORTEST_LEAD_SECONDS", 0.5)
    monkeypatch.setattr(rule_orders, "DECISION_LEAD_SECONDS", 0.1)


@pytest.fixture
async def other(settings: Settings) -> AsyncIterator[Core]:
    """A node beside `core`, which never hears of an order; this one follows them."""
    async with working(settings) as opened:
        task = asyncio.create_task(upkeep(opened).run())
        yield opened
        await cancel_and_wait([task])


def upkeep(core: Core) -> RulesUpkeep:
    return RulesUpkeep(core.commands.rollouts, core.rooms.clock.now)


def by(key: str | None = None) -> ChangedBy:
    return ChangedBy("ann", "a test", key or command_id())


def read(text: str) -> dict[str, Any]:
    return tomllib.loads(text)


async def published(core: Core, text: str = EASIER) -> RuleOrder:
    return await rollouts.publish(core.commands.rollouts, read(text), SOON, by())


async def passed(core: Core, found: RuleOrder) -> None:
    await wait_until(lambda: core.rooms.clock.now() > found.at, what="the moment passes")


async def states(core: Core) -> set[tuple[int, str]]:
    """Of the editions that the databases know."""
    found = set()
    for database in core.slots.databases("players"):
        async with connected(database.url) as connection:
            found |= {tuple(row) for row in await connection.fetch("select edition, state from players_editions")}
    return found


async def test_a_node_that_never_heard_of_the_order_judges_nothing_from_its_moment_on(core: Core, other: Core) -> None:
    players = [await enlist(core, database=name) for name in ("one", "two")]
    found = await published(other)
    for player in players:
        assert not (await act(core, player.id)).replayed
    await passed(core, found)
    for player in players:
        with pytest.raises(RulesChanging):
            await act(core, player.id)
        assert len(await ledger(core, player.id)) == 2
        await act(other, player.id)
    with pytest.raises(RulesChanging):
        await enlist(core)
    assert (await enlist(other)).version == 1


async def test_a_node_without_the_edition_in_force_publishes_what_follows_it(core: Core, other: Core) -> None:
    """As one that lacks a module of that edition, or that never heard of it."""
    first = await published(other)
    await passed(core, first)
    text = TEXT.replace("exp = 5\n", "exp = 7\n")
    plan = await rollouts.preview(core.commands.rollouts, read(text))
    assert (plan.edition, plan.present) == (first.edition, first.rulebook)
    assert {(change.old, change.new) for change in plan.differences} == {(6, 7)}
    with pytest.raises(Conflict, match="Meanwhile edition 1 is in force, not 0"):
        await rollouts.publish(core.commands.rollouts, read(text), SOON, by(), expected=0)
    found = await published(core, text)
    assert (found.edition, found.prior) == (first.edition + 1, first.rulebook)
    await passed(core, found)
    with pytest.raises(Conflict, match="in force already"):
        await published(core, text)


async def test_a_node_that_cant_read_the_rules_in_force_says_so_and_publishes_nothing(
    core: Core, other: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As one of an earlier version amid an upgrade."""
    first, context = await published(other), core.commands.rollouts
    await passed(core, first)
    mapping = Library.mapping

    async def of_a_later_version(self: Library, number: int) -> Mapping[str, Any]:
        return {**await mapping(self, number), **({"weather": {}} if number == first.rulebook else {})}

    monkeypatch.setattr(Library, "mapping", of_a_later_version)
    plan = await rollouts.preview(context, read(EASIER.replace("exp = 6\n", "exp = 7\n")))
    assert (plan.edition, plan.present, plan.differences) == (first.edition, first.rulebook, ())
    assert plan.problems == ["this node's version can't read the rules in force: ask a newer one"]
    with pytest.raises(BadInput) as refused:
        await published(core, EASIER.replace("exp = 6\n", "exp = 7\n"))
    assert [problem.problem for problem in refused.value.errors] == plan.problems
    assert (await context.orders.newest(1))[0].command_id == first.command_id


async def test_what_was_decided_before_is_answered_so_where_the_rules_are_missing(core: Core, other: Core) -> None:
    [done, refused, fresh] = [order(core, (await enlist(core, database="one")).id) for _ in range(3)]
    refused.action, refused.args = "revive", core.rulebook.arguments("revive", {})
    first = await core.rooms.players.act(done)
    with pytest.raises(Refused) as caught:
        await core.rooms.players.act(refused)
    await passed(core, await published(other))
    again, refusal, away = await settled(core, [done, refused, fresh])
    assert isinstance(again, Receipt)
    assert (again.replayed, again.events, again.player.version) == (True, [*first.events], first.player.version)
    assert isinstance(refusal, Refused)
    assert refusal.code == caught.value.code
    assert isinstance(away, RulesChanging)


async def test_a_row_that_is_held_is_waited_for_where_the_rules_are_missing(core: Core, other: Core) -> None:
    command = order(core, (await enlist(core, database="one")).id)
    await passed(core, await published(other))
    async with connected(core.databases["one"].url) as lost:
        await lost.execute("begin")
        await lost.fetch("select from players where id = $1 for update", command.player_id)
        asked = asyncio.create_task(core.rooms.players.act(command))
        await asyncio.sleep(0.3)
        assert not asked.done(), "whoever holds the row may be a lost attempt at this very command"
        await lost.execute("rollback")
    with pytest.raises(RulesChanging):
        await asked


async def test_a_node_that_hears_of_it_too_late_goes_on_by_the_new_rules(core: Core, other: Core) -> None:
    player, found = await enlist(core), await published(other)
    await passed(core, found)
    with pytest.raises(RulesChanging):
        await act(core, player.id)
    await upkeep(core).look()
    await act(core, player.id)
    assert core.rules.edition.number == found.edition
    assert core.rulebook.number == found.rulebook


OF_EARLIER_VERSIONS = [
    "select * from gather('{}', '{}', '{}', '{}', '{}', null, null)",
    "select * from gather_with_data('{}', '{}', '{}', '{}', '{}', null, null)",
    """
    insert into players
        (slot, id, name, class, level, hp, exp, version, session_epoch, void, created_at, exp_reached_at)
    values (0, 9, 'Ann', 'mage', 1, 50, 0, 1, 0, false, clock_timestamp(), clock_timestamp())
    """,
]
"""What commits anything by rules: of 0.2.0 the first and the last, of what came after it the second."""


async def test_no_earlier_version_commits_anything_once_rules_were_published(core: Core, other: Core) -> None:
    async with connected(core.slots.owner("players", 0).url) as connection:
        doors = "select proname from pg_proc where proname like 'gather%' order by 1"
        assert [row[0] for row in await connection.fetch(doors)] == ["gather", "gather_by_edition", "gather_with_data"]
        for statement in OF_EARLIER_VERSIONS:
            await connection.fetch(statement)
        await connection.execute("delete from players where id = 9")
        await passed(core, await published(other))
        for statement in OF_EARLIER_VERSIONS:
            with pytest.raises(asyncpg.LockNotAvailableError, match="knows nothing of"):
                await connection.fetch(statement)
        moved = OF_EARLIER_VERSIONS[-1].replace("clock_timestamp()", "now() - interval '1 hour'")
        await connection.execute(moved)


async def test_an_order_left_half_way_holds_its_databases_only_from_its_moment_on_and_is_taken_back(
    core: Core, other: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    player, left = await enlist(core), await left_half_way(other)
    await act(core, player.id)
    await passed(core, left)
    for node in (core, other):
        with pytest.raises(RulesChanging):
            await act(node, player.id)
    monkeypatch.setattr(rule_orders, "LAPSED_SECONDS", 0.1)

    async def acts() -> bool:
        with contextlib.suppress(RulesChanging):
            return bool(await act(core, player.id))
        return False

    await wait_until(acts, what="the order is taken back")

    async def is_nowhere() -> bool:
        return await states(core) == {(left.edition, "cancelled")}

    await wait_until(is_nowhere, what="it is taken back on the other database, too")
    assert core.rulebook.number != left.rulebook


async def left_half_way(core: Core, lead: timedelta = SOON) -> RuleOrder:
    """An order of which every database knows, and that isn't decided."""
    context, key = core.commands.rollouts, command_id()
    number, present = (await context.library.loaded(read(EASIER))).number, core.rulebook.number
    assert number is not None
    assert present is not None
    await context.orders.insert(NewRuleOrder(number, present, core.rooms.clock.now() + lead, key, "ann", "a test", 0))
    left = await context.orders.find(key)
    assert left is not None
    assert await context.editions.tell(left, ahead=True) == []
    return left


async def cancelled_since(core: Core, order: RuleOrder, number: int) -> None:
    """So many later orders, all of them cancelled."""
    async with connected(core.databases[core.settings.control.database].url) as connection:
        await connection.execute(
            "insert into rule_orders (rulebook, prior, at, state, command_id, admin, reason)"
            " select $1, $2, now(), 'cancelled', gen_random_uuid(), 'ann', 'a test' from generate_series(1, $3)",
            order.rulebook,
            order.prior,
            number,
        )


async def test_a_database_left_undecided_hears_the_end_however_many_orders_came_later(core: Core) -> None:
    left = await left_half_way(core, timedelta(seconds=60))
    assert await core.commands.rollouts.orders.step(left, rule_orders.CANCELLED)
    await cancelled_since(core, left, 30)
    assert await states(core) == {(left.edition, "undecided")}
    node = upkeep(core)
    for _ in range(2):
        await node.look()
    assert (left.edition, "cancelled") in await states(core)
    assert (left.edition, "undecided") not in await states(core)


@pytest.mark.parametrize(("silent", "answering"), [("one", "two"), ("two", "one")])
async def test_a_silent_database_keeps_no_other_from_taking_back_editions(
    core: Core, servers: Servers, silent: str, answering: str
) -> None:
    left = await left_half_way(core, timedelta(seconds=60))
    async with connected(core.databases[answering].url) as connection:

        async def is_taken_back() -> bool:
            state = "select state from players_editions where edition = $1"
            return bool(await connection.fetchval(state, left.edition) == "cancelled")

        with frozen(servers.postgres[silent]):
            disowning = asyncio.create_task(core.commands.rollouts.editions.disown(left.edition - 1))
            await wait_until(is_taken_back, what="the database that answers has taken it back")
            await cancel_and_wait([disowning])


async def test_a_node_drops_what_was_cancelled_while_it_was_away_however_many_orders_came_later(core: Core) -> None:
    node, context = upkeep(core), core.commands.rollouts
    found = await rollouts.publish(context, read(EASIER), timedelta(seconds=60), by())
    await node.look()
    assert core.rules.has(found.edition)
    await rollouts.cancel(context, by())
    await cancelled_since(core, found, 30)
    await node.look()
    assert not core.rules.has(found.edition)


async def test_a_cancelled_order_never_happens(core: Core, other: Core) -> None:
    player, found = await enlist(core), await published(other)
    with pytest.raises(Conflict, match="ordered and isn't in force yet"):
        await published(other)
    context, key = core.commands.rollouts, command_id()
    cancelled = await rollouts.cancel(context, by(key))
    assert await rollouts.cancel(context, by(key)) == await context.orders.find(found.command_id)
    assert (cancelled.edition, cancelled.state) == (found.edition, "cancelled")
    await passed(core, found)
    for node in (core, other):
        await act(node, player.id)
    assert await states(core) == {(found.edition, "cancelled")}
    with pytest.raises(Conflict, match="No rulebook is ordered"):
        await rollouts.cancel(core.commands.rollouts, by())
    with pytest.raises(Conflict, match="none to go back to"):
        await rollouts.revert(core.commands.rollouts, SOON, by())


async def test_going_back_asks_nothing_that_only_new_rules_must_be(
    core: Core, other: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    await passed(core, await published(other))

    def refuse(_: object) -> Rulebook:
        raise GameFault(["as earlier versions took it"])

    monkeypatch.setattr(Rulebook, "parse_new", refuse)
    assert (await rollouts.preview(core.commands.rollouts, read(EASIER))).problems == ["as earlier versions took it"]
    assert not (await rollouts.revert_preview(core.commands.rollouts)).problems


async def test_what_is_in_force_stays_known_however_many_orders_are_cancelled_after_it(
    core: Core, other: Core, settings: Settings
) -> None:
    player, found = await enlist(core), await published(other)
    await passed(core, found)
    await cancelled_since(core, found, 100)
    await upkeep(core).look()
    async with working(settings) as started:
        for node in (core, started):
            assert node.rules.edition.number == found.edition
            await act(node, player.id)


async def test_an_order_that_cant_reach_every_database_doesnt_happen(core: Core, other: Core, servers: Servers) -> None:
    player = await enlist(core, database="one")
    with frozen(servers.postgres["two"]), pytest.raises(DatabaseUnavailable, match="Nothing was ordered"):
        await rollouts.publish(other.commands.rollouts, read(EASIER), timedelta(seconds=30), by())
    (found,) = await other.commands.rollouts.orders.newest(5)
    assert found.state == "cancelled"
    assert "database two" in (found.problem or "")
    await act(core, player.id)


async def test_the_same_command_orders_once_and_the_audit_says_what_was_before_and_after(core: Core) -> None:
    context, key = core.commands.rollouts, command_id()
    before = core.rulebook.number
    first = await rollouts.publish(context, read(EASIER), SOON, by(key))
    assert await rollouts.publish(context, read(EASIER), SOON, by(key)) == first
    with pytest.raises(CommandMismatch):
        await rollouts.publish(context, read(TEXT), SOON, by(key))
    entry = (await connected_rows(core, "select action, before, details from audit"))[0]
    assert entry[:2] == ("rules_publish", f'{{"rulebook": {before}, "edition": 0, "at": null, "state": null}}')
    assert '"foes.slime.exp": [5, 6]' in entry[2]
    ends = await connected_rows(core, "select ended, after from audit_ends")
    assert [end[0] for end in ends] == ["done"]
    assert f'"rulebook": {first.rulebook}' in ends[0][1]


async def connected_rows(core: Core, query: str) -> list[tuple[Any, ...]]:
    async with connected(core.databases[core.settings.control.database].url) as connection:
        return [tuple(row) for row in await connection.fetch(query)]


async def refusal(context: Rollouts, text: str) -> list[str]:
    """Why it can't be published; the preview says the same."""
    foreseen = (await rollouts.preview(context, read(text))).problems
    with pytest.raises(BadInput) as refused:
        await rollouts.publish(context, read(text), SOON, by())
    assert [problem.problem for problem in refused.value.errors] == list(foreseen)
    assert await context.orders.newest(5) == []
    return list(foreseen)


async def test_rules_that_the_data_or_the_nodes_forbid_are_refused_with_the_reason(core: Core) -> None:
    context = core.commands.rollouts
    await enlist(core, "mage")
    (code,) = await refusal(context, TEXT.replace("[actions]\n", '[actions]\ndance = "elsewhere:dance"\n'))
    assert code.startswith("actions.dance: the nodes haven't loaded elsewhere")
    (missing,) = await refusal(
        context, TEXT.replace("[actions]\n", '[actions]\nfly = "gameserver.rules.actions:fly"\n')
    )
    assert "has no 'fly'" in missing
    without = TEXT
    for table in ("[classes.mage]", "[boards.mage]"):
        found = without[without.index(table) :]
        without = without.replace(found[: found.index("\n\n") + 2], "")
    given, held = await refusal(context, without)
    assert given.startswith("classes.mage: players can still get it")
    assert held.startswith("classes.mage: 1 players have this class")
    assert any("base_hp" in each for each in await refusal(context, TEXT.replace("base_hp = ", "base_hp = -", 1)))
    with pytest.raises(Conflict, match="in force already"):
        await rollouts.publish(context, read(core.settings.game.read_text("utf-8")), SOON, by())


async def test_a_command_prepared_under_other_rules_is_judged_by_those_in_force(core: Core, other: Core) -> None:
    player = await enlist(core)
    late = [order(other, player.id, key=command_id()) for _ in range(2)]
    for command in late:
        command.rulebook = other.rulebook
    slime = TEXT[TEXT.index("[foes.slime]") : TEXT.index("[foes.slime]") + 12]
    found = await published(other, TEXT.replace(slime, f"{slime}\nretired = true"))
    await passed(core, found)
    await wait_until(lambda: other.rules.edition.number == found.edition, what="the node has switched")
    with pytest.raises(UnknownFoe):
        await other.rooms.players.act(late[0])
    assert len(await ledger(core, player.id)) == 1


async def test_boards_and_sign_ups_follow_the_rules_in_force(core: Core, other: Core) -> None:
    before = {board.name for board in other.rooms.seasons.calendar.boards()}
    richer = TEXT.replace("base_hp = ", "base_hp = 1", 1) + '\n[boards.newcomers]\nscore = "level"\n'
    found = await published(other, richer)
    await passed(core, found)
    await wait_until(lambda: other.rules.edition.number == found.edition, what="the node has switched")
    assert {board.name for board in other.rooms.seasons.calendar.boards()} == before | {"newcomers"}
    first = next(iter(other.rules.game.classes))
    born = await enlist(other, first)
    assert born.hp == other.rules.game.max_hp(first, 1) > core.rules.game.max_hp(first, 1)


async def test_a_control_database_that_went_back_takes_back_what_it_knows_nothing_of(core: Core, other: Core) -> None:
    player, found = await enlist(core), await published(other)
    await passed(core, found)
    async with connected(core.databases[core.settings.control.database].url) as connection:
        await connection.execute("delete from rule_orders; alter sequence rule_orders_edition_seq restart")
    await upkeep(core).compare()
    await act(core, player.id)
    assert (await published(core)).edition > found.edition


async def test_commands_of_many_players_are_judged_by_time_in_one_process(core: Core, other: Core) -> None:
    players = await enlist_many(core, 10)
    found, seen = await published(other), list[timedelta]()

    async def play(player_id: int) -> None:
        while (now := other.rooms.clock.now()) < found.at + 4 * CLOCK_ERROR:
            try:
                await act(other, player_id)
            except RulesChanging:
                seen.append(abs(now - found.at))
            except GameError:
                await asyncio.sleep(0.01)

    await asyncio.gather(*(play(player.id) for player in players))
    assert max(seen, default=timedelta()) < CLOCK_ERROR


@pytest.mark.parametrize(
    "text", ["[levels", f"a = {'9' * 5000}", "a = " + "[" * 5000, ".".join("a" * 40)], ids=lambda text: text[:12]
)
def test_a_text_that_cant_be_read_is_bad_input(text: str) -> None:
    with pytest.raises(BadInput, match="can't be read"):
        game_texts.read_game(text)
