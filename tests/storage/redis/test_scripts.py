"""A script and its callers agree on the names of keys and arguments, or the script can't be made."""

import sys
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError

from gameserver.storage.boards.layout import Parts
from gameserver.storage.boards.writer import ApplyCall, Guard
from gameserver.storage.redis import clients
from gameserver.storage.redis.legend import LegendFault
from gameserver.storage.redis.scripts import Script, assembled_once
from tests.support.lua_scripts import all_scripts
from tests.support.servers import Servers

PACKAGE = "room"
SUM = """-- Adds numbers to a counter.
-- KEYS counter: its key
-- ARGV first: a number
-- ARGV others...: more numbers
local total = tonumber(first)
for _, other in ipairs(others) do total = total + tonumber(other) end
return redis.call('INCRBY', counter, total)
"""


class SumCall(NamedTuple):
    counter: str
    first: int | str
    others: Sequence[int]


Write = Callable[[str], None]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """Writes the script `sum` of a room of its own."""
    folder = tmp_path / PACKAGE
    (folder / "lua" / "shared").mkdir(parents=True)
    (folder / "__init__.py").touch()
    (folder / "lua" / "shared" / "twice.lua").write_text(
        "-- CONST TWO: two\nlocal function twice(number) return TWO * number end\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, PACKAGE, raising=False)

    def write(text: str) -> None:
        (folder / "lua" / "sum.lua").write_text(text)
        assembled_once.cache_clear()

    return write


@pytest.fixture
async def redis(servers: Servers) -> AsyncIterator[Redis]:
    client = clients.connect(servers.redis_url)
    yield client
    await client.aclose()


async def test_a_call_gives_each_name_of_the_legend_its_value(redis: Redis, write: Write) -> None:
    write(SUM)
    script = Script(redis, PACKAGE, "sum", SumCall)
    await redis.delete("{sum}")
    assert await script(SumCall(counter="{sum}", first=1, others=[2, 3])) == 6
    assert await script(SumCall(counter="{sum}", first=1, others=[])) == 7
    calls = [SumCall(counter="{sum}", first=1, others=range(many)) for many in (1, 2, 10_000)]
    assert await script.many(calls) == [8, 10, 11 + 9_999 * 5_000]


async def test_a_script_that_the_server_doesnt_know_is_sent(redis: Redis, write: Write) -> None:
    write(SUM)
    script = Script(redis, PACKAGE, "sum", SumCall)
    await redis.delete("{sum}")
    await redis.script_flush()
    assert await script.many([SumCall("{sum}", 1, []), SumCall("{sum}", 2, [])]) == [1, 3]
    await redis.script_flush()
    assert await script(SumCall("{sum}", 1, [])) == 4


async def test_of_calls_that_go_together_one_that_fails_fails_alone(redis: Redis, write: Write) -> None:
    write(SUM)
    script = Script(redis, PACKAGE, "sum", SumCall)
    await redis.delete("{sum}")
    await redis.script_flush()
    for _ in ("unknown to the server", "known"):
        first, refused, last = await script.each(
            [SumCall("{sum}", 1, []), SumCall("{text}", "no number", []), SumCall("{sum}", 2, [])]
        )
        assert isinstance(refused, ResponseError)
        assert (first, last) in ((1, 3), (4, 6))
    with pytest.raises(ResponseError):
        await script.many([SumCall("{text}", "no number", [])])
    await redis.delete("{text}", "{sum}")


async def test_keys_may_be_as_many_as_the_call_has(redis: Redis, write: Write) -> None:
    class KeysCall(NamedTuple):
        first: str
        others: Sequence[str]
        least: int
        numbers: Sequence[int]

    legend = "-- KEYS first: one\n-- KEYS others...: more\n-- ARGV least: a number\n-- ARGV numbers...: more\n"
    write(legend + "return { first, others, least, numbers }\n")
    script = Script(redis, PACKAGE, "sum", KeysCall)
    assert await script(KeysCall("{a}1", ["{a}2", "{a}3"], 4, [5, 6])) == [
        b"{a}1", [b"{a}2", b"{a}3"], b"4", [b"5", b"6"]
    ]  # fmt: skip
    assert await script(KeysCall("{a}1", [], 4, [])) == [b"{a}1", [], b"4", []]


async def test_shared_pieces_and_constants_are_put_in_once(redis: Redis, write: Write) -> None:
    piece = "-- include: twice\n"
    write("-- KEYS key: any\n-- ARGV number: any\n" + piece + piece + "return { key, twice(number) }\n")

    class TwiceCall(NamedTuple):
        key: str
        number: int

    script = Script(redis, PACKAGE, "sum", TwiceCall, {"TWO": 2})
    assert await script(TwiceCall("{a}", 21)) == [b"{a}", 42]
    with pytest.raises(LegendFault, match="nobody gives the constant TWO"):
        Script(redis, PACKAGE, "sum", TwiceCall)


@pytest.mark.parametrize(
    "fields", ["counter first", "counter first second", "first counter others", "counter first others more"]
)
def test_a_caller_with_a_wrong_or_missing_name_cant_make_the_script(fields: str, write: Write) -> None:
    write(SUM)
    call = NamedTuple("Other", [(name, int) for name in fields.split()])  # type: ignore[misc]
    with pytest.raises(LegendFault, match="Other has"):
        Script(Redis(), PACKAGE, "sum", call)


@pytest.mark.parametrize(
    ("line", "changed", "problem"),
    [
        ("INCRBY', counter", "INCRBY', KEYS[1]", "bound by the legend alone"),
        ("INCRBY', counter", "INCRBY', conter", "uses conter, which nothing declares"),
        ("tonumber(first)", "0", "names first, which the script doesn't use"),
        ("-- ARGV first: a number\n", "", "uses first, which nothing declares"),
        ("-- ARGV first:", "-- ARGV counter:", "counter comes twice"),
        ("-- ARGV first:", "-- ARGV first...:", "after the one for all that are left"),
        ("local total", "-- include: nothing\nlocal total", "no shared piece nothing"),
    ],
)  # fmt: skip
def test_a_script_that_doesnt_keep_to_its_legend_cant_be_made(
    line: str, changed: str, problem: str, write: Write
) -> None:
    assert line in SUM
    write(SUM.replace(line, changed))
    with pytest.raises(LegendFault, match=problem):
        Script(Redis(), PACKAGE, "sum", SumCall)


async def test_redis_takes_every_script(redis: Redis) -> None:
    scripts = list(all_scripts())
    assert len(scripts) > 25
    for _, _, script in scripts:
        await redis.script_load(script.text)


def test_a_write_to_a_board_begins_with_the_keys_of_a_generation_and_its_guard_follows_the_state() -> None:
    assert ApplyCall._fields[: len(Parts._fields) + 1] == (*Parts._fields, "state")
    assert ApplyCall._fields[len(Parts._fields) + 1 :][: len(Guard._fields)] == Guard._fields
