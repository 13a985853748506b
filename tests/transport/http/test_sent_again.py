"""Notices, rebuilds and corrections that are sent again under their command id happen once."""

from typing import Any

import pytest

from gameserver.commands import corrections
from tests.support.client import ADMIN_KEY, Answer, Api, command_id
from tests.transport.http.test_corrections import change, done, items


async def order(api: Api, path: str, key: str, **body: Any) -> Answer:
    return await api.ask("POST", f"/admin/v1/{path}", token=ADMIN_KEY, key=key, body={"reason": "a test", **body})


async def test_what_is_written_to_one_player_is_no_text_of_the_audit_log(api: Api) -> None:
    who, key = await api.sign_up(), command_id()
    for _ in range(2):
        assert (await order(api, "notices", key, text="a word to you", player=who.id)).status == 201
    assert (await order(api, "notices", key, text="another word", player=who.id)).code == "command_mismatch"
    (entry,) = (await api.admin("audit", action="notice", target=who.id)).body["entries"]
    assert entry["details"].keys() == {"text_sha256"}


async def test_a_notice_that_is_sent_again_is_sent_once(api: Api) -> None:
    who, key, next_key = await api.sign_up(), command_id(), command_id()
    socket = await api.socket(who.token)
    numbers = [(await order(api, "notices", key, text="hello")).body["number"] for _ in range(3)]
    assert len(set(numbers)) == 1
    assert (await order(api, "notices", key, text="another")).code == "command_mismatch"
    assert (await order(api, "notices", key, text="hello", player=who.id)).code == "command_mismatch"
    assert (await order(api, "notices", next_key, text="the next")).body["number"] > numbers[0]
    pushed: list[str] = []
    while "the next" not in pushed:
        frame = await socket.connection.receive_json(timeout=10)
        pushed += [frame["data"]["text"]] if frame.get("push") == "notice" else []
    assert pushed == ["hello", "the next"]
    for sent, text in ((key, "hello"), (next_key, "the next")):
        (entry,) = (await api.admin("audit", action="notice", command_id=sent)).body["entries"]
        assert (entry["details"], entry["ended"]) == ({"text": text}, "done")


async def test_a_rebuild_that_is_sent_again_begins_once(api: Api) -> None:
    key = command_id()
    generations = [(await order(api, "boards/exp/rebuild", key)).body["generation"] for _ in range(2)]
    assert generations[0] == generations[1]
    assert (await order(api, "boards/level/rebuild", key)).code in ("command_mismatch", "board_not_found")
    assert (await order(api, "boards/mage/rebuild", key)).code == "command_mismatch"
    assert len((await api.admin("audit", action="board_rebuild", command_id=key)).body["entries"]) == 1


@pytest.mark.own_node
async def test_a_copy_that_comes_while_the_first_is_carried_out_is_answered_as_done(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A preview of items alone would look the same after it: whoever is told that it was refused sends it once more."""
    who, key = await api.sign_up("mage"), command_id()
    version = (await done(api, who, "corrections", preview=True, items={"herb": 5}))["version"]
    look = corrections._is_known
    looks: list[bool] = []

    async def first_too_early(*arguments: Any) -> bool:
        is_known = await look(*arguments)
        looks.append(is_known)
        if len(looks) == 1:
            sent = await change(api, who, "corrections", key=key, expected_version=version, items={"herb": 5})
            assert sent.body["replayed"] is False
        return is_known

    monkeypatch.setattr(corrections, "_is_known", first_too_early)
    copy = await done(api, who, "corrections", key=key, expected_version=version, items={"herb": 5})
    assert (copy["replayed"], await items(api, who)) == (True, {"herb": 5})
