"""An erasure takes every text of a player from every store, also what the ledger's weeks have outlived."""

import asyncio
import itertools
import secrets
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from gameserver.commands.own_history import OwnHistory
from gameserver.config.settings import Settings
from gameserver.rules.errors import DatabaseUnavailable, NameTaken
from gameserver.storage.accounts import own_ledger
from gameserver.storage.accounts.claims import Key, KeyKind
from gameserver.storage.accounts.own_ledger import OwnLedger
from gameserver.storage.ids import LARGEST_ID, slot_of
from gameserver.storage.ledger import retention
from gameserver.storage.ledger.partitions import ensure_partitions
from gameserver.storage.ledger.retention import RetentionTerms, forget_old
from gameserver.storage.postgres.database import Database
from gameserver.storage.social.feeds import Entry
from tests.support.client import ADMIN_KEY, Api, Signed, command_id
from tests.support.deployment import connected, with_rules
from tests.support.everywhere import places
from tests.support.nodes import InProcessNode, start_node
from tests.support.wait import wait_until
from tests.transport.http.test_erasure import whisper
from tests.transport.http.test_player_changes import change, done, inbox

pytestmark = pytest.mark.own_node

RULES = "tests.transport.http.whispers"
ACTIONS = {name: f"{RULES}:{name}" for name in ("whisper", "remember", "mutter")}
FIRST, SECOND, THIRD = "Zyxwvut Qponm", "Abracadab Rax", "Mnopq Stuvw"


@pytest.fixture
async def node(settings: Settings, tmp_path: Path) -> AsyncIterator[InProcessNode]:
    chatty = with_rules(settings, tmp_path, ACTIONS, {"whispered": f"{RULES}:whispered"})
    async with AsyncExitStack() as stack:
        yield await start_node(stack, chatty)


async def drop_weeks(node: InProcessNode) -> None:
    """Drops every week of the ledger that has rows."""
    now = datetime.now(UTC)
    for database in node.core.slots.members("players"):

        async def are_dropped(database: Database = database) -> bool:
            """Not while the node looks for old weeks by itself."""
            return await forget_old(database, RetentionTerms(timedelta(weeks=-2), now)) >= 1

        await wait_until(are_dropped, what="weeks are dropped")
        await ensure_partitions(database, now, timedelta(days=2))


async def found(node: InProcessNode, *words: str) -> list[str]:
    """Where one of the words stands, in any case, and some of what is around it."""
    lines = []
    for place, text in await places(node.core):
        for word in words:
            if (at := text.lower().find(word)) >= 0:
                lines.append(f"{word} in {place}: {text[max(at - 200, 0) : at + 60]}")
    return lines


async def erase(api: Api, who: Signed) -> dict[str, Any]:
    receipt = await change(api, "POST", who, "/erasure")
    assert receipt.status == 200, receipt.body
    return dict(receipt.body)


async def ask(api: Api, who: Signed, method: str, what: str, status: int = 200, **body: Any) -> Any:
    answer = await api.ask(method, f"/v1/players/me{what}", token=who.token, body=body or None)
    assert answer.status == status, answer.body
    return answer.body


async def note(api: Api, who: Signed, text: str) -> None:
    answer = await api.ask("POST", f"/admin/v1/players/{who.id}/notes", token=ADMIN_KEY, body={"text": text})
    assert answer.status == 201, answer.body


async def returned(api: Api, who: Signed, count: int = 1) -> None:
    """Waits until so many of the player's letters have come back."""

    async def are_back() -> bool:
        return [letter["kind"] for letter in await inbox(api, who)].count("returned") >= count

    await wait_until(are_back, what="the letters have come back")


async def test_letters_that_outlived_their_weeks_are_erased_from_inboxes_and_from_what_is_kept(
    api: Api, node: InProcessNode
) -> None:
    who, other, third = [await api.sign_up("mage") for _ in range(3)]
    await ask(api, third, "PUT", f"/blocks/{who.id}", 204)
    await whisper(api, who, other, "Of Xanadu, and its dome.")
    answer = await api.act(who, "whisper", player=third.id, text="Of Xanadu, and its river.")
    assert answer.status == 200, answer.body
    await returned(api, who)
    await api.act(who)
    await drop_weeks(node)
    kept = [line.split(":")[1] for line in await found(node, "xanadu")]
    assert {" inbox", " ledger_kept"} <= set(kept), kept
    receipt = await erase(api, who)
    assert (receipt["complete"], receipt["left"]["letters"], receipt["erased"]["letters"]) == (True, 0, 2)
    assert await found(node, "xanadu") == []
    [letter] = await inbox(api, other)
    assert (letter["kind"], letter["args"]) == ("whispered", {"sender": who.id})


async def test_a_feed_that_is_being_read_while_a_letter_is_erased_isnt_cached_with_its_text(
    api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    who, other = await api.sign_up("mage"), await api.sign_up("mage")
    await whisper(api, who, other, "Of Xanadu, and its dome.")
    feeds = node.core.rooms.social.feeds
    read, has_read, erased = feeds._newest, asyncio.Event(), asyncio.Event()

    async def then_waits(player_id: int, version: int) -> list[Entry]:
        newest = await read(player_id, version)
        has_read.set()
        await erased.wait()
        return newest

    monkeypatch.setattr(feeds, "_newest", then_waits)
    reading = asyncio.create_task(ask(api, other, "GET", "/feed"))
    await has_read.wait()
    assert (await erase(api, who))["complete"] is True
    erased.set()
    assert "Xanadu" in str(await reading), "it was read before"
    assert await found(node, "xanadu") == []
    assert "Xanadu" not in str(await ask(api, other, "GET", "/feed"))


async def test_a_player_that_wrote_to_nobody_is_erased(api: Api, node: InProcessNode) -> None:
    who = await api.sign_up("mage")
    answer = await api.act(who, "whisper", player=str(LARGEST_ID), text="Is anybody in Xanadu?")
    assert answer.status == 200, answer.body
    await returned(api, who)
    assert (await erase(api, who))["complete"] is True
    assert await found(node, "xanadu") == []


@pytest.mark.parametrize("name", ["mage", "level", "events"])
async def test_a_player_whose_name_is_a_word_of_the_game_is_erased(api: Api, name: str) -> None:
    who = await api.sign_up("mage", name=name)
    await api.act(who)
    receipt = await erase(api, who)
    assert (receipt["complete"], receipt["left"]["players"]) == (True, 0)


async def test_a_name_that_was_claimed_and_never_got_is_freed(api: Api, node: InProcessNode) -> None:
    who = await api.sign_up("mage")
    claims = node.core.commands.accounts.room.claims
    key = Key(KeyKind.NAME, "qwertz uiop")
    await claims.reserve([key], int(who.id), command_id())
    assert await found(node, "qwertz")
    assert (await erase(api, who))["complete"] is True
    assert await found(node, "qwertz") == []
    assert (await api.sign_up("mage", name="Qwertz Uiop")).id != who.id


async def test_addresses_of_a_name_are_forgotten_unless_another_player_has_it(api: Api, node: InProcessNode) -> None:
    who, attempts = await api.sign_up("mage", name=FIRST), node.core.commands.accounts.attempts
    await attempts.remember("203.0.113.7", FIRST)
    await ask(api, who, "POST", "/name", name=SECOND)
    await attempts.remember("203.0.113.8", SECOND)
    await api.sign_up("mage", name=FIRST)
    assert len(await found(node, "203.0.113.7", "203.0.113.8")) == 2
    assert (await erase(api, who))["complete"] is True
    assert len(await found(node, "203.0.113.7")) == 1
    assert await found(node, "203.0.113.8") == []


async def test_nothing_is_left_of_a_player_in_any_store(api: Api, node: InProcessNode) -> None:
    who = await api.sign_up("priest", name=FIRST, label="the phone of zyxwvut")
    other, third = await api.sign_up("mage"), await api.sign_up("mage")
    await api.socket(other.token)
    await api.socket(who.token)
    # Names: two that it got, one that it was refused, and labels of what it signs in with.
    await ask(api, who, "POST", "/name", name=SECOND)
    taken = await api.ask("POST", "/v1/players/me/name", token=who.token, body={"name": other.name})
    assert taken.code == NameTaken.code
    device = {"device": secrets.token_hex(16), "label": "the tablet of zyxwvut"}
    await ask(api, who, "POST", "/devices", 201, **device)
    await api.ask("POST", "/v1/sessions", body={"device": who.device, "label": "the sofa of zyxwvut"})
    # Letters: arrived, refused, to nobody, and one to it; what rules remember of it, and what they refused.
    await whisper(api, who, other, "letter Xanadu one")
    await ask(api, third, "PUT", f"/blocks/{who.id}", 204)
    for recipient in (third.id, str(LARGEST_ID)):
        assert (await api.act(who, "whisper", player=recipient, text="letter Xanadu two")).status == 200
    await returned(api, who, 2)
    await whisper(api, other, who, "a letter from another of Kubla")
    assert (await api.act(who, "remember", text="a diary of Xanadu")).status == 200
    assert (await api.act(who, "mutter", text="muttered Xanadu")).code == "not_heard"
    # What is read is cached, also by those it wrote to; what operators write stays until it is erased.
    await ask(api, who, "PUT", f"/friends/{other.id}", 204)
    for what in ("/friends", "/feed", "/inbox", "/export"):
        for reader in (who, other, third):
            assert (await api.ask("GET", f"/v1/players/me{what}", token=reader.token)).status == 200, what
    await note(api, who, "The brother of Zyxwvut.")
    await done(api, "POST", who, "/mail", text="Welcome back, Zyxwvut.")
    await done(api, "POST", who, "/ban", said="Zyxwvut, stop.")
    await done(api, "DELETE", who, "/ban")
    await write_standing(node, who, THIRD)
    await drop_weeks(node)
    await whisper(api, other, third, "said between others, of Kubla")
    words = ("zyxwvut", "qponm", "abracadab", "mnopq", "xanadu")
    before = await found(node, *words)
    assert {word for word in words if any(line.startswith(word) for line in before)} == set(words)
    receipt = await erase(api, who)
    assert (receipt["complete"], receipt["mentions"], receipt["unsearched"]) == (True, {}, []), receipt
    assert receipt["names"] == 3
    assert await found(node, *words) == []
    stores = {line.split(":")[1].split("_2")[0] for line in await found(node, "kubla")}
    assert stores <= {" ledger", " ledger_kept", " inbox"}, "what others wrote to others, or sent, is theirs"
    entry = (await api.admin("audit", target=who.id, action="erase")).body["entries"][0]
    assert entry["after"]["complete"] is True
    assert {store: entry["after"][store] for store in ("erased", "left", "mentions")} == {
        store: receipt[store] for store in ("erased", "left", "mentions")
    }


async def write_standing(node: InProcessNode, who: Signed, name: str) -> None:
    """A past season of which nothing is known but its standings."""
    control = node.core.databases[node.core.settings.control.database]
    async with connected(control.url) as connection:
        await connection.execute(
            "insert into season_standings"
            " (board, start, position, rank, player_id, score, reached_at, name, class, level)"
            " values ('forgotten', 1, 0, 1, $1, 1, now(), $2, 'mage', 1)",
            int(who.id),
            name,
        )


async def test_nothing_is_erased_while_a_letter_is_on_its_way(api: Api, node: InProcessNode) -> None:
    who = await api.sign_up("mage", name=FIRST)
    owner = node.core.slots.owner("players", slot_of(int(who.id)))
    async with connected(owner.url) as connection:
        await connection.execute(
            "insert into outbox (slot, player_id, command_id, number, kind, recipient, payload, at)"
            " values ($1, $2, $3, 0, 'mail:of_another_game', $2, '{\"text\": \"Xanadu\"}', now())",
            slot_of(int(who.id)),
            int(who.id),
            command_id(),
        )
        waits = await change(api, "POST", who, "/erasure")
        assert (waits.status, waits.headers["Retry-After"]) == (503, "5")
        assert await found(node, "zyxwvut")
        await connection.execute("delete from outbox")
    assert (await erase(api, who))["complete"] is True
    assert await found(node, "zyxwvut", "xanadu") == []


@pytest.mark.parametrize("fault", ["time is over", "answers are lost"])
async def test_an_erasure_of_a_long_ledger_goes_on_where_it_was(
    api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch, fault: str
) -> None:
    who, other, third = await api.sign_up("mage", name=FIRST), await api.sign_up("mage"), await api.sign_up("mage")
    await whisper(api, other, third, f"Have you seen {FIRST}?")
    await ask(api, who, "POST", "/name", name=SECOND)
    for number in range(4):
        await whisper(api, who, other, f"letter Xanadu {number}")
        await api.act(who)
    monkeypatch.setattr(own_ledger, "ROWS", 2)
    advance, over = OwnLedger.advance, itertools.cycle([False, False, False, True])

    async def then_is_lost(*args: Any) -> Any:
        advanced = await advance(*args)
        if next(over):
            raise DatabaseUnavailable
        return advanced

    if fault == "time is over":
        monkeypatch.setattr(OwnHistory, "_is_over", lambda _: next(over))
    else:
        monkeypatch.setattr(OwnLedger, "advance", then_is_lost)
    waits = []
    while (answer := await change(api, "POST", who, "/erasure")).status == 503:
        waits.append(answer.body["detail"])
        assert len(waits) < 20, waits
    assert len(waits) > 1
    receipt = answer.body
    assert (receipt["complete"], receipt["names"], receipt["unsearched"]) == (True, 2, []), receipt
    assert receipt["mentions"] == {"inbox": 1, "ledger": 2}, "names of rows that were erased before are known still"
    counts = {what: receipt["erased"][what] for what in ("ledger", "ledger_kept", "letters")}
    assert counts == {"ledger": 11, "ledger_kept": 0, "letters": 4}, "all of it, and none of it twice"
    entries = (await api.admin("audit", target=who.id, action="erase")).body["entries"][::-1]
    assert [entry["after"]["complete"] for entry in entries] == [False] * len(waits) + [True]
    rows = [entry["after"]["erased"]["ledger"] for entry in entries]
    assert (rows, rows[-1]) == (sorted(rows), 11)
    assert any(rows[:-1]), "what an attempt has erased is in the audit log, however it ended"
    assert await found(node, "xanadu", "abracadab") == []


async def test_a_deleted_player_can_be_looked_at_before_it_is_erased(
    api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    who, other = await api.sign_up("mage", name=FIRST), await api.sign_up("mage")
    await whisper(api, who, other, "a letter")
    await note(api, who, "A regular.")
    await ask(api, who, "DELETE", "", 204)
    shown = (await change(api, "POST", who, "/erasure", preview=True)).body
    assert (shown["preview"], shown["command_id"], shown["player"]) == (True, None, who.id)
    assert {what: value["before"] for what, value in shown["changes"].items()} == {
        "names": 1, "letters": 1, "bans": 0, "notes": 1
    }  # fmt: skip
    assert await found(node, "zyxwvut")
    with monkeypatch.context() as slow:
        slow.setattr(OwnHistory, "_is_over", lambda _: True)
        shown = (await change(api, "POST", who, "/erasure", preview=True)).body["changes"]
        assert (shown["names"]["before"], shown["letters"]["before"]) == ("at least 1", "at least 0")
    assert (await erase(api, who))["complete"] is True
    shown = (await change(api, "POST", who, "/erasure", preview=True)).body
    assert shown["changes"]["names"] == {"before": 0, "after": 0}
    nobody = Signed(who.id[:-1], "", "", "")
    assert (await change(api, "POST", nobody, "/erasure", preview=True)).code == "player_not_found"


async def test_what_is_copied_while_its_week_is_dropped_is_erased_too(
    api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = await api.sign_up("mage", name=FIRST)
    owner = node.core.slots.owner("players", slot_of(int(who.id)))
    slow = retention.SQL["forget"].replace("where k.slot", "where pg_sleep(0.5) is not null and k.slot")
    monkeypatch.setitem(retention.SQL, "forget", slow)
    async with connected(owner.url) as dropping, connected(owner.url) as other:
        week = await other.fetchval("select tableoid::regclass::text from ledger where player_id = $1", int(who.id))
        copying = asyncio.create_task(retention._keep(dropping, week))

        async def copies() -> bool:
            asleep = (
                "select count(*) from pg_stat_activity where wait_event = 'PgSleep' and datname = current_database()"
            )
            return bool(await other.fetchval(asleep))

        await wait_until(copies, what="the player's row is being copied")
        receipt = await erase(api, who)
        assert await copying
    assert receipt["complete"] is True
    assert await found(node, "zyxwvut") == []
