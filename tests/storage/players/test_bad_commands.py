"""One bad command never fails its neighbours, whether a rule, the database or another transaction stops it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gameserver import app as application
from gameserver.app import Core
from gameserver.config.sections import WriteSettings
from gameserver.config.settings import Settings
from gameserver.rules.errors import Internal, OutcomeUnknown, Overloaded, Unavailable
from gameserver.storage.players.command import Receipt
from tests.support.client import command_id
from tests.support.deployment import (
    act,
    assert_ledger_explains,
    connected,
    enlist,
    enlist_many,
    ledger,
    order,
    present,
    settled,
    with_actions,
    working,
)
from tests.support.wait import wait_until

FAULTY = {
    name: f"tests.storage.players.faulty:{name}"
    for name in ("explode", "overheal", "mumble", "score_and_mumble", "count_too_far", "say")
}
BOARD = """
[boards.words]
score = "points:words"
"""
HOLD = "select 1 from players where id = $1 for update"


@pytest.fixture
async def core(settings: Settings, tmp_path: Path) -> AsyncIterator[Core]:
    """A node of a game with faulty actions, whose commands have a second."""
    quick = settings.model_copy(update={"writes": WriteSettings(deadline_seconds=1, queue=40)})
    async with working(with_actions(quick, tmp_path, BOARD, **FAULTY)) as opened:
        yield opened


@pytest.mark.parametrize("action", ["explode", "overheal", "mumble", "count_too_far"])
async def test_a_rule_that_fails_fails_its_own_command_alone(core: Core, action: str) -> None:
    one, two = await enlist_many(core, 2, "one")
    commands = [order(core, one.id), order(core, one.id, action), order(core, one.id), order(core, two.id)]
    outcomes = await settled(core, commands)
    assert [isinstance(outcome, Receipt) for outcome in outcomes] == [True, False, True, True]
    assert isinstance(outcomes[1], Internal)
    assert [row["action"] for row in await assert_ledger_explains(core, one.id)] == ["sign_up", "hunt", "hunt"]


async def test_a_command_whose_answer_cant_be_written_scores_nothing_and_the_next_one_is_served(core: Core) -> None:
    player = await enlist(core, database="one")
    (outcome,) = await settled(core, [order(core, player.id, "score_and_mumble")])
    assert isinstance(outcome, Internal)
    assert (await act(core, player.id)).player.version == 2
    async with connected(core.databases["one"].url) as connection:
        assert await connection.fetchval("select count(*) from scores") == 0


async def test_words_and_events_of_any_characters_are_stored_and_replayed_as_they_were(core: Core) -> None:
    player, key, words = await enlist(core), command_id(), "a'\"\\ {} 한글 \U0001f409"
    first = await act(core, player.id, "say", key, words=words)
    again = await act(core, player.id, "say", key, words=words)
    assert list(first.events) == list(again.events) == [{"type": "said", "words": words + "\\u0000"}]
    kept, _ = (await core.commands.play.history.page(player.id, 2, None)).rows
    assert kept.args == {"words": words}


@pytest.fixture
async def no_rest(core: Core) -> None:
    """The database refuses every ledger row of a rest."""
    async with connected(core.databases["one"].url) as connection:
        await connection.execute("alter table ledger add constraint no_rest check (action <> 'rest')")


async def wound(core: Core, player_id: int, database: str = "one") -> None:
    async with connected(core.databases[database].url) as connection:
        await connection.execute("update players set hp = 1 where id = $1", player_id)


@pytest.mark.usefixtures("no_rest")
async def test_a_row_that_the_database_refuses_fails_its_own_command_alone(core: Core) -> None:
    players = await enlist_many(core, 12, "one")
    bad, *good = players
    await wound(core, bad.id)
    outcomes = await settled(core, [order(core, bad.id, "rest"), *(order(core, other.id) for other in good)])
    assert [type(outcome) for outcome in outcomes] == [Internal] + [Receipt] * 11
    for other in good:
        await assert_ledger_explains(core, other.id)
    assert (await present(core, bad.id)).version == 1


@pytest.mark.usefixtures("no_rest")
async def test_a_row_that_the_database_refuses_isnt_final_for_a_command_that_may_have_committed(core: Core) -> None:
    """Who knows of what it failed: what was reserved for it, if anything, has to stay until the ledger is asked."""
    player = await enlist(core, database="one")
    await wound(core, player.id)
    async with connected(core.databases["one"].url) as other, connected(core.databases["one"].url) as watcher:
        async with other.transaction():
            await other.execute(HOLD, player.id)
            waiting = asyncio.create_task(settled(core, [order(core, player.id, "rest")]))
            while not await watcher.fetchval(TRIED_AGAIN, 0):
                pass
        (outcome,) = await waiting
    assert isinstance(outcome, OutcomeUnknown)


SLOW_REFUSAL = """
create function refuse() returns trigger language plpgsql as $$
begin perform pg_sleep(0.3); raise exception 'no rest'; end $$;
create trigger refuse before insert on ledger for each row when (new.action = 'rest') execute function refuse()
"""


TRIED_AGAIN = """select exists(select from pg_stat_activity
where application_name = 'gameserver' and pid <> $1 and query like '%exists%owned%wanted%'
and datname = current_database())
"""


async def test_a_players_order_survives_a_refused_batch_and_a_lock_that_comes_and_goes_meanwhile(core: Core) -> None:
    """The batch is refused while another transaction waits for the player, who is then locked for a moment."""
    player, bad = await enlist_many(core, 2, "one")
    await wound(core, bad.id)
    async with connected(core.databases["one"].url) as locker, connected(core.databases["one"].url) as watcher:
        await watcher.execute(SLOW_REFUSAL)
        commands = [order(core, player.id, "say", words=str(number)) for number in range(30)]
        outcomes = asyncio.create_task(settled(core, [*commands, order(core, bad.id, "rest")]))

        async def is_refusing() -> bool:
            asked = "select exists(select from pg_stat_activity where wait_event = 'PgSleep')"
            return bool(await watcher.fetchval(asked))

        await wait_until(is_refusing, what="the batch is about to be refused")
        old = await watcher.fetchval("select pid from pg_stat_activity where wait_event = 'PgSleep'")
        async with locker.transaction():
            await locker.execute(HOLD, player.id)
            while not await watcher.fetchval(TRIED_AGAIN, old):
                pass
        *applied, refused = await outcomes
    assert [type(outcome) for outcome in (*applied, refused)] == [Receipt] * 30 + [Internal]
    rows = await ledger(core, player.id)
    assert [row["key"] for row in rows[1:]] == [command.id for command in commands]


async def test_a_locked_player_holds_up_no_other_and_is_answered_by_its_deadline(
    core: Core,
) -> None:
    held, *free = await enlist_many(core, 10, "one")
    clock = asyncio.get_running_loop().time
    async with connected(core.databases["one"].url) as other, other.transaction():
        await other.execute(HOLD, held.id)
        began = clock()
        waiting = asyncio.create_task(settled(core, [order(core, held.id)]))
        outcomes = await settled(core, [order(core, other.id) for other in free])
        assert all(isinstance(outcome, Receipt) for outcome in outcomes)
        assert not waiting.done()
        (late,) = await waiting
        assert isinstance(late, OutcomeUnknown)  # the lock might have been held by its own lost transaction
        assert 1 <= clock() - began < 2.5
    assert (await act(core, held.id)).player.version == 2
    assert len(await ledger(core, held.id)) == 2


async def test_a_player_whose_lock_is_released_in_time_is_served_in_order(core: Core) -> None:
    held = await enlist(core, database="one")
    async with connected(core.databases["one"].url) as other:
        async with other.transaction():
            await other.execute(HOLD, held.id)
            commands = [order(core, held.id) for _ in range(5)]
            waiting = asyncio.create_task(settled(core, commands))
            await act(core, (await enlist(core, database="one")).id)
            assert not waiting.done()
        outcomes = await waiting
    assert [outcome.player.version for outcome in outcomes if isinstance(outcome, Receipt)] == [2, 3, 4, 5, 6]


async def test_a_full_queue_refuses_the_next_command_at_once_and_takes_more_when_it_has_emptied(core: Core) -> None:
    held, free = await enlist_many(core, 2, "one")
    async with connected(core.databases["one"].url) as other:
        async with other.transaction():
            await other.execute(HOLD, held.id)
            waiting = asyncio.create_task(settled(core, [order(core, held.id, "say", words="") for _ in range(40)]))
            await asyncio.sleep(0)
            (refused,) = await settled(core, [order(core, free.id)])
            assert isinstance(refused, Overloaded)
            assert refused.retry_after is not None
        outcomes = await waiting
    assert all(isinstance(outcome, Receipt) for outcome in outcomes)
    assert (await act(core, free.id)).player.version == 2


async def test_callers_that_leave_make_room_in_the_queue(core: Core) -> None:
    player = await enlist(core, database="one")

    async def leave() -> None:
        task = asyncio.create_task(act(core, player.id, "say", words=""))
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait([task])

    for _ in range(3):
        await asyncio.gather(*(leave() for _ in range(30)))

    async def is_served() -> bool:
        (outcome,) = await settled(core, [order(core, player.id, "say", words="")])
        return isinstance(outcome, Receipt)

    await wait_until(is_served, what="commands are taken again")


async def test_commands_that_still_wait_when_the_node_stops_are_answered(settings: Settings) -> None:
    async with application.open_core(settings) as core:
        run = asyncio.create_task(core.rooms.players.run())
        held, other = await enlist_many(core, 2, "one")
        async with connected(core.databases["one"].url) as holder, holder.transaction():
            await holder.execute(HOLD, held.id)
            waiting = asyncio.create_task(settled(core, [order(core, held.id) for _ in range(3)]))
            await act(core, other.id)
            run.cancel()
            async with asyncio.timeout(2):
                outcomes = await waiting
                await asyncio.wait([run])
    assert all(isinstance(outcome, Unavailable) for outcome in outcomes)
