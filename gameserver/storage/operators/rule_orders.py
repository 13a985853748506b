"""Orders to put a rulebook in force at one moment, in the control database.

Law: an order is `preparing` until every database of players knows of it, and `ordered` only by a compare-and-set before
its moment: that is what decides it. It is cancelled the same way: `cancelling` until every database knows that nothing
is decided any more, then `cancelled`. Its step rises with each of these; what a database knows of an order has the step
that it had then, and only rises. One order is open at a time, so editions are in force in the order of their numbers.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime

from gameserver.rules.errors import Conflict
from gameserver.storage.postgres import statements
from gameserver.storage.postgres.database import Database

SQL = statements.load(__package__, "rule_orders.sql")
PREPARING, ORDERED, CANCELLING, CANCELLED = "preparing", "ordered", "cancelling", "cancelled"
LAPSED_SECONDS = 15.0
"""How long a step may take before another node takes the order back to where it was sure."""
SHORTEST_LEAD_SECONDS = 4.0
"""How far ahead a moment must lie: nodes learn of it within a second, and every database is told before."""
DECISION_LEAD_SECONDS = 2.0
"""How far ahead the moment must still lie when an order is decided, or cancelled."""


@dataclass(frozen=True, slots=True)
class RuleOrder:
    """`prior` is the rulebook in force before; `now` the control database's time when this was read."""

    edition: int
    rulebook: int
    prior: int
    at: datetime
    state: str
    step: int
    command_id: str
    admin: str
    reason: str
    problem: str | None
    ordered_at: datetime
    now: datetime = field(compare=False)

    @property
    def in_force(self) -> bool:
        """Whether its moment has come; a later order may have followed."""
        return self.state == ORDERED and self.at <= self.now

    @property
    def pending(self) -> bool:
        """Whether it is open: its moment lies ahead, or nothing is decided yet."""
        return self.state in (PREPARING, CANCELLING) or (self.state == ORDERED and self.at > self.now)


@dataclass(frozen=True, slots=True)
class NewRuleOrder:
    """What is ordered; `at` by the control database's clock, `edition` the one in force that it changes."""

    rulebook: int
    prior: int
    at: datetime
    command_id: str
    admin: str
    reason: str
    edition: int


def require_edition(expected: int | None, present: int) -> None:
    """Raises Conflict unless the edition in force is the expected one, or none is."""
    if expected not in (None, present):
        raise Conflict(f"Meanwhile edition {present} is in force, not {expected}: look at what is to change again.")


class RuleOrders:
    """Every method raises DatabaseUnavailable; those that change something OutcomeUnknown."""

    def __init__(self, control: Database) -> None:
        self._control = control

    async def insert(self, new: NewRuleOrder) -> None:
        """Stores an order as preparing.

        Raises Conflict if another one is open, its moment is too near, or another edition is in force.
        """
        async with self._control.transaction() as connection:
            await connection.exec_driver_sql(SQL["lock"])
            if (await connection.exec_driver_sql(SQL["open"])).first() is not None:
                raise Conflict("Another rulebook has been ordered and isn't in force yet: cancel that, or wait for it.")
            require_edition(new.edition, int((await connection.exec_driver_sql(SQL["in_force"])).scalar_one()))
            arguments = (new.rulebook, new.prior, new.at.timestamp(), new.command_id, new.admin, new.reason)
            made = await connection.exec_driver_sql(SQL["insert"], (*arguments, SHORTEST_LEAD_SECONDS))
            if made.first() is None:
                raise Conflict(f"The moment must lie at least {SHORTEST_LEAD_SECONDS:g} s ahead.")

    async def skip(self, edition: int) -> None:
        """Gives the next order a later edition than this."""
        await self._control.ask(SQL["skip"], edition)

    async def newest(self, limit: int, editions: Collection[int] = ()) -> list[RuleOrder]:
        """So many, from the newest; and the one in force and those of `editions`, however old they are."""
        return await self._read("newest", limit, list(editions))

    async def find(self, command_id: str) -> RuleOrder | None:
        """The order of a command."""
        return next(iter(await self._read("find", command_id)), None)

    async def lapsed(self) -> list[RuleOrder]:
        """Those that were left half-way."""
        return await self._read("lapsed", LAPSED_SECONDS)

    async def step(self, order: RuleOrder, state: str, *, problem: str | None = None, ahead: bool = False) -> bool:
        """Takes an order to its next state, `ahead` only while its moment is; whether nobody else was faster."""
        lead = DECISION_LEAD_SECONDS if ahead else None
        return bool(await self._control.ask(SQL["step"], order.edition, order.step, state, problem, lead))

    async def _read(self, name: str, *arguments: object) -> list[RuleOrder]:
        return [RuleOrder(**row._mapping) for row in await self._control.ask(SQL[name], *arguments)]
