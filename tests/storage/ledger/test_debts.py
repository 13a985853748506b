"""What may be delivered or settled once more is known by its ledger row: that isn't dropped until then."""

import dataclasses
from collections.abc import AsyncIterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr

from gameserver.app import Core, postman_of
from gameserver.app.node import debtors_of
from gameserver.commands.player_changes import Gift, letter_with
from gameserver.config.settings import Settings
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.rules.player import Player
from gameserver.rules.seasons import Season
from gameserver.storage.ids import mail_id, new_command_id, slot_of
from gameserver.storage.ledger.partitions import ensure_partitions
from gameserver.storage.mail.inbox import Forgotten
from gameserver.storage.mail.outbox import Ending
from gameserver.storage.operators import old_weeks
from gameserver.storage.seasons.records import SeasonRecords
from gameserver.upkeep import closing, loops
from gameserver.upkeep.closing import Closing
from tests.storage.ledger.test_retention import BACK, MONTH, now, partitions
from tests.support.client import command_id
from tests.support.deployment import act, connected, enlist, enlist_many, present, with_actions, working

BOARDS = """
[boards.rewarded]
score = "points:kills"
season = { cron = "0 0 * * 1", zone = "UTC" }
rewards = [{ first = 1, last = 1, exp = 100, text = "First" }]
"""


@pytest.fixture
async def core(settings: Settings, tmp_path: Path) -> AsyncIterator[Core]:
    async with working(with_actions(settings, tmp_path, BOARDS)) as opened:
        for database in opened.slots.members("players"):
            await ensure_partitions(database, now(), BACK)
        yield opened


async def drop(core: Core) -> int:
    policy = core.commands.accounts.policy
    return await loops.forget_old_ledger(policy, debtors_of(core), MONTH.total_seconds())


async def write(core: Core, database: str, statement: str, *arguments: object) -> None:
    async with connected(core.databases[database].url) as connection:
        await connection.execute(statement, *arguments)


async def test_what_a_letter_or_items_under_way_may_need_stays(core: Core) -> None:
    player = await enlist(core, database="two")
    await write(
        core, "two",
        "insert into outbox (slot, player_id, command_id, number, kind, recipient, payload, at)"
        " values ($1, $2, $3, 0, 'gift', $2, '{}', now() - interval '70 days')",
        slot_of(player.id), player.id, command_id(),
    )  # fmt: skip
    assert await drop(core) == 0
    await write(core, "two", "delete from outbox")
    await write(
        core, "two",
        "insert into item_ledger (slot, player_id, command_id, kind, items, settled, at)"
        " values (1, 1, $1, 'take', '{}', false, now() - interval '70 days')",
        command_id(),
    )  # fmt: skip
    assert await drop(core) == 0
    await write(core, "two", "delete from item_ledger")
    assert await drop(core) > 0


async def test_an_answer_to_an_old_letter_is_as_old_as_its_id(core: Core) -> None:
    player, old = await enlist(core, database="two"), now() - timedelta(days=61)
    answer = mail_id(player.id, new_command_id(int(old.timestamp() * 1000)), 0)
    await write(
        core, "two",
        "insert into outbox (slot, player_id, command_id, number, kind, recipient, payload, at)"
        " values ($1, $2, $3, 0, 'gift', $2, '{}', now())",
        slot_of(player.id), player.id, answer,
    )  # fmt: skip
    assert await drop(core) == 0
    await write(core, "two", "delete from outbox")
    assert await drop(core) > 0


async def counted(core: Core, player: Player, ended: datetime) -> Season:
    """A season that has ended then, with the player in front, and whose rewards are due."""
    season = Season(int((ended - timedelta(weeks=1)).timestamp()), int(ended.timestamp()))
    records, board = core.rooms.seasons.records, core.rooms.seasons.calendar.board("rewarded")
    await records.begin(board, season)
    await records.step("rewarded", season.start, "running", "ended")

    async def standings() -> AsyncIterator[list[tuple[object, ...]]]:
        yield [("rewarded", season.start, 0, 1, player.id, 7, ended, player.name, "warrior", 1,
                '{"exp": 100, "text": "First"}', False)]  # fmt: skip

    assert await records.store(board, season.start, standings()) == 1
    return season


async def test_a_reward_that_is_delivered_again_after_weeks_were_dropped_is_paid_once(
    core: Core, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    player = await enlist(core, database="one")
    season = await counted(core, player, now() - timedelta(days=40))
    course, of_another_node = [
        Closing(core.commands.seasons, core.rooms.boards.lifecycle, postman_of(core)) for _ in range(2)
    ]
    board = core.rooms.seasons.calendar.board("rewarded")

    async def freeze(*_: object) -> None:
        raise DatabaseUnavailable("The node is frozen before it has settled anything.")

    with monkeypatch.context() as frozen:
        frozen.setattr(SeasonRecords, "settle", freeze)
        with pytest.raises(DatabaseUnavailable):
            await closing._reward(course, board, season)
    after = (await act(core, player.id, "hunt", foe="slime")).player.exp
    assert after >= 100, "the reward has arrived"
    await core.commands.play.inbox.forget(Forgotten(player.id, 0))
    weeks = await partitions(core.databases["one"])
    capsys.readouterr()
    await drop(core)
    logged = capsys.readouterr().out
    assert await partitions(core.databases["one"]) != weeks, "weeks from before the season may go"
    assert await closing._reward(of_another_node, board, season)
    again = await core.rooms.players.find(player.id)
    assert again is not None
    assert again.exp == after
    assert "a season whose rewards haven't all been settled may need them" in logged
    await told(core, "a season whose rewards haven't all been settled")
    await core.rooms.seasons.records.step("rewarded", season.start, "counted", "closed")
    assert await drop(core) > 0


@pytest.mark.parametrize(
    ("arrives", "is_in_inbox", "ends"), [(True, False, "unknown"), (True, True, "arrived"), (False, False, "arrived")]
)
async def test_a_control_database_that_goes_back_behind_the_ledgers_weeks_pays_no_reward_twice(
    core: Core, arrives: bool, is_in_inbox: bool, ends: str
) -> None:
    player = await enlist(core, database="one")
    season = await counted(core, player, now() - timedelta(days=40))
    board, control = core.rooms.seasons.calendar.board("rewarded"), core.settings.control.database
    course = Closing(core.commands.seasons, core.rooms.boards.lifecycle, postman_of(core))
    if arrives:
        assert await closing._reward(course, board, season)
    if not is_in_inbox:
        await core.commands.play.inbox.forget(Forgotten(player.id, 0))
    await core.rooms.seasons.records.step("rewarded", season.start, "counted", "closed")
    assert await drop(core) > 0
    before = await exp(core, player)
    # As it was before the season was closed.
    await write(core, control, "update seasons set state = 'counted'")
    await write(core, control, "update season_standings set rewarded = null")
    assert await closing._reward(course, board, season)
    assert await exp(core, player) - before == (0 if arrives else 100)
    (place,) = await core.rooms.seasons.records.past_places(player.id, 10)
    assert place.rewarded == ends


@pytest.mark.parametrize(("sender", "ends"), [("the server", Ending("unknown")), ("a player", Ending())])
async def test_a_letter_that_may_have_arrived_before_its_week_was_dropped_takes_no_effect_and_isnt_returned(
    core: Core, sender: str, ends: Ending
) -> None:
    other, player = await enlist_many(core, 2, "one")
    old, sent = new_command_id(int((now() - timedelta(days=61)).timestamp() * 1000)), now() - timedelta(days=2)
    letter = letter_with(Gift("for you", ()), player.id, old, sent)
    if sender == "a player":
        letter = dataclasses.replace(letter, player_id=other.id)
    assert await postman_of(core).deliver([letter]) == [Ending()]
    assert await postman_of(core).deliver([letter]) == [Ending()], "the ledger tells"
    await core.commands.play.inbox.forget(Forgotten(player.id, 0))
    assert await drop(core) > 0
    version = (await present(core, player.id)).version
    for _ in range(2):
        assert await postman_of(core).deliver([letter]) == [ends]
    assert (await present(core, player.id)).version == version


async def exp(core: Core, player: Player) -> int:
    return (await present(core, player.id)).exp


async def told(core: Core, what: str) -> None:
    """Of this, and of nothing else, doctor says that it holds up weeks."""
    control = core.databases[core.settings.control.database]
    async with connected(control.url) as connection:
        [symptom] = await old_weeks.symptoms_of_control(connection, MONTH)
    assert symptom.problem.startswith(what)


@pytest.mark.parametrize(
    ("state", "slot", "pending"), [("running", 0, None), ("revoked", 0, [5]), ("waiting", 7, None)]
)
async def test_what_a_campaign_that_isnt_over_may_need_stays(
    core: Core, state: str, slot: int, pending: list[int] | None
) -> None:
    control = core.settings.control.database
    old = new_command_id(int((now() - timedelta(days=61)).timestamp() * 1000))
    await write(
        core, control,
        "insert into campaigns (id, admin, reason, filter, text, items, counted, state, slot, pending)"
        " values ($1, 'ann', 'a test', '{}', 'Hello', '{}', 1, $2, $3, $4)",
        old, state, slot, pending,
    )  # fmt: skip
    assert await drop(core) == 0
    await told(core, "a campaign that isn't over")
    if state == "waiting":
        await write(core, control, "update campaigns set changed_at = changed_at - interval '8 days'")
    else:
        await write(core, control, "update campaigns set state = 'done', pending = null")
    assert await drop(core) > 0


async def test_nothing_is_dropped_while_the_control_database_is_away(core: Core) -> None:
    debtors = debtors_of(core)
    core.databases.join("away", SecretStr("postgresql://nobody@127.0.0.1:9/nothing"))
    away = dataclasses.replace(debtors, control=core.databases["away"])
    policy = core.commands.accounts.policy
    with pytest.raises(DatabaseUnavailable):
        await loops.forget_old_ledger(policy, away, MONTH.total_seconds())
    assert await loops.forget_old_ledger(policy, debtors, MONTH.total_seconds()) > 0
