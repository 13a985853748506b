"""Scores while operators correct a player that goes on scoring: the same in one commit as one after the other."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from gameserver.app import Core
from gameserver.commands import corrections
from gameserver.commands.corrections import ChangedBy, name_of
from gameserver.config.settings import Settings
from gameserver.rules.boards import LARGEST_SCORE
from gameserver.rules.corrections import Correct, RollBack, Undo
from gameserver.rules.errors import PlayerChanged
from gameserver.rules.player import Player
from gameserver.storage.ids import slot_of
from gameserver.storage.ledger.past import Past
from gameserver.storage.players.command import Command, Receipt
from tests.support.client import command_id
from tests.support.deployment import act, connected, enlist_many, ledger, order, settled, with_actions, working

BOARDS = """
[boards.kills]
score = "points:kills"
[boards.jump]
score = "points:kills"
operator = "best"
[boards.mood]
score = "points:kills"
operator = "last"
[boards.gains]
score = "exp"
operator = "sum"
season = { cron = "0 0 1 1 *", zone = "UTC" }
[boards.peak]
score = "exp"
season = { cron = "0 0 1 1 *", zone = "UTC" }
"""
SCORE = "tests.storage.seasons.scoring_actions:score"
Orders = Callable[[Core, Player], Awaitable[Correct | Undo | RollBack]]


@pytest.fixture
async def core(settings: Settings, tmp_path: Path) -> AsyncIterator[Core]:
    async with working(with_actions(settings, tmp_path, BOARDS, score=SCORE)) as opened:
        yield opened


async def undo_of_the_best(core: Core, player: Player) -> Undo:
    return Undo(command_id=(await ledger(core, player.id))[2]["key"])


async def roll_back(core: Core, player: Player) -> RollBack:
    at = (await ledger(core, player.id))[1]["at"]
    return RollBack(to=at.isoformat())


async def correction(_: Core, __: Player) -> Correct:
    return Correct(exp=40)


async def stored(core: Core, player: Player) -> dict[str, int | None]:
    async with connected(core.slots.owner("players", slot_of(player.id)).url) as connection:
        asked = "select board, score from scores where slot = $1 and player_id = $2"
        return {row["board"]: row["score"] for row in await connection.fetch(asked, slot_of(player.id), player.id)}


async def planned(core: Core, player: Player, wanted: Correct | Undo | RollBack) -> Command:
    """The command that carries the order out on the player's present version."""
    plan = (await corrections.preview(core.commands.corrections, player.id, wanted)).correction
    assert plan is not None
    command = Command(command_id(), player.id, name_of(wanted), wanted, 0, takes=plan.takes)
    command.correction, command.repeatable = plan, True
    return command


@pytest.mark.parametrize("orders", [undo_of_the_best, roll_back, correction])
async def test_what_is_scored_in_the_commit_of_a_correction_comes_on_top_of_it(core: Core, orders: Orders) -> None:
    one_by_one, together = await enlist_many(core, 2)
    for player in (one_by_one, together):
        for kills in (3, 9, 4):
            await act(core, player.id, "score", points={"kills": kills}, exp=kills)
            await asyncio.sleep(0.002)
    later: list[dict[str, Any]] = [{"points": {"kills": kills}, "exp": 10 * kills} for kills in (2, 5)]

    by = ChangedBy("operator", "a test", command_id())
    await corrections.carry_out(core.commands.corrections, one_by_one.id, await orders(core, one_by_one), by)
    for args in later:
        await act(core, one_by_one.id, "score", **args)

    command = await planned(core, together, await orders(core, together))
    outcomes = await settled(core, [command, *(order(core, together.id, "score", **args) for args in later)])
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    assert len({row["txid"] for row in (await ledger(core, together.id))[-3:]}) == 1, "all in one commit"
    assert await stored(core, together) == await stored(core, one_by_one)
    assert (await stored(core, together))["kills"] == {"undo_of_the_best": 14, "roll_back": 10, "correction": 23}[
        orders.__name__
    ]


async def test_a_score_stays_within_what_boards_can_show_whatever_one_commit_adds_up(core: Core) -> None:
    (player,) = await enlist_many(core, 1)
    huge = [order(core, player.id, "score", points={"kills": LARGEST_SCORE}) for _ in range(2)]
    assert all(isinstance(outcome, Receipt) for outcome in await settled(core, huge))
    assert len({row["txid"] for row in (await ledger(core, player.id))[-2:]}) == 1, "both in one commit"
    assert (await stored(core, player))["kills"] == LARGEST_SCORE


async def test_a_score_stays_within_what_boards_can_show_whatever_is_undone(core: Core) -> None:
    (player,) = await enlist_many(core, 1)
    for kills in (-LARGEST_SCORE, LARGEST_SCORE, LARGEST_SCORE):
        await act(core, player.id, "score", points={"kills": kills})
    undo = Undo(command_id=(await ledger(core, player.id))[1]["key"])
    by = ChangedBy("operator", "a test", command_id())
    await corrections.carry_out(core.commands.corrections, player.id, undo, by)
    assert (await stored(core, player))["kills"] == LARGEST_SCORE


async def test_a_correction_is_planned_on_items_of_the_same_version(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Items that come after they were read, and before the player is, are taken back all the same."""
    (player,) = await enlist_many(core, 1)
    await act(core, player.id, "score", points={})
    back = await roll_back(core, player)
    read, gifts = core.rooms.players.items, [3, 2]

    async def read_and_be_given(player_id: int) -> object:
        held = await read(player_id)
        if gifts:
            given = ChangedBy("operator", "a gift", command_id())
            gift = Correct(items={"potion": gifts.pop()})
            await corrections.carry_out(core.commands.corrections, player_id, gift, given)
        return held

    monkeypatch.setattr(core.rooms.players, "items", read_and_be_given)
    by = ChangedBy("operator", "a test", command_id())
    done = await corrections.carry_out(core.commands.corrections, player.id, back, by)
    assert done.correction is not None
    assert (done.correction.takes, done.correction.left) == ((("potion", 5),), ())
    held = {stack.item: stack.count for stack in await read(player.id)}
    assert held.get("potion", 0) == 0


async def test_a_preview_ends_though_the_player_acts_amid_each_attempt(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    (player,) = await enlist_many(core, 1)
    await act(core, player.id, "score", points={})
    back, read = await roll_back(core, player), core.rooms.players.items

    async def read_and_act(player_id: int) -> object:
        held = await read(player_id)
        await act(core, player_id, "score", points={})
        return held

    monkeypatch.setattr(core.rooms.players, "items", read_and_act)
    with pytest.raises(PlayerChanged):
        await corrections.preview(core.commands.corrections, player.id, back)
    version = await core.commands.corrections.pasts.look(player.id, _version)
    assert version == 2 + corrections.ATTEMPTS


async def _version(past: Past) -> int:
    return past.player.version
