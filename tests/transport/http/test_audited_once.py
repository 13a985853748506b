"""One change of an operator's has one entry in the audit log, with what was before it, however often it is sent."""

from typing import Any

import pytest

from tests.support.client import ADMIN_KEY, Api, command_id
from tests.support.nodes import InProcessNode
from tests.transport.http.test_player_changes import change, done

pytestmark = pytest.mark.own_node

UNTIL = "2100-01-02T03:04:05.000Z"


async def entries(api: Api, key: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await api.admin("audit", command_id=key)).body["entries"]
    return found


CHANGES: list[tuple[str, str, dict[str, Any]]] = [
    ("POST", "/ban", {"until": UNTIL, "said": "for a while"}),
    ("DELETE", "/ban", {}),
    ("POST", "/name", {"name": "Kind Name"}),
    ("DELETE", "", {}),
    ("DELETE", "/sessions", {}),
    ("POST", "/erasure", {}),
]


@pytest.mark.parametrize(("method", "what", "fields"), CHANGES)
async def test_a_change_that_is_sent_again_has_one_entry_as_it_was(
    api: Api, method: str, what: str, fields: dict[str, Any]
) -> None:
    who, key = await api.sign_up("mage", name="Rude Name"), command_id()
    answers = [await change(api, method, who, what, key=key, **fields) for _ in range(3)]
    assert {answer.status for answer in answers} <= {200, 204}, [answer.body for answer in answers]
    (entry,) = await entries(api, key)
    assert (entry["ended"], entry["target"]) == ("done", who.id)
    assert not (entry["after"] or {}).get("replayed")


async def test_a_note_and_the_end_of_a_device_have_one_entry_too(api: Api) -> None:
    who, keys = await api.sign_up("mage"), [command_id(), command_id()]
    (device,) = (await api.admin(f"players/{who.id}/devices")).body["devices"]
    for _ in range(2):
        noted = await api.ask(
            "POST", f"/admin/v1/players/{who.id}/notes", token=ADMIN_KEY, key=keys[0], body={"text": "was kind"}
        )
        assert noted.status in (200, 201), noted.body
        path = f"/admin/v1/players/{who.id}/devices/{device['id']}?reason=stolen"
        assert (await api.ask("DELETE", path, token=ADMIN_KEY, key=keys[1])).status == 204
    for key in keys:
        (entry,) = await entries(api, key)
        assert entry["ended"] == "done"


async def test_another_operators_copy_has_an_entry_of_its_own(api: Api, node: InProcessNode) -> None:
    """It changes nothing, and who has sent it is known."""
    who, key = await api.sign_up("mage"), command_id()
    await done(api, "POST", who, "/ban", key=key)
    made = await api.ask(
        "POST", "/admin/v1/keys", token=ADMIN_KEY, key=command_id(),
        body={"name": "ann", "role": "support", "reason": "a test"},
    )  # fmt: skip
    assert made.status == 201, made.body
    path = f"/admin/v1/players/{who.id}/ban"
    copy = await api.ask("POST", path, token=made.body["key"], key=key, body={"reason": "a test"})
    assert copy.status == 200, copy.body
    second, first = await entries(api, key)
    assert [(entry["admin"], entry["after"]["replayed"]) for entry in (first, second)] == [
        ("tester", False), ("ann", True)
    ]  # fmt: skip


async def test_a_ban_and_its_end_say_what_was_before(api: Api) -> None:
    who, first, second, lifted = await api.sign_up("mage"), command_id(), command_id(), command_id()
    await done(api, "POST", who, "/ban", key=first, until=UNTIL, said="for a while")
    await done(api, "POST", who, "/ban", key=second)
    await done(api, "DELETE", who, "/ban", key=lifted)
    found = [(await entries(api, key))[0] for key in (first, second, lifted)]
    version = found[0]["before"]["version"]
    states: list[dict[str, Any]] = [
        {"version": version, "banned": False, "ban": None, "until": None},
        {"version": version + 1, "banned": True, "ban": first, "until": UNTIL},
        {"version": version + 2, "banned": True, "ban": second, "until": None},
        {"version": version + 3, "banned": False, "ban": None, "until": None},
    ]
    assert [entry["before"] for entry in found] == states[:3]
    assert [entry["after"] for entry in found] == [state | {"replayed": False} for state in states[1:]]


async def test_each_repetition_of_an_erasure_says_what_it_erased_until_nothing_is_left(
    api: Api, monkeypatch: pytest.MonkeyPatch, node: InProcessNode
) -> None:
    who, key = await api.sign_up("mage", name="Rude Name"), command_id()
    notes = node.core.rooms.operators.notes
    forget = notes.forget

    async def nothing(_: int) -> int:
        return 0

    await api.ask("POST", f"/admin/v1/players/{who.id}/notes", token=ADMIN_KEY, key=command_id(), body={"text": "rude"})
    monkeypatch.setattr(notes, "forget", nothing)
    assert (await change(api, "POST", who, "/erasure", key=key)).body["complete"] is False
    monkeypatch.setattr(notes, "forget", forget)
    for _ in range(2):
        assert (await change(api, "POST", who, "/erasure", key=key)).body["complete"] is True
    last, first = await entries(api, key)
    for entry, notes_erased in ((first, 0), (last, 1)):
        assert entry["after"]["erased"]["notes"] == notes_erased
        assert entry["after"]["complete"] is bool(notes_erased)
