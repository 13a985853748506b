"""Delivers what commands granted from the outbox to the databases of items."""

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
    """The Deliverer of grants; one per node."""

    inventory: Inventory
    group: str = "items"
    kinds: Sequence[str] = (KIND,)

    async def deliver(self, letters: Sequence[SentLetter]) -> Sequence[Ending | None]:
        """See `Deliverer`."""
        grants = [Grant(letter.recipient, letter.command_id, letter.payload) for letter in letters]
        try:
            left = {(grant.player_id, grant.command_id) for grant in await self.inventory.grant(grants)}
        except DatabaseUnavailable as error:
            log.warning("grants wait", grants=len(grants), error=error.detail)
            return [None] * len(letters)
        return [None if (grant.player_id, grant.command_id) in left else Ending() for grant in grants]
