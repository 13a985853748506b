"""The mutants of what a single command does: mistakes with which versions, answers and the ledger may well agree."""

from bots.proof import invariants
from tests.mutants.mutant import Mutant, Patch

PLAYERS, POSTGRES = "gameserver/storage/players", "gameserver/storage/postgres"

OF_EFFECTS = (
    Mutant(
        "state-before-batch",
        "a batch computes every command of a player on the state before the batch, and counts versions on",
        [
            Patch(
                f"{PLAYERS}/gathering.py",
                "    changed: bool = False\n",
                "    changed: bool = False\n    first: Player | None = None\n",
            ),
            Patch(
                f"{PLAYERS}/batch.py",
                "        outcome = self._ruled(command, locked.player, ",
                "        locked.first = locked.first or locked.player\n"
                "        before = locked.first._replace(version=locked.player.version)\n"
                "        outcome = self._ruled(command, before, ",
            ),
        ],
        [invariants.ONCE],
    ),
    Mutant(
        "commit-unflushed",
        "commits don't wait until they are on disk, and a database is killed",
        [
            Patch(f"{PLAYERS}/transactions.py", '"synchronous_commit": "on"', '"synchronous_commit": "off"'),
            Patch(f"{POSTGRES}/own_settings.py", '"synchronous_commit": "on"', '"synchronous_commit": "off"'),
            Patch(f"{POSTGRES}/durability.py", 'in ("off", "local")', 'in ("local",)'),
        ],
        [invariants.KEPT, invariants.SEEN, invariants.STATE, invariants.CHAIN],
        ["crash"],
    ),
    Mutant(
        "item-taken-twice",
        "an action takes its items twice from a stack that has them",
        [
            Patch(
                "gameserver/storage/items/stacks.py",
                "                stack.delta -= count\n",
                "                stack.delta -= count + min(count, stack.count)\n"
                "                stack.count -= min(count, stack.count)\n",
            )
        ],
        [invariants.ITEMS],
        mix="shopper=1",
    ),
    Mutant(
        "letter-also-returned",
        "a challenge that has arrived comes back to its sender, too",
        [
            Patch(
                "gameserver/upkeep/postman.py",
                "        return Ending(), (letter.recipient, _mail(command.id, letter, receipt))\n",
                '        end = Ending("protected") if letter.kind == "mail:challenged" else Ending()\n'
                "        return end, (letter.recipient, _mail(command.id, letter, receipt))\n",
            )
        ],
        [invariants.LETTERS],
    ),
)
