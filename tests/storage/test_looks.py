"""Looks of names that were given before looks were claimed: claimed once, for whoever still has the name."""

from hashlib import blake2b
from typing import Any

import pytest

from gameserver.app import Core
from gameserver.commands.accounts import Application
from gameserver.commands.identity import rename
from gameserver.commands.keys import is_look, name_keys
from gameserver.commands.sign_up import enroll, sign_up
from gameserver.rules.errors import NameTaken
from gameserver.rules.looks import looks_of
from gameserver.rules.names import LOOK, key_of
from gameserver.storage.accounts import looks
from gameserver.storage.accounts.claims import Key
from gameserver.storage.accounts.looks import LookProgress
from tests.support.client import command_id
from tests.support.deployment import connected
from tests.support.devices import device_of
from tests.support.uniqueness import assert_unique, sweep_all

LOOKS = "delete from claims where kind = 'name' and key like '~%'"


async def forget(core: Core, statement: str = LOOKS) -> None:
    """Leaves the claims as an earlier version had them."""
    for database in core.slots.databases("accounts"):
        async with connected(database.url) as connection:
            await connection.execute(statement)


async def claim_all(core: Core) -> LookProgress:
    return [progress async for progress in core.rooms.accounts.looks.claim_all()][-1]


async def made(core: Core, name: str) -> Any:
    wanted = Application(name, "mage", device=device_of(f"device of {name}"))
    return await sign_up(core.commands.accounts, wanted, command_id())


async def test_looks_are_claimed_for_all_names_and_again_changes_nothing(core: Core, monkeypatch: Any) -> None:
    monkeypatch.setattr(looks, "CHUNK", 3)
    for number in range(20):
        await made(core, f"Bill {number}{number}")
    await made(core, "Владимир")
    await forget(core)
    assert await claim_all(core) == LookProgress(names=21, alike=0)
    await assert_unique(core)
    assert await claim_all(core) == LookProgress(names=21, alike=0)
    await assert_unique(core)


async def test_players_whose_names_look_alike_keep_them_and_may_change_them(core: Core) -> None:
    lan = await made(core, "lan Lee")
    await forget(core)
    ian = await made(core, "Ian Lee")
    await forget(core)
    assert await claim_all(core) == LookProgress(names=2, alike=1)
    look = next(key for key in name_keys("Ian Lee") if is_look(key))
    claim = await core.rooms.accounts.claims.find(look)
    assert claim is not None
    keeper, other = (ian, lan) if claim.player_id == ian.player.id else (lan, ian)
    await rename(core.commands.accounts, other.session, other.player.name.upper(), command_id())
    await rename(core.commands.accounts, other.session, "Bea Lee", command_id())
    claim = await core.rooms.accounts.claims.find(look)
    assert claim is not None
    assert (claim.player_id, claim.confirmed) == (keeper.player.id, True)
    await assert_unique(core)


async def test_a_player_renamed_meanwhile_gets_no_claim_on_its_former_look(core: Core, monkeypatch: Any) -> None:
    ian = await made(core, "Ian Lee")
    await forget(core)
    intake = core.rooms.accounts.looks._intake
    reserve = intake.reserve

    async def reserve_and_rename(chunk: Any) -> Any:
        reserved = await reserve(chunk)
        await rename(core.commands.accounts, ian.session, "Bea Lee", command_id())
        return reserved

    monkeypatch.setattr(intake, "reserve", reserve_and_rename)
    await claim_all(core)
    await sweep_all(core)
    await assert_unique(core)
    await enroll(
        core.commands.accounts, Application("lan Lee", "mage", device=device_of("another-device")), command_id()
    )


async def test_an_apostrophe_of_an_earlier_version_is_claimed_as_an_apostrophe_too(core: Core) -> None:
    await made(core, "O\u02bcBrien")
    await forget(core, f"{LOOKS} or key = 'o''brien'")
    await claim_all(core)
    assert await core.rooms.accounts.claims.find(Key.parse("name:o'brien")) is not None
    await assert_unique(core)


async def test_a_look_without_what_stretches_a_word_is_claimed_for_names_of_an_earlier_version(core: Core) -> None:
    who = await made(core, "محـمد")
    (look,) = looks_of(key_of("محـمد"))
    claimed = f"name:{LOOK}{blake2b(look.encode(), digest_size=16).hexdigest()}"
    await forget(core, f"delete from claims where kind = 'name' and key = '{Key.parse(claimed).text}'")
    await claim_all(core)
    await assert_unique(core)
    with pytest.raises(NameTaken):
        await made(core, "محمد")
    await rename(core.commands.accounts, who.session, "علي", command_id())
    assert (await made(core, "محمد")).player.name == "محمد"
    await assert_unique(core)
