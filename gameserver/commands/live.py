"""What connected players are told unasked: changes made elsewhere, what was kept for them, and their places.

Law: hearing never waits for a read, and what couldn't be read is tried again. After every gap in hearing all players
of the node are read anew, so a change is told late at the worst, and a player's newest state is told.
"""

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
    """A player connects: from here on he is told of changes. Without Redis he has an empty stream and is told later."""
    await live.room.presence.join(player_id)
    try:
        return await live.room.pushes.open(player_id, seen)
    except PresenceUnavailable:
        return Opened(stream="", seq=0, resumed=False, missed=())


async def proclaim(live: LivePlayers, text: str, player_id: int | None) -> int:
    """Tells one player, or all, also those who resume within the hours that notices are kept; the notice's number.

    Raises PresenceUnavailable.
    """
    told = {"text": text, "at": rfc3339(live.now())}
    if player_id is None:
        return await live.room.pushes.add_notice(told)
    number = await live.room.pushes.keep(player_id, "notice", told)
    try:
        await live.room.presence.announce(presence.KEPT, [(player_id, number)])
    except PresenceUnavailable as error:
        log.warning("told when Redis is back", player=player_id, error=error.detail)
    return number
