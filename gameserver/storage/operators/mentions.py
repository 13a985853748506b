"""Where operators have written of somebody: the audit log, notes, and whatever else of the control database is a text.

Law: a search changes nothing and is bounded by its deadline; what took longer is named as not searched.
"""

import asyncio
from collections.abc import Mapping, Sequence

from sqlalchemy import ColumnElement, FromClause, Text, cast, func, or_, select

from gameserver.rules.errors import Unavailable
from gameserver.storage import tables
from gameserver.storage.postgres.database import Database

AUDIT, ENDS = tables.audit, tables.audit_ends
_Texts = tuple[FromClause, Sequence[ColumnElement[str]]]
TEXTS: Mapping[str, _Texts] = {
    "audit": (
        AUDIT.outerjoin(ENDS, ENDS.c.entry == AUDIT.c.id),
        [AUDIT.c.reason, *(cast(each, Text) for each in (AUDIT.c.details, AUDIT.c.before, ENDS.c.after))],
    ),
    "notes": (tables.player_notes, [tables.player_notes.c.text]),
    "campaigns": (tables.campaigns, [tables.campaigns.c.reason, tables.campaigns.c.text]),
    "saved_queries": (tables.saved_queries, [tables.saved_queries.c.name]),
    "rule_orders": (tables.rule_orders, [tables.rule_orders.c.reason]),
}
"""By the name of the store: its rows, and what operators have written in them."""


class Mentions:
    def __init__(self, control: Database) -> None:
        self._control = control

    async def of(self, names: Sequence[str], deadline: float) -> tuple[dict[str, int], list[str]]:
        """In how many rows of each store one of these names stands, whatever its case; and what wasn't searched until
        this moment of the event loop's clock."""
        counts, unsearched = dict[str, int](), list[str]()

        async def search(store: str) -> None:
            rows, texts = TEXTS[store]
            named = or_(*(text.icontains(name, autoescape=True) for text in texts for name in names))
            query = select(func.count()).select_from(rows).where(named)
            try:
                async with self._control.report(deadline) as report:
                    counts[store] = int((await report.ask(query, {}))[0][0])
            except Unavailable:
                unsearched.append(f"{self._control.name}: {store}")

        await asyncio.gather(*map(search, TEXTS if names else ()))
        return counts, sorted(unsearched)
