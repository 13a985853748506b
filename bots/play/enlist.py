"""Signs up players for load: so many at once, each until it has an answer."""

import asyncio
from dataclasses import dataclass
from random import Random

from bots.count.tally import Tally
from bots.play import identities
from bots.wire import client, wire
from bots.wire.command_ids import CommandIds
from bots.wire.door import Door
from bots.wire.link import Link
from bots.wire.network import Network
from bots.wire.unreachable import ADVICE, UnreachableError

SIGN_UPS_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Enlisted:
    """A player who can be logged on as."""

    name: str
    token: str


async def enlist(urls: tuple[str, ...], count: int, prefix: str) -> list[Enlisted]:
    """Sign up `count` players; raises UnreachableError when one of them can't."""
    room, ids, tag = asyncio.Semaphore(SIGN_UPS_AT_ONCE), CommandIds(), identities.new_tag()
    async with client.open_session() as session:
        network = Network(session, urls, patience_seconds=15.0)

        async def sign_up(index: int) -> Enlisted:
            async with room:
                return await _sign_up(network, identities.make(prefix, tag, index, Random(index), ()), ids.next())

        tasks = [asyncio.create_task(sign_up(index)) for index in range(count)]
        try:
            return list(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _sign_up(network: Network, identity: identities.Identity, key: str) -> Enlisted:
    link = Link(network, Tally(), Random(key), identity.device)
    body = {"name": identity.name, "class": "warrior", "device": identity.device}
    reply = await link.ask(wire.Request("sign_up", "POST", "/v1/players", body=body, key=key), Door.HTTP)
    if reply.answer is None:
        raise UnreachableError(f"no answer to a sign-up ({reply.last_code}); {ADVICE}")
    if reply.answer.kind is not wire.Kind.OK:
        raise UnreachableError(f"a sign-up is answered {reply.answer.code}: {reply.answer.detail}")
    link.open_session(reply.answer.body)
    assert link.token is not None
    return Enlisted(identity.name, link.token)
