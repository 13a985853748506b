"""Devices: added, listed, removed by the player and by operators, and what is asked for before that."""

import asyncio
from datetime import timedelta

import pytest

from gameserver.app import Core
from gameserver.commands.accounts import Application
from gameserver.commands.keys import device_key
from gameserver.commands.sign_in import sign_in_by_device
from gameserver.commands.sign_up import enroll
from gameserver.rules.errors import DeviceTaken, WrongCredentials
from gameserver.storage.accounts.identities import Change
from tests.support.client import ADMIN_KEY, Answer, Api, Signed, command_id
from tests.support.deployment import connected
from tests.support.devices import device_of
from tests.support.nodes import InProcessNode
from tests.support.uniqueness import assert_unique, sweep_all
from tests.transport.doors import assert_problem

PASSWORD = "the owner's own password 7"
NEW = device_of("another phone")


async def listed(api: Api, who: Signed) -> list[str]:
    answer = await api.ask("GET", "/v1/players/me/devices", token=who.token)
    assert answer.status == 200
    return [entry["id"] for entry in answer.body["devices"]]


async def add(api: Api, token: str, device: str = NEW, key: str | None = None) -> Answer:
    body = {"device": device, "label": "new phone"}
    return await api.ask("POST", "/v1/players/me/devices", token=token, body=body, key=key)


async def sign_in(api: Api, **credentials: str) -> Answer:
    return await api.ask("POST", "/v1/sessions", body=credentials)


async def test_a_device_is_added_once_signs_in_and_can_be_taken_away_again(api: Api, core: Core) -> None:
    who = await api.sign_up()
    first = await add(api, who.token, key=(key := command_id()))
    assert (first.status, first.body["label"]) == (201, "new phone")
    assert (await add(api, who.token, key=key)).body == first.body, "a retry"
    assert (await add(api, who.token)).body == first.body, "the same device again"
    old, new = await listed(api, who)
    assert new == first.body["id"]
    assert NEW not in str(first.body)
    assert (await sign_in(api, device=NEW)).status == 201

    gone = await api.ask("DELETE", f"/v1/players/me/devices/{old}", token=who.token)
    assert gone.status == 200
    assert_problem(await sign_in(api, device=who.device), "wrong_credentials")
    assert_problem(await api.ask("GET", "/v1/players/me", token=who.token), "not_authenticated")
    token = gone.body["session"]["token"]
    assert_problem(await api.ask("DELETE", f"/v1/players/me/devices/{new}", token=token), "last_credential")
    assert_problem(await api.ask("DELETE", f"/v1/players/me/devices/{old}", token=token), "device_not_found")
    assert (await sign_in(api, device=NEW)).body["player"]["id"] == who.id
    assert (await add(api, token, device=who.device)).status == 201, "the first one is free, and comes back"
    assert (await sign_in(api, device=who.device)).body["player"]["id"] == who.id
    await assert_unique(core)


async def test_a_removed_device_is_free_for_another_player_and_never_signs_in_the_first(api: Api) -> None:
    who = await api.sign_up(password=PASSWORD)
    (device,) = await listed(api, who)
    gone = await api.ask("DELETE", f"/v1/players/me/devices/{device}", token=who.token)
    assert gone.status == 200, "it has a password"
    other = await api.sign_up(device=who.device)
    assert (await sign_in(api, device=who.device)).body["player"]["id"] == other.id
    assert_problem(await add(api, gone.body["session"]["token"], device=who.device), "device_taken")


async def test_two_players_who_add_one_device_at_once_never_both_have_it(api: Api, core: Core) -> None:
    for number in range(10):
        pair = [await api.sign_up(), await api.sign_up()]
        answers = await asyncio.gather(*(add(api, who.token, device_of(f"shared {number}")) for who in pair))
        codes = sorted(answer.status for answer in answers)
        assert codes in ([201, 409], [409, 409]), [answer.body for answer in answers]
    await assert_unique(core, open_claims=True)


async def test_ten_devices_at_once_stop_at_the_bound(api: Api, core: Core) -> None:
    who = await api.sign_up()
    answers = [await add(api, who.token, device_of(f"phone {number}")) for number in range(12)]
    assert [answer.status for answer in answers] == [201] * 9 + [409] * 3
    assert answers[-1].code == "too_many_devices"
    assert len(await listed(api, who)) == 10
    await assert_unique(core)


async def test_devices_are_changed_and_a_player_deleted_only_with_a_fresh_proof(node: InProcessNode) -> None:
    core = node.core
    async with Api(node.url) as api:
        who = await api.sign_up(password=PASSWORD)
        by_device = (await sign_in(api, device=who.device)).body["session"]["token"]
        (device,) = await listed(api, who)
        refused = [
            ("POST", "/v1/players/me/devices", {"device": NEW}),
            ("DELETE", f"/v1/players/me/devices/{device}", None),
            ("DELETE", "/v1/players/me", None),
        ]
        for method, path, body in refused:
            assert_problem(await api.ask(method, path, token=by_device, body=body), "proof_needed")
        # Time passes: the session of the sign-up isn't fresh any more.
        policy = core.commands.accounts.policy
        now = policy.now
        object.__setattr__(policy, "now", lambda: now() + timedelta(seconds=policy.proof_seconds + 5))
        for method, path, body in refused:
            assert_problem(await api.ask(method, path, token=who.token, body=body), "proof_needed")
        object.__setattr__(policy, "now", now)
        by_password = await sign_in(api, name=who.name, password=PASSWORD)
        gone = await api.ask("DELETE", "/v1/players/me", token=by_password.body["session"]["token"])
        assert gone.status == 204


async def test_a_first_password_needs_a_fresh_session_and_a_second_the_first(node: InProcessNode) -> None:
    policy = node.core.commands.accounts.policy
    async with Api(node.url) as api:
        who = await api.sign_up()
        now = policy.now
        object.__setattr__(policy, "now", lambda: now() + timedelta(seconds=policy.proof_seconds + 5))
        change = {"new": PASSWORD}
        answer = await api.ask("POST", "/v1/players/me/password", token=who.token, body=change)
        assert_problem(answer, "proof_needed")
        object.__setattr__(policy, "now", now)
        first = await api.ask("POST", "/v1/players/me/password", token=who.token, body=change)
        assert first.status == 200
        token = first.body["session"]["token"]
        assert (await add(api, token)).status == 201, "the new session was opened with the password"


async def test_an_operator_lists_and_ends_devices_and_it_is_audited(api: Api, core: Core) -> None:
    who = await api.sign_up()
    path = f"/admin/v1/players/{who.id}/devices"
    (device,) = (await api.ask("GET", path, token=ADMIN_KEY)).body["devices"]
    assert_problem(await api.ask("DELETE", f"{path}/{device['id']}", token=ADMIN_KEY), "bad_input")
    key = command_id()
    for _ in range(2):
        ended = await api.ask("DELETE", f"{path}/{device['id']}?reason=stolen", token=ADMIN_KEY, key=key)
        assert ended.status == 204
    assert_problem(await sign_in(api, device=who.device), "wrong_credentials")
    assert_problem(await api.ask("GET", "/v1/players/me", token=who.token), "not_authenticated")
    async with connected(core.settings.database_url("one")) as control:
        row = await control.fetchrow("select admin, action, reason from audit where target = $1", who.id)
    assert tuple(row) == ("tester", "end_device", "stolen")
    (entry,) = (await api.admin("audit", target=who.id)).body["entries"]
    assert (entry["before"]["devices"], entry["after"]) == (1, {"devices": 0, "replayed": False})
    assert_problem(await api.ask("DELETE", f"{path}/{'0' * 16}?reason=x", token=ADMIN_KEY), "device_not_found")
    assert_problem(await api.ask("DELETE", f"{path}/nonsense?reason=x", token=ADMIN_KEY), "bad_input")


async def test_taking_a_device_is_foreseen_with_the_sessions_that_end_and_the_last_way_to_sign_in(api: Api) -> None:
    who, other = await api.sign_up(), device_of("another one")
    assert (await sign_in(api, device=who.device)).status in (200, 201)
    path = f"/admin/v1/players/{who.id}/devices"
    (device,) = (await api.ask("GET", path, token=ADMIN_KEY)).body["devices"]
    seen = await api.ask("DELETE", f"{path}/{device['id']}?reason=x&preview=true", token=ADMIN_KEY)
    assert seen.status == 200, seen.body
    changes = {"devices": {"before": 1, "after": 0}, "sessions": {"before": 2, "after": 0}}
    assert (seen.body["changes"], len(seen.body["left"])) == (changes, 1)
    assert len((await api.ask("GET", path, token=ADMIN_KEY)).body["devices"]) == 1, "nothing was done"
    assert (await api.ask("GET", "/v1/players/me", token=who.token)).status == 200
    assert (await add(api, who.token, other)).status == 201
    seen = await api.ask("DELETE", f"{path}/{device['id']}?reason=x&preview=true", token=ADMIN_KEY)
    assert (seen.body["changes"]["devices"], seen.body["left"]) == ({"before": 2, "after": 1}, [])
    gone = await api.ask("DELETE", f"{path}/{'0' * 16}?reason=x&preview=true", token=ADMIN_KEY)
    assert_problem(gone, "device_not_found")


async def test_a_node_that_dies_after_the_claim_or_after_the_commit_leaves_what_the_sweeper_settles(core: Core) -> None:
    accounts = core.commands.accounts
    birth, _ = await enroll(accounts, Application("Ann Lee", "mage", device=device_of("anns")), command_id())
    key = device_key(NEW)
    change = Change(command_id(), birth.player.id, "add_device", {"device": key.text[:16]}, 0)
    # Killed after the claim: nobody can have it until the sweeper frees it.
    await accounts.room.claims.retake(key, birth.player.id, change.command_id)
    with pytest.raises(WrongCredentials):
        await sign_in_by_device(accounts, NEW)
    with pytest.raises(DeviceTaken):
        await enroll(accounts, Application("Bea Lee", "mage", device=NEW), command_id())
    await sweep_all(core)
    await enroll(accounts, Application("Bea Lee", "mage", device=NEW), command_id())
    # Killed after the commit: it is the player's, before the sweep and after it.
    third = device_key(device_of("third"))
    identity = await accounts.room.identities.find(change)
    await accounts.room.claims.retake(third, birth.player.id, change.command_id)
    assert await accounts.room.devices.add(change, identity.claims_epoch, third, "") is not None
    for _ in range(2):
        assert (await sign_in_by_device(accounts, device_of("third"))).player.id == birth.player.id
        await sweep_all(core)
    await assert_unique(core)
