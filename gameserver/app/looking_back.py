"""What reads the ledger of a period, and the rulebooks that were played by."""

from gameserver.app.core import Core
from gameserver.storage.ledger.periods import Periods
from gameserver.storage.operators.rulebooks import Rulebooks


def periods_of(core: Core) -> Periods:
    """Over the databases and standbys of a core."""
    return Periods(core.slots, core.replicas)


def rulebooks_of(core: Core) -> Rulebooks:
    """Over the control database of a core."""
    return Rulebooks(core.databases[core.settings.control.database])
