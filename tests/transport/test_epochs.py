"""Idle sockets of an ended session epoch are closed although nothing announced it, also while Redis is away."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gameserver.config.settings import Settings
from gameserver.storage.sessions import endings
from tests.support.redis_kinds import alone
from tests.support.redis_play import played
from tests.transport.doors import closing_of
from tests.transport.http.test_sessions import WITHIN


async def test_idle_sockets_of_an_ended_epoch_are_closed_with_and_without_redis(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(endings, "RECHECK_SECONDS", 0.1)
    async with alone(tmp_path) as redis, AsyncExitStack() as stack:
        all_of = await played(stack, settings, redis)
        api, credentials = all_of.api, all_of.node.core.rooms.accounts.credentials
        ends, ends_later, stays = [await api.sign_up() for _ in range(3)]
        sockets = [await api.socket(value.token) for value in (ends, ends_later, stays)]
        for number, who in enumerate((ends, ends_later)):
            await credentials.raise_session_epoch(int(who.id))
            async with asyncio.timeout(WITHIN):
                assert (await closing_of(sockets[number].connection))[1] == 4409
            redis.servers[0].kill()
        assert "ok" in await sockets[2].ask("read")
