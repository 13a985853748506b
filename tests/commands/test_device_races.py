"""Devices under races: whatever comes twice, at once, late or after a kill, a device signs in one player or nobody."""

import asyncio
import secrets
from dataclasses import replace
from datetime import timedelta
from typing import Any, NamedTuple

import pytest

from gameserver.app import Core
from gameserver.commands.accounts import Application, Welcome
from gameserver.commands.credentials import NewPassword, change_password
from gameserver.commands.devices import ANY_EPOCH, EndedDevice, add_device, devices, end_device, remove_device
from gameserver.commands.identity import delete
from gameserver.commands.keys import device_key
from gameserver.commands.sign_in import sign_in_by_device
from gameserver.commands.sign_up import enroll, sign_up
from gameserver.rules.errors import (
    DeviceNotFound,
    DeviceTaken,
    GameError,
    LastCredential,
    ProofNeeded,
    SessionRevoked,
    TooManyDevices,
    WrongCredentials,
)
from gameserver.storage.accounts.identities import Change
from gameserver.storage.sessions.sessions import UNKNOWN, Session
from tests.support.client import command_id
from tests.support.deployment import connected
from tests.support.uniqueness import sweep_all
from tests.support.wait import wait_until


class Owner(NamedTuple):
    """A player that has just signed up, and its first device."""

    id: int
    device: str
    session: Session

    def renewed(self, session: Session) -> "Owner":
        return Owner(self.id, self.device, session)


async def owner(core: Core, name: str = "Ann Lee", password: str | None = None) -> Owner:
    device = secrets.token_hex(16)
    welcome = await sign_up(core.commands.accounts, Application(name, "mage", device, password), command_id())
    return Owner(welcome.player.id, device, welcome.session)


def id_of(device: str) -> str:
    return device_key(device).text[:16]


async def add(core: Core, who: Owner, device: str, key: str | None = None) -> None:
    await add_device(core.commands.accounts, who.session, device, "", key or command_id())


async def remove(core: Core, who: Owner, device: str, key: str | None = None) -> Owner:
    accounts = core.commands.accounts
    _, session = await remove_device(accounts, who.session, id_of(device), key or command_id(), UNKNOWN)
    return who.renewed(session)


async def enter(core: Core, device: str) -> Welcome:
    return await sign_in_by_device(core.commands.accounts, device)


async def devices_of(core: Core, who: Owner) -> set[str]:
    return {device.id for device in await devices(core.commands.accounts, who.id)}


async def assert_signs_in(core: Core, device: str, who: Owner | None) -> None:
    """The device opens a session of this player, or of nobody; and its claim is settled."""
    if who is None:
        assert await core.rooms.accounts.claims.find(device_key(device)) is None
        with pytest.raises(WrongCredentials):
            await enter(core, device)
    else:

        async def is_settled() -> bool:
            claim = await core.rooms.accounts.claims.find(device_key(device))
            return claim is not None and claim.confirmed

        await wait_until(is_settled, 10, "the device's claim is confirmed")
        assert (await enter(core, device)).player.id == who.id


async def outcomes(*commands: Any) -> list[Any]:
    """What each returned or was refused with."""
    results = await asyncio.gather(*commands, return_exceptions=True)
    for result in results:
        if isinstance(result, BaseException) and not isinstance(result, GameError):
            raise result
    return [type(result) if isinstance(result, GameError) else None for result in results]


async def test_a_device_that_two_players_add_at_once_is_of_one(core: Core, second: Core) -> None:
    ann, bea = await owner(core), await owner(second, "Bea Lee")
    for _ in range(10):
        device = secrets.token_hex(16)
        ended = await outcomes(add(core, ann, device), add(second, bea, device))
        assert sorted(map(str, ended)) == sorted(map(str, [None, DeviceTaken]))
        winner, loser = (ann, bea) if ended[0] is None else (bea, ann)
        await assert_signs_in(core, device, winner)
        assert id_of(device) not in await devices_of(core, loser)
        await remove_by_operator(core, winner, device)
        ann, bea = (
            ann.renewed((await enter(core, ann.device)).session),
            bea.renewed((await enter(core, bea.device)).session),
        )


async def remove_by_operator(core: Core, who: Owner, device: str, key: str | None = None) -> None:
    await end_device(core.commands.accounts, EndedDevice(key or command_id(), who.id, id_of(device)))


async def test_of_two_devices_removed_at_once_one_stays(core: Core, second: Core) -> None:
    for number in range(5):
        ann, other = await owner(core, f"Ann {'abcde'[number]}"), secrets.token_hex(16)
        await add(core, ann, other)
        ended = await outcomes(remove(core, ann, ann.device), remove(second, ann, other))
        assert ended.count(None) == 1
        assert {*ended} <= {None, LastCredential, SessionRevoked}
        rest = await devices_of(core, ann)
        assert len(rest) == 1
        for device in (ann.device, other):
            await assert_signs_in(core, device, ann if id_of(device) in rest else None)


async def test_a_device_is_removed_once_however_often_it_is_asked_for(core: Core, second: Core) -> None:
    ann, other, key = await owner(core), secrets.token_hex(16), command_id()
    await add(core, ann, other)
    ended = await outcomes(*(remove(node, ann, other, key) for node in (core, second) * 3))
    assert None in ended
    assert {*ended} <= {None, SessionRevoked}
    await assert_signs_in(core, other, None)
    again = ann.renewed((await enter(core, ann.device)).session)
    await add(core, again, other)
    # A copy of the command that comes late removes nothing and ends no session.
    await remove(second, again, other, key)
    await assert_signs_in(core, other, ann)
    assert [listed.name for listed in await core.rooms.sessions.listed(ann.id)].count(again.session.name) == 1


@pytest.mark.parametrize("refused", [TooManyDevices, LastCredential, DeviceNotFound])
async def test_a_refusal_is_final(core: Core, second: Core, refused: type[GameError]) -> None:
    ann, key, other = await owner(core), command_id(), secrets.token_hex(16)
    if refused is TooManyDevices:
        extra = [secrets.token_hex(16) for _ in range(core.settings.accounts.devices_per_player - 1)]
        for device in extra:
            await add(core, ann, device)
        with pytest.raises(refused):
            await add(core, ann, other, key)
        ann = await remove(core, ann, extra[0])
        with pytest.raises(refused):
            await add(second, ann, other, key)
        await assert_signs_in(core, other, None)
        return
    target = ann.device if refused is LastCredential else other
    with pytest.raises(refused):
        await remove(core, ann, target, key)
    await add(core, ann, other)
    with pytest.raises(refused):
        await remove(second, ann, target, key)
    await assert_signs_in(core, target, ann)


@pytest.mark.parametrize("stalled", [("claims", "find"), ("entrants", "find")])
async def test_a_sign_in_that_stalls_while_its_device_is_removed_opens_nothing(
    core: Core, second: Core, monkeypatch: pytest.MonkeyPatch, stalled: tuple[str, str]
) -> None:
    ann, other = await owner(core), secrets.token_hex(16)
    await add(core, ann, other)
    room, method = getattr(core.rooms.accounts, stalled[0]), stalled[1]
    plain = getattr(room, method)
    removals: list[Owner] = []

    async def stall(*args: Any) -> Any:
        answer = await plain(*args)
        removals.append(await remove(second, ann, other))
        return answer

    monkeypatch.setattr(room, method, stall)
    with pytest.raises((WrongCredentials, SessionRevoked)):
        await enter(core, other)
    assert len(removals) == 1
    assert [listed.name for listed in await second.rooms.sessions.listed(ann.id)] == [removals[0].session.name]


async def test_a_session_that_ends_while_it_removes_a_device_gets_no_new_one(
    core: Core, second: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thief removes the owner's device while the owner sets a password that ends the thief's session."""
    ann, other = await owner(core), secrets.token_hex(16)
    await add(core, ann, other)
    kept = core.rooms.accounts.devices
    plain = kept.remove

    async def then_is_ended(*args: Any, **fields: Any) -> Any:
        epoch = await plain(*args, **fields)
        await core.rooms.accounts.credentials.raise_session_epoch(ann.id)
        return epoch

    monkeypatch.setattr(kept, "remove", then_is_ended)
    with pytest.raises(GameError):
        await remove(core, ann, other)
    assert await core.rooms.sessions.listed(ann.id, 2) == []


async def test_an_added_device_that_was_killed_halfway_is_settled_by_the_sweeper(core: Core) -> None:
    ann, room = await owner(core), core.rooms.accounts
    for commits in (False, True):
        device, key = secrets.token_hex(16), command_id()
        change = Change(key, ann.id, "add_device", {"device": id_of(device)}, ann.session.epoch)
        identity = await room.identities.find(change)
        await room.claims.retake(device_key(device), ann.id, key)
        if commits:
            assert await room.devices.add(change, identity.claims_epoch, device_key(device), "") is not None
        assert await sweep_all(core) == 1
        await assert_signs_in(core, device, ann if commits else None)
        if not commits:
            assert await room.devices.add(change, identity.claims_epoch, device_key(device), "") is None, "it woke late"


async def test_a_removal_that_was_killed_halfway_is_settled_by_the_sweeper_or_its_retry(
    core: Core, second: Core
) -> None:
    ann, room = await owner(core, password="correct horse battery"), core.rooms.accounts
    for commits in (False, True):
        key = command_id()
        change = Change(key, ann.id, "remove_device", {"device": id_of(ann.device)}, ann.session.epoch)
        identity = await room.identities.find(change)
        assert await room.claims.doubt(device_key(ann.device), ann.id) is not None
        [device] = await devices(core.commands.accounts, ann.id)
        if commits:
            epoch = await room.devices.remove(change, identity.claims_epoch, device, leave_one=True)
            assert epoch == ann.session.epoch + 1
            with pytest.raises(WrongCredentials):
                await enter(second, ann.device)
        assert await sweep_all(core) == 1
        await assert_signs_in(core, ann.device, None if commits else ann)
    with pytest.raises(SessionRevoked):
        await remove(second, ann, ann.device, key)


async def test_an_old_session_neither_adds_nor_removes(core: Core) -> None:
    ann, other = await owner(core), secrets.token_hex(16)
    await add(core, ann, other)
    old = ann.renewed(replace(ann.session, opened_at=ann.session.opened_at - timedelta(hours=1)))
    for command in (add(core, old, secrets.token_hex(16)), remove(core, old, other)):
        with pytest.raises(ProofNeeded):
            await command
    assert await devices_of(core, ann) == {id_of(ann.device), id_of(other)}


async def test_the_owner_of_a_stolen_device_gets_rid_of_it(core: Core, second: Core) -> None:
    """Issue 10's H5: after a new password the thief's device could still sign in and delete the player."""
    ann = await owner(core)
    thief = ann.renewed((await enter(second, ann.device)).session)
    _, session = await change_password(
        core.commands.accounts, ann.session, NewPassword("correct horse battery"), UNKNOWN
    )
    ann = ann.renewed(session)
    thief = thief.renewed((await enter(second, ann.device)).session)
    with pytest.raises(ProofNeeded):
        await remove(second, thief, ann.device)
    await remove(core, ann, ann.device)
    await assert_signs_in(core, ann.device, None)
    with pytest.raises(GameError):
        await add(second, thief, secrets.token_hex(16))


@pytest.mark.parametrize("by", ["owner", "operator", "owner, and another player has it now"])
async def test_the_sign_up_of_a_device_that_was_removed_opens_no_session_however_often_it_comes_again(
    core: Core, second: Core, by: str
) -> None:
    key, device = command_id(), secrets.token_hex(16)
    application = Application("Ann Lee", "mage", device)
    welcome = await sign_up(core.commands.accounts, application, key)
    ann = Owner(welcome.player.id, device, welcome.session)
    assert (await sign_up(second.commands.accounts, application, key)).replayed, "while the device is the player's"
    await add(core, ann, secrets.token_hex(16))
    ann = ann if by == "operator" else await remove(core, ann, device)
    if by == "operator":
        await remove_by_operator(core, ann, device)
    elif by != "owner":
        await add(core, await owner(core, "Bea Lee"), device)
    before = await core.rooms.sessions.listed(ann.id)
    for node in (core, second):
        with pytest.raises(SessionRevoked):
            await sign_up(node.commands.accounts, application, key)
    assert await core.rooms.sessions.listed(ann.id) == before
    _, replayed = await enroll(second.commands.accounts, application, key)
    assert replayed, "an import that is sent again opens no session"


async def test_a_player_with_a_weak_device_of_earlier_versions_signs_in_and_replaces_it(core: Core) -> None:
    ann, weak, strong = await owner(core), "12345678", secrets.token_hex(16)
    await core.rooms.accounts.claims.retake(device_key(weak), ann.id, command_id())
    change = Change(command_id(), ann.id, "add_device", {"device": id_of(weak)}, ANY_EPOCH)
    identity = await core.rooms.accounts.identities.find(change)
    assert await core.rooms.accounts.devices.add(change, identity.claims_epoch, device_key(weak), "") is not None
    await sweep_all(core)
    entered = ann.renewed((await enter(core, weak)).session)
    await add(core, entered, strong)
    entered = await remove(core, entered, weak)
    await assert_signs_in(core, weak, None)
    await assert_signs_in(core, strong, ann)


async def test_a_deleted_players_devices_are_gone_from_every_table(core: Core) -> None:
    ann, other = await owner(core), secrets.token_hex(16)
    await add(core, ann, other)
    welcome = await enter(core, other)
    await delete(core.commands.accounts, welcome.token, command_id())
    for device in (ann.device, other):
        await assert_signs_in(core, device, None)
    for database in core.slots.databases("players"):
        async with connected(database.url) as connection:
            assert await connection.fetch("select * from devices where player_id = $1", ann.id) == []
