"""What players hold and the game no longer has: refused at the start, counted by `check`, and safe to read."""

import asyncio
import tomllib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, nullcontext
from pathlib import Path

import pytest
from pydantic import SecretStr

from gameserver import app as application
from gameserver.app import Core
from gameserver.commands import game_names, moderation, rankings
from gameserver.commands.results import Question
from gameserver.config.settings import Settings
from gameserver.rules.errors import ClassMissing, UnknownClass
from gameserver.rules.game import GameFault
from gameserver.rules.player import shown_max_hp
from gameserver.rules.rulebook import Rulebook
from gameserver.storage.accounts.bans import BanChange
from gameserver.storage.ids import slot_of
from gameserver.storage.ledger.history import History
from gameserver.storage.mail.inbox import Inbox
from gameserver.storage.operators.game_names import GameNames
from gameserver.storage.postgres.database import Database
from gameserver.storage.sharding.provision import Migrated
from gameserver.transport import answers
from tests.support.client import command_id
from tests.support.deployment import act, carrying, connected, enlist, owner, waiting, working
from tests.support.servers import GAME
from tests.support.wait import wait_until

BARD = """
[classes.bard]
title = "음유시인"
base_hp = 50
hp_per_level = 5
damage_dealt = 100
damage_taken = 100
exp_gained = 100
heal_power = 200
"""
ELIXIR = '\n[items.elixir]\ntitle = "영약"\nmax_stack = 9\nheal = 5\n'
HEALED = 'healed = "gameserver.rules.mail:healed"\n'


def with_game(settings: Settings, folder: Path, name: str, more: str = "", less: str = "") -> Settings:
    """The settings with a game that has more, or less."""
    game = folder / f"{name}.toml"
    text = GAME.read_text("utf-8")
    assert less in text
    game.write_text(text.replace(less, "") + more if less else text + more, "utf-8")
    return settings.model_copy(update={"game": game})


@pytest.fixture
def older(settings: Settings, tmp_path: Path) -> Settings:
    """The game that has bards and elixirs."""
    return with_game(settings, tmp_path, "older", BARD + ELIXIR)


@pytest.fixture
async def core(older: Settings) -> AsyncIterator[Core]:
    async with working(older) as opened:
        await game_names.require(opened.rooms.operators.names, opened.rulebook.game)
        yield opened


async def owns(core: Core, player_id: int, item: str, count: int) -> None:
    async with connected(core.databases[owner(core, player_id)].url) as connection:
        statement = "insert into stacks values ($1, $2, $3, $4, 0)"
        await connection.execute(statement, slot_of(player_id), player_id, item, count)


async def refusal(settings: Settings) -> str:
    """Why no node starts with these settings."""
    with pytest.raises(GameFault) as fault:
        await asyncio.wait_for(application.serve(settings), 10)
    return str(fault.value)


def noting(told: list[Migrated]) -> Callable[[Migrated], AbstractAsyncContextManager[None]]:
    def note(done: Migrated) -> AbstractAsyncContextManager[None]:
        told.append(done)
        return nullcontext()

    return note


async def test_a_game_that_lacks_what_players_hold_is_refused_with_how_many_hold_it(
    core: Core, settings: Settings
) -> None:
    for _ in range(3):
        bard = await enlist(core, "bard")
    mage = await enlist(core, "mage")
    await owns(core, bard.id, "elixir", 2)
    await owns(core, mage.id, "elixir", 1)
    text = await refusal(settings)
    assert "classes.bard: 3 players have this class" in text
    assert "items.elixir: 2 players own this item" in text
    found = await application.check(settings)
    assert [finding.about for finding in found] == ["databases"] * 2
    assert "\n".join(finding.problem for finding in found) == text
    told = list[Migrated]()
    with pytest.raises(GameFault, match=r"classes\.bard: 3 players"):
        await application.prepare(settings, noting(told))
    assert [done.changes for done in told] == [{}], "what became of the tables is told all the same"


async def test_what_nobody_holds_any_more_may_go(core: Core, settings: Settings) -> None:
    mage = await enlist(core, "mage")
    await owns(core, mage.id, "elixir", 0)
    async with working(settings) as newer:
        await game_names.require(newer.rooms.operators.names, newer.rulebook.game)
    assert await application.check(settings) == []


async def test_a_retired_class_keeps_its_players_and_takes_no_new_ones(
    core: Core, settings: Settings, tmp_path: Path
) -> None:
    bard, mage = await enlist(core, "bard", exp=500), await enlist(core, "mage", exp=500)
    retired = with_game(settings, tmp_path, "retired", BARD + "retired = true\n" + ELIXIR + "retired = true\n")
    async with working(retired) as newer:
        await game_names.require(newer.rooms.operators.names, newer.rulebook.game)
        await owns(newer, bard.id, "elixir", 1)
        hunted = await act(newer, bard.id)
        assert hunted.player.class_name == "bard"
        assert hunted.max_hp == newer.rulebook.game.max_hp("bard", hunted.player.level)
        with pytest.raises(UnknownClass) as refused:
            await enlist(newer, "bard")
        assert "bard" not in refused.value.errors[0].problem
        with pytest.raises(UnknownClass):
            await act(newer, mage.id, "change_class", **{"class": "bard"})
        assert (await act(newer, bard.id, "change_class", **{"class": "mage"})).player.class_name == "mage"


async def test_names_from_before_they_were_recorded_are_found_by_migrate(core: Core, settings: Settings) -> None:
    await enlist(core, "bard")
    async with connected(core.databases["one"].url) as connection:
        await connection.execute("delete from game_names")
    with pytest.raises(GameFault, match=r"classes\.bard: 1 players"):
        await application.prepare(settings, noting([]))
    assert "classes.bard: 1 players" in await refusal(settings)


async def test_nothing_that_shows_a_player_of_a_missing_class_fails(core: Core, settings: Settings) -> None:
    """As on a node of the game before, while nodes of a newer one serve."""
    bard, mage = await enlist(core, "bard", exp=60), await enlist(core, "mage")
    async with working(settings) as old:
        game = old.rulebook.game
        shown = (await old.rooms.players.read([bard.id]))[bard.id]
        assert shown_max_hp(shown, game) == bard.hp
        ranked = await rankings.rank(old.commands.operations, Question(by="exp", limit=5))
        assert [player.id for player in ranked.players] == [bard.id, mage.id]
        key = command_id()
        with pytest.raises(ClassMissing):
            await act(old, bard.id, key=key)
        entries = (await History(old.slots).page(bard.id, 5, None)).rows
        assert [entry.action for entry in entries] == ["sign_up"]
        change = BanChange(command_id(), bard.id, banned=True, reason="Tests.")
        assert (await moderation.change_ban(old.commands.operations, "tests", change)).banned
    assert (await act(core, mage.id)).player.id == mage.id


async def test_a_letter_waits_for_a_node_that_has_its_recipients_class(core: Core, settings: Settings) -> None:
    priest, bard = await enlist(core, "priest"), await enlist(core, "bard")
    async with connected(core.databases[owner(core, bard.id)].url) as connection:
        await connection.execute("update players set hp = 10 where id = $1", bard.id)
    await act(core, priest.id, "heal_other", player=str(bard.id))
    async with working(settings) as old:
        async with carrying(old):
            await asyncio.sleep(1.5)
        assert await waiting(old) == 1
    async with carrying(core):
        await wait_until(lambda: _none_waits(core), what="the letter arrives")
    assert (await core.rooms.players.read([bard.id]))[bard.id].hp > 10


async def _none_waits(core: Core) -> bool:
    return await waiting(core) == 0


async def test_letters_of_a_kind_that_the_game_no_longer_has_are_counted_and_can_be_sent_back(
    core: Core, settings: Settings, tmp_path: Path
) -> None:
    priest, mage = await enlist(core, "priest"), await enlist(core, "mage")
    await act(core, priest.id, "heal_other", player=str(mage.id))
    rest = BARD + ELIXIR
    assert "mail.healed: 1 letters of this kind are on their way" in await refusal(
        with_game(settings, tmp_path, "without", rest, HEALED)
    )
    withdrawn = with_game(settings, tmp_path, "withdrawn", rest)
    text = withdrawn.game.read_text("utf-8").replace("mail:healed", "mail:withdrawn")
    withdrawn.game.write_text(text, "utf-8")
    async with working(withdrawn) as newer, carrying(newer):
        await game_names.require(newer.rooms.operators.names, newer.rulebook.game)
        await wait_until(lambda: _none_waits(newer), what="the letter has gone back")
        (returned,) = (await Inbox(newer.slots).page(priest.id, 5, None)).rows
    assert (returned.kind, returned.args["kind"], returned.args["reason"]) == ("returned", "healed", "letter_withdrawn")


async def test_a_database_that_is_away_keeps_no_node_from_starting_and_is_named_by_the_check(core: Core) -> None:
    await enlist(core, "bard", database="one")
    away = Database("away", SecretStr("postgresql://nobody@127.0.0.1:1/nothing"))
    game = Rulebook.parse(tomllib.loads(GAME.read_text("utf-8"))).game
    alone = GameNames(core.databases["one"], lambda _: [away])
    await game_names.require(alone, game)
    assert "database away: it doesn't answer" in (await game_names.lacking(alone, game))[0]
    with pytest.raises(GameFault, match="1 players"):
        await game_names.require(GameNames(core.databases["one"], lambda _: [away, core.databases["one"]]), game)
    await away.engine.dispose()


async def test_a_class_with_less_hp_is_shown_with_no_more_than_it_may_have(
    core: Core, settings: Settings, tmp_path: Path
) -> None:
    bard = await enlist(core, "bard")
    weaker = Rulebook.parse(tomllib.loads(GAME.read_text("utf-8") + BARD.replace("base_hp = 50", "base_hp = 5"))).game
    shown = answers.player_now(bard, weaker)
    assert bard.hp > shown["hp"] == shown["max_hp"] == weaker.max_hp("bard", bard.level)
