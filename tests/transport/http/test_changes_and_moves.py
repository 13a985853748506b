"""Operators change players while their slots move and while all play: nothing is lost, doubled or left."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from itertools import count

import pytest

from gameserver.app import Core
from gameserver.commands import sharding
from gameserver.storage.ids import slot_of
from tests.storage.sharding import moving
from tests.support.client import Api, Signed, command_id
from tests.support.deployment import assert_ledger_explains, owner
from tests.support.everywhere import everywhere
from tests.support.nodes import InProcessNode
from tests.support.wait import wait_until
from tests.transport.http.test_corrections import assert_boards_agree, done, items, me, place, placed, slain
from tests.transport.http.test_corrections import node as node_with_boards
from tests.transport.http.test_player_changes import change

node = node_with_boards


@pytest.fixture(autouse=True)
async def _no_move_is_left_open(node: InProcessNode) -> AsyncIterator[None]:
    """A subscription would keep the test's database from being dropped."""
    yield
    for move in await node.core.sharding.moves.unfinished():
        await node.core.sharding.moves.cancel(move.id)
        await moving.lapse(node.core.sharding, node.core.databases["one"].url)
        await sharding.carry_out(node.core.sharding, [move.id], lambda _: None)


async def sign_up_on(api: Api, core: Core, database: str, class_name: str = "warrior") -> Signed:
    while True:
        who = await api.sign_up(class_name)
        if owner(core, int(who.id)) == database:
            return who


async def move_to(core: Core, players: Sequence[Signed], target: str) -> None:
    await moving.move(core, sorted({slot_of(int(who.id)) for who in players}), target)


@contextlib.asynccontextmanager
async def playing(api: Api, players: Sequence[Signed]) -> AsyncIterator[None]:
    """Each hunts, and is revived when it is down, while the block runs."""
    stop = asyncio.Event()

    async def play(who: Signed) -> None:
        while not stop.is_set():
            answer = await api.act(who)
            if answer.code == "player_is_down":
                answer = await api.act(who, "revive")
            assert answer.status == 200, answer.body

    tasks = [asyncio.create_task(play(who)) for who in players]
    try:
        yield
    finally:
        stop.set()
        await asyncio.gather(*tasks)


async def test_corrections_during_moves_take_effect_once(api: Api, node: InProcessNode) -> None:
    core = node.core
    who, actor = await sign_up_on(api, core, "one"), await sign_up_on(api, core, "one")
    moves = asyncio.create_task(_there_and_back(core, [who, actor]))
    herbs = 0
    async with playing(api, [actor]):
        for number in count(1):
            await done(api, who, "corrections", exp=number, items={"herb": 2})
            undone = await done(api, who, "corrections", exp=number + 1_000_000)
            await done(api, who, "undo", command_id=undone["command_id"])
            letter = await change(api, "POST", who, "/mail", key=command_id(), text="Moved?", items={"potion": 1})
            assert letter.status == 200, letter.body
            herbs += 2
            if moves.done():
                break
    await moves
    assert (await me(api, who))["exp"] == number
    assert await items(api, who) == {"herb": herbs, "potion": min(number, 99)}
    for each in (who, actor):
        await assert_ledger_explains(core, int(each.id))
    assert number > 1, "nothing was corrected while slots moved"
    await moving.assert_settled(core)
    await assert_boards_agree(node)


async def _there_and_back(core: Core, players: Sequence[Signed]) -> None:
    for target in ("two", "one"):
        await move_to(core, players, target)


FENCED = "when it is fenced"
"""The step at which an erasure has to wait; the others are tried by `make soak`."""


@pytest.mark.parametrize(
    "step", [pytest.param(step, marks=[] if step == FENCED else pytest.mark.soak) for step in moving.STEPS]
)
async def test_a_player_that_is_erased_while_its_slot_moves_is_nowhere(
    api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    core = node.core
    who, other = await sign_up_on(api, core, "one", "priest"), await sign_up_on(api, core, "one", "mage")
    renamed = await change(api, "POST", who, "/name", name="Zyxwvut Qponm")
    assert renamed.status == 200, renamed.body
    await change(api, "POST", other, "/corrections", hp=1)
    await api.act(who, "heal_other", player=other.id)
    await change(api, "POST", who, "/notes", text="The brother of Zyxwvut.")
    assert "zyxwvut" in (await everywhere(core)).lower()

    async def erase() -> None:
        key = command_id()

        async def is_complete() -> bool:  # a letter on its way, or a slot that is fenced, answers 503
            answer = await change(api, "POST", who, "/erasure", key=key)
            return answer.status == 200 and bool(answer.body["complete"])

        await wait_until(is_complete, seconds=60, what="the player is erased")

    dealt = moving.strike(monkeypatch, step, erase)
    await move_to(core, [who, other], "two")
    assert len(dealt) == 1, "the player was erased while its slot moved"
    await dealt[0]
    await moving.assert_settled(core)
    left = (await everywhere(core)).lower()
    at = left.find("zyxwvut")
    assert at < 0, left[max(at - 300, 0) : at + 100]
    assert (await api.admin(f"players/{who.id}")).code == "player_not_found"
    entries = (await api.admin(f"players/{other.id}/ledger")).body["entries"]
    assert [entry["version"] for entry in entries] == list(range(len(entries), 0, -1))
    assert (await me(api, other))["hp"] == entries[0]["player"]["hp"]


async def test_a_rollback_under_load_and_its_undoing_leave_the_boards_right(api: Api, node: InProcessNode) -> None:
    others = [await api.sign_up("mage") for _ in range(6)]
    who = await api.sign_up("warrior")
    async with playing(api, others):
        await slain(api, who)
        then, had = await me(api, who), await items(api, who)
        moment = (await api.ask("GET", "/v1/players/me/ledger?limit=1", token=who.token)).body["entries"][0]["at"]
        await slain(api, who)
        for _ in range(5):
            await api.act(who, "rest")
        later, has = await me(api, who), await items(api, who)
        await placed(api, "dragons", who, (1, 2))

        back = await done(api, who, "rollback", to=moment.replace("Z", "999Z"))
        assert (await me(api, who), await items(api, who)) == (then, had)
        await placed(api, "dragons", who, (1, 1))
        await placed(api, "warrior", who, (1, then["exp"]))
        await done(api, who, "undo", command_id=back["command_id"])
        assert (await me(api, who), await items(api, who)) == (later, has)
        await placed(api, "dragons", who, (1, 2))
        await placed(api, "warrior", who, (1, later["exp"]))
    await assert_boards_agree(node)
    for each in (who, *others):
        await assert_ledger_explains(node.core, int(each.id))
    assert await place(api, "dragons", others[0]) is None
