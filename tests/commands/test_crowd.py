"""A crowd is loaded once, wherever a load was killed and whoever else loads or signs up; its players are real."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import aclosing

import pytest

from gameserver.app import Core
from gameserver.commands import crowd, operations
from gameserver.commands.accounts import Application
from gameserver.commands.crowd import LoadProgress
from gameserver.commands.drafts import draft_of
from gameserver.commands.sign_in import sign_in_by_device
from gameserver.commands.sign_up import enroll
from gameserver.rules.errors import WrongCredentials
from gameserver.rules.player import Player
from gameserver.storage.accounts.claims import Key
from gameserver.storage.accounts.enrolments import Enrolment
from gameserver.storage.operators.questions import Question
from gameserver.upkeep import loops
from tests.support.client import command_id
from tests.support.deployment import act, assert_ledger_explains, connected, move_slot
from tests.support.servers import SLOTS


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(crowd, "CHUNK", 50)


async def load(core: Core, players: int) -> LoadProgress:
    return [
        progress async for progress in crowd.load(core.commands.accounts, core.commands.leaderboards, players, print)
    ][-1]


async def everybody(core: Core) -> Sequence[Player]:
    return (await core.rooms.operators.reports.rank(Question("created_at", 1000, descending=False))).players


async def claims(core: Core) -> list[tuple[str, int, bool]]:
    """KeyKind, player and whether confirmed, of all."""
    found = []
    for database in core.slots.databases("accounts"):
        async with connected(database.url) as connection:
            found += [tuple(row) for row in await connection.fetch("select kind, player_id, confirmed from claims")]
    return found


async def assert_loaded(core: Core, players: int) -> None:
    """Every player of the crowd is there once, as its number says, with all of its claims."""
    there = await everybody(core)
    members = {member.name: member for member in (crowd.member(n, core.rulebook.game) for n in range(1, players + 1))}
    assert Counter(player.name for player in there) == Counter([*members])
    assert all(
        (who.class_name, who.exp, who.hp) == (members[who.name].class_name, members[who.name].exp, members[who.name].hp)
        for who in there
    )
    kinds = ("name", "name", "device")
    assert Counter(await claims(core)) == Counter((kind, who.id, True) for who in there for kind in kinds)


async def test_a_crowd_is_loaded_once_and_a_larger_one_adds_to_it(core: Core) -> None:
    assert await load(core, 120) == LoadProgress(made=120)
    assert await load(core, 120) == LoadProgress(there=120)
    assert await load(core, 170) == LoadProgress(made=50, there=120)
    await assert_loaded(core, 170)


async def test_its_players_are_real(core: Core) -> None:
    await load(core, 60)
    game = core.rulebook.game
    there = await everybody(core)
    assert all(player.level == game.level_of(player.exp) for player in there)
    assert all(0 <= player.hp <= game.max_hp(player.class_name, player.level) for player in there)
    assert len({player.created_at for player in there}) == 60
    for number in (1, 60):
        welcome = await sign_in_by_device(core.commands.accounts, f"demo-device-{number:07}")
        assert welcome.player.name == f"Demo {number:07}"
        await act(core, welcome.player.id, "revive" if welcome.player.hp == 0 else "hunt")
        assert len(await assert_ledger_explains(core, welcome.player.id)) == 2


async def test_a_name_or_device_of_another_player_is_left_alone(core: Core) -> None:
    for name, device in (("DEMO 0000003", "another-device"), ("Somebody", "demo-device-0000007")):
        await enroll(
            core.commands.accounts, Application(name, "mage", device=device, device_is_trusted=True), command_id()
        )
    assert await load(core, 10) == LoadProgress(made=8, taken=2)
    assert await load(core, 10) == LoadProgress(there=8, taken=2)
    with pytest.raises(WrongCredentials):
        await sign_in_by_device(core.commands.accounts, "demo-device-0000003")
    assert all(confirmed for *_, confirmed in await claims(core))


def drafts(core: Core, *numbers: int) -> list[Enrolment]:
    game = core.rulebook.game
    return [draft_of(core.commands.accounts, crowd.member(number, game), command_id(), 0) for number in numbers]


async def test_a_load_that_was_killed_between_its_steps_is_finished_by_the_next(core: Core) -> None:
    reserved, created = drafts(core, 1, 2, 3), drafts(core, 4, 5, 6)
    assert (await core.rooms.accounts.intake.reserve([*reserved, *created])).holders == {}
    assert await core.rooms.accounts.intake.create(created) == {enrolment.command_id for enrolment in created}
    assert await load(core, 10) == LoadProgress(made=10)
    await assert_loaded(core, 10)
    ids = {player.name: player.id for player in await everybody(core)}
    assert all(ids[draft.player.name] == draft.player.id for draft in (*reserved, *created))


async def test_a_load_that_was_killed_between_the_confirmations_of_a_players_keys_is_finished_by_the_next(
    core: Core,
) -> None:
    enrolments = drafts(core, 1, 2)
    reserved = await core.rooms.accounts.intake.reserve(enrolments)
    await core.rooms.accounts.intake.create(enrolments)
    names = [
        Enrolment(enrolment.command_id, enrolment.args, enrolment.keys[:1], enrolment.player, enrolment.max_hp)
        for enrolment in enrolments
    ]
    await core.rooms.accounts.intake.confirm(names, reserved)
    assert sorted(confirmed for *_, confirmed in await claims(core)) == [False] * 4 + [True] * 2
    assert await load(core, 2) == LoadProgress(made=2)
    await assert_loaded(core, 2)


@pytest.mark.parametrize("late", ["confirm", "release"])
async def test_a_load_that_wakes_late_settles_nothing_that_others_have_opened_anew(core: Core, late: str) -> None:
    enrolments = drafts(core, 1)
    reserved = await core.rooms.accounts.intake.reserve(enrolments)
    await core.rooms.accounts.intake.create(enrolments)
    key = Key.parse(enrolments[0].keys[0])
    doubted = await core.rooms.accounts.claims.doubt(key, enrolments[0].player.id)
    await (core.rooms.accounts.intake.confirm if late == "confirm" else core.rooms.accounts.intake.release)(
        enrolments, reserved
    )
    assert await core.rooms.accounts.claims.find(key) == doubted


async def test_loads_that_are_broken_off_anywhere_add_up_to_one_when_their_open_claims_are_settled(core: Core) -> None:
    """If only one of a player's two keys was opened, no load takes it over: it is left to the sweeper."""
    for rounds in range(1, 4):
        async with aclosing(crowd.load(core.commands.accounts, core.commands.leaderboards, 400, print)) as progress:
            for _ in range(rounds):
                await anext(progress)
    outcomes = await load(core, 400)
    assert outcomes.made + outcomes.there + outcomes.taken == 400
    for database in core.slots.databases("accounts"):
        async with connected(database.url) as connection:
            await connection.execute("update claims set deadline = now() - interval '1 s' where not confirmed")
    while await loops.sweep(core.commands.accounts):
        pass
    await load(core, 400)
    await assert_loaded(core, 400)


async def test_two_loads_at_a_time_make_each_player_once(core: Core, second: Core) -> None:
    done = await asyncio.gather(load(core, 300), load(second, 300))
    assert all(progress.done == 300 for progress in done)
    await load(core, 300)
    await assert_loaded(core, 300)


async def test_of_two_sign_ups_that_drew_the_same_id_one_makes_its_player_and_the_other_none(core: Core) -> None:
    first, other = drafts(core, 1, 2)
    other = Enrolment(other.command_id, other.args, other.keys, other.player._replace(id=first.player.id), other.max_hp)
    made = await core.rooms.accounts.intake.create([first, other])
    assert made in ({first.command_id}, {other.command_id})
    assert [player.name for player in await everybody(core)] == [
        first.player.name if first.command_id in made else other.player.name
    ]
    assert await core.rooms.accounts.intake.create([first, other]) == made


async def test_what_is_loaded_while_slots_move_is_there_once(core: Core, second: Core) -> None:
    loading = asyncio.create_task(load(second, 600))
    for slot in range(0, SLOTS, 9):
        await core.slots.refresh()
        await move_slot(core, slot, {"one": "two", "two": "one"}[core.slots.owner("players", slot).name])
    assert await loading == LoadProgress(made=600)
    await core.slots.refresh()
    await assert_loaded(core, 600)
    assert sum(stat.players for stat in (await operations.stats(core.commands.operations))[0]) == 600


async def test_players_that_an_earlier_version_loaded_are_there_without_claims_on_their_looks(core: Core) -> None:
    await load(core, 100)
    for database in core.slots.databases("accounts"):
        async with connected(database.url) as connection:
            await connection.execute("delete from claims where kind = 'name' and key like '~%'")
    assert await load(core, 120) == LoadProgress(made=20, there=100)
    assert len(await claims(core)) == 2 * 100 + 3 * 20
