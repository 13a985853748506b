"""The receipt of an erasure is true: it searches what others have, and finds what was left there."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

import pytest
from sqlalchemy import JSON, String, Table, text
from sqlalchemy.sql.visitors import iterate

from gameserver.commands import erasure, export_places
from gameserver.config.settings import Settings
from gameserver.rules.errors import Unavailable
from gameserver.rules.seasons import Season
from gameserver.storage import tables
from gameserver.storage.accounts import erasure_search
from gameserver.storage.accounts.erasure import Erasure, Traces
from gameserver.storage.ids import slot_of
from gameserver.storage.operators import audit, reports
from gameserver.storage.operators.mentions import TEXTS
from gameserver.storage.postgres.database import QUERY_SECONDS
from gameserver.storage.seasons.records import SeasonRecords
from tests.support.client import ADMIN_KEY, Api, Signed, command_id
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
    chatty = with_rules(
        settings,
        tmp_path,
        {name: f"{RULES}:{name}" for name in ("whisper", "remember")},
        {"whispered": f"{RULES}:whispered"},
    )
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


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("철수", "철수가 왔다."),
        ("Zyxwvut", "zYXWVUT가 왔다."),
        ("ÉMILIE", "émilie!"),
        ("太郎", "山田太郎さん"),
        ("ด๋าริน", "คุณด๋ารินมา"),
    ],
)
async def test_a_name_is_found_as_its_script_writes_words(
    api: Api, node: InProcessNode, name: str, written: str
) -> None:
    who, other, third = await api.sign_up("mage", name=name), await api.sign_up("mage"), await api.sign_up("mage")
    await whisper(api, other, third, written)
    assert (await api.act(other, "remember", text=written)).status == 200
    async with connected(node.core.slots.owner("players", slot_of(int(other.id))).url) as connection:
        await connection.execute(
            "insert into outbox (slot, player_id, command_id, number, kind, recipient, payload, at)"
            " values ($1, $2, $3, 0, 'mail:of_another_game', $2, json_build_object('text', $4::text), now())",
            slot_of(int(other.id)), int(other.id), command_id(), written,
        )  # fmt: skip
        receipt = (await change(api, "POST", who, "/erasure")).body
        await connection.execute("delete from outbox")
    assert receipt["mentions"] == {"inbox": 1, "ledger": 3, "outbox": 1, "players": 1}


async def test_a_receipt_says_what_operators_have_written_of_a_name(api: Api) -> None:
    who, other = await api.sign_up("mage", name=NAME), await api.sign_up("mage")
    written = f"insulted by {NAME.lower()}가"  # names are written in small letters, and with particles
    for method, what, body in (
        ("POST", f"players/{other.id}/notes", {"text": written}),
        ("POST", f"queries/{quote(NAME)}", {"reason": "x", "query": {}}),
        (
            "POST",
            "campaigns",
            {"filter": {"class": "mage"}, "text": written, "items": {}, "expected_count": 2, "reason": "x"},
        ),
        ("POST", f"players/{other.id}/ban", {"reason": "boosted", "said": f"You traded with {NAME}."}),
    ):
        answer = await api.ask(method, f"/admin/v1/{what}", token=ADMIN_KEY, key=command_id(), body=body)
        assert answer.status < 300, (what, answer.body)
    mentions = (await change(api, "POST", who, "/erasure")).body["mentions"]
    assert {store: mentions.get(store) for store in ("notes", "bans", "campaigns", "saved_queries")} == {
        "notes": 1, "bans": 1, "campaigns": 1, "saved_queries": 1
    }  # fmt: skip


def test_every_text_of_operators_is_searched() -> None:
    """A column of the control database that people write texts into is one of these."""
    others = {
        "admin_keys", "admin_sessions", "control_identity", "control_lineage", "databases", "game_names", "members",
        "move_slots", "moves", "primaries", "rulebooks", "season_standings", "seasons", "slots",
    }  # fmt: skip
    held = {
        table.name
        for table in tables.METADATA["control"].sorted_tables
        if any(isinstance(column.type, String | JSON) for column in table.columns)
    }
    searched = {table.name for rows, _ in TEXTS.values() for table in iterate(rows) if isinstance(table, Table)}
    assert held - others == searched


async def test_a_receipt_isnt_complete_while_a_letter_of_the_player_says_something(
    api: Api, node: InProcessNode
) -> None:
    who, other = await api.sign_up("mage", name=NAME), await api.sign_up("mage")
    await whisper(api, who, other, "Copied while its slot moves.")
    slot = slot_of(int(other.id))
    owner = node.core.slots.owner("players", slot)
    target = next(database for database in node.core.slots.members("players") if database is not owner)
    async with connected(owner.url) as source, connected(target.url) as copy:
        row = await source.fetchrow("select * from inbox where player_id = $1", int(other.id))
        assert row is not None
        await copy.copy_records_to_table("inbox", records=[tuple(row)], columns=list(row.keys()))
        receipt = (await change(api, "POST", who, "/erasure")).body
        assert (receipt["complete"], receipt["left"]["letters"]) == (False, 1)
        await copy.execute("delete from inbox where slot = $1", slot)
    assert (await change(api, "POST", who, "/erasure")).body["complete"] is True


async def test_nothing_is_erased_while_a_season_is_being_counted(
    api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    who, other = await api.sign_up("mage", name=NAME), await api.sign_up("mage")
    await whisper(api, other, who, f"I am not {NAME}.")
    records, boards = node.core.rooms.seasons.records, node.core.rooms.seasons.calendar.boards()
    board = replace(boards[0], name="forgotten")  # of one that the game had, nothing is built in Redis

    async def store(*_: object) -> int:
        raise Unavailable

    with monkeypatch.context() as faulty:
        faulty.setattr(SeasonRecords, "store", store)
        await records.begin(board, Season(0, 1))
        await records.step(board.name, 0, "running", "ended")
        refused = await change(api, "POST", who, "/erasure")
        assert (refused.status, refused.headers.get("Retry-After")) == (503, "5"), refused.body

    async def is_counted() -> bool:
        return not await records.are_being_counted()

    await wait_until(is_counted, what="the season is counted")
    answer = await change(api, "POST", who, "/erasure")
    assert answer.status == 200, answer.body
    receipt = answer.body
    assert (receipt["names"], receipt["mentions"], receipt["unsearched"]) == (1, {"ledger": 1}, [])


async def test_a_receipt_says_that_nobody_has_looked_for_names_that_arent_known_any_more(api: Api) -> None:
    who, other, third = [await api.sign_up("mage", name=name) for name in (NAME, "Second One", "Third One")]
    await whisper(api, other, third, f"Have you seen {NAME}?")
    first, again = [(await change(api, "POST", who, "/erasure")).body for _ in range(2)]
    assert (first["mentions"], first["unsearched"]) == ({"inbox": 1, "ledger": 2}, [])
    assert (again["complete"], again["mentions"], again["unsearched"]) == (True, {}, ["mentions"])


CANCELLED = "select cast(pg_cancel_backend(pg_backend_pid()) as int) from pg_sleep(0) where cast(:id as bigint) > 0"


async def test_a_store_that_cant_be_searched_in_time_is_named(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    """A receipt isn't complete then, if what it needs for that wasn't searched."""
    receipts = {}
    for statement in (
        "words_ledger",
        "letters_inbox",
        "letters_ledger",
        "letters_kept",
        "names_claims",
        "waiting_outbox",
    ):
        who = await api.sign_up("mage")
        with monkeypatch.context() as slow:
            slow.setitem(erasure_search.SQL, statement, text(CANCELLED))
            receipt = (await change(api, "POST", who, "/erasure")).body
        assert not any(receipt["left"].values())
        receipts[statement] = (receipt["complete"], receipt["unsearched"])
    assert receipts == {
        "words_ledger": (True, ["one: ledger", "two: ledger"]),
        "letters_inbox": (False, ["one: inbox", "two: inbox"]),
        "letters_ledger": (False, ["one: ledger", "two: ledger"]),
        "letters_kept": (False, ["one: kept", "two: kept"]),
        "names_claims": (False, ["one: claims", "two: claims"]),
        "waiting_outbox": (False, ["one: outbox", "two: outbox"]),
    }


async def test_a_receipt_comes_in_time_however_long_the_stores_take(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    who = await api.sign_up("mage", name=NAME)
    monkeypatch.setattr(erasure, "OWN_SECONDS", 0.2)
    monkeypatch.setattr(erasure, "ALL_SECONDS", 0.4)
    monkeypatch.setattr(erasure_search, "STORE_SECONDS", 60)
    endless = text("select pg_sleep(60) where cast(:id as bigint) > 0")
    for statement in erasure_search.SQL:
        monkeypatch.setitem(erasure_search.SQL, statement, endless)
    async with asyncio.timeout(20):  # boards alone may take ARRIVAL_SECONDS
        receipt = (await change(api, "POST", who, "/erasure")).body
    stores = ("claims", *erasure_search.STORES)
    assert {f"{database}: {store}" for database in ("one", "two") for store in stores} <= set(receipt["unsearched"])


@pytest.mark.parametrize(("seen", "status"), [([], 503), ([2], 200)])
async def test_boards_that_dont_answer_hold_up_no_receipt(
    api: Api, monkeypatch: pytest.MonkeyPatch, seen: list[int], status: int
) -> None:
    """What was seen last is told."""

    async def places(*_: object) -> int:
        return seen.pop() if seen else await asyncio.get_running_loop().create_future()

    who = await api.sign_up("mage")
    monkeypatch.setattr(erasure, "_places", places)
    monkeypatch.setattr(erasure, "ARRIVAL_SECONDS", 0.3)
    async with asyncio.timeout(20):
        receipt = await change(api, "POST", who, "/erasure")
    assert receipt.status == status, receipt.body
    after = (await api.admin("audit", target=who.id, action="erase")).body["entries"][0]["after"]
    assert (after["complete"], after["erased"]["players"]) == (False, 1), "what was erased is in the audit log"
    if status == 200:
        assert (receipt.body["complete"], receipt.body["left"]["boards"]) == (False, 2)


async def test_letters_on_their_way_are_waited_for_by_the_clock_however_long_a_look_takes(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    who, traces, looks = await api.sign_up("mage"), Erasure.traces, []

    async def look(of: Erasure, player_id: int) -> Traces:
        looks.append(player_id)
        await asyncio.sleep(0.3)
        return replace(await traces(of, player_id), on_its_way=1)

    monkeypatch.setattr(Erasure, "traces", look)
    monkeypatch.setattr(erasure, "ARRIVAL_SECONDS", 0.2)
    assert (await change(api, "POST", who, "/erasure")).status == 503
    assert len(looks) == 1


def test_no_operation_of_operators_may_take_longer_than_the_way_to_it_waits() -> None:
    haproxy = files("gameserver.stack.servers").joinpath("haproxy.cfg").read_text("utf-8")
    script = files("gameserver.transport.console").joinpath("static/lib/api.js").read_text("utf-8")
    [waits] = re.findall(r"^ +timeout server (\d+)s$", haproxy, re.M)
    [exports] = re.findall(r"set-timeout server (\d+)s if .* path_end /export", haproxy)
    [page_waits] = re.findall(r"DEADLINE_MS = ([\d_]+);", script)
    bounds = {
        "an erasure": erasure.LONGEST_SECONDS,
        "a copy of a command": audit.COPY_SECONDS,
        "a question over all players": reports.SECONDS,
        "a page of a player": QUERY_SECONDS,
    }
    assert {name for name, seconds in bounds.items() if seconds >= int(waits)} == set()
    assert int(waits) < int(page_waits) / 1000
    assert int(exports) >= export_places.LONGEST_SECONDS
