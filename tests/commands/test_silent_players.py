"""A sign-up whose players' database falls silent waits for it once, whatever it had claimed before."""

from collections.abc import Awaitable, Callable

import pytest

from gameserver.app import Core
from gameserver.commands.accounts import Application
from gameserver.commands.sign_up import sign_up
from gameserver.rules.errors import DatabaseUnavailable, OutcomeUnknown
from gameserver.storage.accounts.claims import Claim, Key, KeyKind
from tests.support.client import command_id
from tests.support.devices import device_of

ANN = Application("Ann Lee", "mage", device=device_of("anns-device-0001"))
NAME = Key(KeyKind.NAME, "ann lee")


async def test_what_a_sign_up_claimed_waits_once_for_a_players_database_that_is_silent(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Claim] = []

    def failing(error: Exception) -> Callable[..., Awaitable[None]]:
        async def fail(what: object, *_rest: object) -> None:
            if isinstance(what, Claim):
                asked.append(what)
            raise error

        return fail

    monkeypatch.setattr(core.rooms.accounts.enrolments, "create", failing(OutcomeUnknown("Lost.")))
    monkeypatch.setattr(core.rooms.accounts.identities, "resolve", failing(DatabaseUnavailable("Silent.")))
    with pytest.raises(OutcomeUnknown, match="Lost"):
        await sign_up(core.commands.accounts, ANN, command_id())
    assert len(asked) == 1
    left = await core.rooms.accounts.claims.find(NAME)
    assert left is not None
    assert not left.confirmed
