"""Whatever one account asks for as fast as it can, everybody else signs up, signs in, acts and reads meanwhile.

What it asks for is made to hang: all connections that serve this purpose are taken. Whoever waited for one of them, or
for whoever waits, would fail here.
"""

import asyncio
import secrets
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Any

import pytest

from gameserver.app import Core
from gameserver.commands.turns import LONGEST_QUEUE
from gameserver.storage.ids import slot_of
from gameserver.storage.postgres.shares import EACH, Purpose, using
from tests.support.client import Answer, Api, Signed, command_id
from tests.support.deployment import connected
from tests.support.letters import write_letters
from tests.support.nodes import InProcessNode
from tests.support.wait import wait_until

ME = "/v1/players/me"
SECONDS = 10.0
"""Far longer than what isn't held up takes, also on a busy machine."""
Ask = Callable[[Api, Signed, Signed], Coroutine[Any, Any, Answer]]


def read(path: str) -> Ask:
    return lambda api, hostile, _: api.ask("GET", path, token=hostile.token)


def change(method: str, path: str, body: Callable[[], dict[str, str]] | None = None) -> Ask:
    async def ask(api: Api, hostile: Signed, other: Signed) -> Answer:
        chosen = None if body is None else body()
        return await api.ask(method, path.format(other.id), token=hostile.token, body=chosen, key=command_id())

    return ask


READS = {name: read(f"{ME}/{name}") for name in ("ledger", "inbox", "items", "friends", "blocks", "feed")}
READS["board of friends"] = read("/v1/boards/exp/friends")
SHARED_CHANGES = {
    "rename": change("POST", f"{ME}/name", lambda: {"name": f"Mallory {secrets.token_hex(4)}"}),
    "add a device": change("POST", f"{ME}/devices", lambda: {"device": secrets.token_hex(16)}),
    "delete itself": change("DELETE", ME),
    "befriend": change("PUT", ME + "/friends/{}"),
    "unfriend": change("DELETE", ME + "/friends/{}"),
    "block": change("PUT", ME + "/blocks/{}"),
    "unblock": change("DELETE", ME + "/blocks/{}"),
    "forget the inbox": change("DELETE", f"{ME}/inbox"),
}
"""They share their transactions, so they are made to hang otherwise: their player is locked, and its letter."""
CHANGES = {
    "set a password": change("POST", f"{ME}/password", lambda: {"new": "mallorys long password 9"}),
    "sign out everywhere": change("DELETE", "/v1/sessions"),
}
ROUTES = {Purpose.READS: READS, Purpose.CHANGES: CHANGES}


@asynccontextmanager
async def taken(core: Core, purpose: Purpose) -> AsyncIterator[None]:
    """All connections for this purpose are in use, on every database."""
    async with AsyncExitStack() as stack:
        with using(purpose):
            for name in core.databases.names():
                for _ in range(EACH):
                    await stack.enter_async_context(core.databases[name].snapshot())
        yield


def waiting(core: Core, purpose: Purpose) -> int:
    return sum(core.databases[name].shares.waiting(purpose) for name in core.databases.names())


async def assert_served(api: Api, others: list[Signed]) -> None:
    """Everybody signs up and in, acts and reads, and nobody waits for what is taken."""

    async def live(who: Signed) -> None:
        assert (await api.ask("POST", "/v1/sessions", body={"device": who.device})).status == 201
        assert (await api.act(who)).status == 200
        assert (await api.ask("GET", ME, token=who.token)).status == 200
        await api.sign_up()

    await asyncio.wait_for(asyncio.gather(*map(live, others)), SECONDS)


@pytest.mark.parametrize("purpose", ROUTES, ids=str)
async def test_nobody_waits_for_the_connections_that_one_account_fills(
    node: InProcessNode, api: Api, purpose: Purpose
) -> None:
    others = [await api.sign_up() for _ in range(3)]
    for route, ask in ROUTES[purpose].items():
        hostile = await api.sign_up()
        async with taken(node.core, purpose):
            asking = [asyncio.create_task(ask(api, hostile, others[0])) for _ in range(8)]

            async def waits() -> bool:
                return waiting(node.core, purpose) > 0

            await wait_until(waits, what=f"{route} takes its connections from those for {purpose.value}")
            await assert_served(api, others)
            assert waiting(node.core, purpose) > 0
        answers = await asyncio.gather(*asking)
        assert not [answer for answer in answers if answer.status >= 500], [answer.body for answer in answers]


@pytest.mark.parametrize("route", SHARED_CHANGES)
async def test_nobody_waits_for_one_account_whose_shared_changes_hang(
    node: InProcessNode, api: Api, route: str
) -> None:
    hostile, *others = [await api.sign_up() for _ in range(4)]
    chosen = "rename" if route == "delete itself" else route
    owner = node.core.slots.owner("players", slot_of(int(hostile.id)))
    await write_letters(owner, int(hostile.id), 1)
    async with connected(owner.url) as connection, connection.transaction():
        await connection.execute("select from players where id = $1 for no key update", int(hostile.id))
        await connection.execute("select from inbox where player_id = $1 for update", int(hostile.id))
        asking = [asyncio.create_task(SHARED_CHANGES[route](api, hostile, others[0])) for _ in range(8)]
        await assert_served(api, others)
        for other in others:
            answer = await asyncio.wait_for(SHARED_CHANGES[chosen](api, other, hostile), SECONDS)
            assert answer.status < 300
        assert not any(task.done() for task in asking)
    answers = await asyncio.gather(*asking)
    assert answers[0].status < 300


@pytest.mark.parametrize(
    ("purpose", "ask"), [(Purpose.READS, READS["ledger"]), (Purpose.CHANGES, CHANGES["sign out everywhere"])]
)
async def test_one_account_has_one_of_a_kind_under_way_and_few_that_wait(
    node: InProcessNode, api: Api, purpose: Purpose, ask: Ask
) -> None:
    hostile, other = [await api.sign_up() for _ in range(2)]
    asked = LONGEST_QUEUE + 20
    async with taken(node.core, purpose):
        asking = [asyncio.create_task(ask(api, hostile, other)) for _ in range(asked)]

        async def most_are_refused() -> bool:
            return sum(task.done() for task in asking) >= asked - LONGEST_QUEUE - 1

        await wait_until(most_are_refused, what="what is too much is refused at once")
        database = node.core.slots.owner("players", slot_of(int(hostile.id)))
        assert database.shares.waiting(purpose) <= 1
        assert waiting(node.core, purpose) <= 1
        # Another account is next, whatever this one asks for.
        theirs = asyncio.create_task(ask(api, other, hostile))
    assert (await theirs).status < 300
    codes = Counter(answer.code for answer in await asyncio.gather(*asking))
    assert codes["too_many_changes" if purpose is Purpose.CHANGES else "rate_limited"] >= 1
    assert codes[None] >= 1


async def test_upkeep_that_hangs_holds_up_nobody(node: InProcessNode, api: Api) -> None:
    others = [await api.sign_up() for _ in range(3)]
    async with taken(node.core, Purpose.UPKEEP), taken(node.core, Purpose.PLAY):
        await assert_served(api, others)
        for ask in (READS["ledger"], SHARED_CHANGES["rename"]):
            assert (await asyncio.wait_for(ask(api, others[0], others[1]), SECONDS)).status == 200
