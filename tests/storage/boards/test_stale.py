"""Answers of boards that lie behind the databases say so."""

from dataclasses import replace
from datetime import UTC, datetime

from gameserver.app import Core
from gameserver.commands import boards
from gameserver.commands.boards import Leaderboards
from gameserver.rules.errors import BoardUnavailable
from gameserver.transport import answers
from tests.support.deployment import enlist, following
from tests.support.wait import wait_until


async def test_a_board_that_takes_no_writes_is_stale_after_ten_seconds_in_every_answer(core: Core) -> None:
    leaderboards = core.commands.leaderboards
    ann = await enlist(core)

    async def is_shown() -> bool:
        try:
            return bool((await boards.top(leaderboards, "exp", boards.CURRENT, 5, None)).page.as_of)
        except BoardUnavailable:
            return False

    async with following(core):
        await wait_until(is_shown, what="the board")
    # Nobody follows any more, as if Redis took no writes.
    shown_as_of = (await boards.top(leaderboards, "exp", boards.CURRENT, 5, None)).page.as_of
    assert shown_as_of

    def seconds_later(seconds: float) -> Leaderboards:
        return replace(leaderboards, now=lambda: datetime.fromtimestamp(shown_as_of / 1000 + seconds, UTC))

    soon, later = seconds_later(9.9), seconds_later(10.1)
    assert "stale" not in answers.board(await boards.top(soon, "exp", boards.CURRENT, 5, None))
    shown = [
        answers.board(await boards.top(later, "exp", boards.CURRENT, 5, None)),
        answers.board(await boards.around(later, "exp", boards.CURRENT, ann.id, 5)),
        answers.ranks(await boards.ranks(later, "exp", boards.CURRENT, [ann.id])),
        answers.rank(await boards.rank(later, "exp", boards.CURRENT, ann.id)),
    ]
    assert [answer["stale"] for answer in shown] == [True] * 4
    assert answers.encode(shown[0]).endswith(b',"stale":true}')
    # How far the databases were followed is lost, and nobody follows them who would tell.
    async for key in core.redis.commands.scan_iter("gs:{board:exp}:*:as_of"):
        await core.redis.commands.delete(key)
    unknown = answers.board(await boards.top(leaderboards, "exp", boards.CURRENT, 5, None))
    assert (unknown["stale"], unknown["as_of"]) == (True, None)
