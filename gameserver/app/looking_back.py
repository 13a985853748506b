"""What reads the ledger of a period."""

from gameserver.app.core import Core
from gameserver.storage.ledger.periods import Periods


def periods_of(core: Core) -> Periods:
    """Over the databases and standbys of a core."""
    return Periods(core.slots, core.replicas)
