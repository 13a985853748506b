"""What rules remember of a player lies in its row and its ledger, moves with it, and is shown to no player."""

import re
from collections.abc import AsyncIterator

import orjson
import pytest

from gameserver.app import Core
from gameserver.config.settings import Settings
from gameserver.rules.errors import Refused
from gameserver.rules.player import Player
from gameserver.storage.sharding.move import SlotStep
from tests.storage.sharding import moving
from tests.support.client import command_id
from tests.support.deployment import (
    act,
    assert_ledger_explains,
    carrying,
    connected,
    drained,
    enlist,
    ledger,
    order,
    owner,
    settled,
    stored_data,
    widely_limited,
    working,
)
from tests.support.servers import GAME

SPOIL = """
create function spoil() returns trigger language plpgsql as $$ begin new.data = '{"duel":1}'; return new; end $$;
create trigger spoil before insert on players for each row execute function spoil();
alter table players enable always trigger spoil
"""


@pytest.fixture
async def strict(settings: Settings) -> AsyncIterator[Core]:
    """A node of the example game with all its limits."""
    async with working(widely_limited(settings).model_copy(update={"game": GAME})) as opened:
        yield opened


async def duelled(core: Core) -> tuple[Player, Player, str]:
    """Two players on one database of whom the first has challenged the second, and the command's id."""
    one, two = [await enlist(core, database="one") for _ in range(2)]
    key = command_id()
    await act(core, one.id, "duel", key, player=str(two.id))
    return one, two, key


async def test_a_cool_down_is_in_the_row_and_the_ledger_and_refuses_the_next_command(strict: Core) -> None:
    one, two, key = await duelled(strict)
    with pytest.raises(Refused) as refused:
        await act(strict, one.id, "duel", player=str(two.id))
    assert (refused.value.code, set(refused.value.extra)) == ("cooling_down", {"retry_after"})
    assert (await act(strict, one.id, "duel", key, player=str(two.id))).replayed
    _, duel = await assert_ledger_explains(strict, one.id)
    in_row = orjson.loads(await stored_data(strict, one.id) or "{}")
    assert orjson.loads(duel["outcome"])["data"] == in_row
    assert set(in_row) == {"duel", f"duel:{two.id}"}
    assert await stored_data(strict, two.id) is None


async def test_commands_of_one_batch_see_each_others_data(strict: Core) -> None:
    one, two, _ = await duelled(strict)
    others = [await enlist(strict) for _ in range(5)]
    commands = [order(strict, two.id, "duel", player=str(other.id)) for other in (one, *others)]
    answers = await settled(strict, commands)
    assert sorted(getattr(answer, "code", "sent") for answer in answers) == ["cooling_down"] * 5 + ["sent"]
    assert len(await assert_ledger_explains(strict, two.id)) == 2


async def test_a_command_that_leaves_the_data_alone_says_nothing_of_it(strict: Core) -> None:
    one, _, _ = await duelled(strict)
    before = await stored_data(strict, one.id)
    await act(strict, one.id, "hunt", foe="slime")
    last = (await ledger(strict, one.id))[-1]
    assert "data" not in orjson.loads(last["outcome"])
    assert await stored_data(strict, one.id) == before


async def test_letters_change_their_recipients_data(strict: Core) -> None:
    one, two, _ = await duelled(strict)
    async with carrying(strict):
        await drained(strict)
    kept = [set(orjson.loads(await stored_data(strict, player.id) or "{}")) for player in (one, two)]
    assert ("duel_exp" in kept[0]) is (kept[1] == {"protected"})
    assert ("duel_exp" in kept[0]) is not ("duel_exp" in kept[1])
    for player in (one, two):
        await assert_ledger_explains(strict, player.id)


async def test_the_data_moves_with_its_player(strict: Core) -> None:
    one, two, _ = await duelled(strict)
    before = await stored_data(strict, one.id)
    moved = await moving.move(strict, moving.slot_with([one]), "two")
    assert {slot.step for slot in moved.slots} == {SlotStep.MOVED}
    assert owner(strict, one.id) == "two"
    assert await stored_data(strict, one.id) == before is not None
    with pytest.raises(Refused, match="again in"):
        await act(strict, one.id, "duel", player=str(two.id))


async def test_a_slot_whose_data_differs_is_not_flipped(strict: Core) -> None:
    one, _, _ = await duelled(strict)
    async with connected(strict.databases["two"].url) as target:
        await target.execute(SPOIL)
    ended = await moving.move(strict, moving.slot_with([one]), "two")
    assert ended.problem is not None
    # The other player's slot may be the same.
    assert re.search(r"players: (\d) rows on the source, \1 on the target, whose contents differ", ended.problem)
    assert owner(strict, one.id) == "one"
