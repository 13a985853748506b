"""What operators see of one player: everything at once, its ledger as a timeline, and its state at a past moment."""

import asyncio
import contextlib
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import reduce

from gameserver.commands import boards, play
from gameserver.commands.boards import Leaderboards, Ranked
from gameserver.commands.correction_items import HeldItems
from gameserver.commands.corrections import ChangedBy
from gameserver.commands.moments import moment_of
from gameserver.commands.past_holdings import PastHoldings, PastMoment, holdings_at
from gameserver.commands.play import Play
from gameserver.rules.corrections import recorded_data, require_version
from gameserver.rules.errors import (
    BadInput,
    BoardUnavailable,
    FieldProblem,
    PlayerChanged,
    PresenceUnavailable,
    SessionsUnavailable,
    StateUnknown,
    Unavailable,
)
from gameserver.rules.player import Player
from gameserver.rules.player_data import PlayerData
from gameserver.storage.accounts.bans import Ban, Bans
from gameserver.storage.ids import first_command_id, is_ledger_id
from gameserver.storage.items.inventory import Stack
from gameserver.storage.ledger.past import Past, PastRow, Pasts, TimelineFilter, Undone, id_near
from gameserver.storage.ledger.window import Window
from gameserver.storage.live.presence import Presence
from gameserver.storage.mail.inbox import Mail
from gameserver.storage.operators.audit import Audit, AuditedChange
from gameserver.storage.operators.notes import Note, Notes
from gameserver.storage.rooms import SocialRoom
from gameserver.storage.seasons.records import SeasonRecords
from gameserver.storage.seasons.rescoring import Rescoring
from gameserver.storage.sessions.sessions import Listed, Sessions
from gameserver.storage.slots.scanned_pages import Scanned
from gameserver.storage.social.blocks import Block

LETTERS, REPLAYED = 20, 200
LOOKS = 3
"""How often a past state's items are looked for at one version of a player that goes on acting."""
NEWEST = 100
"""Bans and notes that a page has."""
NAMES_SECONDS = 1.0
"""How long a page waits for the names of others, which it does without."""


@dataclass(frozen=True, slots=True)
class PlayerPages:
    """What an operator's page of a player needs; one per node."""

    play: Play
    social: SocialRoom
    leaderboards: Leaderboards
    sessions: Sessions
    bans: Bans
    notes: Notes
    pasts: Pasts
    rescoring: Rescoring
    audit: Audit
    window: Window
    records: SeasonRecords
    presence: Presence


@dataclass(frozen=True, slots=True)
class PlayerPage:
    """A player as it is, and the names of the others that it has to do with, as far as these can be read.

    `sessions` and `nodes`, those that it is connected to, are None, and boards are left out, while Redis is away.
    `seen` is the beginning of the hour in which it was last seen.
    """

    player: Player
    seen: datetime
    nodes: Sequence[str] | None
    sessions: Sequence[Listed] | None
    places: Sequence[Ranked]
    friends: Sequence[int]
    blocks: Sequence[Block]
    letters: Sequence[Mail]
    items: Sequence[Stack]
    bans: Sequence[Ban]
    notes: Sequence[Note]
    names: Mapping[int, str]


@dataclass(frozen=True, slots=True)
class Timeline:
    """Commands from the newest, perhaps none; the next page is behind `cursor`, None at the end.

    Pages follow each other by command ids, as a player's own do. In a page the highest version comes first: a client
    may date its command up to the window's width back.
    """

    rows: Sequence[PastRow]
    undone: Undone
    cursor: str | None


@dataclass(frozen=True, slots=True)
class PastState:
    """A player at a moment, by the ledger; its items and scores, as far as the ledger leads to them.

    The last `replayed` commands up to then were replayed, each by the rules that made it, or by those of today if
    these are gone; `differing` are the versions in which that leads to something else than the ledger has.
    """

    player: Player
    row: PastRow
    data: PlayerData
    replayed: int
    differing: Sequence[int]
    holdings: PastHoldings


async def page(pages: PlayerPages, player_id: int) -> PlayerPage:
    """Raises PlayerNotFound, DatabaseUnavailable."""
    player, seen = await pages.pasts.look(player_id, _player)
    epoch = await pages.play.players.epoch(player_id) or 0
    (sessions, nodes, places, (friends, blocks, names)), (letters, items, bans, notes) = await asyncio.gather(
        asyncio.gather(
            _sessions(pages, player_id, epoch),
            _nodes(pages, player_id),
            _places(pages, player_id),
            _others(pages, player_id),
        ),
        asyncio.gather(
            _letters(pages, player_id),
            pages.play.players.items(player_id),
            pages.bans.page(player_id, NEWEST),
            pages.notes.page(player_id, NEWEST),
        ),
    )
    return PlayerPage(player, seen, nodes, sessions, places, friends, blocks, letters, items, bans, notes, names)


async def timeline(pages: PlayerPages, player_id: int, wanted: TimelineFilter) -> Timeline:
    """A page of the player's ledger, which looks at a bounded number of its rows.

    Raises PlayerNotFound, BadInput for a malformed cursor, DatabaseUnavailable.
    """
    if wanted.before is not None and not is_ledger_id(wanted.before):
        raise BadInput("The cursor can't be used.", errors=[FieldProblem("cursor", "isn't a cursor of the ledger")])

    behind = [] if wanted.before is None else [wanted.before]
    if wanted.until is not None:
        # A command is at the most so much older than its id says.
        behind.append(first_command_id(int(wanted.until.timestamp() * 1000) + pages.window.ahead + 1))
    wanted = wanted._replace(before=min(behind, default=None))

    async def work(past: Past) -> tuple[Scanned[PastRow], Undone]:
        return await past.timeline(wanted), await past.undone()

    page, undone = await pages.pasts.look(player_id, work)
    newest_first = sorted(page.rows, key=lambda row: row.version, reverse=True)
    return Timeline(newest_first, undone, page.cursor)


async def state_at(pages: PlayerPages, player_id: int, at: str | None, version: int | None = None) -> PastState:
    """The player at a moment (RFC 3339), or with a version, which several commands of a moment have led to.

    Raises BadInput, PlayerNotFound, StateUnknown, DatabaseUnavailable.
    """
    wanted = version if at is None else moment_of(at, "at")
    if wanted is None or (at is not None and version is not None):
        raise BadInput(errors=[FieldProblem("at", "must be given, or version, and not both")])
    for _ in range(LOOKS):
        seen, held = await _held(pages, player_id)
        with contextlib.suppress(PlayerChanged):
            return await _state_at(pages, player_id, wanted, held, seen.version)
    return await _state_at(pages, player_id, wanted, None)


async def _held(pages: PlayerPages, player_id: int) -> tuple[Player, HeldItems | None]:
    """A player's items, if they can be read, and what it was before: they are its own if it has that version after."""
    seen, _ = await pages.pasts.look(player_id, _player)
    try:
        stacks = await pages.play.players.items(player_id)
    except Unavailable:
        return seen, None
    return seen, HeldItems.of(stacks, pages.play.rules.game.items)


async def _state_at(
    pages: PlayerPages, player_id: int, wanted: datetime | int, held: HeldItems | None, expected: int | None = None
) -> PastState:
    """Raises PlayerChanged if the player hasn't the expected version any more."""

    async def work(past: Past) -> PastState:
        require_version(past.player, expected)
        moment, version, near = await _wanted_state(past, wanted)
        if version < past.player.version and not await past.rows(version + 1, version + 1, 1, near):
            raise StateUnknown("The ledger doesn't have everything of then any more.")
        rows = await past.rows(max(version - REPLAYED, 1), version, REPLAYED + 1, near)
        contiguous = [row for number, row in enumerate(rows) if row.version == version - number]
        oldest = contiguous[-1]
        earlier = await past.data(oldest.version, oldest.command_id)
        deeds = await pages.rescoring.deeds(past, earlier, contiguous[::-1])
        data = reduce(lambda before, deed: recorded_data(deed.row.outcome, before), deeds, earlier)
        differing = [deed.row.version for deed in deeds if not deed.agrees]
        then = PastMoment(min(moment, pages.leaderboards.now()), version, data)
        holdings = await holdings_at(pages.rescoring, past, then, held)
        return PastState(past.player, rows[0], data, len(deeds), differing, holdings)

    return await pages.pasts.look(player_id, work)


async def _wanted_state(past: Past, wanted: datetime | int) -> tuple[datetime, int, str]:
    """A moment, the version that the player had then, and an id near its command's. Raises StateUnknown."""
    if isinstance(wanted, int):
        rows = await past.rows(wanted, wanted, 1) if wanted <= past.player.version else []
        if not rows:
            raise StateUnknown("The player has no such version, or the ledger doesn't have it any more.")
        return rows[0].at, wanted, rows[0].command_id
    version = await past.version_at(wanted)
    if version is None:
        raise StateUnknown("The ledger has nothing of the player from before that moment, or not any more.")
    return wanted, version, id_near(wanted)


async def note(pages: PlayerPages, player_id: int, by: ChangedBy, text: str) -> Note:
    """Adds a note, once per command id. Raises PlayerNotFound, CommandMismatch, DatabaseUnavailable.

    Its text isn't in the audit log, which outlives an erasure.
    """
    await play.read(pages.play, player_id)
    entry = AuditedChange(by.admin, "note", str(player_id), by.reason, {}, by.command_id, {"note": None})
    async with pages.audit.recorded(entry) as end:
        added = await pages.notes.add(player_id, by.admin, text, by.command_id)
        end.after = {"note": added.id}
    return added


async def names_of(pages: PlayerPages, ids: Iterable[int]) -> dict[int, str]:
    """What these players are called, but for those whose database is away or doesn't answer in NAMES_SECONDS."""
    parts = pages.play.players.by_database(ids).values()
    found = await asyncio.gather(*(_named(pages, part) for part in parts))
    return {player.id: player.name for players in found for player in players}


async def _named(pages: PlayerPages, ids: Iterable[int]) -> Collection[Player]:
    try:
        async with asyncio.timeout(NAMES_SECONDS):
            return (await pages.play.players.read(ids)).values()
    except (Unavailable, TimeoutError):
        return ()


async def _others(pages: PlayerPages, player_id: int) -> tuple[Sequence[int], Sequence[Block], Mapping[int, str]]:
    """Friends, whom the player blocks, and what they are called."""
    friends, blocks = await asyncio.gather(pages.social.friends.of(player_id), pages.social.blocks.of(player_id))
    return friends, blocks, await names_of(pages, [*friends, *(block.blocked_id for block in blocks)])


async def _player(past: Past) -> tuple[Player, datetime]:
    return past.player, await past.seen()


async def _letters(pages: PlayerPages, player_id: int) -> Sequence[Mail]:
    return (await pages.play.inbox.page(player_id, LETTERS, None)).rows


async def _sessions(pages: PlayerPages, player_id: int, epoch: int) -> Sequence[Listed] | None:
    try:
        return await pages.sessions.listed(player_id, epoch)
    except SessionsUnavailable:
        return None


async def _nodes(pages: PlayerPages, player_id: int) -> Sequence[str] | None:
    try:
        return [node.name for node in await pages.presence.nodes([player_id]) if node.here]
    except PresenceUnavailable:
        return None


async def _places(pages: PlayerPages, player_id: int) -> list[Ranked]:
    names = [board.name for board, _ in boards.listed(pages.leaderboards)]
    found = await asyncio.gather(*(_place(pages, name, player_id) for name in names))
    return [ranked for ranked in found if ranked is not None and ranked.page.standings]


async def _place(pages: PlayerPages, board: str, player_id: int) -> Ranked | None:
    try:
        return await boards.ranks(pages.leaderboards, board, boards.CURRENT, [player_id])
    except BoardUnavailable:
        return None
