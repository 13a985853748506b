"""Renaming and deleting a player at the door: what is answered, who hears of it, and what is refused."""

import asyncio
from collections import Counter
from contextlib import AsyncExitStack
from typing import Any

import pytest

from gameserver.commands import turns
from gameserver.config.sections import AccountSettings
from gameserver.config.settings import Settings
from gameserver.storage.accounts.identities import Change, Identity
from gameserver.storage.players.command import Receipt
from tests.support.client import Answer, Api, Signed, command_id
from tests.support.nodes import InProcessNode, start_node
from tests.support.uniqueness import assert_unique
from tests.support.wait import wait_until
from tests.transport.doors import assert_problem, closing_of, fields_of, on_another_port, unchanged
from tests.transport.http.test_bad_names import UNFIT

NAME, ME = "/v1/players/me/name", "/v1/players/me"


@pytest.fixture
async def elsewhere(node: InProcessNode, settings: Settings) -> Any:
    """A client of another node of the deployment."""
    async with AsyncExitStack() as stack:
        other = await start_node(stack, on_another_port(settings))
        yield await stack.enter_async_context(Api(other.url))


async def rename(api: Api, who: Signed, name: object, key: str | None = None) -> Answer:
    return await api.ask("POST", NAME, token=who.token, body={"name": name}, key=key)


async def delete(api: Api, who: Signed, key: str | None = None) -> Answer:
    return await api.ask("DELETE", ME, token=who.token, key=key)


async def test_a_rename_is_answered_pushed_and_shown_on_boards_and_its_retry_gets_the_first_answer(
    api: Api, elsewhere: Api, node: InProcessNode
) -> None:
    ann, key = await api.sign_up(name="Ann Lee"), command_id()
    socket = await elsewhere.socket(ann.token)
    first = await rename(api, ann, "Bea Lee", key)
    assert (first.status, set(first.body), first.body["replayed"]) == (200, {"player", "replayed"}, False)
    assert (first.body["player"]["name"], first.body["player"]["version"]) == ("Bea Lee", 2)
    assert first.headers["Consistency-Token"] == f"{ann.id}:2"
    pushed = await socket.connection.receive_json(timeout=10)
    assert (pushed["push"], pushed["data"]) == ("player", first.body["player"])

    async def is_shown() -> bool:
        body = (await elsewhere.ask("GET", f"/v1/boards/exp/ranks?ids={ann.id}")).body
        return bool(body.get("entries")) and body["entries"][0]["player"]["name"] == "Bea Lee"

    await wait_until(is_shown, what="the board shows the new name")
    assert (await api.act(ann)).body["player"]["name"] == "Bea Lee"
    again = await rename(elsewhere, ann, " bea  lee ".title(), key)
    assert (again.status, again.body) == (200, {**first.body, "replayed": True})
    entries = (await api.ask("GET", "/v1/players/me/ledger", token=ann.token)).body["entries"]
    assert [(entry["action"], entry["player"]["name"]) for entry in entries] == [
        ("hunt", "Bea Lee"), ("rename", "Bea Lee"), ("sign_up", "Ann Lee"),
    ]  # fmt: skip
    assert entries[1]["events"] == [{"type": "renamed", "from": "Ann Lee"}]
    await assert_unique(node.core)


async def test_a_rename_that_cant_be_is_refused_with_its_reason_and_changes_nothing(
    api: Api, node: InProcessNode
) -> None:
    ann, _ = await api.sign_up(name="Ann Lee"), await api.sign_up(name="Bea Lee")
    used = (await api.act(ann)).body["command_id"]
    async with unchanged(api, ann):
        wrong: list[Any] = [*UNFIT, 2**53, -1, 1.5, True, None, [], {}]
        for name in wrong:
            answer = await rename(api, ann, name)
            assert_problem(answer, "bad_input", name)
            assert fields_of(answer.body) == ["name"], name
        for body in ({"name": "Cid Lee", "class": "mage"}, {"Name": "Cid Lee"}):
            assert_problem(await api.ask("POST", NAME, token=ann.token, body=body), "bad_input", body)
        assert_problem(await rename(api, ann, "ＢＥＡ lee"), "name_taken")
        assert_problem(await rename(api, ann, "Cid Lee", used), "command_mismatch")
        assert_problem(await rename(api, ann, "Cid Lee", command_id(60 * 3600)), "command_expired")
        assert_problem(await rename(api, ann, "Cid Lee", "x"), "bad_input")
        assert_problem(await api.ask("POST", NAME, body={"name": "Cid Lee"}), "not_authenticated")
    assert len((await assert_unique(node.core)).claims) == 6


async def test_of_many_renames_under_one_key_through_two_nodes_one_takes_effect(
    api: Api, elsewhere: Api, node: InProcessNode
) -> None:
    for number in range(4):
        ann, key = await api.sign_up(name=f"Ann {number}"), command_id()
        results = await asyncio.gather(*(rename(client, ann, f"Bea {number}", key) for client in (api, elsewhere) * 3))
        codes = {result.code for result in results if result.status != 200}
        assert codes <= {"database_unavailable"}, [result.body for result in results]
        answers = [result.body for result in results if result.status == 200]
        assert [entry["replayed"] for entry in answers].count(False) <= 1
        assert {(entry["player"]["name"], entry["player"]["version"]) for entry in answers} == {(f"Bea {number}", 2)}
    await assert_unique(node.core)


async def test_a_deleted_player_leaves_boards_lists_sockets_and_sessions_and_the_deletion_may_be_retried(
    api: Api, elsewhere: Api, node: InProcessNode
) -> None:
    ann, bea, key = await api.sign_up(name="Ann Lee"), await api.sign_up(name="Bea Lee"), command_id()
    for player in (ann, bea):
        await api.act(player)

    async def ranked() -> list[str]:
        body = (await api.ask("GET", "/v1/boards/exp")).body
        return [entry["player"]["id"] for entry in body.get("entries", ())]

    async def both_are_ranked() -> bool:
        return len(await ranked()) == 2

    await wait_until(both_are_ranked, what="both are on the board")
    socket = await elsewhere.socket(ann.token)
    assert (await delete(api, ann, key)).status == 204
    assert (await closing_of(socket.connection))[1] == 4409

    async def is_off_the_board() -> bool:
        body = (await api.ask("GET", "/v1/boards/exp")).body
        return body["total"] == 1 and await ranked() == [bea.id]

    await wait_until(is_off_the_board, what="the player is off the board")

    async def is_refused() -> bool:
        return (await elsewhere.ask("GET", ME, token=ann.token)).code == "not_authenticated"

    await wait_until(is_refused, 10, "the other node refuses its session")
    assert_problem(await elsewhere.act(ann), "not_authenticated")
    assert_problem(await api.ask("GET", f"/v1/players/{ann.id}", token=bea.token), "player_not_found")
    assert_problem(await api.ask("POST", "/v1/sessions", body={"device": ann.device}), "wrong_credentials")
    assert (await api.admin("stats")).body["players"] == 1
    rankings = (await api.admin("rankings")).body["entries"]
    assert [ranking["player"]["id"] for ranking in rankings] == [bea.id]
    for door in (api, elsewhere):
        assert (await delete(door, ann, key)).status == 204
        assert_problem(await delete(door, ann, command_id()), "not_authenticated")
    await api.sign_up(name="Ann Lee", device=ann.device)
    await assert_unique(node.core)


async def test_a_refused_deletion_changes_nothing(api: Api, node: InProcessNode) -> None:
    ann = await api.sign_up(name="Ann Lee")
    used = (await api.act(ann)).body["command_id"]
    async with unchanged(api, ann):
        assert_problem(await delete(api, ann, used), "command_mismatch")
        assert_problem(await delete(api, ann, command_id(60 * 3600)), "command_expired")
        assert_problem(await delete(api, ann, "x"), "bad_input")
        for token in (None, f"{ann.id}.guess", "9223372036854775807.x"):
            assert_problem(await api.ask("DELETE", ME, token=token, key=used), "not_authenticated")
    await assert_unique(node.core)


async def test_where_names_of_deleted_players_are_blocked_no_one_gets_them(settings: Settings) -> None:
    blocking = settings.model_copy(update={"accounts": AccountSettings(deleted_names="blocked")})
    async with AsyncExitStack() as stack:
        node = await start_node(stack, blocking)
        api = await stack.enter_async_context(Api(node.url))
        ann, bea = await api.sign_up(name="Ann Lee"), await api.sign_up(name="Bea Lee")
        assert (await delete(api, ann)).status == 204
        taken = {"name": "Ann Lee", "class": "mage", "device": ann.device}
        assert_problem(await api.ask("POST", "/v1/players", body=taken), "name_taken")
        assert_problem(await rename(api, bea, "Ann Lee"), "name_taken")
        await api.sign_up(name="Cid Lee", device=ann.device)
        await assert_unique(node.core, blocked=True)


async def test_twenty_renames_of_one_player_at_once_are_made_one_after_another(
    api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LONGEST_SECONDS", 60.0)
    identities = node.core.commands.accounts.room.identities
    find, rename_in_storage, under_way, at_once = identities.find, identities.rename, set[str](), list[int]()

    async def noted_find(change: Change) -> Identity:
        under_way.add(change.command_id)
        at_once.append(len(under_way))
        return await find(change)

    async def noted_rename(change: Change, claims_epoch: int) -> Receipt | None:
        renamed = await rename_in_storage(change, claims_epoch)
        under_way.discard(change.command_id)
        return renamed

    monkeypatch.setattr(identities, "find", noted_find)
    monkeypatch.setattr(identities, "rename", noted_rename)
    ann = await api.sign_up(name="Ann Lee")
    answers = await asyncio.gather(*(rename(api, ann, f"Ann the {number}th") for number in range(2, 22)))
    assert Counter(answer.status for answer in answers) == Counter({200: 20})
    assert set(at_once) == {1}, "none begins before the one before it has ended"
    assert (await api.ask("GET", "/v1/players/me", token=ann.token)).body["version"] == 21
    await assert_unique(node.core)


async def test_renames_beyond_what_may_wait_are_told_so_and_change_nothing(
    api: Api, node: InProcessNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turns, "LONGEST_QUEUE", 3)
    ann = await api.sign_up(name="Ann Lee")
    answers = await asyncio.gather(*(rename(api, ann, f"Ann the {number}th") for number in range(2, 22)))
    refused = [answer for answer in answers if answer.status != 200]
    assert refused
    for answer in refused:
        assert_problem(answer, "too_many_changes")
    version = (await api.ask("GET", "/v1/players/me", token=ann.token)).body["version"]
    assert version == 1 + len(answers) - len(refused)
    await assert_unique(node.core)
