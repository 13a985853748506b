"""The first sign-in of an address in a while isn't asked about in Redis, and is counted with its next one."""

import asyncio

from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr
from redis.asyncio import Redis

from gameserver.rules.errors import RateLimited, SessionsUnavailable
from gameserver.rules.pacing import SECOND_NS, Pace
from gameserver.stack.processes.ports import free_port
from gameserver.storage.redis import clients
from gameserver.storage.sessions import first_attempts
from gameserver.storage.sessions.attempts import AttemptPaces, Attempts
from gameserver.storage.sessions.first_attempts import WHILE, FirstAttempts

HOUR = 3600 * SECOND_NS
FREE = Pace(1000, 1_000_000)
HERE = "203.0.113.7"


def attempts(redis: Redis, burst: int) -> Attempts:
    return Attempts(redis, AttemptPaces(FREE, Pace(HOUR, burst), FREE, FREE, FREE))


async def admitted(limits: Attempts, times: int, name: str | None = None) -> int:
    count = 0
    for _ in range(times):
        try:
            await limits.sign_in(HERE, name)
            count += 1
        except RateLimited:
            pass
    return count


async def test_an_address_has_no_more_for_its_first_ones(redis: Redis) -> None:
    assert await admitted(attempts(redis, 20), 60) == 20


async def test_at_each_node_one_may_pass_beyond_until_the_next_one_is_counted_there(redis: Redis) -> None:
    nodes = [attempts(redis, 20) for _ in range(4)]
    found = [await admitted(each, 1) for each in nodes]
    assert await redis.keys("gs:limit:*") == []
    found += [await admitted(each, 30) for each in nodes]
    assert sum(found) == 20 + 3, "the last three were told no as soon as they asked"


async def test_a_password_is_counted_at_once_and_what_its_address_owes_too(redis: Redis) -> None:
    limits = attempts(redis, 20)
    assert await admitted(limits, 1, "Ann Lee") == 1
    assert len(await redis.keys("gs:limit:*")) == 3
    assert await admitted(limits, 1) == 1, "its first without a name"
    assert await admitted(limits, 60, "Ann Lee") == 18


async def test_a_first_sign_in_does_not_need_redis_here_and_a_strict_limit_counts_every_one() -> None:
    away = clients.connect(SecretStr(f"redis://127.0.0.1:{free_port()}/0"))
    await attempts(away, WHILE).sign_in(HERE)
    for limits, name in ((attempts(away, WHILE - 1), None), (attempts(away, WHILE), "Ann Lee")):
        try:
            await limits.sign_in(HERE, name)
            raise AssertionError("it wasn't counted")
        except SessionsUnavailable:
            pass
    await away.aclose()


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 3 * WHILE)), max_size=60))
def test_of_an_address_at_the_most_one_in_a_while_is_not_counted(steps: list[tuple[str, int]]) -> None:
    now, passed = 0, dict[str, int]()
    first = FirstAttempts(Pace(1, WHILE), lambda: now)
    for address, later in steps:
        now += later
        if first.note(address):
            assert address not in passed or now - passed[address] > WHILE
            passed[address] = now
        else:
            first.take_uncounted(address)
            assert not first.take_uncounted(address), "each is counted once"


def test_memory_is_bounded() -> None:
    first = FirstAttempts(Pace(SECOND_NS, WHILE), lambda: 0)
    for number in range(3 * first_attempts.LARGEST_TABLE):
        first.note(str(number))
    assert len(first) <= 2 * first_attempts.LARGEST_TABLE


async def test_many_at_once_of_one_address_are_one_that_is_not_counted(redis: Redis) -> None:
    limits = attempts(redis, 20)
    found = await asyncio.gather(*(admitted(limits, 1) for _ in range(60)))
    assert sum(found) == 20
