"""What operators ask over all databases."""

from collections.abc import Sequence
from datetime import datetime

from gameserver.commands import live, play
from gameserver.commands.backend import Backend
from gameserver.storage.accounts.bans import Judged, Judgement
from gameserver.storage.live.presence import LiveNode
from gameserver.storage.operators.reports import Count, Question, Ranking
from gameserver.storage.operators.survey import Holding, SlotRange


async def rank(backend: Backend, question: Question) -> Ranking:
    """Players by exp, level, hp or age, exact over all databases. Raises UnknownClass, DatabaseUnavailable."""
    if question.class_name is not None:
        backend.rulebook.game.player_class(question.class_name)
    return await backend.reports.rank(question)


async def stats(backend: Backend) -> tuple[Sequence[Count], datetime]:
    """Players per database, class and level, and the moment it holds for. Raises DatabaseUnavailable."""
    return await backend.reports.count()


async def slots(backend: Backend) -> Sequence[SlotRange]:
    """Which database owns which slots, as the map has it. Raises DatabaseUnavailable."""
    return await backend.survey.ranges()


async def databases(backend: Backend) -> Sequence[Holding]:
    """What each database holds, as it tells itself; also of those that are away."""
    return await backend.survey.take()


async def nodes(backend: Backend, players: Sequence[int]) -> list[LiveNode]:
    """The nodes that live, and which of the players are connected to each. Raises PresenceUnavailable."""
    return await backend.presence.nodes(players)


async def proclaim(backend: Backend, admin: str, text: str, reason: str, player_id: int | None) -> int:
    """Tells all players, or one; the notice's number.

    Raises PlayerNotFound, PresenceUnavailable, DatabaseUnavailable.
    """
    if player_id is not None:
        await play.read(backend, player_id)
    await backend.audit.note(admin, "notice", str(player_id or "everyone"), reason, {"text": text})
    return await live.proclaim(backend, text, player_id)


async def judge(backend: Backend, admin: str, judgement: Judgement) -> Judged:
    """Bans a player or lifts his ban; a ban also ends all his sessions, on every node within a second.

    It stands in Postgres when this raises SessionsUnavailable: the same command id ends the sessions, too. So it does
    when the standings of seasons that are over can't be told, or one is just being counted: DatabaseUnavailable.
    Raises PlayerNotFound, CommandMismatch, CommandExpired, OutcomeUnknown, DatabaseUnavailable.
    """
    await play.read(backend, judgement.player_id)
    details = {"command_id": judgement.command_id}
    await backend.audit.note(admin, judgement.action, str(judgement.player_id), judgement.reason, details)
    judged = await backend.players.set_ban(judgement)
    try:
        await backend.seasons.hide(judgement.player_id, hidden=judged.banned)
    finally:
        if judged.banned:
            await backend.sessions.revoke_all(judgement.player_id)
    return judged
