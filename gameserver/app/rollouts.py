"""Which rules a process starts with, and what publishes others."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import structlog

from gameserver.commands.accounts import Policy
from gameserver.commands.rollouts import Rollouts
from gameserver.commands.rulebooks import Library, text_of
from gameserver.config.settings import Settings
from gameserver.rules.editions import ALWAYS, FIRST, Edition, RulesInForce
from gameserver.storage.operators.rule_editions import RuleEditions
from gameserver.storage.operators.rule_orders import RuleOrders
from gameserver.storage.operators.rulebooks import Rulebooks
from gameserver.storage.postgres.database import Database
from gameserver.storage.rooms import OperatorsRoom
from gameserver.storage.slots.slot_map import Slots
from gameserver.telemetry import RULEBOOK

log = structlog.get_logger()
RECENT = 20


class KnownRules(NamedTuple):
    """The rules of a process, and where others are found and ordered."""

    rules: RulesInForce
    library: Library
    orders: RuleOrders


async def rules_at_start(mapping: Mapping[str, Any], control: Database) -> KnownRules:
    """The published rulebook, once there is one, whatever game.toml says; that of game.toml (`mapping`) before.

    Raises ConfigFault, GameFault, DatabaseUnavailable.
    """
    library, orders = Library(Rulebooks(control)), RuleOrders(control)
    order = next((order for order in await orders.newest(RECENT) if order.in_force), None)
    if order is None:
        return _known(Edition(FIRST, ALWAYS, await library.numbered(mapping)), library, orders)
    published = await library.mapping(order.rulebook)
    return _known(Edition(order.edition, order.at, await library.numbered(published)), library, orders)


async def warn_of_file(settings: Settings, rollouts: Rollouts) -> None:
    """Logs that game.toml isn't what is played by, if another rulebook was published. Raises DatabaseUnavailable."""
    edition = rollouts.rules.edition
    number = edition.rulebook.number
    if edition.number == FIRST or number is None:
        return
    if text_of(await rollouts.library.mapping(number)) != text_of(settings.game_mapping()):
        log.warning(
            "game.toml isn't the published rulebook, which holds: publish it, or put the published one in its place",
            game=str(settings.game_file),
            rulebook=number,
            since=edition.at.isoformat(),
        )


def _known(edition: Edition, library: Library, orders: RuleOrders) -> KnownRules:
    RULEBOOK.set(edition.rulebook.number or 0)
    return KnownRules(RulesInForce(edition), library, orders)


def rollouts_of(known: KnownRules, slots: Slots, room: OperatorsRoom, policy: Policy) -> Rollouts:
    """What publishes rulebooks."""
    editions = RuleEditions(lambda: slots.members("players"))
    return Rollouts(*known, editions, room.names, room.audit, policy)
