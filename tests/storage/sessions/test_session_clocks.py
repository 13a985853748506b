"""How old a session is doesn't depend on how the clocks of the node and of Redis differ."""

import time
from collections.abc import Iterable, Mapping

import pytest
from redis.asyncio import Redis

from gameserver.storage.sessions.sessions import UNKNOWN, Sessions

IDLE, LONGEST = 3600, 7200
PLAYER = 4096
SLOW = 60
"""Seconds that this test may take."""


class NoEpochs:
    """No player's sessions have ended."""

    async def epoch(self, player_id: int) -> int:
        return (await self.epochs([player_id]))[player_id]

    async def epochs(self, ids: Iterable[int]) -> Mapping[int, int]:
        return dict.fromkeys(ids, 0)

    def by_database(self, ids: Iterable[int]) -> Mapping[str, list[int]]:
        return {"one": list(ids)}


@pytest.mark.parametrize("off", [-3 * LONGEST, -600, 0, 600, 3 * LONGEST])
async def test_a_sessions_times_are_of_the_nodes_clock(redis: Redis, off: float) -> None:
    def clock() -> float:
        return time.time() + off

    opening, checking = (Sessions(redis, redis, NoEpochs(), (IDLE, LONGEST), 5, clock) for _ in range(2))
    token, opened = await opening.open(PLAYER, 0, UNKNOWN)
    checked = await checking.check(token)
    for session in (opened, checked):
        assert 0 <= clock() - session.opened_at.timestamp() + 0.001 < SLOW
        assert 0 <= session.expires_at.timestamp() - clock() + SLOW - IDLE <= SLOW
        assert 0 <= session.ends_at.timestamp() - clock() + SLOW - LONGEST <= SLOW
    # What a node goes on with while Redis is away has not ended by another's clock.
    for sessions in (opening, checking):
        assert sessions._memory.last(opened.name) is not None
