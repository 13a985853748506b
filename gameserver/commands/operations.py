"""Operators' questions over all databases, and their notices to players."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from gameserver.commands import live, play
from gameserver.commands.corrections import ChangedBy
from gameserver.commands.export_places import OperatorPlaces
from gameserver.commands.live import LivePlayers
from gameserver.commands.play import Play
from gameserver.storage.accounts.bans import Bans
from gameserver.storage.live.presence import LiveNode
from gameserver.storage.operators.audit import AuditedChange
from gameserver.storage.operators.reports import Count
from gameserver.storage.operators.survey import Holding, SlotRange
from gameserver.storage.rooms import OperatorsRoom
from gameserver.storage.seasons.records import SeasonRecords
from gameserver.storage.sessions.sessions import Sessions


@dataclass(frozen=True, slots=True)
class Operations:
    """What operators' questions, notices and bans need; one per node."""

    room: OperatorsRoom
    play: Play
    live: LivePlayers
    bans: Bans
    records: SeasonRecords
    sessions: Sessions
    exports: OperatorPlaces


async def stats(operations: Operations) -> tuple[Sequence[Count], datetime]:
    """Players per database, class and level, and the moment they were counted. Raises DatabaseUnavailable."""
    return await operations.room.reports.count()


async def slots(operations: Operations) -> Sequence[SlotRange]:
    """Which database owns which slots, by the slot map. Raises DatabaseUnavailable."""
    return await operations.room.survey.ranges()


async def databases(operations: Operations) -> Sequence[Holding]:
    """What every database itself reports to hold; databases that are away are listed, too."""
    return await operations.room.survey.take()


async def nodes(operations: Operations, players: Sequence[int]) -> list[LiveNode]:
    """The nodes that are alive, with which of the players are connected to them. Raises PresenceUnavailable."""
    return await operations.live.room.presence.nodes(players)


async def proclaim(operations: Operations, by: ChangedBy, text: str, player_id: int | None) -> int:
    """Sends a notice to all players, or to one; its number. Sent again under its command id it isn't sent twice.

    Raises PlayerNotFound, CommandMismatch, PresenceUnavailable, DatabaseUnavailable.
    """
    # What is written to one player may name it, and the log outlives its erasure.
    said = {"text": text} if player_id is None else {"text_sha256": hashlib.sha256(text.encode()).hexdigest()}
    target, before = str(player_id or "everyone"), {"number": None}
    entry = AuditedChange(by.admin, "notice", target, by.reason, said, by.command_id, before)
    async with operations.room.audit.once(entry) as end:
        if not end.replayed:
            if player_id is not None:
                await play.read(operations.play, player_id)
            end.after = {"number": await live.proclaim(operations.live, text, player_id)}
    return int((end.after or {})["number"])
