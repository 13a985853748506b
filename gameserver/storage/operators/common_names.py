"""How many players have a name that a question goes by, about, and what follows for the question.

Law: answers are the same with the index of names and without it; a name is compared character by character in both. The
index is of use where few have the name. Where most have it, Postgres looks at everybody all the same, and making the
words of each name takes six times as long as comparing it.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from typing import Any

from gameserver.storage.operators.parts import SQL, Part
from gameserver.storage.operators.questions import Segment

MOST = 0.25
"""The share of a database's players beyond which the index of names costs more than it spares."""


async def share_of(ask: Callable[..., Awaitable[Sequence[Any]]], segment: Segment) -> float:
    """At the most which share of a database's players has such a name, by its statistics; 0 if any name will do.

    `ask` asks the database. Raises what it does.
    """
    if not segment.goes_by_name():
        return 0.0
    (row,) = await ask(SQL["named"], part=segment.name_part, beginning=segment.name_begins)
    return float(row[0])


async def for_all(ask: Callable[..., Awaitable[Sequence[Any]]], segment: Segment) -> Segment:
    """The segment for a question about everybody in it, in this database. Raises what `ask` does."""
    return suited(segment, await share_of(ask, segment))


def suited(segment: Segment, share: float) -> Segment:
    """The segment for a question about everybody in it, where so many have the name."""
    return segment if share < MOST else replace(segment, has_words=False)


async def of_all(part: Part, query: Any, segment: Segment) -> Sequence[Any]:
    """What a query finds among the database's players that are in the segment. Raises DatabaseUnavailable."""
    fitting = (await for_all(part.ask, segment)).conditions()
    return await part.ask(query.where(part.counted(), *fitting))
