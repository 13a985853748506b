"""Opens databases that were failed over or restored, by comparing them with the slot map."""

import asyncio

import structlog

from gameserver.rules.errors import GameError
from gameserver.storage.postgres.shares import Purpose, using
from gameserver.storage.sharding.reconciling import Reconciler

log = structlog.get_logger()

LOOK_SECONDS = 0.05
"""How soon a database that refused a connection is compared; this looks at a flag of this process."""
UNSURE_SECONDS = 3.0
"""How soon after its start a node looks whether another process has left something, though no database refused it."""
FIRST_PAUSE, LONGEST_PAUSE = 0.25, 3.0
"""Seconds before the next try, if a database couldn't be opened; each time twice as long."""


async def reconcile_for_ever(reconciler: Reconciler) -> None:
    """Reconciles whenever it is needed, until cancelled."""
    pause, now = FIRST_PAUSE, asyncio.get_running_loop().time
    settled = now() + UNSURE_SECONDS
    with using(Purpose.UPKEEP):
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            is_needed = reconciler.is_needed() if now() > settled else reconciler.has_refused()
            if not is_needed or await _reconciles(reconciler):
                pause = FIRST_PAUSE
            else:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE)


async def _reconciles(reconciler: Reconciler) -> bool:
    """Whether nothing is left to be done, as far as is known, or another process is at it."""
    try:
        done = await reconciler.run()
    except GameError as error:
        log.warning("databases can't be compared with the slot map", error=error.detail)
        return False
    except Exception:
        log.exception("databases can't be compared with the slot map")
        return False
    return done is None or not (done.closed or reconciler.is_needed())
