"""Connecting players to pushes, and sending notices."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import structlog

from gameserver.rules.errors import PresenceUnavailable
from gameserver.storage.live import presence
from gameserver.storage.live.pushes import Opened, Seen
from gameserver.storage.rooms import LiveRoom
from gameserver.times import rfc3339

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class LivePlayers:
    """What connecting and notices need; one per node."""

    room: LiveRoom
    now: Callable[[], datetime]


async def enter(live: LivePlayers, player_id: int, seen: Seen) -> Opened:
    """A player connects and is pushed changes from now on; without Redis, from an empty stream and later."""
    await live.room.presence.join(player_id)
    try:
        return await live.room.pushes.open(player_id, seen)
    except PresenceUnavailable:
        return Opened(stream="", seq=0, resumed=False, missed=())


async def proclaim(live: LivePlayers, text: str, player_id: int | None) -> int:
    """Sends a notice to one player, or to all; the notice's number.

    One player gets it when it comes, within hours. All are those that are connected, and those that resume a stream
    while the notice is stored.

    Raises PresenceUnavailable.
    """
    notice = {"text": text, "at": rfc3339(live.now())}
    if player_id is None:
        return await live.room.pushes.add_notice(notice)
    number = await live.room.pushes.keep(player_id, "notice", notice)
    try:
        await live.room.presence.announce(presence.KEPT, [(player_id, number)])
    except PresenceUnavailable as error:
        log.warning("notice is pushed when Redis is back", player=player_id, error=error.detail)
    return number
