"""compose.yaml: it is what its specification allows, nothing in it runs as root, and it fits the other files.

compose-spec.json is that of the repository compose-spec/compose-spec (schema/, Apache License 2.0), unchanged.
"""

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import jsonschema  # type: ignore[import-untyped]
import pytest
from pydantic import SecretStr

from gameserver.config.errors import ConfigFault
from gameserver.config.settings import load
from gameserver.stack.servers.postgres import DURABLE
from gameserver.transport.wire import HEARTBEAT_SECONDS
from tests.docker import files
from tests.support.repository import ROOT

SCHEMA = Path(__file__).with_name("compose-spec.json")
DATABASES = ("database-one", "database-two")
NODES = ("node-1", "node-2")
ONE_SHOT = "migrate"


def services() -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = files.compose()["services"]
    return found


def test_the_compose_file_follows_the_specification() -> None:
    jsonschema.Draft7Validator(json.loads(SCHEMA.read_text("utf-8"))).validate(files.compose())


def test_no_secret_has_a_default() -> None:
    secrets = {name: rest for name, rest in files.VARIABLE.findall(files.COMPOSE.read_text("utf-8"))
               if re.search("_(PASSWORD|KEY|TOKEN|SECRET)$", name)}  # fmt: skip
    assert len(secrets) == 6
    assert all(rest.startswith(":?") for rest in secrets.values())


@pytest.mark.parametrize("name", services())
def test_a_container_runs_without_root_and_without_its_powers(name: str) -> None:
    service = services()[name]
    users = files.instructions("USER") if "build" in service else [service["user"]]
    assert users
    assert not {user.split(":")[0] for user in users} & {"root", "0"}
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert not {"privileged", "cap_add", "pid", "network_mode"} & set(service)


def test_only_haproxy_is_reached_from_outside_and_operators_from_this_machine_alone() -> None:
    published = {name: service["ports"] for name, service in services().items() if "ports" in service}
    assert list(published) == ["haproxy"]
    players, operators = published["haproxy"]
    assert players.endswith(":8080")
    assert operators.startswith("127.0.0.1:")
    assert files.compose()["networks"]["servers"]["internal"] is True
    assert all(services()[name]["networks"] == ["servers"] for name in (*DATABASES, "valkey", ONE_SHOT))


def test_every_server_has_a_password_of_its_own() -> None:
    secrets = [variables(value) for name in DATABASES for value in passwords(name).values()]
    secrets.append(variables(services()["valkey"]["environment"]["REDISCLI_AUTH"]))
    assert len(set().union(*secrets)) == len(secrets) == 2 * len(DATABASES) + 1
    for name in DATABASES:
        url = services()["node-1"]["environment"][
            f"GAMESERVER_DATABASES__{name.removeprefix('database-').upper()}__URL"
        ]
        assert variables(url) == variables(passwords(name)["GAMESERVER_PASSWORD"])


@pytest.mark.parametrize("file", ["docker/compose.yaml", "docs/game-data.md"])
def test_what_makes_the_secrets_makes_every_one(file: str) -> None:
    needed = {name for name, rest in files.VARIABLE.findall(files.COMPOSE.read_text("utf-8")) if rest.startswith(":?")}
    (made,) = re.findall("for name in (.*?); do", (ROOT / file).read_text("utf-8"), re.DOTALL)
    assert set(re.findall("[A-Z_]+", made)) == needed


def passwords(name: str) -> dict[str, str]:
    return {key: value for key, value in services()[name]["environment"].items() if key.endswith("PASSWORD")}


def variables(text: str) -> set[str]:
    return {name for name, _ in files.VARIABLE.findall(text)}


def test_nodes_start_on_migrated_databases() -> None:
    healthy = {"condition": "service_healthy"}
    databases = dict.fromkeys(DATABASES, healthy)
    assert services()[ONE_SHOT]["depends_on"] == databases
    assert services()[ONE_SHOT]["restart"] == "no"
    for name in NODES:
        migrated = {ONE_SHOT: {"condition": "service_completed_successfully"}}
        assert services()[name]["depends_on"] == {**databases, "valkey": healthy, **migrated}


def test_whatever_goes_on_is_watched_and_restarted() -> None:
    for name, service in services().items():
        if name != ONE_SHOT:
            assert "healthcheck" in service or ("build" in service and files.instructions("HEALTHCHECK")), name
            assert service["restart"] == "unless-stopped", name


def test_a_node_is_given_the_time_that_its_drain_takes() -> None:
    node = files.settings().node
    for name in NODES:
        assert files.seconds(services()[name]["stop_grace_period"]) > node.notice_seconds + 2 * node.drain_seconds + 10


def test_a_database_is_set_up_as_the_embedded_ones_are() -> None:
    for name in DATABASES:
        program, *flags = services()[name]["command"]
        assert program == "postgres"
        assert dict(flag.removeprefix("-c").split("=", 1) for flag in flags) == DURABLE


def test_data_outlive_their_containers() -> None:
    kept = {name: service["volumes"][0] for name, service in services().items() if name in (*DATABASES, "valkey")}
    assert kept == {**{name: f"{name}:/var/lib/postgresql" for name in DATABASES}, "valkey": "valkey:/data"}
    assert set(files.compose()["volumes"]) == {*DATABASES, "valkey"}
    told = services()["valkey"]["command"][-1]
    assert {"appendonly yes", "maxmemory-policy noeviction", "requirepass $$REDISCLI_AUTH"} <= set(told.splitlines())


def test_the_files_that_are_mounted_exist() -> None:
    for service in services().values():
        for volume in service.get("volumes", ()):
            source = volume.split(":")[0]
            assert not source.startswith(".") or (files.FOLDER / source).is_file(), volume


def test_the_nodes_settings_name_containers() -> None:
    settings = files.settings()
    urls = [settings.database_url("one"), settings.database_url("two"), settings.redis_url()]
    assert [urlsplit(url.get_secret_value()).hostname for url in urls] == [*DATABASES, "valkey"]
    assert settings.admin_keys() == {"operator": SecretStr(files.SECRET)}
    assert settings.game_mapping()["classes"]


def test_without_the_environment_every_missing_address_is_named() -> None:
    with pytest.raises(ConfigFault) as fault:
        load(files.NODE_SETTINGS)
    assert all(name in str(fault.value) for name in ("databases.one", "databases.two", "redis"))


def test_haproxy_knows_every_node_and_reaches_it() -> None:
    port = files.settings().node.port
    servers = files.SERVER.findall(files.HAPROXY.read_text("utf-8"))
    assert servers == [(name, name, str(port)) for name in NODES] * 2
    for name in NODES:
        assert set(services()[name]["networks"]) & set(services()["haproxy"]["networks"])


def test_a_quiet_socket_outlives_several_heartbeats() -> None:
    found = re.search(r"timeout tunnel (\S+)", files.HAPROXY.read_text("utf-8"))
    assert found is not None
    assert files.seconds(found[1]) >= 2 * HEARTBEAT_SECONDS


def test_nodes_and_migrations_take_a_game_of_ones_own_from_one_folder() -> None:
    for name in (*NODES, ONE_SHOT):
        service = services()[name]
        assert service["volumes"] == ["${GAME:-../config}:/srv/game:ro"]
        assert service["environment"]["GAMESERVER_GAME"] == "/srv/game/game.toml"
    assert (files.FOLDER / "../config/game.toml").is_file()
