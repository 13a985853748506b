"""What operators ask over all databases."""

from collections.abc import Sequence
from datetime import datetime

from gameserver.commands.backend import Backend
from gameserver.storage.reports import Count, Question, Ranking


async def rank(backend: Backend, question: Question) -> Ranking:
    """Players by exp, level, hp or age, exact over all databases. Raises UnknownClass, DatabaseUnavailable."""
    if question.class_name is not None:
        backend.rulebook.game.player_class(question.class_name)
    return await backend.reports.rank(question)


async def stats(backend: Backend) -> tuple[Sequence[Count], datetime]:
    """Players per database, class and level, and the moment it holds for. Raises DatabaseUnavailable."""
    return await backend.reports.count()
