"""`gameserver looks`: claims the looks of names that were given before looks were claimed as they are now."""

from gameserver import app as application
from gameserver.cli.actor import Reason
from gameserver.cli.auditing import change_of
from gameserver.cli.config_file import DEFAULT, Config
from gameserver.cli.running import console, with_core


def claim_looks(reason: Reason, config: Config = DEFAULT) -> None:
    """Keep look-alikes of old names from being taken: after an upgrade that asks for it, when all nodes are new."""

    async def work(core: application.Core) -> None:
        names = alike = 0
        change = change_of("looks", "names", reason, {}, {"names": 0, "alike": 0})
        async with core.rooms.operators.audit.recorded(change) as end:
            async for progress in core.rooms.accounts.looks.claim_all():
                names, alike = progress.names, progress.alike
            end.after = {"names": names, "alike": alike}
        console.print(f"{names:,} names can't be taken by look-alikes any more.")
        if alike:
            console.print(f"{alike:,} of them look like another player's: both stay.")

    with_core(config, work)
