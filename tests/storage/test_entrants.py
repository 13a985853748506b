"""Who signs in, as it is looked up for many at once: what one alone would be told, each in its own place."""

import asyncio
import contextlib
import secrets

import pytest

from gameserver.app import Core
from gameserver.commands.accounts import Application
from gameserver.commands.devices import add_device, remove_device
from gameserver.commands.identity import delete
from gameserver.commands.keys import device_key
from gameserver.commands.sign_up import sign_up
from gameserver.rules.errors import DatabaseUnavailable, Overloaded
from gameserver.storage.accounts.claims import Key, KeyKind
from gameserver.storage.accounts.entrants import Entrant
from gameserver.storage.ids import slot_of
from gameserver.storage.sessions.sessions import UNKNOWN, Session
from tests.support.client import command_id
from tests.support.deployment import connected

PASSWORD = "correct horse battery"


async def signed_up(core: Core, name: str, device: str | None = None, password: str | None = None) -> Session:
    welcome = await sign_up(core.commands.accounts, Application(name, "mage", device, password), command_id())
    return welcome.session


async def find(core: Core, player_id: int, device: str | None = None) -> Entrant | None:
    return await core.rooms.accounts.entrants.find(player_id, None if device is None else device_key(device))


async def has(core: Core, player_id: int, device: str) -> bool:
    entrant = await find(core, player_id, device)
    assert entrant is not None
    return entrant.has_device


async def test_many_questions_share_a_statement_and_each_gets_its_own_reply(core: Core) -> None:
    devices = [secrets.token_hex(16) for _ in range(12)]
    sessions = [await signed_up(core, f"Player {number}", device) for number, device in enumerate(devices)]
    stranger = sessions[0].player_id + 1
    wanted = [(session.player_id, device) for session in sessions for device in devices] + [(stranger, devices[0])]
    found = await asyncio.gather(*(find(core, *pair) for pair in wanted))
    assert found[-1] is None
    held = [pair for pair, entrant in zip(wanted, found, strict=True) if entrant is not None and entrant.has_device]
    assert held == [(session.player_id, device) for session, device in zip(sessions, devices, strict=True)]
    keys = [device_key(device) for device in devices] + [Key(KeyKind.NAME, "nobody")]
    claims = await asyncio.gather(*(core.rooms.accounts.claims.find(key) for key in keys))
    assert [claim and claim.player_id for claim in claims] == [session.player_id for session in sessions] + [None]


async def test_a_device_counts_as_its_player_last_had_it(core: Core) -> None:
    first, second = secrets.token_hex(16), secrets.token_hex(16)
    accounts, session = core.commands.accounts, await signed_up(core, "Ann Lee", first)
    ann = session.player_id
    assert (await has(core, ann, first), await has(core, ann, second)) == (True, False)
    await add_device(accounts, session, second, "", command_id())
    assert (await has(core, ann, first), await has(core, ann, second)) == (True, True)
    for device, left in ((first, second), (second, first)):
        _, session = await remove_device(accounts, session, device_key(device).text[:16], command_id(), UNKNOWN)
        assert (await has(core, ann, device), await has(core, ann, left)) == (False, True)
        await add_device(accounts, session, device, "", command_id())
    assert (await has(core, ann, first), await has(core, ann, second)) == (True, True)


async def test_the_device_of_a_sign_up_counts_after_its_partition_was_dropped(core: Core) -> None:
    device = secrets.token_hex(16)
    ann = (await signed_up(core, "Ann Lee", device)).player_id
    async with connected(core.slots.owner("players", slot_of(ann)).url) as connection:
        columns = "slot, player_id, command_id, action, args, seed, outcome, version, at"
        await connection.execute(f"insert into ledger_kept ({columns}) select {columns} from ledger")
        await connection.execute("delete from ledger")
    assert await has(core, ann, device)
    assert not await has(core, ann, secrets.token_hex(16))


async def test_a_password_an_epoch_and_a_ban_are_told_together_and_a_deleted_player_isnt(core: Core) -> None:
    welcome = await sign_up(core.commands.accounts, Application("Ann Lee", "mage", password=PASSWORD), command_id())
    ann = welcome.player.id
    entrant = await find(core, ann)
    assert entrant is not None
    hashed, epoch = await core.rooms.accounts.credentials.password(ann)
    assert hashed is not None
    assert entrant[1:] == (epoch, False, hashed, False, None, "")
    await delete(core.commands.accounts, welcome.token, command_id())
    assert await find(core, ann) is None


async def test_what_a_database_doesnt_own_waits_for_an_owner(core: Core) -> None:
    ann = (await signed_up(core, "Ann Lee", secrets.token_hex(16))).player_id
    async with connected(core.slots.owner("players", slot_of(ann)).url) as connection:
        own = "update players_owned_slots set owned = $1 where slot = $2"
        await connection.execute(own, False, slot_of(ann))
        waiting = asyncio.create_task(find(core, ann))
        await asyncio.wait([waiting], timeout=0.3)
        assert not waiting.done()
        await connection.execute(own, True, slot_of(ann))
        assert await waiting is not None


async def test_after_a_lost_connection_the_next_question_has_another(core: Core) -> None:
    ann = (await signed_up(core, "Ann Lee", secrets.token_hex(16))).player_id
    assert await find(core, ann) is not None
    ended = "select pg_terminate_backend(pid) from pg_stat_activity where query like '%has_device%' and pid <> "
    async with connected(core.slots.owner("players", slot_of(ann)).url) as connection:
        assert await connection.fetch(ended + "pg_backend_pid()") != []
    with contextlib.suppress(DatabaseUnavailable):
        await find(core, ann)
    assert await find(core, ann) is not None


async def test_what_is_asked_after_the_end_is_refused(core: Core) -> None:
    ann = (await signed_up(core, "Ann Lee", secrets.token_hex(16))).player_id
    assert await find(core, ann) is not None
    await core.rooms.accounts.entrants.close()
    with pytest.raises(Overloaded):
        await find(core, ann)
