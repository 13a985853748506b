"""A session of an epoch that was raised between its look-up and its opening doesn't outlive the revocation."""

import asyncio
import time

import pytest

from gameserver.app import Core
from gameserver.rules.errors import NotAuthenticated, SessionRevoked
from gameserver.storage.sessions import sessions
from gameserver.storage.sessions.sessions import UNKNOWN
from tests.support.deployment import enlist


async def test_an_opening_that_comes_after_the_revocation_is_refused(core: Core) -> None:
    player, seen = await enlist(core), time.monotonic()
    await core.rooms.accounts.credentials.raise_session_epoch(player.id)
    await core.rooms.sessions.revoke_all(player.id)
    with pytest.raises(SessionRevoked):
        await core.rooms.sessions.open(player.id, 0, UNKNOWN, seen)
    assert await core.rooms.sessions.listed(player.id) == []
    await core.rooms.sessions.open(player.id, 1, UNKNOWN, seen)


async def test_an_opening_that_comes_before_the_revocation_is_ended_by_it(core: Core) -> None:
    player, seen = await enlist(core), time.monotonic()
    await core.rooms.accounts.credentials.raise_session_epoch(player.id)
    token, _ = await core.rooms.sessions.open(player.id, 0, UNKNOWN, seen)
    await core.rooms.sessions.revoke_all(player.id)
    with pytest.raises(NotAuthenticated):
        await core.rooms.sessions.check(token)


async def test_an_opening_that_was_frozen_since_its_look_up_reads_the_epoch_again(core: Core) -> None:
    player, seen = await enlist(core), time.monotonic() - sessions.LATELY_SECONDS
    await core.rooms.accounts.credentials.raise_session_epoch(player.id)
    with pytest.raises(SessionRevoked):
        await core.rooms.sessions.open(player.id, 0, UNKNOWN, seen)


async def test_openings_and_revocations_at_once_leave_no_session_of_an_ended_epoch(core: Core) -> None:
    player = await enlist(core)

    async def open_for_ever(epoch: int) -> None:
        while True:
            await core.rooms.sessions.open(player.id, epoch, UNKNOWN, time.monotonic())

    for epoch in range(3):
        opening = asyncio.create_task(open_for_ever(epoch))
        await core.rooms.sessions.open(player.id, epoch, UNKNOWN, time.monotonic())
        await core.rooms.accounts.credentials.raise_session_epoch(player.id)
        await core.rooms.sessions.revoke_all(player.id)
        with pytest.raises(SessionRevoked):
            await opening
        assert await core.rooms.sessions.listed(player.id) == []


async def test_an_earlier_revocation_that_comes_late_lowers_no_bar(core: Core) -> None:
    player = await enlist(core)
    await core.rooms.sessions.revoke_before(player.id, 2)
    await core.rooms.sessions.revoke_before(player.id, 1)
    with pytest.raises(SessionRevoked):
        await core.rooms.sessions.open(player.id, 1, UNKNOWN, time.monotonic())
