"""While a database is known to be away, no door says that something may have taken effect: nothing can have."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping
from contextlib import AsyncExitStack
from functools import partial
from itertools import count
from typing import NamedTuple, TypeVar

import pytest
from pydantic import SecretStr

from gameserver.commands.keys import device_key, name_keys
from gameserver.config.servers import DatabaseSettings
from gameserver.config.settings import Settings
from gameserver.stack.processes.ports import free_port
from gameserver.storage.accounts.claims import Key
from gameserver.storage.ids import slot_of
from tests.support.client import ADMIN_KEY, Answer, Api, Signed, command_id
from tests.support.devices import device_of
from tests.support.nodes import InProcessNode, start_node
from tests.support.wait import wait_until
from tests.support.wires import Wire, wire_to

REASON = {"reason": "tried in an outage"}
NUMBERS = count()
BECAUSE = "?reason=tried+in+an+outage"
T = TypeVar("T")
PASSWORD = "a-good-enough-passphrase"


class Played(NamedTuple):
    """A node whose way to one database is the wire."""

    node: InProcessNode
    api: Api
    wire: Wire


async def started(stack: AsyncExitStack, settings: Settings, name: str) -> Played:
    wire = await stack.enter_async_context(wire_to(settings.database_url(name).get_secret_value()))
    wire.open()
    behind = {**settings.databases, name: DatabaseSettings(url=SecretStr(wire.url), allow_unsafe=True)}
    port = settings.node.model_copy(update={"port": free_port()})
    node = await start_node(stack, settings.model_copy(update={"databases": behind, "node": port}))
    return Played(node, await stack.enter_async_context(Api(node.url)), wire)


@pytest.fixture
async def players_away(settings: Settings) -> AsyncIterator[Played]:
    async with AsyncExitStack() as stack:
        yield await started(stack, settings, "two")


@pytest.fixture
async def control_away(settings: Settings) -> AsyncIterator[Played]:
    async with AsyncExitStack() as stack:
        yield await started(stack, settings, "one")


async def player_on(played: Played, database: str, **more: str) -> Signed:
    number, key = next(NUMBERS), key_of(played, database)
    body = {"name": f"Player on {number}", "class": "mage", "device": device_of(f"player {number}"), **more}
    made = await played.api.ask("POST", "/v1/players", body=body, key=key)
    assert made.status == 201, made.body
    return Signed(made.body["player"]["id"], body["name"], body["device"], made.body["session"]["token"])


def key_of(played: Played, database: str) -> str:
    """The command id of a sign-up whose player belongs into a database."""
    while True:
        player_id = played.node.core.rooms.accounts.enrolments.id_of(key := command_id(), 0)
        if played.node.core.slots.owner("players", slot_of(player_id)).name == database:
            return key


class SignUp(NamedTuple):
    body: dict[str, str]
    key: str


def sign_up_over(played: Played, player: str, claims: str, **more: str) -> SignUp:
    """One whose player would be in the one database, and all of whose claims in the other."""
    accounts = played.node.core.rooms.accounts

    def are_there(keys: Iterable[Key]) -> bool:
        return {accounts.claims.database_of(key) for key in keys} == {claims}

    name = next(each for number in NUMBERS if are_there(name_keys(each := f"Outaged {number}")))
    device = next(each for number in NUMBERS if are_there([device_key(each := device_of(f"outaged {number}"))]))
    return SignUp({"name": name, "class": "mage", "device": device, **more}, key_of(played, player))


def assert_nothing_was_done(answers: dict[str, Answer]) -> None:
    told = {what: (answer.status, answer.code, "Retry-After" in answer.headers) for what, answer in answers.items()}
    assert {what: each for what, each in told.items() if each != (503, "database_unavailable", True)} == {}


async def read_me(api: Api, who: Signed) -> Answer:
    return await api.ask("GET", "/v1/players/me", token=who.token)


async def all_of(asked: Mapping[str, Awaitable[T]]) -> dict[str, T]:
    return dict(zip(asked, await asyncio.gather(*asked.values()), strict=True))


async def answered(ask: Callable[[], Awaitable[Answer]]) -> Answer:
    """The answer once the database is used again."""
    answers: list[Answer] = []

    async def has_come() -> bool:
        answers.append(await ask())
        return answers[-1].status != 503

    await wait_until(has_come, 60, "the database is used again")
    return answers[-1]


OUTAGES: list[Callable[[Wire], None]] = [Wire.silence, Wire.refuse]


@pytest.mark.family(1)
@pytest.mark.timeout(300)
@pytest.mark.parametrize("outage", OUTAGES, ids=["silent", "refusing"])
async def test_what_a_player_asks_of_a_database_that_is_away_is_answered_as_not_done(
    players_away: Played, outage: Callable[[Wire], None]
) -> None:
    played, api = players_away, players_away.api
    here, sign_ups = await player_on(played, "one"), [
        sign_up_over(played, "two", "one"),
        sign_up_over(played, "two", "one", password=PASSWORD),
        sign_up_over(played, "one", "two"),
        sign_up_over(played, "one", "two", password=PASSWORD),
    ]  # fmt: skip
    doors = {
        "rename": ("POST", "me/name", {"name": "Another Name"}),
        "password": ("POST", "me/password", {"old": PASSWORD, "new": "another-good-passphrase"}),
        "new device": ("POST", "me/devices", {"device": device_of("another device")}),
        "befriend": ("PUT", f"me/friends/{here.id}", None),
        "unfriend": ("DELETE", f"me/friends/{here.id}", None),
        "block": ("PUT", f"me/blocks/{here.id}", None),
        "unblock": ("DELETE", f"me/blocks/{here.id}", None),
        "hunt": ("POST", "me/actions", {"action": "hunt", "args": {"foe": "slime"}}),
        "use": ("POST", "me/actions", {"action": "use", "args": {"item": "potion"}}),
        "forget": ("DELETE", "me/inbox", None),
        "delete": ("DELETE", "me", None),
    }
    others = ("socket", "sessions", "ban", "lift", "correct")
    signing_up = {what: player_on(played, "two") for what in (*doors, *others) if what != "password"}
    who = await all_of({**signing_up, "password": player_on(played, "two", password=PASSWORD)})
    socket = await api.socket(who["socket"].token)
    before = await all_of({what: answered(partial(read_me, api, each)) for what, each in who.items()})
    outage(played.wire)

    def asked(admin: bool, what: str, method: str, path: str, body: object = None) -> Awaitable[Answer]:
        token = ADMIN_KEY if admin else who[what].token
        return api.ask(method, path, token=token, body=body)

    assert_nothing_was_done(
        await all_of(
            {
                **{
                    f"sign-up {number}": api.ask("POST", "/v1/players", body=each.body, key=each.key)
                    for number, each in enumerate(sign_ups)
                },
                **{
                    what: asked(False, what, door[0], f"/v1/players/{door[1]}", door[2]) for what, door in doors.items()
                },
                "sessions": asked(False, "sessions", "DELETE", "/v1/sessions"),
                "ban": asked(True, "ban", "POST", f"/admin/v1/players/{who['ban'].id}/ban", REASON),
                "lift": asked(True, "lift", "DELETE", f"/admin/v1/players/{who['lift'].id}/ban{BECAUSE}"),
                "correct": asked(
                    True,
                    "correct",
                    "POST",
                    f"/admin/v1/players/{who['correct'].id}/corrections",
                    {**REASON, "exp": 5},
                ),
            }
        )
    )
    told = await socket.ask("act", action="hunt", args={"foe": "slime"})
    assert (told["error"]["code"], told["error"]["retry_after"]) == ("database_unavailable", 1)
    # Nothing was done indeed, and what is sent again under its command id is done then.
    await played.wire.serve_again()
    after = await all_of({what: answered(partial(read_me, api, each)) for what, each in who.items()})
    assert {what: me.body for what, me in after.items()} == {what: me.body for what, me in before.items()}
    sent = {
        str(number): answered(partial(api.ask, "POST", "/v1/players", body=each.body, key=each.key))
        for number, each in enumerate(sign_ups)
    }
    made = (await all_of(sent)).values()
    assert [(each.status, each.body.get("replayed")) for each in made] == [(201, False)] * len(sign_ups)


async def test_what_an_operator_asks_of_a_control_database_that_is_away_is_answered_as_not_done(
    control_away: Played,
) -> None:
    api, there = control_away.api, await player_on(control_away, "two")
    control_away.wire.silence()
    path = f"/admin/v1/players/{there.id}"
    doors = {
        "ban": ("POST", f"{path}/ban", REASON),
        "rename": ("POST", f"{path}/name", {**REASON, "name": "Another Name"}),
        "correct": ("POST", f"{path}/corrections", {**REASON, "exp": 5}),
        "sessions": ("DELETE", f"{path}/sessions{BECAUSE}", None),
        "letter": ("POST", f"{path}/mail", {**REASON, "text": "We are sorry."}),
        "delete": ("DELETE", f"{path}{BECAUSE}", None),
        "notice": ("POST", "/admin/v1/notices", {**REASON, "text": "Maintenance at noon."}),
        "query": ("POST", "/admin/v1/queries/mages", {**REASON, "query": {"class": "mage"}}),
    }
    asked = {what: api.ask(method, at, token=ADMIN_KEY, body=body) for what, (method, at, body) in doors.items()}
    assert_nothing_was_done(await all_of(asked))
    assert (await api.ask("GET", "/v1/players/me", token=there.token)).body["name"] == there.name
