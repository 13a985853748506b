"""What keeps a sign-up from its id isn't kept for ever, and no player is made under that id all the same."""

from datetime import UTC, datetime, timedelta

import pytest

from gameserver.app import Core
from gameserver.commands import identity
from gameserver.commands.accounts import Application
from gameserver.commands.drafts import draft_of
from gameserver.rules.errors import CommandExpired, NameTaken
from gameserver.storage.accounts.birth_writes import BEHIND
from gameserver.storage.accounts.claims import Claim, Key, KeyKind
from gameserver.storage.accounts.enrolments import Enrolment
from gameserver.storage.accounts.identities import Fate
from gameserver.storage.ids import new_command_id
from gameserver.storage.ledger.retention import RetentionTerms, forget_old
from gameserver.storage.sessions.store import Origin
from tests.support.client import command_id
from tests.support.deployment import connected, enlist, owner
from tests.support.devices import device_of

MONTH = timedelta(days=30)


def draft(core: Core, age: timedelta, name: str = "Late Comer") -> Enrolment:
    """A sign-up that was sent so long ago, on the database one."""
    while True:
        sent = new_command_id(int((datetime.now(UTC) - age).timestamp() * 1000))
        wanted = draft_of(core.commands.accounts, Application(name, "mage", device=device_of(name)), sent, 0)
        if owner(core, wanted.player.id) == "one":
            return wanted


async def resolve(core: Core, sign_up: Enrolment) -> None:
    """What the sweeper does with a claim of a sign-up that wasn't finished."""
    key = Key(KeyKind.NAME, sign_up.player.name.lower())
    claim = Claim(key, sign_up.player.id, sign_up.command_id, False, datetime.now(UTC), True)
    assert await core.rooms.accounts.identities.resolve(claim) is Fate.NOT_HELD


async def void_ids(core: Core) -> dict[int, bool]:
    """The ids of void rows, and whether each is a deleted player's."""
    async with connected(core.databases["one"].url) as connection:
        rows = await connection.fetch("select id, deleted from players where void")
        return {row["id"]: row["deleted"] for row in rows}


async def test_a_sign_up_older_than_the_window_makes_nobody_whatever_the_node_thinks(core: Core) -> None:
    enrolments, window = core.rooms.accounts.enrolments, core.commands.accounts.policy.window
    back = timedelta(milliseconds=window.back)
    late, good = draft(core, back + BEHIND * 1.1), draft(core, back + BEHIND * 0.9)
    for work in (enrolments.create(late, None), enrolments.refuse(late, NameTaken())):
        with pytest.raises(CommandExpired) as caught:
            await work
        assert "server_time" in caught.value.extra
    assert await enrolments.create(good, None)
    assert not await core.rooms.accounts.identities.exists(late.player.id)
    assert await core.rooms.accounts.identities.exists(good.player.id)


async def test_void_rows_go_when_their_time_is_over_and_their_ids_stay_refused(core: Core) -> None:
    enrolments, one = core.rooms.accounts.enrolments, core.databases["one"]
    old, young = draft(core, timedelta(days=45)), draft(core, timedelta(hours=47))
    for sign_up in (old, young):
        await resolve(core, sign_up)
    assert void_ids_are(await void_ids(core), old, young)
    for _ in range(2):
        await forget_old(one, RetentionTerms(MONTH, datetime.now(UTC)))
        assert void_ids_are(await void_ids(core), young)
    # A copy of each that was frozen until now: the one finds the void row, the other one is too old.
    assert not await enrolments.create(young, None)
    with pytest.raises(CommandExpired):
        await enrolments.create(old, None)
    # A claim of the old one that turns up late is resolved as before.
    await resolve(core, old)
    await forget_old(one, RetentionTerms(MONTH, datetime.now(UTC)))
    assert void_ids_are(await void_ids(core), young)


def void_ids_are(ids: dict[int, bool], *sign_ups: Enrolment) -> bool:
    return ids.keys() == {sign_up.player.id for sign_up in sign_ups}


async def test_a_deleted_players_row_stays(core: Core) -> None:
    player = await enlist(core, database="one")
    token, _ = await core.rooms.sessions.open(player.id, 0, Origin("", ""))
    await identity.delete(core.commands.accounts, token, command_id())
    await forget_old(core.databases["one"], RetentionTerms(timedelta(weeks=-2), datetime.now(UTC)))
    assert await void_ids(core) == {player.id: True}
