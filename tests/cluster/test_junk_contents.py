"""Keys of Redis hold the right type, but not what the product wrote there: each counts as lost, and all works again."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Collection, Sequence
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from gameserver.config.settings import Settings
from tests.cluster.test_wrong_types import KINDS, OF_BOARDS, OTHERS, Doors, keys_by_kind, prepared
from tests.support.client import ADMIN_KEY
from tests.support.redis_kinds import Server, alone
from tests.support.redis_play import played
from tests.support.wait import wait_until

HEALED_SECONDS = 20
JUNK = (b"null", b"something else", b"-1", b"nan", b"1e300", b"9" * 40, b"\xff\xfe", b"", b"5 {]")
SCORES = ("inf", "-inf", "1e300")
Corrupt = Callable[[Server, str], Awaitable[None]]


class WiderDoors(Doors):
    """Also what only operators are shown."""

    async def work(self) -> bool:
        return await super().work() and await self.is_shown() and not self.refused

    async def is_shown(self) -> bool:
        token, self.token = self.token, ADMIN_KEY
        try:
            body = {"text": "one", "reason": "a test", "player": self.who.id}
            told = await self.ask("POST", "/admin/v1/notices", body=body)
            page = await self.ask("GET", f"/admin/v1/players/{self.who.id}")
            checked = await self.ask("GET", "/admin/v1/boards/exp/check")
            rules = await self.ask("GET", "/admin/v1/rules")
        finally:
            self.token = token
        answers = (told, page, checked, rules)
        return [answer.status for answer in answers] == [201, 200, 200, 200] and not checked.body["differing"]


async def _strings(server: Server, key: str, junk: bytes) -> None:
    await server.ask("SET", key, junk)


async def _hash(server: Server, key: str, junk: bytes) -> None:
    for field in await server.ask("HKEYS", key):
        await server.ask("HSET", key, field, junk)


async def _set(server: Server, key: str, junk: bytes) -> None:
    await server.ask("SADD", key, junk)


async def _sorted(server: Server, key: str, junk: bytes) -> None:
    for score in SCORES:
        await server.ask("ZADD", key, score, junk + score.encode())


async def _list(server: Server, key: str, junk: bytes) -> None:
    await server.ask("LPUSH", key, junk)
    await server.ask("RPUSH", key, junk, b"99 " + junk)


async def _stream(server: Server, key: str, junk: bytes) -> None:
    await server.ask("XADD", key, "*", "ended", junk)
    await server.ask("XADD", key, "*", junk or "field", junk)


ADDED = {"string": _strings, "hash": _hash, "set": _set, "zset": _sorted, "list": _list, "stream": _stream}


def holding(junk: bytes) -> Corrupt:
    """What the key holds is junk, or junk is among it."""

    async def corrupt(server: Server, key: str) -> None:
        type_ = (await server.ask("TYPE", key)).decode()
        if type_ in ADDED:
            await ADDED[type_](server, key, junk)

    return corrupt


async def lacking(server: Server, key: str) -> None:
    """Fields of a hash are missing, or no member has its shape, or the one that is always there isn't."""
    type_ = (await server.ask("TYPE", key)).decode()
    if type_ == "hash":
        for field in (await server.ask("HKEYS", key))[1::2]:
            await server.ask("HDEL", key, field)
    elif type_ == "zset":
        for member in await server.ask("ZRANGE", key, 0, -1):
            await server.ask("ZADD", key, 1, member + b"x")
            await server.ask("ZREM", key, member)
    elif type_ == "set":
        await server.ask("SREM", key, key.partition("{")[2].partition("}")[0])


async def huge(server: Server, key: str) -> None:
    """All scores are beyond every number, and all members, and all fields as long as no number."""
    type_ = (await server.ask("TYPE", key)).decode()
    if type_ == "zset":
        for member in await server.ask("ZRANGE", key, 0, -1):
            await server.ask("ZADD", key, "inf", member)
    elif type_ != "none":
        await holding(b"9" * 40)(server, key)


VARIANTS: dict[str, Corrupt] = {"lacking": lacking, "huge": huge} | {
    f"holding {junk[:20]!r}": holding(junk) for junk in JUNK
}


@pytest.fixture
async def doors(settings: Settings, tmp_path: Path) -> AsyncIterator[tuple[Server, WiderDoors]]:
    async with alone(tmp_path) as redis, AsyncExitStack() as stack:
        all_of = await played(stack, settings, redis)
        before = await prepared(all_of)
        after = WiderDoors(all_of, before.who, before.friend)
        after.token = before.token
        await wait_until(after.work, HEALED_SECONDS, "everything works")
        yield redis.servers[0], after


async def corrupted(server: Server, doors: Doors, corrupt: Corrupt, kinds: Collection[str]) -> None:
    by_kind = await keys_by_kind(server, doors.who, doors.api.url.removeprefix("http://"))
    for kind in sorted(kinds):
        for key in by_kind[kind]:
            await corrupt(server, key)


async def heal(server: Server, doors: WiderDoors, variant: str, turns: Sequence[Collection[str]]) -> None:
    for kinds in turns:
        await corrupted(server, doors, VARIANTS[variant], kinds)
        await wait_until(doors.work, HEALED_SECONDS, f"everything works after {variant} in {sorted(kinds)}")


PART_BY_PART = ("lacking", "huge", "holding b'null'")
MEMBERS = "gs:{board:exp}:*:*:members"
"""Where a follower writes over records that are lost or junk before anybody reads them, a player's former member stays
in the order until the board's next check, which tests/storage/boards/test_board_check.py holds."""


@pytest.mark.family(1)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("part", range(len(PART_BY_PART)))
async def test_keys_that_hold_junk_count_as_lost(doors: tuple[Server, WiderDoors], part: int) -> None:
    """A third of the junk, each when all of the last is healed; and a third of the board's keys, each by itself."""
    for variant in [*VARIANTS][part :: len(PART_BY_PART)]:
        await heal(*doors, variant, [OTHERS, OF_BOARDS])
    by_themselves = [kind for kind in OF_BOARDS if kind != MEMBERS]
    for kind in by_themselves[part :: len(PART_BY_PART)]:
        await heal(*doors, PART_BY_PART[part], [{kind}])


@pytest.mark.soak
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("variant", VARIANTS)
async def test_keys_that_hold_junk_count_as_lost_one_by_one(doors: tuple[Server, WiderDoors], variant: str) -> None:
    await heal(*doors, variant, [{kind} for kind in sorted(KINDS - {MEMBERS})])


async def test_an_entry_of_the_revocations_that_isnt_one_ends_no_node_and_no_session(
    doors: tuple[Server, WiderDoors],
) -> None:
    server, asked = doors
    token = asked.token
    for junk in JUNK:
        await server.ask("XADD", "gs:revocations:log", "*", "ended", junk or "?")
    await asyncio.sleep(1)
    asked.token = token
    assert (await asked.ask("GET", "/v1/players/me")).status == 200
    assert (await asked.ask("DELETE", "/v1/sessions/current")).status in (204, 404)
    await wait_until(asked.work, HEALED_SECONDS, "everything works")
