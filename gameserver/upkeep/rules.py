"""Keeps a node's rules up with what is ordered: learns of an order, loads its rulebook, and switches at its moment.

Law: only what is decided in the control database is loaded, before its moment if the node learns of it in time; a node
that doesn't has no rulebook to judge by from then on, and says so in its log and among its figures. Whichever node sees
that an order was left half-way, or that a database of players hasn't been told, sees to it.
"""

import asyncio
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from gameserver.commands import rollouts
from gameserver.commands.rollouts import Rollouts
from gameserver.rules.editions import Edition
from gameserver.rules.errors import GameError
from gameserver.rules.game import GameFault
from gameserver.storage.operators.rule_orders import CANCELLED, ORDERED, RuleOrder
from gameserver.storage.players import rule_log
from gameserver.storage.postgres.shares import Purpose, using
from gameserver.telemetry import RULEBOOK

log = structlog.get_logger()

POLL_SECONDS = 1.0
RECENT = 5
"""Orders that are looked at, besides those that this node or a database may not know the end of."""
SURE_SECONDS = 10.0
"""How long a database counts as told: one that was restored, or is new, is told again."""


@dataclass(slots=True)
class RulesUpkeep:
    """One per node."""

    context: Rollouts
    now: Callable[[], datetime]
    _problems: dict[int, str] = field(default_factory=dict)
    """By edition: why it couldn't be loaded."""
    _shown: int | None = None
    """The edition whose being in force was told."""
    _compared: float = -SURE_SECONDS
    _open: Collection[int] = ()
    """Editions of which a database may not know the end, as far as was heard when they were asked last."""
    _told: dict[tuple[int, int], float] = field(default_factory=dict)
    """By edition and step: when every database knew of it."""

    def figures(self) -> Mapping[str, Any]:
        """What a node tells of its rules: those in force, the editions that are ready, and why others aren't."""
        rules = self.context.rules
        return {
            "edition": rules.edition.number,
            "rulebook": rules.rulebook.number,
            "ready": rules.numbers(),
            "problems": {str(edition): problem for edition, problem in self._problems.items()},
        }

    async def run(self) -> None:
        """Until cancelled."""
        while True:
            pause = POLL_SECONDS
            try:
                with using(Purpose.UPKEEP):
                    pause = await self.look()
            except GameError as error:
                log.debug("what rules are ordered can't be asked", error=error.detail)
            except Exception:  # a node without news goes on, and its databases refuse what is out of date
                log.exception("what rules are ordered can't be followed")
            self._switch()
            await asyncio.sleep(pause)
            self._switch()

    async def look(self) -> float:
        """One look at the orders; seconds until the next. Raises DatabaseUnavailable."""
        rules = self.context.rules
        ahead_of = [number for number in rules.numbers() if number > rules.edition.number]
        orders = await self.context.orders.newest(RECENT, {*ahead_of, *self._open})
        for order in reversed(orders):
            await self._follow(order)
        self._switch()
        for order in await self.context.orders.lapsed() if any(order.pending for order in orders) else ():
            await rollouts.settle(self.context, order)
        await self.compare()
        await self._tell(orders)
        ahead = [(order.at - self.now()).total_seconds() for order in orders if order.pending]
        return min([POLL_SECONDS, *(seconds for seconds in ahead if seconds > 0)])

    async def compare(self) -> None:
        """Asks the databases what they know; takes back editions that the control database doesn't know.

        That was restored to an earlier moment then. Databases are asked first: an order is in the control database
        before it is in any of them. A node that has such an edition in force has to be restarted. Raises
        DatabaseUnavailable.
        """
        if time.monotonic() - self._compared < SURE_SECONDS:
            return
        newest, self._open = await self.context.editions.known()
        known = max((order.edition for order in await self.context.orders.newest(1)), default=0)
        if newest > known:
            log.error("the control database knows less of the rules: it went back", edition=newest, known=known)
            await self.context.orders.skip(newest)
            await self.context.editions.disown(known)
        self._compared = time.monotonic()

    async def _follow(self, order: RuleOrder) -> None:
        rules = self.context.rules
        if order.state != ORDERED:
            rules.drop(order.edition)
            self._problems.pop(order.edition, None)
        elif order.edition > rules.edition.number and not rules.has(order.edition):
            await self._load(order)

    async def _load(self, order: RuleOrder) -> None:
        library = self.context.library
        try:
            rulebook = await library.loaded(await library.mapping(order.rulebook))
        except GameFault as fault:
            if self._problems.get(order.edition) != str(fault):
                log.error("these rules can't be loaded: this node will judge nothing by them", problems=fault.problems)
            self._problems[order.edition] = str(fault)
            return
        self._problems.pop(order.edition, None)
        self.context.rules.load(Edition(order.edition, order.at, rulebook))
        log.info("rules are ready", edition=order.edition, rulebook=rulebook.number, at=order.at.isoformat())

    def _switch(self) -> None:
        self.context.rules.advance(self.now())  # a batch may have done so before
        edition = self.context.rules.edition
        if edition.number != self._shown:
            self._shown = edition.number
            RULEBOOK.set(edition.rulebook.number or 0)
            rule_log.count_from_zero(edition.rulebook)
            log.info("rules are in force", edition=edition.number, rulebook=edition.rulebook.number)

    async def _tell(self, orders: Sequence[RuleOrder]) -> None:
        """Tells databases that don't know of the order in force, of the one ahead, or how another one ended."""
        in_force = next((order for order in orders if order.in_force), None)
        for order in orders:
            is_told = order is in_force or order.pending or order.edition in self._open
            if order.state == CANCELLED or (order.state == ORDERED and is_told):
                key = order.edition, order.step
                if time.monotonic() - self._told.get(key, -SURE_SECONDS) < SURE_SECONDS:
                    continue
                if behind := await self.context.editions.behind(order):
                    await self.context.editions.tell(order, only=behind)
                else:
                    self._told[key] = time.monotonic()
