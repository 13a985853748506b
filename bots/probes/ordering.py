"""The probe of order: commands sent one behind the other over one socket, without waiting for answers."""

import asyncio
from collections.abc import Sequence

from bots.probes.ground import ProbeGround, ProbePlayer, settle
from bots.proof.invariants import ORDER, Fault
from bots.wire import requests
from bots.wire.bodies import parse_state
from bots.wire.channel import Channel
from bots.wire.player_client import Reply
from bots.wire.requests import Request

AT_ONCE = 6


class OrderProbe:
    """One player; a round is judged only if nothing was sent again."""

    every = 0.2

    def __init__(self, ground: ProbeGround) -> None:
        self._ground = ground
        self._player: ProbePlayer | None = None

    async def begin(self) -> bool:
        """Sign up and open the socket; returns whether that worked."""
        self._player = player = await self._ground.new_player()
        if player is None:
            return False
        await self._send(player, [self._ground.command()])
        return True

    async def round(self) -> None:
        """Send some commands, and compare the versions that they were answered with."""
        assert self._player is not None
        sent = [self._ground.command() for _ in range(AT_ONCE)]
        replies = await self._send(self._player, sent)
        if any(reply.answer is None or reply.failures for reply in replies):
            return
        versions = [parse_state(reply.body.get("player")).version for reply in replies if reply.ok]
        findings = self._ground.findings
        findings.checked[ORDER] += len(versions)
        if versions != sorted(versions):
            lines = [f"sent {number}.: {request.key}, answered {_told(reply)}" for number, (request, reply) in
                     enumerate(zip(sent, replies, strict=True), 1)]  # fmt: skip
            told = f"player {self._player.record.player_id}: commands took effect in another order than they were sent"
            findings.faults.append(Fault(ORDER, told, lines))
        if not all(reply.ok for reply in replies):
            await self._send(self._player, [requests.act(self._ground.ids.next(), "revive", {})])

    @staticmethod
    async def _send(player: ProbePlayer, sent: Sequence[Request]) -> list[Reply]:
        record = player.record
        for request in sent:
            record.send(str(request.key))
        replies = await asyncio.gather(*(player.client.send(request, Channel.SOCKET) for request in sent))
        for request, reply in zip(sent, replies, strict=True):
            settle(record, str(request.key), reply)
        return replies

    async def close(self) -> None:
        """Close the socket."""
        if self._player is not None:
            await self._player.client.close()


def _told(reply: Reply) -> str:
    if reply.ok:
        return f"with version {parse_state(reply.body.get('player')).version}"
    return reply.last_code if reply.answer is None else reply.answer.code
