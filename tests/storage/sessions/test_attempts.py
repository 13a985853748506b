"""The limits of sign-up and sign-in in Redis: one decision for all of an attempt's limits, and keys that end."""

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import SecretStr
from redis.asyncio import Redis

from gameserver.rules.errors import RateLimited, SessionsUnavailable
from gameserver.rules.pacing import SECOND_NS, Pace
from gameserver.stack.processes.ports import free_port
from gameserver.storage.redis import clients
from gameserver.storage.sessions.attempts import AttemptPaces, Attempts
from tests.support.servers import Servers

HOUR = 3600 * SECOND_NS
LOOP_CLOCK = 0.005
"""Seconds: the event loop's clock may be late by this when a sleep begins, so that it ends early."""
HERE, THERE = "203.0.113.7", "2001:db8::/64"


def attempts(
    redis: Redis,
    up: Pace | None = None,
    address: Pace | None = None,
    name: Pace | None = None,
    pair: Pace | None = None,
) -> Attempts:
    free = Pace(1000, 1_000_000)
    return Attempts(redis, AttemptPaces(up or free, address or free, name or free, pair or free, free))


async def admits(limits: Attempts, address: str | None, name: str | None = None) -> bool:
    try:
        await limits.sign_in(address, name)
    except RateLimited:
        return False
    return True


async def test_of_many_at_once_on_two_clients_exactly_the_burst_is_admitted(servers: Servers, redis: Redis) -> None:
    other = clients.connect(servers.redis_url)
    both = [attempts(each, address=Pace(HOUR, 7)) for each in (redis, other)]
    found = await asyncio.gather(*(admits(limits, HERE) for limits in both * 20))
    await other.aclose()
    assert found.count(True) == 7
    assert await admits(both[0], THERE), "another address"


async def test_who_waits_as_long_as_he_is_told_is_admitted(redis: Redis) -> None:
    limits = attempts(redis, up=Pace(SECOND_NS, 3))
    for _ in range(3):
        await limits.sign_up(HERE)
    for _ in range(2):
        with pytest.raises(RateLimited) as caught:
            await limits.sign_up(HERE)
        assert caught.value.retry_after is not None
        assert 0 < caught.value.retry_after <= 1
        await asyncio.sleep(caught.value.retry_after + LOOP_CLOCK)
        await limits.sign_up(HERE)


async def test_a_denied_attempt_counts_against_its_address_and_nothing_else(redis: Redis) -> None:
    limits = attempts(redis, address=Pace(HOUR, 4), name=Pace(HOUR, 3), pair=Pace(HOUR, 2))
    assert [await admits(limits, HERE, "Ann Lee") for _ in range(10)] == [True, True] + [False] * 8
    assert not await admits(limits, HERE), "two were admitted, and two of the denied ones counted"
    assert [await admits(limits, THERE, "Ann Lee") for _ in range(3)] == [True, False, False], "the name had one left"
    assert [await admits(limits, THERE) for _ in range(2)] == [True, False]


async def test_who_guesses_from_one_address_or_many_keeps_nobody_from_an_address_of_its_own(redis: Redis) -> None:
    limits = attempts(redis, name=Pace(HOUR, 20), pair=Pace(HOUR, 5))
    await limits.remember(THERE, "ANN  lee")
    assert [await admits(limits, HERE, "Ann Lee") for _ in range(200)].count(True) == 5
    assert await admits(limits, "198.51.100.1", "Ann Lee"), "one address doesn't spend what the name has elsewhere"
    for number in range(50):
        await admits(limits, f"203.0.113.{number}", "Ann Lee")
    assert not await admits(limits, "198.51.100.2", "Ann Lee"), "many addresses do, at new ones"
    assert [await admits(limits, THERE, "Ann Lee") for _ in range(6)] == [True] * 5 + [False]
    assert not await admits(limits, "198.51.100.3", "Ann Lee")
    assert await admits(limits, "198.51.100.3", "Bea Lee")


async def test_the_addresses_of_a_name_that_were_used_last_keep_places_for_a_month(redis: Redis) -> None:
    limits = attempts(redis, name=Pace(HOUR, 1))
    for number in (0, 1, 2, 3, 0, 4, 5):
        await limits.remember(f"203.0.113.{number}", "Ann Lee")
    await admits(limits, HERE, "Ann Lee")
    assert [await admits(limits, f"203.0.113.{number}", "Ann Lee") for number in range(6)] == [True, False] + [True] * 4
    await limits.remember(None, "Bea Lee")
    (key,) = [key async for key in redis.scan_iter("gs:known:*")]
    assert b"ann" not in key.lower()
    assert 30 * 24 * 3600 - 60 < await redis.pttl(key) / 1000 <= 30 * 24 * 3600


async def test_the_longer_of_two_waits_is_told_with_its_reason(redis: Redis) -> None:
    limits = attempts(redis, address=Pace(10 * SECOND_NS, 1), name=Pace(100 * SECOND_NS, 1))
    await limits.sign_in(HERE, "Ann Lee")
    with pytest.raises(RateLimited, match="under this name") as caught:
        await limits.sign_in(HERE, "Ann Lee")
    assert caught.value.retry_after is not None
    assert 95 < caught.value.retry_after <= 100
    with pytest.raises(RateLimited, match="from this address"):
        await limits.sign_in(HERE)


async def test_names_that_are_one_to_players_are_one_to_the_limit(redis: Redis) -> None:
    limits = attempts(redis, name=Pace(HOUR, 3))
    found = [await admits(limits, HERE, each) for each in ("Ann Lee", "ANN  lee", "ａｎｎ lee", " Ann Lee ", "Ann-Lee")]
    assert found == [True, True, True, False, True]
    assert all([await admits(limits, HERE, each) for each in ("", "\0", "n" * 1000, "🐉")])


async def test_every_key_ends_when_it_says_nothing_more_shows_no_name_and_shares_its_kinds_tag(redis: Redis) -> None:
    limits = attempts(redis, up=Pace(SECOND_NS, 5), address=Pace(SECOND_NS, 5), name=Pace(2 * SECOND_NS, 5),
                      pair=Pace(2 * SECOND_NS, 5))  # fmt: skip
    for _ in range(2):
        await limits.sign_up(HERE)
        await limits.sign_in(HERE, "Ann Lee")
    keys = sorted([each.decode() async for each in redis.scan_iter("gs:limit:*")])
    assert [each.split(":address")[0].split(":name")[0] for each in keys] == [
        "gs:limit:{sign_in}",
        "gs:limit:{sign_in}",
        "gs:limit:{sign_in}",
        "gs:limit:{sign_up}",
    ]
    assert not any("ann" in each.lower() for each in keys)
    for key in keys:
        assert 1000 < await redis.pttl(key) <= (4000 if ":name:" in key else 2000)


async def test_a_time_of_rest_that_cant_be_counts_as_the_farthest_that_can(redis: Redis) -> None:
    limits = attempts(redis, up=Pace(SECOND_NS, 5))
    await redis.set(f"gs:limit:{{sign_up}}:address:{HERE}", 1 << 52)
    with pytest.raises(RateLimited) as caught:
        await limits.sign_up(HERE)
    assert caught.value.retry_after == 1.0


@settings(max_examples=100)
@given(interval=st.integers(1, 100), burst=st.integers(1, 20), share=st.floats(-0.5, 1))
async def test_the_script_in_redis_decides_as_the_law_of_limits_does(
    redis: Redis, interval: int, burst: int, share: float
) -> None:
    """From any time of rest; the decision falls at some moment between the two at which the clock was read."""
    pace = Pace(interval * SECOND_NS, burst)
    limits, key = attempts(redis, up=pace), f"gs:limit:{{sign_up}}:address:{HERE}"
    before = await clock_of(redis)
    rest = before + int(pace.recovery * share) // 1000 * 1000
    await redis.set(key, rest // 1000)
    wait: float = 0
    try:
        await limits.sign_up(HERE)
    except RateLimited as error:
        wait = (error.retry_after or 0) * SECOND_NS
    after = await clock_of(redis)
    if wait:
        assert max(pace.wait(rest, after), 0) <= wait <= pace.wait(rest, before) + SECOND_NS // 1000
    else:
        assert pace.wait(rest, after) <= 0
        assert pace.spent(rest, before) <= int(await redis.get(key) or 0) * 1000 <= pace.spent(rest, after)


async def clock_of(redis: Redis) -> int:
    """The server's clock, in ns."""
    seconds, microseconds = await redis.time()
    return int(seconds) * SECOND_NS + int(microseconds) * 1000


async def test_without_redis_only_whom_no_limit_holds_goes_on() -> None:
    away = clients.connect(SecretStr(f"redis://127.0.0.1:{free_port()}/0"))
    limits = attempts(away, address=Pace(1000, 1))
    await limits.sign_up(None)
    await limits.sign_in(None, "Ann Lee")
    for attempt in (limits.sign_up(HERE), limits.sign_in(HERE), limits.sign_in(HERE, "Ann Lee")):
        with pytest.raises(SessionsUnavailable) as caught:
            await attempt
        assert caught.value.retry_after == 1
    await away.aclose()


async def test_an_address_that_was_denied_asks_redis_no_more_until_its_wait_is_over(redis: Redis) -> None:
    limits = attempts(redis, up=Pace(2 * SECOND_NS, 1), address=Pace(2 * SECOND_NS, 1))

    async def calls() -> int:
        return int((await redis.info("commandstats"))["cmdstat_evalsha"]["calls"])

    for attempt in (limits.sign_in, limits.sign_up):
        await attempt(HERE)
        with pytest.raises(RateLimited):
            await attempt(HERE)
        before = await calls()
        for _ in range(20):
            with pytest.raises(RateLimited) as refused:
                await attempt(HERE)
        assert await calls() == before
        await attempt(THERE)
        assert refused.value.retry_after is not None
        await asyncio.sleep(refused.value.retry_after)
        await attempt(HERE)


@pytest.mark.parametrize("held", ["nan", "x", "-inf", None])
async def test_what_is_no_time_counts_as_none_and_costs_the_others_of_its_call_nothing(
    redis: Redis, held: str | None
) -> None:
    limits, key = attempts(redis, address=Pace(HOUR, 2)), f"gs:limit:{{sign_in}}:address:{THERE}"
    assert await admits(limits, HERE)
    await (redis.rpush(key, "a list") if held is None else redis.set(key, held))
    found = await asyncio.gather(*(admits(limits, address) for address in (THERE, THERE, THERE, HERE, HERE)))
    assert found == [True, True, False, True, False]
