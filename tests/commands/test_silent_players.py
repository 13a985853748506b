"""Sign-ups and sign-ins whose players' database falls silent: how often they wait for it, and whom they hold up."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from functools import partial
from itertools import count
from typing import Any

import pytest

from gameserver.app import Core
from gameserver.commands import claims
from gameserver.commands.accounts import Accounts, Application, Welcome
from gameserver.commands.drafts import draft_of, keys_of_draft
from gameserver.commands.entrance import Entrance
from gameserver.commands.identity import rename
from gameserver.commands.sign_in import sign_in_by_device
from gameserver.commands.sign_up import enroll, sign_up
from gameserver.rules.errors import DatabaseUnavailable, OutcomeUnknown, Overloaded, Unavailable
from gameserver.storage.accounts.claims import Claim, Key, KeyKind
from gameserver.waiting import cancel_and_wait
from tests.commands.test_entrance import has_room
from tests.support.client import command_id
from tests.support.deployment import owner
from tests.support.devices import device_of
from tests.support.freezing import frozen
from tests.support.servers import Servers
from tests.support.wait import wait_until

ANN = Application("Ann Lee", "mage", device=device_of("anns-device-0001"))
LONG = 60.0
PLACES = 2
Enter = Callable[[], Awaitable[Welcome]]
_numbers = count(1)


@pytest.mark.parametrize(
    ("error", "prompt", "waits"),
    [
        (OutcomeUnknown("Lost."), LONG, 1),
        (OutcomeUnknown("Lost."), 0.0, 0),
        (Overloaded("Lost."), 0.0, 1),
    ],
    ids=["failed at once", "waited before", "waited for one that is busy"],
)
@pytest.mark.parametrize(("step", "name"), [("create", "ann lee"), ("rename", "bea lee")])
async def test_what_was_claimed_waits_once_at_the_most_for_a_players_database_that_is_silent(
    core: Core, monkeypatch: pytest.MonkeyPatch, step: str, name: str, error: Unavailable, prompt: float, waits: int
) -> None:
    accounts, asked = core.commands.accounts, list[Claim]()

    def failing(with_error: Exception) -> Callable[..., Awaitable[None]]:
        async def fail(what: object, *_rest: object) -> None:
            if isinstance(what, Claim):
                asked.append(what)
            raise with_error

        return fail

    async def change() -> None:
        if step == "create":
            await sign_up(accounts, ANN, command_id())
        else:
            await rename(accounts, ann.session, "Bea Lee", command_id())

    ann = await sign_up(accounts, replace(ANN, name="Ann Poe", device=device_of("another-device-01")), command_id())
    monkeypatch.setattr(claims, "PROMPT_SECONDS", prompt)
    commits = accounts.room.enrolments if step == "create" else accounts.room.identities
    monkeypatch.setattr(commits, step, failing(error))
    monkeypatch.setattr(accounts.room.identities, "resolve", failing(DatabaseUnavailable("Silent.")))
    with pytest.raises(type(error), match="Lost"):
        await change()
    assert len(asked) == waits
    left = await accounts.room.claims.find(Key(KeyKind.NAME, name))
    assert left is not None
    assert not left.confirmed


def apart(core: Core, player: str) -> tuple[Application, str]:
    """A sign-up whose keys are all claimed on `one`, and whose player is made on this database."""
    accounts = core.commands.accounts
    for number in _numbers:
        wanted, key = Application(f"Apart {number}", "mage", device=device_of(f"apart {number}")), command_id()
        draft = draft_of(accounts, wanted, key, 0)
        databases = {accounts.room.claims.database_of(each) for each in keys_of_draft(draft)}
        if databases == {"one"} and owner(core, draft.player.id) == player:
            return wanted, key
    raise AssertionError


async def signs_up(accounts: Accounts, core: Core, player: str) -> Enter:
    return partial(sign_up, accounts, *apart(core, player))


async def signs_in(accounts: Accounts, core: Core, player: str) -> Enter:
    wanted, key = apart(core, player)
    await enroll(core.commands.accounts, wanted, key)
    return partial(sign_in_by_device, accounts, wanted.device or "")


@pytest.mark.parametrize("enters", [signs_up, signs_in])
@pytest.mark.parametrize("player", ["one", "two"])
async def test_the_last_place_is_enough_for_who_has_it(
    core: Core, enters: Callable[..., Awaitable[Enter]], player: str
) -> None:
    enter = await enters(accounts := replace(core.commands.accounts, entrance=Entrance(1)), core, player)
    assert (await enter()).token
    # Names are confirmed behind the answer, and counted until then.
    await wait_until(lambda: all(has_room(accounts.entrance, name) for name in ("one", "two")), what="nobody is inside")
    with accounts.entrance.place("one"), pytest.raises(Overloaded):
        await enter()


@pytest.mark.parametrize("enters", [signs_up, signs_in])
async def test_those_who_wait_for_a_silent_players_database_take_no_place_where_their_keys_are(
    core: Core, servers: Servers, monkeypatch: pytest.MonkeyPatch, enters: Callable[..., Awaitable[Enter]]
) -> None:
    accounts, asked = replace(core.commands.accounts, entrance=Entrance(PLACES)), list[object]()

    def noting(ask: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        async def note(*what: object) -> Any:
            asked.append(what)
            return await ask(*what)

        return note

    here, *there = [await enters(accounts, core, database) for database in ("one", *("two",) * (PLACES + 1))]
    monkeypatch.setattr(accounts.room.entrants, "find", noting(accounts.room.entrants.find))
    monkeypatch.setattr(accounts.room.enrolments, "create", noting(accounts.room.enrolments.create))
    with frozen(servers.postgres["two"]):
        waiting = [asyncio.ensure_future(enter()) for enter in there[:PLACES]]
        await wait_until(lambda: len(asked) == PLACES, what="they wait for the silent database")
        with pytest.raises(Overloaded):
            await there[PLACES]()
        assert (await here()).token
        await cancel_and_wait(waiting)
