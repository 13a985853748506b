"""The mutants of names and sessions: mistakes in whose a name is, and in when a session ends."""

from bots.proof import invariants
from tests.mutants.mutant import Mutant, Patch

OF_ACCOUNTS = (
    Mutant(
        "name-twice",
        "a sign-up doesn't look whose claim on the name it is",
        [
            Patch(
                "gameserver/commands/sign_up.py",
                "        its_own = [claim for claim in claims if (claim.command_id, claim.player_id) "
                "== (command_id, draft.player.id)]\n",
                "        its_own = [*claims]\n",
            )
        ],
        [invariants.NAMES],
    ),
    Mutant(
        "sign-up-refused-again",
        "a sign-up that is sent again is told that its name is taken",
        [
            Patch(
                "gameserver/commands/sign_up.py",
                "        return await _retried(accounts, application, draft, earlier), True\n    # A new command:",
                "        raise taken(claims[0].key)\n    # A new command:",
            ),
            Patch(
                "gameserver/commands/sign_up.py", "        if not repeatable:\n            raise\n", "        raise\n"
            ),
        ],
        [invariants.ONCE],
    ),
    Mutant(
        "epoch-unchecked",
        "a write doesn't look whether the session's epoch is over",
        [
            Patch(
                "gameserver/storage/players/gathering.py",
                "        if command.session_epoch < self.session_epoch:\n",
                "        if command.session_epoch < -1:\n",
            )
        ],
        [invariants.SESSIONS, invariants.BANS],
    ),
    Mutant(
        "session-outlives-its-end",
        "a node that reads that a session was ended goes on to trust it",
        [
            Patch(
                "gameserver/storage/sessions/memory.py",
                "            self._known.pop(name, None)\n            self._ended.pop(name, None)\n",
                "            self._ended.pop(name, None)\n",
            )
        ],
        [invariants.SESSIONS],
    ),
)
