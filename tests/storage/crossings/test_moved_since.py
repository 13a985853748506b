"""What moved away from a database since the moment that it went back to isn't its own any more."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import orjson
import pytest
from typer.testing import CliRunner

from gameserver.__main__ import cli
from gameserver.config.settings import Settings
from gameserver.stack.errors import StackError
from gameserver.storage.ids import slot_of
from gameserver.storage.sharding.reconciling import Reconciler, Reconciliation
from tests.storage.crossings.test_crossings import reconciled, undone
from tests.storage.items.deployment import held, with_studio
from tests.storage.sharding import moving
from tests.support.deployment import act, carrying, drained, enlist, owner, working
from tests.support.nodes import toml_of
from tests.support.servers import Servers


async def test_letters_and_items_of_players_who_moved_away_since_are_neither_lost_nor_kept(
    servers: Servers, settings: Settings, tmp_path: Path
) -> None:
    settings = with_studio(settings, tmp_path)
    async with working(settings) as core:
        here, moves, stays = [await enlist(core, database=name) for name in ("one", "two", "two")]
        while slot_of(stays.id) == slot_of(moves.id):
            stays = await enlist(core, database="two")
    since = datetime.now(UTC)
    async with undone(servers, settings, "two"):
        async with working(settings) as core:
            for group in ("players", "items"):
                await moving.move(core, moving.slot_with([moves]), "one", group)
        async with working(settings) as core, carrying(core):
            for player in (moves, stays):
                await act(core, here.id, "present", player=str(player.id))
                await act(core, player.id, "present", player=str(here.id))
            await drained(core)
            before = await held(core, moves.id)
            assert before
    found = await reconciled(settings, "two", since)
    (lost,), (kept,) = found["letters_lost"].listed, found["letters_kept"].listed
    assert (lost["recipient"], kept["sender"]) == (str(stays.id), str(stays.id))
    async with working(settings) as core:
        assert (owner(core, moves.id), await held(core, moves.id)) == ("one", before)


async def test_a_slot_that_nobody_owns_any_more_is_told_and_ends_the_command_with_1(
    servers: Servers, settings: Settings, tmp_path: Path
) -> None:
    async with working(settings) as core:
        slots = moving.slot_with([await enlist(core, database="one")])
    since = datetime.now(UTC)
    async with undone(servers, settings, "two"), working(settings) as core:
        await moving.move(core, slots, "two")
    config = tmp_path / "gameserver.toml"
    config.write_text(toml_of(settings, settings.node.port))
    words = ["backups", "reconcile", "--database", "two", "--since", since.isoformat(), "--reason", "because"]
    done = await asyncio.to_thread(CliRunner().invoke, cli, [*words, "--json", "--config", str(config)])
    assert done.exit_code == 1, done.output
    conflicts = orjson.loads(done.stdout)[0]
    assert (conflicts["kind"], conflicts["count"]) == ("slots_in_conflict", 1)
    assert conflicts["listed"][0] | {"reason": ""} == {"group": "players", "slot": slots[0], "reason": ""}
    assert "nobody may write" in done.stderr


async def test_nothing_is_compared_while_the_database_stays_closed(
    servers: Servers, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def stays_closed(_: Reconciler, *, force: bool) -> Reconciliation:
        assert force
        return Reconciliation([], [], {"two": "one hasn't answered"}, {})

    monkeypatch.setattr(Reconciler, "insist", stays_closed)
    with pytest.raises(StackError, match="two stays closed: one hasn't answered"):
        await reconciled(settings, "two", datetime.now(UTC))
