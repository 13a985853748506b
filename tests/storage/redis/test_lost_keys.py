"""A key that holds something of another type is deleted, and the call answers as if it had never been there."""

from collections.abc import AsyncIterator, Awaitable, Sequence
from typing import NamedTuple

import pytest
from redis.asyncio import Redis
from redis.exceptions import ResponseError
from structlog.testing import capture_logs

from gameserver.storage.redis import clients, lost_keys
from gameserver.storage.redis.legend import HOME
from gameserver.storage.redis.lost_keys import kind_of
from gameserver.storage.redis.scripts import Script
from gameserver.storage.social.feeds import FeedReadCall
from tests.support.servers import Servers

FEED, OTHER = "gs:feed:{12345}", "gs:feed:{12346}"


class CommandCall(NamedTuple):
    key: str
    words: tuple[str, ...]


@pytest.fixture
async def redis(servers: Servers) -> AsyncIterator[Redis]:
    client = clients.connect(servers.redis_url)
    await client.delete(FEED, OTHER)
    yield client
    await client.delete(FEED, OTHER)
    await client.aclose()


@pytest.fixture
def read(redis: Redis) -> Script[FeedReadCall]:
    return Script(redis, "gameserver.storage.social", "feed_read", FeedReadCall)


async def test_a_script_answers_as_if_the_key_had_vanished_and_the_log_has_its_kind_only(
    redis: Redis, read: Script[FeedReadCall]
) -> None:
    for _ in ("alone", "with the text of the script"):
        await redis.set(FEED, "no list", px=60_000)
        with capture_logs() as lines:
            assert await read(FeedReadCall(FEED, 60_000, 1, 10)) == []
        assert [(line["log_level"], line["kind"]) for line in lines] == [("warning", "gs:feed:{*}")]
        assert "12345" not in str(lines)
        assert await redis.exists(FEED) == 0
        await redis.script_flush()


async def test_of_calls_that_go_together_the_others_answer_as_ever(redis: Redis, read: Script[FeedReadCall]) -> None:
    await redis.set(FEED, "no list", px=60_000)
    await redis.rpush(OTHER, "1 one")
    assert await read.many([FeedReadCall(key, 60_000, 1, 10) for key in (OTHER, FEED, OTHER)]) == [
        [b"1 one"], [], [b"1 one"]
    ]  # fmt: skip


async def test_commands_of_one_key_that_go_together_all_take_effect(redis: Redis) -> None:
    await redis.set(FEED, "no set", px=60_000)
    answers = await clients.send_all(redis, [("SADD", FEED, 1), ("PEXPIRE", FEED, 50_000), ("SADD", OTHER, 1)])
    assert answers == [1, 1, 1]
    assert 0 < await redis.pttl(FEED) <= 50_000


async def test_a_script_that_fails_for_what_a_key_holds_answers_as_if_it_had_vanished(redis: Redis) -> None:
    command = Script(redis, HOME, "command", CommandCall)
    for ask in (command, lambda call: _alone(command.each([call]))):
        await redis.set(FEED, "no number", px=60_000)
        await redis.set(OTHER, "no number", px=60_000)
        with capture_logs() as lines:
            assert await ask(CommandCall(FEED, ("INCRBY", "1"))) == 1
        assert [(line["log_level"], line["kind"]) for line in lines] == [("warning", "gs:feed:{*}")]
        assert await redis.get(OTHER) == b"no number"


async def _alone(answers: Awaitable[Sequence[object]]) -> object:
    (answer,) = await answers
    return answer


async def test_an_error_of_another_kind_deletes_nothing(redis: Redis) -> None:
    await redis.set(FEED, "no number", px=60_000)
    for _ in range(2):
        with pytest.raises(ResponseError, match="not an integer"):
            await clients.send(redis, "INCRBY", FEED, 1)
    command = Script(redis, HOME, "command", CommandCall)
    with pytest.raises(ResponseError, match="not an integer"):
        await lost_keys.command_again(redis, ("INCRBY", FEED, 1))
    with pytest.raises(ResponseError, match="not an integer"):
        await command(CommandCall(OTHER, ("INCRBY", "1.5")))
    with pytest.raises(ResponseError, match=r"[Ww]rong number"):
        await command(CommandCall(FEED, ("INCRBY",)))
    assert await redis.get(FEED) == b"no number"


async def test_what_a_key_cant_be_used_without_goes_with_it(redis: Redis) -> None:
    for key, other in (
        ("gs:pushes:{12345}", "gs:stream:{12345}"),
        ("gs:{board:lost}:0:-f12-34:gone", "gs:{board:lost}:0:-f12-34:checkpoints"),
    ):
        await redis.set(key, "no hash", px=60_000)
        await redis.set(other, "whatever", px=60_000)
        assert await clients.send(redis, "HGET", key, "field") is None
        assert await redis.exists(key, other) == 0


async def test_a_call_with_more_such_keys_than_it_may_delete_goes_on_the_next_time(redis: Redis) -> None:
    keys = [f"gs:limit:{{lost}}:{number}" for number in range(lost_keys.MOST + 2)]
    for key in keys:
        await redis.set(key, "no list", px=60_000)
    text = "for _, key in ipairs(KEYS) do redis.call('LLEN', key) end return 'done'\n"
    with pytest.raises(ResponseError):
        await lost_keys.again(redis, text, (len(keys), *keys))
    assert await lost_keys.again(redis, text, (len(keys), *keys)) == b"done"


@pytest.mark.parametrize(
    ("key", "kind"),
    [
        ("gs:session:{123}:0f3a", "gs:session:{*}:*"),
        ("gs:{board:exp}:0:-fab12cd-99:order", "gs:{board:exp}:*:*:order"),
        ("gs:limit:{sign_in}:address:2001:db8::1", "gs:limit:{sign_in}:address:*:*::*"),
        ("gs:known:{" + "a" * 64 + "}", "gs:known:{*}"),
        ("gs:friends:{1}:guard", "gs:friends:{*}:guard"),
    ],
)
def test_a_kind_has_no_ids_names_addresses_or_hashes(key: str, kind: str) -> None:
    assert kind_of(key) == kind
