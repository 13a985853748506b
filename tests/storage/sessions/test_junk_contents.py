"""What isn't a session, a bar or a revocation, though it lies where these do, counts as lost."""

import time
from typing import Any

import pytest
from redis.asyncio import Redis
from structlog.testing import capture_logs

from gameserver.rules.errors import NotAuthenticated
from gameserver.storage.sessions.revocations import STREAM, Revocations
from gameserver.storage.sessions.sessions import UNKNOWN, Sessions
from gameserver.storage.sessions.store import SessionStore
from tests.storage.sessions.test_session_clocks import NoEpochs

PLAYER = 4096
INDEX, BAR = f"gs:sessions:{{{PLAYER}}}", f"gs:session-bar:{{{PLAYER}}}"


def sessions_of(redis: Redis) -> Sessions:
    return Sessions(redis, redis, NoEpochs(), (30, 60), 2, time.time)


@pytest.mark.parametrize("field", ["epoch", "opened", "used", "ends"])
@pytest.mark.parametrize("junk", [None, b"null", b"-1", b"nan", b"1e300", b"9" * 15, b"9" * 40, b"", b"\xff"])
async def test_a_session_that_lacks_a_field_or_has_junk_in_one_is_none(
    redis: Redis, field: str, junk: bytes | None
) -> None:
    if field == "epoch" and junk == b"9" * 15:
        pytest.skip("an epoch may be any number")
    sessions = sessions_of(redis)
    token, opened = await sessions.open(PLAYER, 0, UNKNOWN)
    other, _ = await sessions.open(PLAYER, 0, UNKNOWN)
    key = f"gs:session:{{{PLAYER}}}:{opened.name}"
    before: Any = await redis.hgetall(key)

    async def corrupt() -> None:
        await redis.hset(key, mapping=before)
        await (redis.hdel(key, field) if junk is None else redis.hset(key, field, junk))

    await corrupt()
    with pytest.raises(NotAuthenticated):
        await sessions_of(redis).check(token)
    assert await redis.exists(key) == 0
    await corrupt()
    assert [listed.name for listed in await sessions.listed(PLAYER)] != []
    assert opened.name not in [listed.name for listed in await sessions.listed(PLAYER)]
    assert (await redis.exists(key), await redis.zcard(INDEX)) == (0, 1)
    assert (await sessions_of(redis).check(other)).player_id == PLAYER


async def test_what_isnt_a_sessions_name_takes_no_sessions_place(redis: Redis) -> None:
    store = SessionStore(redis, (30, 60), 2, time.time)
    assert (await store.open(PLAYER, "first", 0, UNKNOWN) or (None, None))[1] == []
    await redis.zadd(INDEX, {b"null": float("inf"), b"something else": 1, b"\xff": 2})
    assert (await store.open(PLAYER, "second", 0, UNKNOWN) or (None, None))[1] == []
    await redis.zadd(INDEX, {b"\xff": 2, b"something else": 1})
    assert sorted(await store.bar(PLAYER, 0)) == ["first", "second"]
    assert [listed.name for listed in await store.listed(PLAYER)] == ["first", "second"]


@pytest.mark.parametrize("junk", ["null", "1e300", "inf", "9" * 40, "-1", "7"])
async def test_what_isnt_a_bar_bars_no_session(redis: Redis, junk: str) -> None:
    store = SessionStore(redis, (30, 60), 2, time.time)
    await redis.set(BAR, junk, px=60_000 if junk != "7" else None)
    assert await store.open(PLAYER, "first", 0, UNKNOWN) is not None
    await store.bar(PLAYER, 1)
    assert await store.open(PLAYER, "second", 0, UNKNOWN) is None
    assert await store.open(PLAYER, "second", 1, UNKNOWN) is not None


async def test_an_entry_that_isnt_a_revocation_is_skipped_and_counts_as_a_gap(redis: Redis) -> None:
    revocations = Revocations(redis, redis)
    while (await revocations.read()).gap:
        pass
    for junk in (b"something else", b"null", b"\xff", b"9" * 40 + b" name", b"5"):
        await redis.xadd(STREAM, {"ended": junk})
        await revocations.announce(PLAYER, ["name"])
        with capture_logs() as lines:
            read = await revocations.read()
        assert (read.gap, [(ended.player_id, ended.name) for ended in read.ended]) == (True, [(PLAYER, "name")])
        assert [line["kind"] for line in lines] == [STREAM]
        assert not (await revocations.read()).gap
    started = Revocations(redis, redis)
    while (await started.read()).more:
        pass


async def test_a_log_to_which_nothing_can_be_added_begins_anew(redis: Redis) -> None:
    revocations = Revocations(redis, redis)
    await redis.xadd(STREAM, {"ended": ""}, id=f"{2**64 - 1}-{2**64 - 1}")
    await revocations.announce(PLAYER, ["name"])
    while (read := await revocations.read()).more:
        pass
    assert [ended.name for ended in read.ended] in ([], ["name"])
    assert await redis.xlen(STREAM) >= 1
