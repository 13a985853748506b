"""Signs up the players of a load: several at a time, each retried until it has an answer."""

from dataclasses import dataclass
from random import Random

from bots.count.tally import Tally
from bots.play import identities
from bots.waiting import call_for_all
from bots.wire import http, requests
from bots.wire.channel import Channel
from bots.wire.command_ids import CommandIds
from bots.wire.errors import UnreachableError
from bots.wire.network import Network
from bots.wire.player_client import PlayerClient

SIGN_UPS_AT_ONCE = 16
PATIENCE_SECONDS = 15.0


@dataclass(frozen=True, slots=True)
class LoadPlayer:
    """A player and the token of its session."""

    name: str
    token: str


async def sign_up_players(urls: tuple[str, ...], count: int, prefix: str) -> list[LoadPlayer]:
    """Sign up `count` players; raises UnreachableError if one of them can't be."""
    ids, tag = CommandIds(), identities.new_tag()
    async with http.open_session() as session:
        network = Network(session, urls, patience_seconds=PATIENCE_SECONDS)

        async def sign_up(index: int) -> LoadPlayer:
            return await _sign_up(network, identities.make(prefix, tag, index, Random(index), ()), ids.next())

        return await call_for_all(sign_up, range(count), at_once=SIGN_UPS_AT_ONCE)


async def _sign_up(network: Network, identity: identities.BotIdentity, key: str) -> LoadPlayer:
    client = PlayerClient(network, Tally(), Random(key), identity.device)
    reply = await client.send(requests.sign_up(identity.name, "warrior", identity.device, key), Channel.HTTP)
    client.open_session(reply.require("a sign-up", UnreachableError))
    assert client.token is not None
    return LoadPlayer(identity.name, client.token)
