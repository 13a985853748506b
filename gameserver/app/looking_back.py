"""What reads the ledger of a period, over the databases and standbys of a core."""

from gameserver.app.core import Core
from gameserver.storage.ledger.periods import Periods


def periods_of(core: Core) -> Periods:
    """Raises nothing: the databases are asked when it reads."""
    return Periods(core.slots, core.replicas)
