"""A database that is silent, or slow, slows only its own players: nothing that the others need waits for it."""

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from itertools import count
from typing import Any, NamedTuple

import pytest
from pydantic import SecretStr

from gameserver.commands.accounts import Application
from gameserver.commands.drafts import draft_of
from gameserver.config.servers import DatabaseSettings
from gameserver.config.settings import Settings
from gameserver.rules.errors import DatabaseUnavailable
from gameserver.storage.accounts.claims import Key, KeyKind
from gameserver.storage.ids import slot_of, slot_of_key
from gameserver.storage.sessions import endings
from gameserver.storage.sessions.revocations import STREAM
from gameserver.upkeep import loops
from tests.support.client import Api, Signed, Socket, command_id
from tests.support.devices import device_of
from tests.support.freezing import frozen
from tests.support.nodes import InProcessNode, start_node
from tests.support.servers import SLOTS, Servers
from tests.support.uniqueness import let_pass
from tests.support.wait import wait_until
from tests.support.wires import wire_to
from tests.transport.doors import closing_of

ME = "/v1/players/me"
OTHER = {"one": "two", "two": "one"}
SECONDS = 15.0
"""Less than a second on a machine that has nothing else to do; what waited for the silent database would fail."""
_numbers = count(1)


class Placed(NamedTuple):
    """A node, and players each of whose rows and claims are on one database: `there` on that which will be silent."""

    node: InProcessNode
    api: Api
    here: list[Signed]
    there: list[Signed]
    silent: str = "two"

    @property
    def database(self) -> str:
        """That of those who are here."""
        return OTHER[self.silent]


async def sign_up_on(node: InProcessNode, api: Api, database: str) -> Signed:
    """A sign-up whose player and whose keys all lie on this database."""
    for number in _numbers:
        name, device, key = f"Placed {number}", device_of(f"placed {number}"), command_id()
        draft = draft_of(node.core.commands.accounts, Application(name, "warrior", device=device), key, 0)
        keys = [Key.parse(text) for text in draft.keys]
        owners = {node.core.slots.owner("accounts", slot_of_key(each.kind, each.text, SLOTS)).name for each in keys}
        if owners | {node.core.slots.owner("players", slot_of(draft.player.id)).name} == {database}:
            body = {"name": name, "class": "warrior", "device": device}
            made = await api.ask("POST", "/v1/players", body=body, key=key)
            assert made.status == 201, made.body
            return Signed(made.body["player"]["id"], name, device, made.body["session"]["token"])
    raise AssertionError


@pytest.fixture
async def placed(request: pytest.FixtureRequest, node: InProcessNode, api: Api) -> Placed:
    silent = getattr(request, "param", "two")
    here = [await sign_up_on(node, api, OTHER[silent]) for _ in range(3)]
    there = [await sign_up_on(node, api, silent) for _ in range(3)]

    async def is_live() -> bool:
        return (await api.ask("GET", f"/v1/boards/exp/ranks/{there[-1].id}")).status == 200

    # A board that isn't live yet needs all databases for it; what is tested is that a live one goes on.
    await wait_until(is_live, SECONDS, "the board is live")
    return Placed(node, api, here, there, silent)


async def push_of(socket: Socket, kind: str) -> dict[str, Any]:
    """The next push of a kind."""
    while True:
        frame: dict[str, Any] = await socket.connection.receive_json(timeout=SECONDS)
        if frame.get("push") == kind:
            return frame


async def assert_goes_on(placed: Placed) -> None:
    """Players who are here sign up and in, act, read, send letters, and are ranked."""
    api, (ann, bea, _) = placed.api, placed.here

    async def live(who: Signed) -> None:
        assert (await api.ask("POST", "/v1/sessions", body={"device": who.device})).status == 201
        assert (await api.act(who)).status in (200, 409)
        for path in (ME, f"{ME}/ledger", f"{ME}/inbox", f"{ME}/items", f"{ME}/devices"):
            assert (await api.ask("GET", path, token=who.token)).status == 200, path

    async def letter_arrives() -> bool:
        inbox = await api.ask("GET", f"{ME}/inbox", token=bea.token)
        return bool(inbox.body["entries"])

    async def is_ranked() -> bool:
        rank = await api.ask("GET", f"/v1/boards/exp/ranks/{ann.id}")
        me = await api.ask("GET", ME, token=ann.token)
        return rank.status == 200 and rank.body["entry"]["score"] == me.body["exp"]

    async with asyncio.timeout(SECONDS):
        await asyncio.gather(*map(live, placed.here), sign_up_on(placed.node, api, placed.database))
        assert (await api.act(ann, "duel", player=bea.id)).status == 200
        await wait_until(letter_arrives, SECONDS, "a letter arrives")
        await wait_until(is_ranked, SECONDS, "the board follows")


async def burden(placed: Placed) -> None:
    """Players who are there ask for everything, again and again."""

    async def ask(who: Signed) -> None:
        api, signing_in = placed.api, {"device": who.device}
        while True:
            await asyncio.gather(
                api.act(who),
                api.ask("POST", "/v1/sessions", body=signing_in),
                api.ask("POST", f"{ME}/name", body={"name": f"Nobody {next(_numbers)}"}, token=who.token),
                *(api.ask("GET", f"{ME}/{what}", token=who.token) for what in ("", "ledger", "inbox", "friends")),
                return_exceptions=True,
            )

    await asyncio.gather(*map(ask, placed.there))


@pytest.mark.parametrize("placed", ["two", "one"], ids=["another", "the control database"], indirect=True)
async def test_players_of_the_others_go_on_while_a_database_is_silent(servers: Servers, placed: Placed) -> None:
    burdening = asyncio.create_task(burden(placed))
    with frozen(servers.postgres[placed.silent]):
        await asyncio.sleep(0.2)
        await assert_goes_on(placed)
        assert (await placed.api.ask("GET", "/ready")).status == 200
        await assert_goes_on(placed)
        burdening.cancel()


async def test_players_of_the_others_are_pushed_what_changes_while_a_database_is_silent(
    servers: Servers, placed: Placed
) -> None:
    api, redis = placed.api, placed.node.core.redis
    here, there = [await api.socket(who.token) for who in (placed.here[0], placed.there[0])]
    with frozen(servers.postgres["two"]):
        # After a gap the node reads every connected player again, also those that can't be read.
        await redis.commands.client_kill_filter(_type="pubsub")
        for _ in range(3):
            acted = await api.act(placed.here[0])
            assert (await push_of(here, "player"))["data"]["version"] >= acted.body["player"]["version"]
    acted = await api.act(placed.there[0])
    while (await push_of(there, "player"))["data"]["version"] < acted.body["player"]["version"]:
        pass


async def test_sessions_of_the_others_end_while_a_database_is_silent(
    servers: Servers, placed: Placed, monkeypatch: pytest.MonkeyPatch
) -> None:
    api, core = placed.api, placed.node.core
    ends, stays = [await api.socket(who.token) for who in (placed.here[0], placed.there[0])]
    with frozen(servers.postgres["two"]):
        # Nobody hears of this end, and all revocations are lost: held sessions have to be checked again.
        await core.rooms.accounts.credentials.raise_session_epoch(int(placed.here[0].id))
        await core.redis.commands.delete(STREAM)
        async with asyncio.timeout(SECONDS):
            assert (await closing_of(ends.connection))[1] == 4409
        # And revocations are heard of as ever.
        token = placed.here[1].token
        await api.ask("DELETE", "/v1/sessions/current", token=token)

        async def is_over() -> bool:
            return (await api.ask("GET", ME, token=token)).status == 401

        await wait_until(is_over, SECONDS, "a revocation is heard of")
        current = core.rooms.sessions._memory._current
        await asyncio.sleep(4 * endings.READ_SECONDS)
        assert core.rooms.sessions._memory._current > current, "nobody reads the revocations"
    assert "ok" in await stays.ask("read")


async def test_claims_of_the_others_are_swept_while_a_database_is_silent(servers: Servers, placed: Placed) -> None:
    core = placed.node.core
    claims, accounts = core.rooms.accounts.claims, core.commands.accounts
    texts = (f"left behind {number}" for number in count())
    keys = [
        key
        for key in (Key(KeyKind.NAME, text) for text, _ in zip(texts, range(200), strict=False))
        if core.slots.owner("accounts", slot_of_key(key.kind, key.text, SLOTS)).name == "one"
    ][:12]
    # Older claims of players whose database will be silent, and one of a player of the other.
    for key in keys[1:]:
        await claims.reserve([key], int(placed.there[0].id), command_id())
    await claims.reserve([keys[0]], int(placed.here[0].id), command_id())
    await let_pass(core)
    with frozen(servers.postgres["two"]):
        sweeping = asyncio.create_task(loops.sweep(accounts))

        async def is_free() -> bool:
            return await claims.find(keys[0]) is None

        await wait_until(is_free, SECONDS, "the claim is freed")
        assert await asyncio.wait_for(sweeping, 2 * SECONDS) <= 1
    assert await claims.find(keys[1]) is not None


async def test_upkeep_of_the_others_is_done_while_a_database_is_silent(servers: Servers, placed: Placed) -> None:
    core, api = placed.node.core, placed.api
    ann, bea, _ = placed.here
    assert (await api.act(ann, "duel", player=bea.id)).status == 200

    async def inbox() -> list[Any]:
        return list((await api.ask("GET", f"{ME}/inbox", token=bea.token)).body["entries"])

    await wait_until(inbox, SECONDS, "a letter arrives")
    databases = [core.databases["two"], core.databases["one"]]
    later = core.commands.accounts.policy.now() + timedelta(days=60)
    with frozen(servers.postgres["two"]):
        forgetting = asyncio.create_task(loops.forget_old_mail(later, databases, keep=0))

        async def is_forgotten() -> bool:
            return not await inbox()

        await wait_until(is_forgotten, SECONDS, "old mail is deleted")
        with pytest.raises(DatabaseUnavailable):
            await forgetting


@pytest.fixture
async def slow(settings: Settings) -> AsyncIterator[Placed]:
    """Every answer of `two` takes 50 ms more."""
    async with wire_to(settings.database_url("two").get_secret_value()) as wire, AsyncExitStack() as stack:
        wire.open()
        two = DatabaseSettings(url=SecretStr(wire.url), allow_unsafe=True)
        slowed = settings.model_copy(update={"databases": {**settings.databases, "two": two}})
        node = await start_node(stack, slowed)
        api = await stack.enter_async_context(Api(node.url))
        placed = Placed(
            node,
            api,
            [await sign_up_on(node, api, "one") for _ in range(3)],
            [await sign_up_on(node, api, "two") for _ in range(3)],
        )
        wire.delay = 0.05
        yield placed


async def test_players_of_the_others_are_as_fast_as_ever_while_a_database_is_slow(slow: Placed) -> None:
    async def seconds(who: Signed) -> float:
        began = time.monotonic()
        assert (await slow.api.act(who)).status in (200, 409)
        return time.monotonic() - began

    there = statistics.median([await seconds(slow.there[0]) for _ in range(5)])
    burdening = asyncio.create_task(burden(slow))
    await asyncio.sleep(0.2)
    here = statistics.median([await seconds(slow.here[0]) for _ in range(40)])
    await assert_goes_on(slow)
    burdening.cancel()
    assert there > 0.15, "three round trips"
    assert here < there / 2
