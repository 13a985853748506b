"""What commands did is judged by the rules that made them, whatever rules are in force since."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from gameserver.app import Core
from gameserver.commands import corrections, player_page
from gameserver.commands.player_page import PastState
from gameserver.config.settings import Settings
from gameserver.rules.corrections import Correction, RollBack, Undo
from gameserver.rules.editions import Edition
from gameserver.rules.player import Player
from gameserver.storage.ids import slot_of
from tests.support.client import command_id
from tests.support.deployment import act, connected, enlist, ledger, with_actions, working

BOARDS = """
[boards.kills]
score = "points:kills"
[boards.jump]
score = "points:kills"
operator = "best"
"""
SCORE = "tests.storage.seasons.scoring_actions:score"
HARDER = {"levels": {"base": 500}}
"""Other rules: what the player has scored would not have made it level 2."""
FEWER = {"boards": {"kills": {"score": "points:kills", "min_level": 50}}}
"""Other rules: the player would not be on the board of what it has scored."""
COUNTED_OTHERWISE = {"boards": {"kills": {"score": "points:kills", "operator": "best", "order": "asc"}}}
LATER = {"boards": {"xp": {"score": "exp", "season": {"cron": "0 0 1 1 *"}}}}
"""A board of EXP whose scores are stored, as it has seasons."""
YOUNG = {"boards": {"young": {"score": "exp", "max_level": 2, "season": {"cron": "0 0 1 1 *"}}}}
"""A board that players leave behind: what it has of them stays."""
GONE = "the rules that made it are gone"


@pytest.fixture
async def core(settings: Settings, tmp_path: Path) -> AsyncIterator[Core]:
    async with working(with_actions(settings, tmp_path, BOARDS, score=SCORE)) as opened:
        yield opened


async def switch(core: Core, changes: dict[str, dict[str, Any]]) -> None:
    """Puts other rules in force on the node, which judges nothing by them here."""
    library, number = core.commands.rollouts.library, core.rulebook.number
    assert number is not None
    game = dict(await library.mapping(number))
    for table, values in changes.items():
        game[table] = game[table] | values
    now = datetime.now(UTC)
    core.rules.load(Edition(core.rules.edition.number + 1, now, await library.loaded(game)))
    core.rules.advance(now)
    assert core.rulebook.number != number


async def publish(core: Core, player: Player, changes: dict[str, dict[str, Any]]) -> None:
    """Puts other rules in force, also in the player's database."""
    await switch(core, changes)
    edition = core.rules.edition
    async with connected(core.slots.owner("players", slot_of(player.id)).url) as connection:
        stored = "insert into players_editions (edition, at, state, step) values ($1, $2, 'ordered', 1)"
        await connection.execute(stored, edition.number, edition.at)


async def has_scored(core: Core, key: str, database: str | None = None) -> Player:
    """A player that has scored twice, the second time by this command."""
    player = await enlist(core, database=database)
    await act(core, player.id, "score", points={"kills": 3})
    await act(core, player.id, "score", key, points={"kills": 4}, exp=200)
    return player


async def state_of(core: Core, player: Player) -> PastState:
    at = (await ledger(core, player.id))[-1]["at"]
    return await player_page.state_at(core.commands.player_pages, player.id, at.isoformat())


async def undoing(core: Core, player: Player, key: str) -> Correction:
    found = await corrections.preview(core.commands.corrections, player.id, Undo(command_id=key))
    assert found.correction is not None
    return found.correction


def scores_of(correction: Correction) -> dict[str, tuple[int | None, int | None]]:
    return {change.board: (change.before, change.after) for change in correction.scores}


@pytest.mark.parametrize("changes", [HARDER, FEWER], ids=["levels", "boards"])
async def test_what_was_done_under_earlier_rules_is_replayed_and_taken_back_by_those(
    core: Core, changes: dict[str, dict[str, Any]]
) -> None:
    player = await has_scored(core, key := command_id())
    await switch(core, changes)
    state = await state_of(core, player)
    assert (state.replayed, list(state.differing)) == (2, [])
    correction = await undoing(core, player, key)
    assert (scores_of(correction), correction.left) == ({"kills": (7, 3), "jump": (4, 3)}, ())
    holdings = state.holdings
    assert {score.board: score.score for score in holdings.scores} == {"kills": 7, "jump": 4}, holdings.unknown
    begin = (await ledger(core, player.id))[0]["at"].isoformat()
    found = await corrections.preview(core.commands.corrections, player.id, RollBack(to=begin))
    assert found.correction is not None
    assert scores_of(found.correction) == {"kills": (7, None), "jump": (4, None)}


async def test_where_the_code_of_then_is_gone_the_rules_in_force_are_tried_and_nothing_is_guessed(core: Core) -> None:
    player = await has_scored(core, key := command_id())
    async with connected(core.databases[core.settings.control.database].url) as control:
        await control.execute("update rulebooks set code_hash = 'of another release'")
    await switch(core, HARDER)
    state = await state_of(core, player)
    assert (state.replayed, list(state.differing)) == (2, [3])
    correction = await undoing(core, player, key)
    assert scores_of(correction) == {}
    assert [GONE in sentence for sentence in correction.left] == [True]


async def test_what_was_scored_on_a_board_that_counts_otherwise_by_now_is_unknown_and_stays_and_others_are_put_right(
    core: Core,
) -> None:
    player = await has_scored(core, key := command_id())
    await switch(core, COUNTED_OTHERWISE)
    state = await state_of(core, player)
    assert list(state.differing) == [], "the rules of then lead to what the ledger has"
    correction = await undoing(core, player, key)
    assert scores_of(correction) == {"jump": (4, 3)}
    assert ["on kills isn't known" in sentence for sentence in correction.left] == [True]
    begin = (await ledger(core, player.id))[0]["at"].isoformat()
    found = await corrections.preview(core.commands.corrections, player.id, RollBack(to=begin))
    assert found.correction is not None
    assert scores_of(found.correction) == {"jump": (4, None)}
    assert ["on kills isn't known" in sentence for sentence in found.correction.left] == [True]


async def test_a_board_of_exp_that_came_later_falls_with_the_exp_that_is_undone(core: Core) -> None:
    player = await has_scored(core, key := command_id(), database="one")
    await switch(core, LATER)
    calendar = core.rooms.seasons.calendar
    season = calendar.number(calendar.board("xp"), datetime.now(UTC))
    exp = orjson.loads((await ledger(core, player.id))[-1]["outcome"])["exp"]
    async with connected(core.databases["one"].url) as connection:
        await connection.execute(
            "insert into scores (slot, player_id, board, season, score, reached_at, version)"
            " values ($1, $2, 'xp', $3, $4, now(), 3)",
            slot_of(player.id), player.id, season, exp,
        )  # fmt: skip
    correction = await undoing(core, player, key)
    assert scores_of(correction)["xp"] == (exp, exp - 200)


@pytest.mark.parametrize("undone", ["before the board", "on the board", "after it was left"])
async def test_a_score_of_a_player_that_a_board_left_behind_stays_and_a_sentence_says_so(
    core: Core, undone: str
) -> None:
    player, keys = await enlist(core), {}
    if undone == "before the board":
        keys[undone] = command_id()
        await act(core, player.id, "score", keys[undone], exp=50)
    await publish(core, player, YOUNG)
    for when, exp in (("on the board", 60), ("since", 10), ("left", 2000), ("after it was left", 30)):
        keys[when] = command_id()
        await act(core, player.id, "score", keys[when], exp=exp)
    correction = await undoing(core, player, keys[undone])
    assert correction.before.exp > correction.after.exp > 2000
    assert scores_of(correction) == {}
    assert ["on young" in sentence for sentence in correction.left] == [True]
