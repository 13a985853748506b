"""Keys of operators and back ends: too short ones are refused at the start, wrong ones are limited and logged."""

import json
from pathlib import Path
from typing import Any

import pytest

from gameserver.config.errors import ConfigFault
from gameserver.config.settings import Settings, load
from tests.support.client import ADMIN_KEY, Answer, Api
from tests.support.nodes import node_process

BACKEND_KEY = "the-key-of-the-shop-that-is-long-enough"


def lines(log: Path, event: str) -> list[dict[str, Any]]:
    return [line for line in map(json.loads, log.read_text().splitlines()) if line["event"] == event]


@pytest.mark.parametrize("door", ["operator", "back end"])
async def test_wrong_keys_of_an_address_are_limited_logged_and_counted_and_a_right_one_passes(
    settings: Settings, tmp_path: Path, door: str
) -> None:
    own = node_process(settings, tmp_path, "node-1")
    config = tmp_path / "node-1.toml"
    text = config.read_text().replace(
        'exempt = ["127.0.0.0/8"]', "wrong_keys_per_address = { per_minute = 1, burst = 3 }"
    )
    text = text.replace("[node]", '[node]\ntrusted_proxies = ["127.0.0.1/32"]')
    config.write_text(f'{text}[backend.keys]\nshop = "{BACKEND_KEY}"\n')
    await own.start()

    async def ask(api: Api, key: str, address: str) -> Answer:
        if door == "operator":
            return await api.ask("GET", "/admin/v1/slots", token=key, X_Forwarded_For=address)
        return await api.ask("GET", "/v1/actions", X_Backend_Key=key, X_Forwarded_For=address)

    wrong, right = "w" * 32, ADMIN_KEY if door == "operator" else BACKEND_KEY
    try:
        async with Api(own.address) as api:
            answers = [await ask(api, wrong, "198.51.100.7") for _ in range(6)]
            refused = 403 if door == "operator" else 401
            assert [answer.status for answer in answers] == [refused] * 3 + [429] * 3
            assert int(answers[-1].headers["Retry-After"]) > 30
            assert (await ask(api, right, "198.51.100.7")).status == 200
            assert (await ask(api, wrong, "198.51.100.8")).status == refused
            cookie = f"gameserver_console=hls_{'x' * 43}"
            ended = await api.ask("GET", "/admin/v1/session", Cookie=cookie, X_Forwarded_For="198.51.100.7")
            assert ended.status == 401, "a session is no key"
            metrics = str((await api.ask("GET", "/metrics")).body)
            assert f'gameserver_wrong_keys_total{{door="{door}"}} 7.0' in metrics
            assert 'gameserver_denied_total{limit="wrong_keys_per_address"} 3.0' in metrics
    finally:
        await own.stop()
    told = lines(own.log, "a wrong key")
    assert [(line["kind"], line["address"]) for line in told] == [(door, "198.51.100.7"), (door, "198.51.100.8")]
    assert wrong not in own.log.read_text()


def test_a_short_key_keeps_a_node_from_starting_and_the_fault_says_what_to_do(
    settings: Settings, tmp_path: Path
) -> None:
    node_process(settings, tmp_path, "node-1")
    config = tmp_path / "node-1.toml"
    config.write_text(config.read_text().replace(ADMIN_KEY, "x"))
    with pytest.raises(ConfigFault, match=r"admin\.keys\.tester: .*32 to 1024 characters.*openssl rand -hex 24"):
        load(config)


def test_a_short_secret_in_the_data_folder_is_refused_and_not_shown(settings: Settings) -> None:
    settings.data.mkdir(parents=True, exist_ok=True)
    embedded = settings.model_copy(
        update={"redis": settings.redis.model_copy(update={"url": None, "embedded": object()})}
    )
    for name, read in (("admin.key", embedded.admin_keys), ("servers.key", embedded.server_secret)):
        path = settings.data / name
        path.write_text("hunter2\n")
        with pytest.raises(ConfigFault, match=rf"{name} has 7 characters, and needs 32") as raised:
            read()
        assert "hunter2" not in str(raised.value)
        path.unlink()


@pytest.mark.parametrize("action", ["ban", "lift_ban"])
async def test_a_player_never_sees_why_an_operator_did_something(api: Api, action: str) -> None:
    who, reason = await api.sign_up(), "an internal reason"
    path = f"/admin/v1/players/{who.id}/ban"
    banned = await api.ask("POST", path, token=ADMIN_KEY, body={"reason": reason})
    assert banned.status == 200
    refused = [
        await api.ask("POST", "/v1/sessions", body={"device": who.device}),
        await api.ask("GET", "/v1/players/me", token=who.token),
        await api.act(who),
        await api.ask("GET", f"/v1/players/{who.id}"),
    ]
    assert refused[0].code == "banned"
    lifted = await api.ask("DELETE", f"{path}?reason=another+internal+reason", token=ADMIN_KEY)
    assert lifted.status == 200
    token = (await api.ask("POST", "/v1/sessions", body={"device": who.device})).body["session"]["token"]
    shown = [await api.ask("GET", path, token=token) for path in ("/v1/players/me/ledger", "/v1/players/me/feed")]
    (entry,) = [entry for entry in shown[0].body["entries"] if entry["action"] == action]
    assert entry["args"] == {}
    for answer in (*refused, *shown):
        assert "internal reason" not in json.dumps(answer.body)
