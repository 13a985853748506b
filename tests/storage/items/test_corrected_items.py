"""Items in corrections by operators: planned on what the player has, given as far as it fits, taken back as it was."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gameserver.app import Core
from gameserver.commands import corrections, player_page
from gameserver.commands.corrections import ATTEMPTS, ChangedBy, Corrected
from gameserver.commands.past_holdings import PastHoldings
from gameserver.config.settings import Settings
from gameserver.rules.corrections import Correct, RollBack, Undo
from gameserver.rules.errors import PlayerChanged, Refused
from gameserver.rules.player import Player
from gameserver.storage.items.inventory import Stack
from gameserver.storage.players.command import Command, Receipt
from tests.storage.items.deployment import assert_sums, give, held, part, with_studio
from tests.support.client import command_id
from tests.support.deployment import act, assert_ledger_explains, enlist, ledger, working


@pytest.fixture(params=["together", "apart"])
async def core(request: pytest.FixtureRequest, settings: Settings, tmp_path: Path) -> AsyncIterator[Core]:
    """Items lie with their players, or all in the other database."""
    if request.param == "apart":
        await part(settings)
    async with working(with_studio(settings, tmp_path)) as opened:
        yield opened


async def correct(core: Core, player: Player, order: Correct | Undo | RollBack, key: str | None = None) -> Corrected:
    by = ChangedBy("operator", "a test", key or command_id())
    return await corrections.carry_out(core.commands.corrections, player.id, order, by)


async def last(core: Core, player: Player) -> str:
    key: str = (await ledger(core, player.id))[-1]["key"]
    return key


async def moment(core: Core, player: Player) -> str:
    at: str = (await ledger(core, player.id))[-1]["at"].isoformat()
    return at


def acting_before_corrections(core: Core, monkeypatch: pytest.MonkeyPatch, player: Player, burns: int) -> None:
    """The player uses up potions between the plan and the commit, so many times."""
    commit, rest = core.rooms.players.act, [1] * burns

    async def act_first(command: Command) -> Receipt:
        if command.correction is not None and rest:
            await act(core, player.id, "burn", item="potion", count=rest.pop())
        return await commit(command)

    monkeypatch.setattr(core.rooms.players, "act", act_first)


async def test_a_rollback_is_planned_anew_when_the_player_has_used_what_it_takes(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    player = await enlist(core)
    then = await moment(core, player)
    await give(core, player.id, "potion", 10)
    acting_before_corrections(core, monkeypatch, player, 3)
    done = await correct(core, player, RollBack(to=then))
    assert done.correction is not None
    assert done.correction.takes == (("potion", 7),)
    assert await held(core, player.id) == {}
    await assert_sums(core, player.id)
    await assert_ledger_explains(core, player.id)


async def test_a_plan_that_never_holds_is_refused_as_a_changed_player_and_not_for_good(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    player, key = await enlist(core), command_id()
    await give(core, player.id, "potion", 90)
    given = await last(core, player)
    acting_before_corrections(core, monkeypatch, player, ATTEMPTS)
    with pytest.raises(PlayerChanged):
        await correct(core, player, Undo(command_id=given), key)
    await correct(core, player, Undo(command_id=given), key)
    assert await held(core, player.id) == {}
    await assert_sums(core, player.id)


async def test_a_lack_at_the_same_version_counts_as_a_changed_player_too(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stacks that hold less than they seemed to: planned anew, and not refused for good."""
    player, key = await enlist(core), command_id()
    await give(core, player.id, "potion", 3)
    given, read, reads = await last(core, player), core.rooms.players.items, [5, 4]

    async def dreamt(player_id: int) -> list[Stack]:
        return [Stack("potion", reads.pop(), 0)] if reads else await read(player_id)

    monkeypatch.setattr(core.rooms.players, "items", dreamt)
    await correct(core, player, Correct(items={"potion": -2}))
    with pytest.raises(Refused, match="This takes 5 potion"):
        await correct(core, player, Correct(items={"potion": -5}), key)
    reads[:] = [3] * ATTEMPTS
    with pytest.raises(PlayerChanged):
        await correct(core, player, Correct(items={"potion": -3}), key)
    await correct(core, player, Undo(command_id=given), key)
    assert await held(core, player.id) == {}


async def test_an_order_for_more_than_there_is_is_refused_before_and_not_for_good(core: Core) -> None:
    player, key, order = await enlist(core), command_id(), Correct(exp=5, items={"herb": -5})
    await give(core, player.id, "herb", 4)
    for attempt in (
        corrections.preview(core.commands.corrections, player.id, order),
        correct(core, player, order, key),
    ):
        with pytest.raises(Refused) as refused:
            await attempt
        assert (refused.value.code, refused.value.extra) == ("not_enough_items", {"takes": {"herb": 5}})
    await give(core, player.id, "herb", 1)
    await correct(core, player, order, key)
    assert await held(core, player.id) == {}


async def test_undoing_takes_back_what_fitted_and_no_more(core: Core) -> None:
    player, cap = await enlist(core), core.rulebook.game.items["potion"].max_stack
    await give(core, player.id, "potion", cap - 9)
    then = await moment(core, player)
    await give(core, player.id, "potion", 20)
    overfull = await last(core, player)
    await act(core, player.id, "burn", item="potion", count=4)
    await give(core, player.id, "potion", 3)
    back = await correct(core, player, Undo(command_id=overfull))
    assert back.correction is not None
    assert (back.correction.takes, back.correction.left) == ((("potion", 9),), ())
    assert await held(core, player.id) == {"potion": cap - 10}
    await correct(core, player, Undo(command_id=await last(core, player)))
    assert await held(core, player.id) == {"potion": cap - 1}
    await correct(core, player, RollBack(to=then))
    assert await held(core, player.id) == {"potion": cap - 9}
    await assert_sums(core, player.id)


async def test_where_it_isnt_known_what_was_lost_as_much_stays_with_the_player(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    player, cap = await enlist(core), core.rulebook.game.items["potion"].max_stack
    await give(core, player.id, "potion", cap - 9)
    await give(core, player.id, "potion", 20)
    overfull = await last(core, player)
    monkeypatch.setattr("gameserver.commands.correction_items.MOST_ROWS", 2)
    back = await correct(core, player, Undo(command_id=overfull))
    assert back.correction is not None
    assert back.correction.left == ("Some potion was lost beyond a full stack, by which command isn't known: 11 stay.",)
    assert await held(core, player.id) == {"potion": cap - 9}


async def past(core: Core, player: Player, at: str) -> PastHoldings:
    return (await player_page.state_at(core.commands.player_pages, player.id, at)).holdings


async def test_the_items_of_a_past_moment_are_what_fitted_then(core: Core, monkeypatch: pytest.MonkeyPatch) -> None:
    player, cap, seen = await enlist(core), core.rulebook.game.items["potion"].max_stack, dict[str, dict[str, int]]()
    seen[await moment(core, player)] = {}
    for item, count in (("potion", cap - 9), ("potion", 20), ("herb", 2), ("potion", 3)):
        await give(core, player.id, item, count)
        seen[await moment(core, player)] = await held(core, player.id)
    full = await moment(core, player)
    await act(core, player.id, "burn", item="potion", count=4)
    await act(core, player.id, "brew")
    for at, items in seen.items():
        assert await past(core, player, at) == PastHoldings(items, [], []), at
    monkeypatch.setattr("gameserver.commands.correction_items.MOST_ROWS", 2)
    assert (await past(core, player, full)).items == {"herb": 2, "potion": None}


@pytest.mark.parametrize(("burns", "items"), [(1, {"potion": 9}), (9, None)])
async def test_the_items_of_a_past_moment_are_unknown_while_the_player_goes_on_acting(
    core: Core, monkeypatch: pytest.MonkeyPatch, burns: int, items: dict[str, int] | None
) -> None:
    player, read, rest = await enlist(core), core.rooms.players.items, [1] * burns
    await give(core, player.id, "potion", 9)
    then = await moment(core, player)

    async def acting_after(player_id: int) -> list[Stack]:
        stacks = await read(player_id)
        if rest:
            await act(core, player.id, "burn", item="potion", count=rest.pop())
        return stacks

    monkeypatch.setattr(core.rooms.players, "items", acting_after)
    found = await past(core, player, then)
    assert (found.items, len(found.unknown)) == (items, int(items is None))
