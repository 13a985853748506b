"""The receipt of an erasure is true: it searches what others have, and finds what was left there."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from sqlalchemy import text

from gameserver.config.settings import Settings
from gameserver.storage.accounts import erasure_search
from gameserver.storage.ids import slot_of
from tests.support.client import Api, Signed
from tests.support.deployment import connected, with_rules
from tests.support.everywhere import everywhere
from tests.support.nodes import InProcessNode, start_node
from tests.support.wait import wait_until
from tests.transport.http.test_player_changes import change, inbox

pytestmark = pytest.mark.own_node

RULES = "tests.transport.http.whispers"
NAME = "Zyxwvut Qponm"


@pytest.fixture
async def node(settings: Settings, tmp_path: Path) -> AsyncIterator[InProcessNode]:
    chatty = with_rules(settings, tmp_path, {"whisper": f"{RULES}:whisper"}, {"whispered": f"{RULES}:whispered"})
    async with AsyncExitStack() as stack:
        yield await start_node(stack, chatty)


async def whisper(api: Api, sender: Signed, recipient: Signed, text: str) -> None:
    before = len(await inbox(api, recipient))
    answer = await api.act(sender, "whisper", player=recipient.id, text=text)
    assert answer.status == 200, answer.body

    async def has_arrived() -> bool:
        return len(await inbox(api, recipient)) > before

    await wait_until(has_arrived, what="the letter has arrived")


async def test_what_a_player_wrote_is_erased_from_others_inboxes_ledgers_and_pushes(
    api: Api, node: InProcessNode
) -> None:
    who, other = await api.sign_up("mage", name=NAME), await api.sign_up("mage")
    await api.socket(other.token)  # so that letters are stored for a resume
    await whisper(api, who, other, "I am Zyxwvut Qponm, of Xanadu.")
    assert "xanadu" in (await everywhere(node.core)).lower()
    receipt = await change(api, "POST", who, "/erasure")
    assert (receipt.status, receipt.body["complete"], receipt.body["mentions"]) == (200, True, {}), receipt.body
    assert receipt.body["unsearched"] == []
    left = (await everywhere(node.core)).lower()
    for word in ("xanadu", "zyxwvut"):
        at = left.find(word)
        assert at < 0, left[max(at - 300, 0) : at + 100]
    [letter] = await inbox(api, other)
    assert (letter["kind"], letter["args"]) == ("whispered", {"sender": who.id})


async def test_a_receipt_says_where_others_still_mention_a_name(api: Api) -> None:
    who, other, third = [await api.sign_up("mage", name=name) for name in (NAME, "Zyxwvut Qponmo", "Third One")]
    await whisper(api, other, third, "Have you seen Zyxwvut Qponm?")
    await whisper(api, other, third, "I am Zyxwvut Qponmo.")
    corrected = await change(api, "POST", third, "/corrections", exp=1, reason="asked for Zyxwvut Qponm")
    assert corrected.status == 200, corrected.body
    receipt = (await change(api, "POST", who, "/erasure")).body
    assert receipt["complete"] is True
    # The sender's row of the action, the letter's in the ledger and in the inbox; a part of a longer name isn't one.
    assert receipt["mentions"] == {"audit": 1, "inbox": 1, "ledger": 2}


async def test_a_receipt_isnt_complete_while_a_letter_of_the_player_says_something(
    api: Api, node: InProcessNode
) -> None:
    who, other = await api.sign_up("mage", name=NAME), await api.sign_up("mage")
    await whisper(api, who, other, "Forgotten by the ledger of its sender.")
    owner = node.core.slots.owner("players", slot_of(int(who.id)))
    async with connected(owner.url) as connection:  # as after the ledger's retention
        await connection.execute("delete from ledger where player_id = $1 and action = 'whisper'", int(who.id))
    receipt = (await change(api, "POST", who, "/erasure")).body
    assert receipt["complete"] is False
    assert receipt["left"]["letters"] > 0


async def test_a_store_that_cant_be_searched_in_time_is_named(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    who = await api.sign_up("mage")
    cancelled = "select cast(pg_cancel_backend(pg_backend_pid()) as int) from pg_sleep(0) where cast(:id as bigint) > 0"
    monkeypatch.setitem(erasure_search.SQL, "letters_inbox", text(cancelled))
    receipt = (await change(api, "POST", who, "/erasure")).body
    assert (receipt["complete"], receipt["unsearched"]) == (True, ["one: inbox", "two: inbox"])
