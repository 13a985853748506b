"""A password that is changed while it is being checked opens no session that outlives the change."""

from typing import Any
from unicodedata import normalize

import pytest
from argon2 import PasswordHasher

from gameserver.app import Core
from gameserver.commands.accounts import Application, Welcome
from gameserver.commands.credentials import NewPassword, change_password
from gameserver.commands.passwords import Checked
from gameserver.commands.sign_in import sign_in_by_password
from gameserver.commands.sign_up import sign_up
from gameserver.rules.errors import SessionRevoked, WrongCredentials
from gameserver.storage.sessions.sessions import UNKNOWN
from tests.support.client import command_id

ANN = Application("Ann Lee", "mage", password="anns-password")


def changed_during_the_check(core: Core, monkeypatch: pytest.MonkeyPatch, ann: Welcome) -> None:
    """The next check of a password ends after the password was changed."""
    check = core.commands.accounts.passwords.check

    async def slow(hashed: str | None, password: str, address: str | None = None) -> Checked:
        checked = await check(hashed, password, address)
        monkeypatch.undo()
        asked = NewPassword("another-password", "anns-password")
        await change_password(core.commands.accounts, ann.session, asked, UNKNOWN)
        return checked

    monkeypatch.setattr(core.commands.accounts.passwords, "check", slow)


@pytest.mark.parametrize("door", ["sign-in", "retried sign-up"])
async def test_the_old_password_opens_nothing_once_it_was_changed(
    core: Core, monkeypatch: pytest.MonkeyPatch, door: str
) -> None:
    key = command_id()
    ann = await sign_up(core.commands.accounts, ANN, key)
    changed_during_the_check(core, monkeypatch, ann)
    opening = sign_up(core.commands.accounts, ANN, key)
    if door == "sign-in":
        opening.close()
        opening = sign_in_by_password(core.commands.accounts, ANN.name, "anns-password")
    with pytest.raises(SessionRevoked):
        await opening
    again = await sign_in_by_password(core.commands.accounts, ANN.name, "another-password")
    listed = await core.rooms.sessions.listed(again.player.id)
    assert len(listed) == 2, "the one of the change and this one"


async def test_a_session_of_an_epoch_that_is_over_is_never_opened(core: Core) -> None:
    ann: Any = await sign_up(core.commands.accounts, ANN, command_id())
    await core.rooms.accounts.credentials.raise_session_epoch(ann.player.id)
    with pytest.raises(SessionRevoked):
        await core.rooms.sessions.open(ann.player.id, 0, UNKNOWN)
    token, _ = await core.rooms.sessions.open(ann.player.id, 1, UNKNOWN)
    assert (await core.rooms.sessions.check(token)).epoch == 1


async def test_a_hash_of_what_was_typed_still_fits_and_is_renewed_at_the_next_sign_in(core: Core) -> None:
    typed, elsewhere = normalize("NFD", "Contraseña2"), normalize("NFC", "Contraseña2")
    accounts = core.commands.accounts
    welcome = await sign_up(accounts, Application("Ann Lee", "mage", password=elsewhere), command_id())
    hashed, epoch = await accounts.room.credentials.password(welcome.player.id)
    assert hashed is not None
    former = PasswordHasher(time_cost=2, memory_cost=19 * 1024, parallelism=1).hash(typed)
    await accounts.room.credentials.renew(welcome.player.id, hashed, former)
    with pytest.raises(WrongCredentials):
        await sign_in_by_password(accounts, "Ann Lee", elsewhere)
    await sign_in_by_password(accounts, "Ann Lee", typed)
    assert await accounts.room.credentials.password(welcome.player.id) != (former, epoch)
    for password in (typed, elsewhere):
        await sign_in_by_password(accounts, "Ann Lee", password)
