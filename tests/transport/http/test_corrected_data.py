"""What a game's rules remember of a player is corrected, undone and rolled back like its other values."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from gameserver.config.settings import Settings
from gameserver.rules.arguments import Arguments
from gameserver.rules.player import Moment, Outcome, Player, changed
from gameserver.rules.player_data import MAX_KEYS, Datum
from gameserver.storage.ids import slot_of
from tests.support.client import ADMIN_KEY, Api, Signed, command_id
from tests.support.deployment import assert_ledger_explains, connected, with_actions
from tests.support.nodes import InProcessNode, start_node
from tests.transport.doors import fields_of
from tests.transport.http.test_corrections import change, done, me, state

pytestmark = pytest.mark.own_node


class Mark(Arguments):
    """What the rules are to remember under a name."""

    name: str
    value: int | bool | str


def mark(player: Player, args: Mark, moment: Moment) -> Outcome:
    return Outcome(changed(player, data={**player.data, args.name: args.value}), ())


@pytest.fixture
async def node(settings: Settings, tmp_path: Path) -> AsyncIterator[InProcessNode]:
    async with AsyncExitStack() as stack:
        yield await start_node(stack, with_actions(settings, tmp_path, mark=f"{__name__}:mark"))


async def marked(api: Api, who: Signed, name: str, value: Datum) -> str:
    answer = await api.act(who, "mark", name=name, value=value)
    assert answer.status == 200, answer.body
    return str(answer.body["command_id"])


async def remembered(api: Api, who: Signed) -> dict[str, Datum]:
    body: dict[str, Datum] = (await api.admin(f"players/{who.id}")).body["data"]
    return body


def values(changes: dict[str, Any]) -> dict[str, tuple[Any, Any]]:
    return {name: (change["before"], change["after"]) for name, change in changes.items()}


async def test_names_that_the_rules_remember_are_set_and_removed_and_the_correction_is_undone(
    api: Api, node: InProcessNode
) -> None:
    who = await api.sign_up("mage")
    await marked(api, who, "seen", True)
    await marked(api, who, "wins", 3)
    before, order = await remembered(api, who), {"data": {"wins": 5, "seen": None, "title": "hero of Xanadu"}}
    wanted = {"data.seen": (True, None), "data.wins": (3, 5), "data.title": (None, "hero of Xanadu")}
    shown = await done(api, who, "corrections", preview=True, **order)
    assert values(shown["changes"]) == wanted
    assert await remembered(api, who) == before
    key = command_id()
    for replayed in (False, True):
        made = await done(api, who, "corrections", key=key, **order)
        assert (made["replayed"], values(made["changes"])) == (replayed, {} if replayed else wanted)
    assert await remembered(api, who) == {"wins": 5, "title": "hero of Xanadu"}
    later = await marked(api, who, "later", 1)

    undone = await done(api, who, "undo", command_id=made["command_id"])
    assert values(undone["changes"]) == {name: (new, old) for name, (old, new) in wanted.items()}
    assert (undone["left"], await remembered(api, who)) == ([], before | {"later": 1})
    await done(api, who, "undo", command_id=undone["command_id"])
    assert await remembered(api, who) == {"wins": 5, "title": "hero of Xanadu", "later": 1}
    back = await done(api, who, "rollback", to_version=3)
    assert values(back["changes"])["data.later"] == (1, None)
    assert await remembered(api, who) == before
    assert later
    await assert_ledger_explains(node.core, int(who.id))


async def test_what_the_rules_remember_is_in_the_audit_log_without_texts_and_players_arent_shown_it(api: Api) -> None:
    who = await api.sign_up("mage")
    await marked(api, who, "wins", 3)
    await done(api, who, "corrections", data={"wins": 4, "title": "hero of Xanadu"})
    [entry] = (await api.admin("audit", target=who.id)).body["entries"]
    text = f"sha256:{sha256(b'hero of Xanadu').hexdigest()}"
    assert entry["details"]["order"]["data"] == {"wins": 4, "title": text}
    assert entry["before"]["data"] == {"wins": 3, "title": None}
    assert entry["after"]["data"] == {"wins": 4, "title": text}
    shown = await api.ask("GET", "/v1/players/me/ledger?limit=1", token=who.token)
    [own] = shown.body["entries"]
    assert own["action"] == "operator:correct"
    assert "Xanadu" not in str(shown.body)
    assert own["events"][0]["changes"] == {}


async def test_an_undo_that_only_takes_back_a_mark_says_so_and_leaves_what_has_changed_since(api: Api) -> None:
    who = await api.sign_up("mage")
    first, second = await marked(api, who, "seen", True), await marked(api, who, "wins", 1)
    shown = await done(api, who, "undo", preview=True, command_id=first)
    assert values(shown["changes"]) == {"data.seen": (True, None)}
    await marked(api, who, "seen", 1)  # which isn't true
    await marked(api, who, "more", 1)
    kept = await done(api, who, "undo", command_id=first)
    assert kept["changes"] == {}
    assert kept["left"] == ["What the game's rules remember as seen has changed since, and stays."]
    assert values((await done(api, who, "undo", command_id=second))["changes"]) == {"data.wins": (1, None)}
    assert await remembered(api, who) == {"seen": 1, "more": 1}


@pytest.mark.parametrize(
    ("data", "field"),
    [
        ({"wins": 2**53}, "data.wins"),
        ({"wins": 1.5}, "data.wins"),
        ({"wins": [1]}, "data.wins"),
        ({"wins": "\0"}, "data.wins"),
        ({"": 1}, "data."),
        ({"a" * 65: 1}, "data."),
        ({str(number): 1 for number in range(MAX_KEYS + 1)}, "data"),
        ({"wins": "x" * 1025}, "data"),
        ({"nothing": None}, "data"),
    ],
    ids=str,
)
async def test_operators_have_the_bounds_that_rules_have(api: Api, data: dict[str, Any], field: str) -> None:
    who = await api.sign_up("mage")
    for preview in (True, False):
        refused = await change(api, who, "corrections", preview=preview, data=data)
        assert refused.code == "bad_input", refused.body
        assert all(each.startswith(field) for each in fields_of(refused.body)), refused.body
        assert fields_of(refused.body)
    assert await remembered(api, who) == {}


async def test_a_version_is_rolled_back_to_and_seen_also_where_commands_share_its_moment(
    api: Api, node: InProcessNode
) -> None:
    who, states = await api.sign_up("mage"), list[dict[str, Any]]()
    for exp in (10, 20, 30, 40):
        await done(api, who, "corrections", exp=exp, data={"exp": exp})
        states.append(await me(api, who))
    async with connected(node.core.slots.owner("players", slot_of(int(who.id))).url) as connection:
        await connection.execute("update ledger set at = now() where player_id = $1 and version > 1", int(who.id))
    path = f"/admin/v1/players/{who.id}/state?version=3"
    seen = (await api.ask("GET", path, token=ADMIN_KEY)).body
    assert (seen["player"]["version"], seen["player"]["exp"], seen["data"]) == (3, 20, {"exp": 20})
    assert (await state(api, who, "2999-01-01T00:00:00Z"))["player"]["version"] == 5
    shown = await done(api, who, "rollback", preview=True, to_version=3)
    back = await done(api, who, "rollback", to_version=3)
    assert (shown["to_version"], back["to_version"]) == (3, 3)
    assert values(back["changes"])["data.exp"] == (40, 20)
    assert await me(api, who) == states[1]


@pytest.mark.parametrize(
    ("order", "code", "fields"),
    [
        ({}, "bad_input", ["to"]),
        ({"to": "2026-01-31T12:00:00Z", "to_version": 1}, "bad_input", ["to"]),
        ({"to_version": 0}, "bad_input", ["to_version"]),
        ({"to_version": 1}, "not_undoable", []),
        ({"to_version": 2}, "state_unknown", []),
    ],
)
async def test_a_rollback_names_a_moment_or_a_version_that_was(
    api: Api, order: dict[str, Any], code: str, fields: list[str]
) -> None:
    who = await api.sign_up("mage")
    refused = await change(api, who, "rollback", **order)
    assert (refused.code, fields_of(refused.body)) == (code, fields), refused.body


@pytest.mark.parametrize(
    ("query", "code"), [("", "bad_input"), ("version=2", "state_unknown"), ("version=0", "bad_input")]
)
async def test_a_past_state_is_of_a_moment_or_a_version_that_was(api: Api, query: str, code: str) -> None:
    who = await api.sign_up("mage")
    assert (await api.ask("GET", f"/admin/v1/players/{who.id}/state?{query}", token=ADMIN_KEY)).code == code
