"""Which of several servers that were asked at a time is the primary that is meant.

Law: of those of the system that was seen last that answer within a moment of each other the newest timeline is taken.
Another system is taken only where every address answers and none is of that one; timelines of several systems are never
compared.
"""

import asyncio
from collections.abc import Callable, Iterable

import asyncpg

from gameserver.config.postgres_url import Place
from gameserver.storage.postgres.causes import NoPrimary, Unfit, explained
from gameserver.storage.postgres.driver import DriverConnection, Lineage

NEWER_SECONDS = 0.25
"""How long the others are waited for once a primary has answered: it may be one that hung, and has a successor."""
ANSWER_SECONDS = 0.7
"""How long the others are waited for once one has answered that it isn't the primary."""
Attempts = dict[Place, "asyncio.Task[DriverConnection]"]


class Race:
    """Of attempts to connect to each address, which fail where no primary is."""

    def __init__(self, name: str, attempts: Attempts, known: Lineage | None, *, replica: bool) -> None:
        """`known` is what was seen last of the database of this name; whatever answers is taken for a `replica`."""
        self._name, self.attempts, self._known, self._replica = name, attempts, known, replica

    async def winner(self) -> Place:
        """The address of the primary. Raises what is most worth knowing when no address can be used."""
        while True:
            waiting = [attempt for attempt in self.attempts.values() if not attempt.done()]
            if any(map(has_succeeded, self.attempts.values())):
                if waiting:
                    # An earlier primary that doesn't know it yet, as one that hung, may have answered first.
                    await asyncio.wait(waiting, timeout=NEWER_SECONDS)
                    if not self._has_known():
                        await asyncio.wait(waiting, timeout=ANSWER_SECONDS)
                return self._newest()
            refused = any(each.done() and isinstance(each.exception(), Unfit) for each in self.attempts.values())
            patience = ANSWER_SECONDS if refused else None
            if not waiting or not (await asyncio.wait(waiting, timeout=patience, return_when="FIRST_COMPLETED"))[0]:
                raise self._failure()

    def _has_known(self) -> bool:
        """Whether a primary has answered of the system that was seen last, or of any if none was."""
        known = self._known
        lineages = [attempt.result().lineage for attempt in self.attempts.values() if has_succeeded(attempt)]
        return known is None or any(lineage is None or lineage.system == known.system for lineage in lineages)

    def _newest(self) -> Place:
        """The newest primary of the system that is meant: the timelines of two say nothing about each other.

        Raises Unfit where that isn't known.
        """
        known = self._known
        lineages = {place: each.result().lineage for place, each in self.attempts.items() if has_succeeded(each)}
        systems = {lineage.system for lineage in lineages.values() if lineage is not None}
        if known is not None and self._has_known():
            systems &= {known.system}
        elif known is not None and not all(_is_strange(attempt, known.system) for attempt in self.attempts.values()):
            raise Unfit(
                f"The database {self._name} was of the system {known.system}, and what takes writes at its addresses "
                f"is of {' and '.join(sorted(systems))}: correct the URL or, if it was made anew, leave out the "
                "addresses that don't answer."
            )
        if len(systems) > 1 and not self._replica:
            each = ", ".join(f"{place.address} {lineage.system}" for place, lineage in lineages.items() if lineage)
            raise Unfit(f"The database {self._name} has primaries of several systems ({each}): correct the URL.")
        meant = [place for place, lineage in lineages.items() if lineage is None or lineage.system in systems]
        return max(meant, key=timeline_by(self.attempts))

    def _failure(self) -> BaseException:
        errors: dict[Place, BaseException] = {
            place: (attempt.exception() if attempt.done() else None) or TimeoutError()
            for place, attempt in self.attempts.items()
        }
        for error in errors.values():
            if _is_refusal(error):
                return error
        if not any(isinstance(error, Unfit) for error in errors.values()):
            return next(iter(errors.values()))
        prefix = f"The database {self._name} "
        each = "; ".join(
            f"{place.address} {explained(self._name, error).removeprefix(prefix).rstrip('.')}"
            for place, error in errors.items()
        )
        return NoPrimary(f"{prefix}has no primary among its {len(errors)} addresses ({each})")


def _is_refusal(error: BaseException) -> bool:
    """Whether a server refuses what the URL asks for, rather than that it isn't ready."""
    return isinstance(error, asyncpg.PostgresError) and not isinstance(error, asyncpg.CannotConnectNowError)


def has_succeeded(attempt: "asyncio.Task[DriverConnection]") -> bool:
    return attempt.done() and not attempt.cancelled() and attempt.exception() is None


def _is_strange(attempt: "asyncio.Task[DriverConnection]", system: str) -> bool:
    """Whether what answered at an address says that it is of another system."""
    lineage = None
    if has_succeeded(attempt):
        lineage = attempt.result().lineage
    elif attempt.done() and isinstance(error := attempt.exception(), Unfit):
        lineage = error.lineage
    return lineage is not None and lineage.system != system


def timeline_by(attempts: Attempts) -> Callable[[Place], int]:
    """The timeline of the server at an address, as the connection there tells it; 0 where it doesn't."""

    return lambda place: number(attempts[place].result().lineage)


def number(lineage: Lineage | None) -> int:
    """The number of a timeline; 0 if it isn't known."""
    return (lineage.timeline or 0) if lineage else 0


async def end_all(attempts: Iterable["asyncio.Task[DriverConnection]"]) -> None:
    """Ends attempts that aren't needed, and the connections of those that have succeeded."""
    for attempt in attempts:
        attempt.cancel()
    for result in await asyncio.gather(*attempts, return_exceptions=True):
        if isinstance(result, DriverConnection):
            result.terminate()
