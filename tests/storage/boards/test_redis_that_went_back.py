"""Boards whose Redis loses its last moments amid a write: never live without what was written then, and never fresh."""

from typing import Any

import pytest
from redis.asyncio import Redis

from gameserver.rules.boards import Board
from gameserver.storage.boards import loading, turns
from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.ledger_reader import LedgerChanges
from gameserver.storage.boards.loading import BoardLoad
from gameserver.storage.boards.records import BoardRecords
from gameserver.storage.boards.standings import Boards
from gameserver.storage.boards.turns import FollowerTurns, Position
from gameserver.storage.boards.writer import NOBODY, BoardWriter, Generation
from gameserver.storage.ledger.snapshot import Checkpoint, Snapshot, Source
from gameserver.storage.live.presence import Presence
from tests.storage.boards.test_evicted_parts import build
from tests.storage.boards.test_leaderboards import generations, placed, places, places_on, player
from tests.support.redis_past import go_back, remembered

CONTEST = Contest(Board("back", "exp"))
PLAYERS = [player(number, 10 - number) for number in range(1, 8)]
SOURCE = Source("system", "timeline", "session")


@pytest.fixture
async def generation(redis: Redis, writer: BoardWriter) -> Generation:
    """One that is to be loaded."""
    (found,) = await generations(writer, CONTEST)
    return found


async def begun(writer: BoardWriter, generation: Generation) -> BoardLoad:
    load = BoardLoad("a load", "one", [(CONTEST, generation.name)], writer, "loaded")
    await load.begin()
    return load


@pytest.mark.parametrize("is_at_its_end", [False, True], ids=["amid it", "at its end"])
async def test_a_load_of_which_redis_has_lost_a_chunk_again_doesnt_go_on(
    redis: Redis, writer: BoardWriter, generation: Generation, *, is_at_its_end: bool
) -> None:
    load = await begun(writer, generation)
    assert await load.write(placed(PLAYERS[:2]), last=False)
    past = await remembered(redis)
    assert await load.write(placed(PLAYERS[2:4]), last=False)
    await go_back(redis, past)
    rest = [] if is_at_its_end else placed(PLAYERS[4:])
    assert not await load.write(rest, last=True)
    assert [each.checkpoint for each in await generations(writer, CONTEST)] == [""]


async def test_a_load_goes_on_after_a_chunk_whose_answer_was_lost(
    redis: Redis, writer: BoardWriter, boards: Boards, generation: Generation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "PART", 2)
    load = await begun(writer, generation)
    assert await load.write(placed(PLAYERS[:4]), last=False)
    load.after = NOBODY  # as far as the follower knows
    assert await load.write(placed(PLAYERS[:5]), last=False)
    assert await load.write(placed(PLAYERS[5:]), last=True)
    assert await writer.ready(CONTEST, generation.name, "one", ["one"])
    assert places_on((await boards.top(CONTEST, 10, None)).standings) == places(PLAYERS)


class Forgetful(BoardWriter):
    """Whose Redis goes back to where it was before the n-th write, once that is answered."""

    def __init__(self, redis: Redis, lost: int) -> None:
        super().__init__(redis)
        self._client, self._writes, self._undone = redis, 0, lost

    async def apply(self, *args: Any, **more: Any) -> list[bool]:
        self._writes += 1
        past = await remembered(self._client)
        answer = await super().apply(*args, **more)
        if self._writes == self._undone:
            await go_back(self._client, past)
        return answer


@pytest.mark.parametrize("lost", [None, 1, 2, 3])
async def test_a_checkpoint_moves_only_if_all_parts_before_it_are_there(
    redis: Redis, monkeypatch: pytest.MonkeyPatch, lost: int | None
) -> None:
    monkeypatch.setattr(turns, "PART", 2)
    writer = Forgetful(redis, lost or 0)
    before, after = (Checkpoint(SOURCE, Snapshot(xmax, ()), 1) for xmax in (10, 20))
    await build(redis, writer, CONTEST, [])
    (live,) = await generations(writer, CONTEST)
    checkpoints = CONTEST.key(live.name, "checkpoints")
    await redis.hset(checkpoints, "one", before.dump())
    follower = FollowerTurns("one", writer, Presence(redis, "a node", "", ""), None)
    follower.followed = [(CONTEST, Generation(live.name, before.dump()))]
    group, changes = [Position(before, follower.followed[0])], LedgerChanges(after, placed(PLAYERS), 1, False)
    assert await follower._write(group, changes, is_far=False) == (lost is None)
    assert await redis.hget(checkpoints, "one") == (after if lost is None else before).dump().encode()
    assert lost is not None or not await redis.hexists(checkpoints, "part:one")


async def test_a_board_is_as_of_no_later_than_any_of_its_databases_was_followed(
    redis: Redis, writer: BoardWriter, boards: Boards
) -> None:
    await build(redis, writer, CONTEST, PLAYERS)
    (live,) = await generations(writer, CONTEST)
    followed = 1 << 45
    assert await writer.apply([(CONTEST, live)], "one", "", [], followed) == [True]
    (seconds, _) = await redis.time()

    async def as_of() -> int:
        await generations(writer, CONTEST, ["one", "two"])
        return (await boards.top(CONTEST, 1, None)).as_of or 0

    assert seconds * 1000 <= await as_of() < followed, "another database joined just now"
    joined = await as_of()
    assert await as_of() == joined, "and isn't followed"
    await redis.delete(CONTEST.key(live.name, "as_of"))
    assert await as_of() == 0, "how far the first was followed was evicted"
    assert await writer.apply([(CONTEST, live)], "one", "", [], followed) == [True]
    assert seconds * 1000 <= await as_of() < followed


async def test_what_a_node_with_an_older_list_of_databases_does_leaves_a_joined_database_its_time(
    redis: Redis, writer: BoardWriter, boards: Boards
) -> None:
    await build(redis, writer, CONTEST, PLAYERS)
    both = ["one", "two"]
    (live,) = await generations(writer, CONTEST, both)
    await redis.hset(CONTEST.key(live.name, "checkpoints"), "two", "its follower's")
    (seconds, _) = await redis.time()
    known = seconds * 1000 - 1000
    await redis.hset(CONTEST.key(live.name, "as_of"), mapping={"one": known + 1000, "two": known})
    for names in (["one"], both, ["one"]):
        await generations(writer, CONTEST, names)
        assert (await boards.top(CONTEST, 1, None)).as_of == known


async def test_how_far_a_database_was_followed_is_unknown_once_evicted_also_while_nobody_follows_it(
    redis: Redis, writer: BoardWriter, boards: Boards
) -> None:
    await build(redis, writer, CONTEST, PLAYERS)
    (live,) = await generations(writer, CONTEST)
    await redis.hset(CONTEST.key(live.name, "checkpoints"), "two", "its follower's")
    await redis.delete(CONTEST.key(live.name, "as_of"))
    await generations(writer, CONTEST, ["one", "two"])
    assert await writer.apply([(CONTEST, live)], "one", "", [], 1 << 45) == [True]
    assert (await boards.top(CONTEST, 1, None)).as_of == 0


async def test_the_time_of_a_database_that_has_left_holds_no_board_back(
    redis: Redis, writer: BoardWriter, boards: Boards
) -> None:
    await build(redis, writer, CONTEST, PLAYERS)
    (live,) = await generations(writer, CONTEST)
    (seconds, _) = await redis.time()
    for left in (0, seconds * 1000 - 6000, "junk"):
        await redis.hset(CONTEST.key(live.name, "as_of"), mapping={"one": seconds * 1000, "two": left})
        await generations(writer, CONTEST)
        assert (await boards.top(CONTEST, 1, None)).as_of == seconds * 1000


async def test_a_check_takes_no_database_for_followed_that_has_only_joined(redis: Redis, writer: BoardWriter) -> None:
    await build(redis, writer, CONTEST, PLAYERS)
    (live,) = await generations(writer, CONTEST, ["one", "two"])
    records = BoardRecords(redis)
    await redis.hset(CONTEST.key(live.name, "as_of"), mapping={"one": 1, "two": 1})
    assert (await records.of(CONTEST, ())).as_of == {"one": 1}
    await redis.hset(CONTEST.key(live.name, "checkpoints"), "two", "its follower's")
    assert (await records.of(CONTEST, ())).as_of == {"one": 1, "two": 1}
