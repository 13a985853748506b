"""Operators' changes of which copies arrive at one instant, and closings of what is closed already.

Copies of one command have one effect and one answer. Another command on what has ended is answered, too, and changes
nothing.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

import pytest

from gameserver.config.settings import Settings
from gameserver.rules.errors import OutcomeUnknown
from gameserver.storage.operators import audit, campaigns
from gameserver.storage.operators.audit import Audit, AuditedChange, AuditedEnd
from tests.support.client import ADMIN_KEY, Answer, Api, Signed, command_id
from tests.support.nodes import InProcessNode

pytestmark = pytest.mark.own_node

COPIES = 4
WHY = {"reason": "a test"}
BECAUSE = "?reason=a+test"


@pytest.fixture(autouse=True)
def campaigns_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """So that none is done before it is revoked."""
    monkeypatch.setattr(campaigns, "BEGIN_SECONDS", 3600.0)


class Change(NamedTuple):
    """A change, and what another command of its kind is answered once it is made."""

    method: str
    path: str
    body: dict[str, Any] | None
    again: tuple[int, str | None] = (200, None)


async def send(api: Api, change: Change, key: str) -> Answer:
    return await api.ask(change.method, f"/admin/v1/{change.path}", token=ADMIN_KEY, body=change.body, key=key)


async def revoked_key(api: Api, _: Signed) -> Change:
    made = Change("POST", "keys", {**WHY, "name": "ann", "role": "viewer"})
    assert (await send(api, made, command_id())).status == 201
    return Change("POST", "keys/ann/revoke", WHY)


async def revoked_campaign(api: Api, _: Signed) -> Change:
    body = {**WHY, "text": "hello", "items": {}, "filter": {"banned": True}, "expected_count": 0}
    made = await send(api, Change("POST", "campaigns", body), command_id())
    return Change("POST", f"campaigns/{made.body['campaign']['id']}/revocation", WHY)


async def deleted_query(api: Api, _: Signed) -> Change:
    saved = await send(api, Change("POST", "queries/mages", {**WHY, "query": {"class": "mage"}}), command_id())
    assert saved.status == 200
    return Change("DELETE", f"queries/mages{BECAUSE}", None, (404, "query_not_found"))


async def saved_query(_: Api, __: Signed) -> Change:
    return Change("POST", "queries/mages", {**WHY, "query": {"class": "mage"}})


async def ban(_: Api, who: Signed) -> Change:
    return Change("POST", f"players/{who.id}/ban", WHY)


async def lifted_ban(api: Api, who: Signed) -> Change:
    assert (await send(api, await ban(api, who), command_id())).status == 200
    return Change("DELETE", f"players/{who.id}/ban{BECAUSE}", None)


async def ended_session(api: Api, who: Signed) -> Change:
    [session] = (await api.admin(f"players/{who.id}")).body["sessions"]
    return Change("DELETE", f"players/{who.id}/sessions/{session['id']}{BECAUSE}", None, (404, "session_not_found"))


async def ended_sessions(_: Api, who: Signed) -> Change:
    return Change("DELETE", f"players/{who.id}/sessions{BECAUSE}", None)


async def ended_device(api: Api, who: Signed) -> Change:
    [device] = (await api.admin(f"players/{who.id}/devices")).body["devices"]
    return Change("DELETE", f"players/{who.id}/devices/{device['id']}{BECAUSE}", None, (404, "device_not_found"))


async def note(_: Api, who: Signed) -> Change:
    return Change("POST", f"players/{who.id}/notes", {"text": "has asked twice"}, (201, None))


async def notice(_: Api, __: Signed) -> Change:
    return Change("POST", "notices", {**WHY, "text": "hello"}, (201, None))


async def rebuild(_: Api, __: Signed) -> Change:
    return Change("POST", "boards/exp/rebuild", WHY, (202, None))


async def letter(_: Api, who: Signed) -> Change:
    return Change("POST", f"players/{who.id}/mail", {**WHY, "text": "hello", "items": {"potion": 1}})


async def deletion(_: Api, who: Signed) -> Change:
    return Change("DELETE", f"players/{who.id}{BECAUSE}", None, (404, "player_not_found"))


CHANGES = (revoked_key, revoked_campaign, deleted_query, saved_query, ban, lifted_ban, ended_session, ended_sessions,
           ended_device, note, notice, rebuild, letter, deletion)  # fmt: skip


@pytest.mark.family(5)
@pytest.mark.parametrize("made_of", CHANGES)
async def test_copies_of_a_change_at_one_instant_have_one_effect_and_one_answer(
    api: Api, made_of: Callable[[Api, Signed], Awaitable[Change]]
) -> None:
    change, key = await made_of(api, await api.sign_up()), command_id()
    answers = await asyncio.gather(*(send(api, change, key) for _ in range(COPIES)))
    assert {answer.status for answer in answers} <= {200, 201, 202, 204}, [answer.body for answer in answers]
    first = shown(answers[0])
    assert [shown(answer) for answer in answers] == [first] * COPIES
    assert shown(await send(api, change, key)) == first, "also later"
    other = await send(api, change, command_id())
    assert (other.status, other.code) == change.again, other.body


def shown(answer: Answer) -> object:
    """An answer without what only tells the first one from the others."""
    if not isinstance(answer.body, dict):
        return answer.status
    told = {name: value for name, value in answer.body.items() if name not in ("replayed", "changes", "name", "player")}
    return answer.status, told


@pytest.mark.parametrize("made_of", [revoked_key, revoked_campaign, lifted_ban])
async def test_two_commands_that_end_one_thing_at_one_instant_both_find_it_ended(
    api: Api, made_of: Callable[[Api, Signed], Awaitable[Change]]
) -> None:
    change = await made_of(api, await api.sign_up())
    answers = await asyncio.gather(*(send(api, change, command_id()) for _ in range(2)))
    assert [answer.status for answer in answers] == [200, 200], [answer.body for answer in answers]


async def test_two_cancels_of_rules_at_one_instant_cancel_them(api: Api, settings: Settings) -> None:
    easier, key = settings.game.read_text("utf-8").replace("exp = 5\n", "exp = 6\n"), command_id()
    ordered = Change("POST", "rules", {**WHY, "game": easier, "in_seconds": 60})
    assert (await send(api, ordered, command_id())).status == 200
    cancel = Change("POST", "rules/cancel", WHY)
    copies = await asyncio.gather(*(send(api, cancel, key) for _ in range(2)))
    assert [copy.body["order"]["state"] for copy in copies] == ["cancelled"] * 2
    assert (await send(api, cancel, command_id())).body["order"]["state"] == "cancelled"


async def test_of_two_drains_at_one_instant_one_is_ordered_and_stays(api: Api) -> None:
    drain = Change("POST", "databases/two/drain", WHY)
    answers = await asyncio.gather(*(send(api, drain, command_id()) for _ in range(2)))
    assert sorted(answer.status for answer in answers) == [200, 409], [answer.body for answer in answers]
    members = (await api.admin("fleet")).body["members"]
    assert {member["draining"] for member in members if member["database"] == "two"} == {True}


async def test_a_note_under_the_command_id_of_another_one_is_refused(api: Api) -> None:
    one, two, key = await api.sign_up(), await api.sign_up(), command_id()
    assert (await send(api, await note(api, one), key)).status == 201
    assert (await send(api, await note(api, two), key)).code == "command_mismatch"
    other = Change("POST", f"players/{one.id}/notes", {"text": "another text"})
    assert (await send(api, other, key)).code == "command_mismatch"


async def test_a_copy_waits_for_the_first_and_carries_out_what_a_dead_node_has_left(
    node: InProcessNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(audit, "COPY_SECONDS", 0.2)
    log = Audit(node.core.databases["one"])
    change = AuditedChange("ann", "notice", "everyone", "a test", {}, command_id())

    async def carry_out(after: str) -> AuditedEnd:
        async with log.once(change) as end:
            if not end.replayed:
                end.after = {"made": after}
        return end

    async with log.once(change) as first:
        with pytest.raises(OutcomeUnknown):
            await carry_out("by a copy beside it")
        first.after = {"made": "first"}
    assert await carry_out("again") == AuditedEnd({"made": "first"}, replayed=True)
    left = AuditedChange("ann", "notice", "everyone", "a test", {}, command_id())
    async with node.core.databases["one"].transaction() as connection:
        await audit._begun(connection, left)
    change = left
    with pytest.raises(OutcomeUnknown):
        await carry_out("too early")
    monkeypatch.setattr(audit, "LAPSED", audit.LAPSED * 0)
    assert await carry_out("after it") == AuditedEnd({"made": "after it"})
