"""Carries what commands granted from the outbox to the databases of items: the Deliverer of all grants."""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog

from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.items.inventory import Grant, Inventory
from gameserver.storage.items.stacks import KIND
from gameserver.storage.mail.mailbag import SentLetter
from gameserver.storage.mail.outbox import Ending

log = structlog.get_logger()


@dataclass(slots=True)
class Grants:
    """One per node."""

    inventory: Inventory
    group: str = "items"
    kinds: Sequence[str] = (KIND,)

    async def deliver(self, letters: Sequence[SentLetter]) -> Sequence[Ending | None]:
        """As Deliverer says."""
        grants = [Grant(each.recipient, each.command_id, each.payload) for each in letters]
        try:
            left = {(each.player_id, each.command_id) for each in await self.inventory.grant(grants)}
        except DatabaseUnavailable as error:
            log.warning("grants wait", grants=len(grants), error=error.detail)
            return [None] * len(letters)
        return [None if (each.player_id, each.command_id) in left else Ending() for each in grants]
