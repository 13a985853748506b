"""Begins seasons, and closes those that are over: fenced on every database, counted, and rewarded, once.

Law: every step is recorded in the control database and can be repeated by any node, whatever killed the one before.
A season of a board that game.toml no longer has ends at its time and is rewarded by the definition stored with it.
Players are told of the end once it is fenced. Redis can't hold up the closing: what it can't take is told when it is
back, unless this node has ended by then.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial

import structlog

from gameserver.commands import boards
from gameserver.commands.seasons import Seasons, learn
from gameserver.rules.boards import Board
from gameserver.rules.errors import PresenceUnavailable
from gameserver.rules.rulebook import MAIL
from gameserver.rules.seasons import Season
from gameserver.rules.section import UNREADABLE
from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.lifecycle import BoardLifecycle
from gameserver.storage.ids import reward_id
from gameserver.storage.mail.mailbag import SentLetter, letter_of_server
from gameserver.storage.seasons.records import DueReward, SeasonRecord
from gameserver.times import rfc3339_of_seconds
from gameserver.upkeep.each import each_alone
from gameserver.upkeep.postman import Postman

log = structlog.get_logger()

CHUNK = 100
"""Seasons begun, or rewards delivered, at once."""
DROP_SECONDS = 60
"""Seconds after which a counted season's board leaves Redis: by then every node knows that it is counted."""


@dataclass(frozen=True, slots=True)
class Closing:
    """What beginning and closing seasons needs; one per node. `dropped` are seasons that have left Redis.

    `untold` are those that have ended, and players aren't told yet; `told` those of which they are.
    """

    seasons: Seasons
    boards: BoardLifecycle
    postman: Postman
    dropped: set[tuple[str, int]] = field(default_factory=set)
    untold: dict[tuple[str, int], SeasonRecord] = field(default_factory=dict)
    told: set[tuple[str, int]] = field(default_factory=set)


async def attend(closing: Closing) -> int:
    """Begins the seasons whose time has come, and closes those that are over; how many steps that took."""
    room = closing.seasons.room
    await _tell(closing)
    records, now = await learn(closing.seasons), closing.seasons.now()
    # Begin what has begun by the clock.
    new = [(board, season) for board in room.calendar.boards() for season in _missing(closing, board, records)]
    for board, season in new:
        await room.records.begin(board, season)
    if new:
        records = await learn(closing.seasons)
    await _define(closing, records)
    # Close what has ended by the clock, and drop the boards of what is closed.
    due = [record for record in records if record.state != "closed" and record.season.end <= now.timestamp()]
    steps = len(new) + await _close_all(closing, due)
    await _drop(closing, records, now)
    return steps


async def _define(closing: Closing, records: Sequence[SeasonRecord]) -> None:
    """Stores the definitions of boards whose seasons began under a version that didn't store them."""
    for record in records:
        if record.definition is None and record.state != "closed" and (board := _board(closing, record.board)):
            await closing.seasons.room.records.define(board, record.season.start)


def _missing(closing: Closing, board: Board, records: Sequence[SeasonRecord]) -> list[Season]:
    """The seasons without a record that have begun, oldest first: also those that began while no node ran."""
    calendar = closing.seasons.room.calendar
    present = calendar.season(board, closing.seasons.now())
    begun = [record.season for record in records if record.board == board.name]
    if present is None or present.start in [season.start for season in begun]:
        return []
    missing: list[Season] = []
    last = max(begun, default=Season(present.start, present.start))
    while last.end < present.start and len(missing) < CHUNK:
        last = calendar.following(board, last)
        missing.append(last)
    return missing if last.end < present.start else [*missing, present]


async def _close_all(closing: Closing, due: Sequence[SeasonRecord]) -> int:
    """Carries on the closing of seasons, unless another node does; how many steps that took."""
    if not due:
        return 0
    async with closing.seasons.room.records.closing() as is_ours:
        return await each_alone("seasons", due, partial(_close, closing)) if is_ours else 0


async def _close(closing: Closing, record: SeasonRecord) -> int:
    """Takes the steps that are left, as far as possible; each can be repeated by any node after a crash."""
    board = _board(closing, record.board) or record.stored_board()
    room, start = closing.seasons.room, record.season.start
    steps, state = 0, record.state
    # Fence it: no database may score in it any more.
    if state == "running":
        if not await room.end.fence(board.name, record.season.end):
            return 0
        await room.records.step(board.name, start, "running", "ended")
        steps, state = steps + 1, "ended"
    # Count it: store the standings of all databases. First players are told, whichever node made the step before.
    if state == "ended":
        if record.key not in closing.told:
            closing.untold[record.key] = record
            await _tell(closing)
        players = await room.records.store(board, start, room.end.standings(board, start))
        log.info("a season is counted", board=board.name, season=start, players=players)
        steps, state = steps + 1, "counted"
    # Reward it: when every letter has arrived, the season is closed.
    if state == "counted" and await _reward(closing, board, record.season):
        await room.records.step(board.name, start, "counted", "closed")
        steps += 1
    await learn(closing.seasons)
    return steps


async def _tell(closing: Closing) -> None:
    """Has the ends of seasons pushed to players, each once as long as Redis has it stored."""
    for key, record in list(closing.untold.items()):
        try:
            await closing.postman.live.pushes.add_notice(shown_end(record), "season", once=True)
        except PresenceUnavailable as error:
            log.warning("a season's end is pushed when Redis is back", board=record.board, error=error.detail)
            return
        closing.told.add(key)
        del closing.untold[key]


def shown_end(record: SeasonRecord) -> dict[str, str]:
    """What players are pushed of a season that has ended."""
    season = record.season
    return {
        "board": record.board,
        "season": boards.name_of_season(season.start),
        "ended_at": rfc3339_of_seconds(season.end),
    }


async def _reward(closing: Closing, board: Board, season: Season) -> bool:
    """Delivers rewards; whether all have arrived. A reward is a letter whose id names its player: it arrives once.

    Those whose players' database is away stay due, and hold up none behind them.
    """
    records, after, all_arrived = closing.seasons.room.records, -1, True
    while rewards := await records.due_rewards(board.name, season.start, CHUNK, after):
        ends = await closing.postman.deliver([_letter(board, season, reward) for reward in rewards])
        settled = [
            (reward.position, end.refused or "arrived") for reward, end in zip(rewards, ends, strict=True) if end
        ]
        await records.settle(board.name, season.start, settled)
        after, all_arrived = rewards[-1].position, all_arrived and len(settled) == len(rewards)
    return all_arrived


def _letter(board: Board, season: Season, reward: DueReward) -> SentLetter:
    """It names the rank by which the reward was chosen; where a former version counted the season, the place's own."""
    args = {
        "board": board.name,
        "season": boards.season_name(Contest(board, season.start)),
        "rank": reward.rank,
        **reward.reward,
        "text": UNREADABLE.sub("", reward.reward.get("text", "")),  # as earlier versions took it
    }
    at = datetime.fromtimestamp(season.end, UTC)
    command = reward_id(board.name, season.start, reward.player_id, season.end * 1000)
    return letter_of_server(reward.player_id, command, f"{MAIL}rewarded", args, at)


async def _drop(closing: Closing, records: Sequence[SeasonRecord], now: datetime) -> None:
    """Drops the boards of counted seasons from Redis, each once in a node's life; their standings are stored."""
    over = {
        record.key: record
        for record in records
        if record.state in ("counted", "closed") and record.key not in closing.dropped
    }
    old = {key: record for key, record in over.items() if (now - record.changed_at).total_seconds() > DROP_SECONDS}
    contests = [
        Contest(_board(closing, record.board) or record.stored_board(), record.season.start) for record in old.values()
    ]
    for contest in await closing.boards.present(contests):
        await closing.boards.drop(contest)
    closing.dropped.update(old)


def _board(closing: Closing, name: str) -> Board | None:
    """The board of the present game, if it has seasons there."""
    boards_now = closing.seasons.room.calendar.boards()
    return next((board for board in boards_now if board.name == name and board.schedule is not None), None)
