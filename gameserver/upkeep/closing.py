"""Begins seasons, and closes those that are over."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

import structlog

from gameserver.commands import boards
from gameserver.commands.seasons import Seasons, learn
from gameserver.rules.boards import Board
from gameserver.rules.rulebook import MAIL
from gameserver.rules.seasons import Season
from gameserver.storage.boards.layout import Contest
from gameserver.storage.boards.lifecycle import BoardLifecycle
from gameserver.storage.ids import mail_id, reward_id
from gameserver.storage.ledger.rows import json_of
from gameserver.storage.mail.mailbag import SentLetter
from gameserver.storage.seasons.records import DueReward, SeasonRecord
from gameserver.upkeep.postman import Postman

log = structlog.get_logger()


THE_SERVER = 0
"""Who sends rewards."""


AT_A_TIME = 100


DROP_SECONDS = (60, 3600)
"""When the boards of a season that is over go from Redis: once every node has heard that it is."""


@dataclass(frozen=True, slots=True)
class Closing:
    """What the course of seasons needs besides what operators ask of it."""

    seasons: Seasons
    boards: BoardLifecycle
    postman: Postman


async def attend(closing: Closing) -> int:
    """Begins the seasons whose time it is, and closes those that are over; how many steps that took."""
    records, now = await learn(closing.seasons), closing.seasons.now()
    new = [
        (board.name, season)
        for board in closing.seasons.room.calendar.boards()
        for season in _missing(closing, board, records)
    ]
    for name, season in new:
        await closing.seasons.room.records.begin(name, season)
    if new:
        records = await learn(closing.seasons)
    due = [each for each in records if each.state != "closed" and each.season.end <= now.timestamp()]
    steps = len(new) + await _close_all(closing, due)
    await _drop(closing, records, now)
    return steps


def _missing(closing: Closing, board: Board, records: Sequence[SeasonRecord]) -> list[Season]:
    """The seasons that have begun unnoted, oldest first: the present one, and those that nobody could note."""
    now = closing.seasons.room.calendar.season(board, closing.seasons.now())
    begun = [each.season for each in records if each.board == board.name]
    if now is None or now.start in [each.start for each in begun]:
        return []
    found: list[Season] = []
    last = max(begun, default=Season(now.start, now.start))
    while last.end < now.start and len(found) < AT_A_TIME:
        last = closing.seasons.room.calendar.following(board, last)
        found.append(last)
    return found if last.end < now.start else [*found, now]


async def _close_all(closing: Closing, due: Sequence[SeasonRecord]) -> int:
    """Goes on with the seasons that are over, unless another node is at it; how many steps that took."""
    if not due:
        return 0
    async with closing.seasons.room.records.closing() as mine:
        return sum([await _close(closing, each) for each in due]) if mine else 0


async def _close(closing: Closing, record: SeasonRecord) -> int:
    """Takes the steps that are left, as far as it can."""
    board = next((each for each in closing.seasons.room.calendar.boards() if each.name == record.board), None)
    if board is None:
        return 0
    steps, state, start = 0, record.state, record.season.start
    if state == "running":
        if not await closing.seasons.room.end.fence(board.name, record.season.end):
            return 0
        await closing.seasons.room.records.step(board.name, start, "running", "ended")
        steps, state = steps + 1, "ended"
    if state == "ended":
        players = await closing.seasons.room.records.store(
            board.name, start, closing.seasons.room.end.standings(board, start, banned=True)
        )
        log.info("a season is counted", board=board.name, season=start, players=players)
        steps, state = steps + 1, "counted"
    if state == "counted" and await _reward(closing, board, record.season):
        await closing.seasons.room.records.step(board.name, start, "counted", "closed")
        steps += 1
    await learn(closing.seasons)
    return steps


async def _reward(closing: Closing, board: Board, season: Season) -> bool:
    """Delivers rewards; whether all have arrived. Each is a letter whose id says whose it is, so it arrives once."""
    while rewards := await closing.seasons.room.records.due_rewards(board.name, season.start, AT_A_TIME):
        ends = await closing.postman.deliver([_letter(board, season, each) for each in rewards])
        settled = [(each.position, end.refused or "arrived") for each, end in zip(rewards, ends, strict=True) if end]
        await closing.seasons.room.records.settle(board.name, season.start, settled)
        if len(settled) < len(rewards):
            return False
    return True


def _letter(board: Board, season: Season, reward: DueReward) -> SentLetter:
    told = {
        "sender": str(THE_SERVER),
        "board": board.name,
        "season": boards.season_name(Contest(board, season.start)),
        "rank": reward.rank,
        **reward.reward,
    }
    at = datetime.fromtimestamp(season.end, UTC)
    command = reward_id(board.name, season.start, reward.player_id, season.end * 1000)
    mail = mail_id(THE_SERVER, command, 0)
    return SentLetter(THE_SERVER, command, 0, f"{MAIL}rewarded", reward.player_id, json_of(told), at, mail)


async def _drop(closing: Closing, records: Sequence[SeasonRecord], now: datetime) -> None:
    least, most = DROP_SECONDS
    for each in records:
        age = (now - each.changed_at).total_seconds()
        if each.state == "closed" and least < age < most and (board := _board(closing, each.board)) is not None:
            await closing.boards.drop(Contest(board, each.season.start))


def _board(closing: Closing, name: str) -> Board | None:
    return next((each for each in closing.seasons.room.calendar.boards() if each.name == name), None)
