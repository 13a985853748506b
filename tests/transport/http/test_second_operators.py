"""Nobody alone writes to more players than the limit: whose keys may be in one hand, and segments that grow."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from gameserver.config.settings import Settings
from gameserver.storage.operators import campaigns as records
from gameserver.storage.sessions import sightings
from gameserver.storage.sessions.sightings import Sightings
from gameserver.upkeep import campaigns as sending
from tests.support.client import ADMIN_KEY, Api, Signed, command_id
from tests.support.deployment import connected
from tests.support.nodes import InProcessNode
from tests.transport.http.test_campaigns import SECOND_KEY, at_rest, change, counts, node, shown, started

__all__ = ["node"]
LETTER: dict[str, Any] = {"reason": "a test", "text": "Hello.", "items": {}, "filter": {}, "expected_count": 2}


async def key_made(api: Api, name: str, by: str, *, again: bool = False) -> str:
    """A new operator's key, or the one of this name rotated, by another key."""
    path, more = (f"/{name}/rotate", {"grace": 0}) if again else ("", {"name": name, "role": "operator"})
    answer = await api.ask("POST", f"/admin/v1/keys{path}", token=by, body={"reason": "a test", **more})
    assert answer.status == 201, answer.body
    return str(answer.body["key"])


@pytest.mark.usefixtures("node")
@pytest.mark.parametrize("node", [{"second_operator_above": 1}], indirect=True)
async def test_two_keys_that_may_be_in_one_hand_are_one_operator(api: Api, settings: Settings) -> None:
    for _ in range(2):
        await api.sign_up()
    ann = await key_made(api, "ann", ADMIN_KEY)
    ann_own = await key_made(api, "ann", ann, again=True)
    bob = await key_made(api, "bob", ann_own)
    cid = await key_made(api, "cid", SECOND_KEY)
    started_by = {"operator": await started(api, 2)}
    for name, key in (("ann", ann_own), ("bob", bob), ("cid", cid)):
        answer = await api.ask("POST", "/admin/v1/campaigns", token=key, body=LETTER)
        assert answer.status == 200, answer.body
        started_by[name] = answer.body["campaign"]["id"]

    async def agreed(who: str, key: str) -> tuple[int, str]:
        answer = await change(api, started_by[who], "agreement", key, expected_count=2)
        return answer.status, answer.body.get("detail", "")

    for who, key in (("operator", bob), ("ann", bob), ("bob", ADMIN_KEY), ("bob", ann_own), ("ann", ADMIN_KEY)):
        status, detail = await agreed(who, key)
        assert (status, "may be one person" in detail) == (403, True), (who, detail)
    assert (await agreed("cid", bob))[0] == 200
    assert (await agreed("operator", cid))[0] == 200
    # Somebody rotates another's key, and agrees with it, also after that key has rotated itself.
    stolen = await key_made(api, "cid", bob, again=True)
    stolen = await key_made(api, "cid", stolen, again=True)
    assert (await agreed("bob", stolen))[0] == 403
    async with connected(settings.database_url("one")) as connection:
        await connection.execute("update admin_keys set made_at = made_at - interval '8 days'")
    assert (await agreed("bob", stolen))[0] == 200


async def seen_in_2035(node: InProcessNode, players: Sequence[Signed]) -> None:
    seen = Sightings(lambda: datetime(2035, 5, 5, 5, 5, tzinfo=UTC).timestamp())
    for who in players:
        seen.note(int(who.id))
    for database in node.core.slots.databases("players"):
        await sightings.write(node.core.slots, seen, database)


@pytest.mark.parametrize("node", [{"second_operator_above": 2}], indirect=True)
@pytest.mark.parametrize("page", [1, 100])
async def test_a_segment_that_grows_beyond_the_limit_waits_for_a_second_operator(
    api: Api, node: InProcessNode, settings: Settings, monkeypatch: pytest.MonkeyPatch, page: int
) -> None:
    """Who was seen in this hour: few in its first minute, and then everybody who is online."""
    monkeypatch.setattr(records, "BEGIN_SECONDS", 3600.0)
    monkeypatch.setattr(sending, "PAGE", page)
    players = [await api.sign_up() for _ in range(5)]
    await seen_in_2035(node, players[:2])
    campaign = await started(api, 2, filter={"seen_since": "2035-05-05T05:00:00Z"})
    assert (await shown(api, campaign))["state"] == "running"
    await seen_in_2035(node, players)
    monkeypatch.setattr(records, "BEGIN_SECONDS", 0.0)
    held = await at_rest(api, campaign, "waiting")
    written = held["arrived"]
    assert (held["players"], written == 2 if page == 1 else written < 3) == (5, True), "the count is a new one"
    assert sum(letters for letters, _ in await counts(api, players)) == written
    assert held["agree_until"] > held["changed_at"]
    # A week runs from when it came to wait.
    async with connected(settings.database_url("one")) as connection:
        await connection.execute("update campaigns set changed_at = changed_at - interval '8 days'")
        late = await change(api, campaign, "agreement", SECOND_KEY, expected_count=5)
        assert (late.code, "waiting, but only until" in late.body["detail"]) == ("campaign_over", True), late.body
        await connection.execute("update campaigns set changed_at = changed_at + interval '8 days'")
    assert (await change(api, campaign, "agreement", expected_count=5)).code == "same_operator"
    assert (await change(api, campaign, "agreement", SECOND_KEY, expected_count=2)).code == "segment_changed"
    assert (await change(api, campaign, "agreement", SECOND_KEY, expected_count=5)).status == 200
    done = await at_rest(api, campaign, "done")
    assert (done["arrived"], done["refused"], done["agreed_by"]) == (5, 0, "second")
    assert await counts(api, players) == [(1, 2)] * 5


@pytest.mark.parametrize(("node", "status"), [({"second_operator_above": 1}, 200), ({"second_operator_above": 0}, 403)],
                         indirect=["node"])  # fmt: skip
async def test_who_started_a_campaign_confirms_it_where_one_operator_is_enough(
    api: Api, node: InProcessNode, settings: Settings, status: int
) -> None:
    """As after a restore of the control database, since which it waits."""
    who, campaign = await api.sign_up(), command_id()
    async with connected(settings.database_url("one")) as connection:
        await connection.execute(
            "insert into campaigns (id, admin, reason, filter, text, items, counted, state)"
            " values ($1, 'tester', 'a test', '{\"banned\": false}', 'Hello', '{\"potion\": 2}', 1, 'waiting')",
            campaign,
        )
    assert (await shown(api, campaign))["needs_second_operator"] is (status == 403)
    confirmed = await change(api, campaign, "agreement", expected_count=1)
    assert confirmed.status == status, confirmed.body
    if status == 200:
        done = await at_rest(api, campaign, "done")
        assert (done["agreed_by"], await counts(api, [who])) == (None, [(1, 2)])
