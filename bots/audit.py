"""The proof of the players: fetches every bot's state and whole ledger, and has them judged.

Reads are retried like everything else. A server that stays away, or answers outside the contract, means that
the proof could not be carried out, which is a failure too.
"""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import quote

from bots import wire
from bots.bot import Bot, player_of
from bots.link import Door, Link
from bots.proof import Entry, Verdict, judge

BOTS_AT_ONCE = 16
LEDGER_PAGE = 200
SETTLING_SECONDS = 3.0


class NotProvedError(Exception):
    """The proof could not be carried out; the text says why."""


async def get(link: Link, path: str) -> Mapping[str, Any]:
    """Read one page; raises NotProvedError."""
    reply = await link.ask(wire.Request("proof", "GET", path), Door.HTTP)
    if reply.answer is None:
        raise NotProvedError(f"no answer to GET {path} ({reply.last_code})")
    if reply.answer.kind is not wire.Kind.OK:
        raise NotProvedError(f"GET {path} is answered {reply.answer.code}: {reply.answer.detail}")
    return reply.answer.body


async def read_pages(link: Link, path: str) -> list[Any]:
    """Read all entries of a paged resource; raises NotProvedError."""
    entries: list[Any] = []
    seen: set[str] = set()
    cursor = ""
    while True:
        body = await get(link, f"{path}&cursor={quote(cursor, safe='')}" if cursor else path)
        if not isinstance(body.get("entries"), list):
            raise NotProvedError(f"GET {path} gave no entries: {body!r:.200}")
        entries += body["entries"]
        cursor = body.get("next_cursor") or ""
        if not cursor:
            return entries
        if cursor in seen:
            raise NotProvedError(f"GET {path} gave the cursor {cursor} twice: its pages go round in a circle")
        seen.add(cursor)


async def prove_players(bots: Sequence[Bot]) -> list[Verdict]:
    """Judge every bot that has a player. Raises NotProvedError."""
    room = asyncio.Semaphore(BOTS_AT_ONCE)

    async def prove(bot: Bot) -> Verdict:
        async with room:
            return await _prove(bot)

    tasks = [asyncio.create_task(prove(bot)) for bot in bots]
    try:
        return list(await asyncio.gather(*tasks))
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def _prove(bot: Bot) -> Verdict:
    """Judge one bot, a second time if a command of unknown fate may have landed between the reads."""
    verdict = await _judge(bot)
    if not verdict.clean() and bot.told.open:
        await asyncio.sleep(SETTLING_SECONDS)
        verdict = await _judge(bot)
    return verdict


async def _judge(bot: Bot) -> Verdict:
    verdict = await _judge_ledger(bot)
    verdict.pushes += bot.link.pushes.faults
    return verdict


async def _judge_ledger(bot: Bot) -> Verdict:
    try:
        lines = await read_pages(bot.link, f"/v1/players/me/ledger?limit={LEDGER_PAGE}")
        player = player_of(await get(bot.link, "/v1/players/me"))
        return judge(bot.told, wire.parse_state(player), [parse_entry(line) for line in lines])
    except wire.BadAnswerError as error:
        return Verdict(unexplained=[*bot.told.problems, f"{bot.identity.name}: {error}"])


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
    return Entry(line["command_id"], str(line.get("action", "")), state)
