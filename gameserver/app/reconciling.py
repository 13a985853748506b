"""What crossed between a database that went back and the others: put right, or listed."""

from datetime import datetime, timedelta

from gameserver.app.backups import Say, assign
from gameserver.app.bounds import window_of
from gameserver.app.erasing_again import erase_again
from gameserver.commands.results import ChangedBy
from gameserver.config.settings import Settings
from gameserver.rules.editions import ALWAYS, FIRST, Edition, RulesInForce
from gameserver.rules.rulebook import Rulebook
from gameserver.stack.errors import StackError
from gameserver.storage.accounts.identities import Identities
from gameserver.storage.crossings.crossing import listed, put_right, went_back
from gameserver.storage.crossings.erasures import line_of, undone_erasures
from gameserver.storage.crossings.findings import Findings
from gameserver.storage.postgres.databases import Databases
from gameserver.storage.sharding import provision
from gameserver.storage.slots.slot_map import Slots

CONFLICTS = "slots_in_conflict"
CLOCKS_APART = timedelta(seconds=10)
"""By how much more than what `doctor` allows the clocks of two databases may differ."""


async def reconcile(settings: Settings, database: str, since: datetime, by: ChangedBy, say: Say) -> list[Findings]:
    """Puts right what crossed between a database that went back to `since` and the others, and lists the rest.

    Who was erased since is erased again, `by` whoever ordered it.
    Its ownership of slots is compared with the map before: what it doesn't own any more, it has nothing to say about.
    Raises ConfigFault, StackError, IncompleteMap, DatabaseUnavailable: it needs them all.
    """
    databases = provision.open_databases(settings, patient=True)
    try:
        await assign(settings, databases)
        if database not in databases:
            raise StackError(f"There is no database {database}.")
        conflicts = await _compare_with_the_map(settings, databases, database)
        slots = Slots(databases[settings.control.database], databases, provision.sizes(settings))
        await slots.refresh()
        identities = Identities(
            slots, window_of(settings), RulesInForce(Edition(FIRST, ALWAYS, Rulebook.parse(settings.game_mapping())))
        )
        try:
            control = databases[settings.control.database]
            back = await went_back(slots, databases[database], since - CLOCKS_APART)
            found = await put_right(slots, identities, control, back)
            line = await line_of(back.database)
            undone = await undone_erasures(control, back.since, line, CLOCKS_APART)
            found += await erase_again(settings, undone, line, by, say)
            return [conflicts, *found, *await listed(slots, control, back)]
        finally:
            await identities.close()
    finally:
        await databases.close()


async def _compare_with_the_map(settings: Settings, databases: Databases, database: str) -> Findings:
    """The slots that nobody owns now; also when nothing tells that it went back.

    Raises StackError while it stays closed, DatabaseUnavailable.
    """
    done = await provision.reconciler_of(settings, databases).insist(force=True)
    if done is None:
        raise StackError("Another process is comparing databases with the map: try again.")
    if (reason := done.closed.get(database)) is not None:
        raise StackError(f"{database} stays closed: {reason}.")
    conflicts = Findings(
        CONFLICTS,
        "slots that nobody may write",
        "listed: decide with `gameserver slots accept`, or wait for who is away",
    )
    for each in done.undecided:
        conflicts.add(group=each.view.group, slot=each.view.slot, reason=each.verdict.reason)
    return conflicts
