"""The proof of the players: fetches every bot's state and whole ledger, and has them judged, each and together.

Letters between them that are still on their way are waited for, and the ledgers that they concern are read again.
Reads are retried like everything else. A server that stays away, or answers outside the contract, means that
the proof could not be carried out, which is a failure too.
"""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from bots.play.belongings import Belongings
from bots.play.bot import Bot, player_of
from bots.proof.letters import Mail, judge_letters, open_letters
from bots.proof.pages import get, read_pages
from bots.proof.verdict import Entry, Verdict, judge
from bots.wire import wire
from bots.wire.events import parse_sent
from bots.wire.wire import State

BOTS_AT_ONCE = 16
LEDGER_PAGE = 200
SETTLING_SECONDS = 3.0
MAIL_SECONDS = 20.0
"""How long letters that are on their way are waited for."""
MAIL_PAUSE = 0.3


@dataclass(slots=True)
class Book:
    """What the server has of a bot's player; `fault` says why it can't be read."""

    present: State | None = None
    ledger: list[Entry] = field(default_factory=list)
    items: list[str] = field(default_factory=list)
    """Where what the player owns differs from what the ledger says."""
    fault: str = ""


async def prove_players(bots: Sequence[Bot]) -> tuple[list[Verdict], Mail]:
    """Judge every bot that has a player, and the mail between them. Raises NotProvedError."""
    by_player = {bot.told.player_id: bot for bot in bots}
    verdicts, mail = await _prove(by_player)
    if any(bot.told.open for bot in bots) and not all(verdict.clean() for verdict in verdicts):
        await asyncio.sleep(SETTLING_SECONDS)  # a command of unknown fate may have landed between the reads
        verdicts, mail = await _prove(by_player)
    return verdicts, mail


async def _prove(bots: Mapping[str, Bot]) -> tuple[list[Verdict], Mail]:
    books = await _read_books(bots)
    deadline = asyncio.get_running_loop().time() + MAIL_SECONDS
    while unfinished := open_letters(_ledgers(books)):
        if asyncio.get_running_loop().time() > deadline:
            break
        await asyncio.sleep(MAIL_PAUSE)
        books |= await _read_books({player: bots[player] for player in unfinished})
    verdicts = {player: _judge(bots[player], book) for player, book in books.items()}
    return list(verdicts.values()), judge_letters(_ledgers(books), verdicts)


def _ledgers(books: Mapping[str, Book]) -> dict[str, list[Entry]]:
    return {player: book.ledger for player, book in books.items()}


async def _read_books(bots: Mapping[str, Bot]) -> dict[str, Book]:
    """Read what the server has of these bots; raises NotProvedError."""
    room = asyncio.Semaphore(BOTS_AT_ONCE)

    async def read(bot: Bot) -> Book:
        async with room:
            return await _read_book(bot)

    tasks = [asyncio.create_task(read(bot)) for bot in bots.values()]
    try:
        return dict(zip(bots, await asyncio.gather(*tasks), strict=True))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _read_book(bot: Bot) -> Book:
    try:
        lines = await read_pages(bot.link, f"/v1/players/me/ledger?limit={LEDGER_PAGE}")
        player = player_of(await get(bot.link, "/v1/players/me"))
        items = _item_faults(lines, await get(bot.link, "/v1/players/me/items"))
        return Book(wire.parse_state(player), [parse_entry(line) for line in lines], items)
    except wire.BadAnswerError as error:
        return Book(fault=f"{bot.identity.name}: {error}")


def _item_faults(lines: Sequence[Any], owned: Any) -> list[str]:
    kept = Belongings()
    for line in lines:
        kept.add(line.get("events"))
    return kept.faults(owned)


def _judge(bot: Bot, book: Book) -> Verdict:
    if book.present is None:
        verdict = Verdict(unexplained=[*bot.told.problems, book.fault])
    else:
        verdict = judge(bot.told, book.present, book.ledger)
        verdict.unexplained += book.items
    verdict.pushes += bot.link.pushes.faults
    return verdict


def parse_entry(line: Any) -> Entry:
    """Read one line of a ledger; raises BadAnswerError."""
    if not isinstance(line, Mapping) or not isinstance(line.get("command_id"), str):
        raise wire.BadAnswerError(f"expected a ledger entry with a command_id, got {line!r:.200}")
    player = line.get("player")
    if isinstance(player, Mapping):
        player = {"version": line.get("version"), **player}
    state = wire.parse_state(player)
    if line.get("version", state.version) != state.version:
        raise wire.BadAnswerError(f"ledger entry of version {line['version']} keeps a player of {state.version}")
    return Entry(line["command_id"], str(line.get("action", "")), state, parse_sent(line.get("events")))
