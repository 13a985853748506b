"""The mutants: each a mistake that somebody could make, in a few lines of the server."""

from bots.proof import invariants
from tests.mutants.accounts import OF_ACCOUNTS
from tests.mutants.boards import OF_BOARDS
from tests.mutants.effects import OF_EFFECTS
from tests.mutants.mutant import Mutant, Patch
from tests.mutants.seasons import OF_SEASONS

PLAYERS = "gameserver/storage/players"

HONEST = Mutant(
    "honest",
    "nothing: a node is killed, slots move back and forth, two seasons end, players are banned, deleted and erased",
    [],
    [],
    ["kill", "wander", "seasons", "end"],
    seconds=90,
    plays_on=True,
)

LATE_MAP = (
    Patch(
        "gameserver/storage/slots/slot_map.py",
        "        if (owners, members) != (self._owners, self._members):\n",
        "        if self._owners and (owners, members) != (self._owners, self._members):\n"
        "            self._stale_until = getattr(self, '_stale_until', 0) or time.monotonic() + 12\n"
        "            if os.environ.get('GAMESERVER_NODE__NAME') == 'node-2' "
        "and time.monotonic() < self._stale_until:\n"
        "                return\n"
        "            self._stale_until = 0\n"
        "        if (owners, members) != (self._owners, self._members):\n",
    ),
    Patch("gameserver/storage/slots/slot_map.py", "import contextlib\n", "import contextlib\nimport os\n"),
)
"""Of two nodes the second one learns 12 s late that slots have moved, so it asks their former owner meanwhile."""

LATE = Mutant(
    "honest-late-map",
    "nothing: slots move back and forth, and one node learns it 12 s late, which no database lets it write by",
    LATE_MAP,
    [],
    ["wander"],
    seconds=18,
)

MUTANTS = (
    Mutant(
        "no-dedupe",
        "a command is applied again when it is sent again",
        [
            Patch(
                f"{PLAYERS}/gathering.py",
                '            gathered.recorded[row["id"], row["command_id"]] = recorded\n',
                "            del recorded\n",
            ),
            Patch(
                f"{PLAYERS}/batch.sql",
                "                $9::bigint[]) as e\n)",
                "                $9::bigint[]) as e\n    on conflict do nothing\n)",
            ),
        ],
        [invariants.ONCE, invariants.STATE, invariants.CHAIN],
    ),
    Mutant(
        "answer-before-commit",
        "an action is answered a moment before its transaction commits, and a node is killed",
        [
            Patch(
                f"{PLAYERS}/batch.py",
                "        # Only after the commit may a verdict leave.\n",
                "        self.letters_of_answers.extend(verdicts)\n        await asyncio.sleep(0.05)\n",
            ),
            Patch(
                f"{PLAYERS}/batch.py",
                "    _gathered: Gathered = field(init=False)\n",
                "    letters_of_answers: list[Verdict] = field(default_factory=list)\n"
                "    _gathered: Gathered = field(init=False)\n",
            ),
            Patch(f"{PLAYERS}/batch.py", "import os\n", "import asyncio\nimport os\n"),
            Patch(
                f"{PLAYERS}/transactions.py",
                "                commit = work.commit(link, has_more)\n"
                "                verdicts = await (commit if self._tracer is None else "
                "self._traced(self._tracer, work, commit))\n",
                "                commit = asyncio.ensure_future(work.commit(link, has_more))\n"
                "                while not commit.done() and not work.letters_of_answers:\n"
                "                    await asyncio.sleep(0.001)\n"
                "                for pending, verdict in zip(batch, work.letters_of_answers):\n"
                "                    self._postponed(pending, verdict)\n"
                "                verdicts = await commit\n",
            ),
        ],
        [invariants.KEPT, invariants.FRESH, invariants.SEEN],
        ["kill", "kill"],
    ),
    Mutant(
        "order-lost",
        "commands of one player that wait together are applied in reverse",
        [
            Patch(
                f"{PLAYERS}/committer.py",
                "            batch.extend(queue)\n",
                "            batch.extend(reversed(queue))\n",
            )
        ],
        [invariants.ORDER],
    ),
    Mutant(
        "stale-replica-read",
        "a replica that lags answers a read, whatever version the reader has seen",
        [
            Patch(
                f"{PLAYERS}/replica_reads.py",
                "if player.version >= versions.get(player.id, 0)]",
                "if player.version >= 0]",
            )
        ],
        [invariants.FRESH],
        ["lag"],
        replicated=True,
    ),
    Mutant(
        "stale-replica-fresh",
        "a replica that lags answers a read that names no version, however little age that allows",
        [
            Patch(
                "gameserver/storage/postgres/replica.py",
                "if replica.age() <= oldest and not replica.rests()]",
                "if oldest and not replica.rests()]",
            )
        ],
        [invariants.FRESH],
        ["lag"],
        replicated=True,
        mix="tests.mutants.habits:reader=1",
    ),
    Mutant(
        "letter-twice",
        "a letter is delivered a second time under another id",
        [
            Patch(
                "gameserver/upkeep/postman.py",
                "            receipt = await self.players.act(command)\n",
                "            receipt = await self.players.act(command)\n"
                '            again = letter.mail_id[:-1] + ("0" if letter.mail_id[-1] != "0" else "1")\n'
                "            copy = replace(letter, mail_id=again)\n"
                "            await self.players.act(replace(command, id=again, letter=copy))\n",
            ),
            Patch(
                "gameserver/upkeep/postman.py",
                "from dataclasses import dataclass, field\n",
                "from dataclasses import dataclass, field, replace\n",
            ),
        ],
        [invariants.LETTERS],
    ),
    Mutant(
        "letter-lost",
        "some letters leave the outbox and never arrive",
        [
            Patch(
                "gameserver/upkeep/postman.py",
                "        command = Command(letter.mail_id,",
                '        if letter.mail_id[-1] in "048c":\n'
                "            return Ending(), None\n"
                "        command = Command(letter.mail_id,",
            )
        ],
        [invariants.LETTERS],
    ),
    Mutant(
        "inbox-lost",
        "some letters take effect and don't come into the inbox",
        [
            Patch(
                "gameserver/storage/mail/mailbag.sql",
                "            $8::text[]) as e\n",
                "            $8::text[]) as e (slot, player, mail_id, kind, sender, payload, sent, refused)\n"
                "where refused is not null or mail_id::text !~ '[048c]$'\n",
            )
        ],
        [invariants.LETTERS],
    ),
    Mutant(
        "stale-owner-writes",
        "a database goes on to own the slots that it gives away, and one node learns 12 s late that they moved",
        [
            Patch(
                "gameserver/storage/sharding/cutover.py",
                "        pause = 0 if began is None else round((time.monotonic() - began) * 1000)\n",
                "        pause = 0 if began is None else round((time.monotonic() - began) * 1000)\n"
                '        again = f"update {move.group}_owned_slots set owned = true where slot = $1"\n'
                "        await self._source.execute(again, slot)\n",
            ),
            *LATE_MAP,
        ],
        [invariants.KEPT, invariants.ANSWERS, invariants.CHAIN, invariants.STATE, invariants.FRESH, invariants.SEEN],
        ["wander"],
        mix="grinder=1",
    ),
    Mutant(
        "ownership-unread",
        "a batch locks players without asking whether the database owns them, and one node learns late of moves",
        [
            Patch(
                "migrations/players/versions/0023_editions.py",
                "    where not p.void and (select o.owned from players_owned_slots o where o.slot = wanted.slot)\n",
                "    where not p.void\n",
            ),
            *LATE_MAP,
        ],
        [invariants.KEPT, invariants.ANSWERS, invariants.CHAIN, invariants.STATE, invariants.FRESH, invariants.SEEN],
        ["wander"],
        mix="grinder=1",
    ),
    Mutant(
        "push-lost",
        "every fifth kept push of a player isn't sent",
        [
            Patch(
                "gameserver/transport/socket/player_socket.py",
                "                if entry.kind in self.topics:\n",
                "                if entry.kind in self.topics and entry.seq % 5:\n",
            )
        ],
        [invariants.PUSHES],
    ),
    Mutant(
        "resume-denied",
        "a hello never says that it resumes",
        [Patch("gameserver/transport/socket/conversation.py", '"resumed": opened.resumed,', '"resumed": False,')],
        [invariants.PUSHES],
        ["kill"],
    ),
    Mutant(
        "grant-lost",
        "what an action grants doesn't reach a stack that the batch hasn't read",
        [
            Patch(
                "gameserver/storage/items/stacks.py",
                "                   if stack.delta or stack.lost]  # fmt: skip\n",
                "                   if stack.delta < 0 or stack.lost]  # fmt: skip\n",
            )
        ],
        [invariants.ITEMS],
    ),
    Mutant(
        "late-refusal",
        "a refused action is tried again by the server, and takes effect once its rule allows it",
        [
            Patch(
                f"{PLAYERS}/batch.py",
                "            if is_final(command, refusal):\n",
                '            if is_final(command, refusal) and refusal.code == "not_enough_items":\n',
            ),
            Patch(
                f"{PLAYERS}/players.py",
                "        return await self._router.submit(command)\n",
                "        try:\n"
                "            return await self._router.submit(command)\n"
                "        except Refused:\n"
                "            if command.letter is None and self._tasks is not None:\n"
                "                self._tasks.create_task(self._later(command))\n"
                "            raise\n"
                "\n"
                "    async def _later(self, command: Command) -> None:\n"
                "        for _ in range(20):\n"
                "            await asyncio.sleep(0.3)\n"
                "            with contextlib.suppress(GameError):\n"
                "                await self._router.submit(command)\n"
                "                return\n",
            ),
            Patch(
                f"{PLAYERS}/players.py",
                "from gameserver.rules.errors import PlayerNotFound\n",
                "from gameserver.rules.errors import GameError, PlayerNotFound, Refused\n",
            ),
            Patch(f"{PLAYERS}/players.py", "import asyncio\n", "import asyncio\nimport contextlib\n"),
        ],
        [invariants.REFUSED],
    ),
    Mutant(
        "replay-shows-the-present",
        "a retry is answered with the present state instead of the first answer",
        [
            Patch(
                f"{PLAYERS}/command.py",
                "    after = player_from(outcome, player, recorded.version)\n",
                "    after = player\n",
            )
        ],
        [invariants.ONCE],
    ),
    *OF_ACCOUNTS,
    *OF_BOARDS,
    *OF_EFFECTS,
    *OF_SEASONS,
)
