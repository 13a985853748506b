"""Whose keys may be in one hand: such operators don't agree to each other's letters to many players."""

from typing import Any

import pytest

from gameserver.config.settings import Settings
from tests.support.client import ADMIN_KEY, Api
from tests.support.deployment import connected
from tests.transport.http.test_campaigns import SECOND_KEY, change, node, started

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
