"""The probe of names: several sign-ups at once want one name, and later another one does."""

import asyncio

from bots.probes.ground import ProbeGround
from bots.proof.invariants import NAMES, Fault
from bots.wire.bodies import player_id
from bots.wire.player_client import Reply

RIVALS = 3


class NameProbe:
    """A round is one name; a sign-up without an answer may have it, and is counted for nobody."""

    every = 0.5

    def __init__(self, ground: ProbeGround) -> None:
        self._ground = ground
        self._rounds = 0

    async def begin(self) -> bool:
        """Return that it can begin."""
        return True

    async def round(self) -> None:
        """Let rivals sign up for a name at once, then one more in capital letters."""
        ground = self._ground
        self._rounds += 1
        name = f"{ground.prefix}{ground.tag}n{self._rounds:05}"
        replies = await asyncio.gather(*(self._sign_up(name) for _ in range(RIVALS)))
        if any(reply.ok for reply in replies):
            replies.append(await self._sign_up(name.upper()))
        holders = [player_id(reply.body.get("player")) for reply in replies if reply.ok]
        ground.findings.checked[NAMES] += bool(holders)
        ground.findings.happened["a contested name"] += any(_was_taken(reply) for reply in replies)
        if len(holders) > 1:
            lines = [f"player {holder} was answered that it is {name}" for holder in holders]
            ground.findings.faults.append(Fault(NAMES, f"the name {name} has {len(holders)} holders", lines))

    async def _sign_up(self, name: str) -> Reply:
        _, reply = await self._ground.sign_up(self._ground.new_client(), name)
        return reply

    async def close(self) -> None:
        """Leave: there is nothing open."""


def _was_taken(reply: Reply) -> bool:
    return reply.answer is not None and reply.answer.code == "name_taken"
