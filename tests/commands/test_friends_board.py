"""The board of a player's friends has them in the order of the board, also those of equal ranks."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from gameserver.app import Core
from gameserver.commands import boards, friends
from gameserver.commands.results import Session
from gameserver.config.settings import Settings
from gameserver.storage.boards.writer import BoardWriter, LoadStep
from gameserver.storage.social.friends import FriendChange
from tests.storage.boards.test_leaderboards import placed, player
from tests.support.deployment import enlist_many, names_of, with_actions

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def settings(settings: Settings, tmp_path: Path) -> Settings:
    return with_actions(settings, tmp_path, '[boards.tied]\nscore = "exp"\nties = "dense"\n')


async def test_friends_of_one_rank_stand_in_the_order_in_which_they_reached_it(core: Core) -> None:
    ids = sorted(each.id for each in await enlist_many(core, 4))
    contest = boards.contest(core.commands.leaderboards, "tied", boards.CURRENT)
    writer, names = BoardWriter(core.redis.commands), names_of(core)
    tied = [player(id_, 5, reached=place) for place, id_ in enumerate(reversed(ids))]
    for name in names:
        ((generation,),) = await writer.generations([contest], name, names)
        step = LoadStep(name, "a load")
        await writer.begin_load(contest, generation.name, name, step.load)
        assert await writer.apply_load(contest, generation.name, step, placed(tied if name == names[0] else []))
        assert await writer.end_load(contest, generation.name, step, "1")
    for name in names:
        await writer.ready(contest, generation.name, name, names)
    for friend in ids[1:]:
        assert await core.rooms.social.friends.add(FriendChange(ids[0], 0, friend))
    session = Session("", ids[0], 0, NOW, NOW, NOW)
    ranked = await friends.board_of_friends(core.commands.friends, session, "tied")
    assert [(each.rank, each.player_id) for each in ranked.page.standings] == [(1, id_) for id_ in reversed(ids)]
    top = await boards.top(core.commands.leaderboards, "tied", boards.CURRENT, 10, None)
    assert [each.player_id for each in top.page.standings] == list(reversed(ids))
