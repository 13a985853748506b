"""What the probes of a run share, and how they make players and send commands."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from bots.count.tally import Tally
from bots.play import identities
from bots.play.record import BotRecord
from bots.probes.findings import ProbeFindings
from bots.proof.pages import Asker
from bots.wire import requests
from bots.wire.answers import AnswerKind
from bots.wire.bodies import parse_letters, parse_state, player_id
from bots.wire.channel import Channel
from bots.wire.command_ids import CommandIds
from bots.wire.network import Network
from bots.wire.player_client import PlayerClient, Reply
from bots.wire.requests import Request

ACTION: tuple[str, Mapping[str, Any]] = ("hunt", {"foe": "slime"})


@dataclass(frozen=True, slots=True)
class ProbePlayer:
    """A player whose ledger is judged with those of the bots."""

    client: PlayerClient
    record: BotRecord = field(default_factory=BotRecord)


@dataclass(slots=True)
class ProbeGround:
    """One per run. `admin` is who bans, if there is a key; what probes meet counts into no figure of the run."""

    network: Network
    admin: Asker | None
    prefix: str
    stop: asyncio.Event
    random: Random
    findings: ProbeFindings = field(default_factory=ProbeFindings)
    players: list[ProbePlayer] = field(default_factory=list)
    ids: CommandIds = field(default_factory=CommandIds)
    tally: Tally = field(default_factory=Tally)
    tag: str = field(default_factory=identities.new_tag)
    _made: int = 0

    async def new_player(self) -> ProbePlayer | None:
        """Sign a player up; None if that failed."""
        identity, random = self._identity(), Random(self.random.random())
        client = PlayerClient(self.network, self.tally, random, identity.device)
        player, command_id = ProbePlayer(client), self.ids.next()
        client.pushes.on_player = player.record.see_player
        request = requests.sign_up(identity.name, identity.class_name, identity.device, command_id)
        reply = await client.send(request, Channel.HTTP)
        if not reply.ok:
            return None
        client.open_session(reply.body)
        shown = reply.body.get("player")
        player.record.signed_up(command_id, player_id(shown), parse_state(shown))
        self.players.append(player)
        return player

    def _identity(self) -> identities.BotIdentity:
        self._made += 1
        return identities.make(self.prefix, self.tag, self._made, self.random, ())

    def new_client(self) -> PlayerClient:
        """Make a client without a device: one whose session has ended stays without."""
        return PlayerClient(self.network, self.tally, Random(self.random.random()), None)

    async def sign_up(self, client: PlayerClient, name: str = "") -> tuple[str, Reply]:
        """Sign a client up under a name, or one that nobody has; returns its device and how that ended."""
        identity = self._identity()
        request = requests.sign_up(name or identity.name, identity.class_name, identity.device, self.ids.next())
        reply = await client.send(request, Channel.HTTP)
        if reply.ok:
            client.open_session(reply.body)
        return identity.device, reply

    def command(self) -> Request:
        """Make a command that a player can nearly always carry out."""
        return requests.act(self.ids.next(), *ACTION)

    async def act_at_once(self, client: PlayerClient, times: int) -> list[Reply]:
        """Send so many commands at once, over as many connections."""
        return await asyncio.gather(*(client.send(self.command(), Channel.HTTP) for _ in range(times)))


def settle(record: BotRecord, command_id: str, reply: Reply) -> None:
    """Enter a command's end into a record; raises BadAnswerError."""
    answer = reply.answer
    if answer is None:
        return
    if answer.ok:
        events = answer.body.get("events")
        record.acknowledge(command_id, parse_state(answer.body.get("player")), parse_letters(events))
        record.belongings.add(events)
    else:
        record.refuse(command_id, uncertain=reply.uncertain and answer.kind is not AnswerKind.REFUSED)
