"""Settings from a file and the environment: faults are reported with their paths, and no text shows a secret."""

import os
import re
import subprocess
import sys
import tomllib
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from gameserver.config import files
from gameserver.config.errors import ConfigFault
from gameserver.config.limits import LimitSettings
from gameserver.config.redis_url import parse
from gameserver.config.settings import Settings, load
from tests.support.repository import CONFIG, ROOT

YEAR = 365 * 86_400
GOOD = """
game = "game.toml"
[stack]
data = "var"
[node]
port = 8080
[databases.one]
embedded = { port = 15432 }
[databases.two]
url = "postgresql://somebody:secret@db.example:5432/game"
[redis]
embedded = { port = 16379 }
[control]
database = "one"
[groups.accounts]
databases = ["one"]
[groups.players]
databases = ["one", "two"]
slots = 256
[admin.keys]
ann = "anns-key-that-nobody-ever-guesses-1"
"""


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "a.toml"
    path.write_text(GOOD)
    return path


def test_paths_are_relative_to_the_file_wherever_the_command_runs(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir("/")
    settings = load(file)
    assert settings.data == tmp_path / "var"
    assert settings.groups["players"].slots == 256
    assert settings.database_url("two").get_secret_value() == "postgresql://somebody:secret@db.example:5432/game"
    with pytest.raises(ConfigFault, match=r"game\.toml"):
        settings.game_mapping()


def test_every_fault_is_reported_at_once_with_its_path(file: Path) -> None:
    broken = GOOD.replace("port = 8080", 'port = 99999\ncolour = "red"').replace("slots = 256", 'slots = "many"')
    broken = broken.replace('[control]\ndatabase = "one"', "[control]").replace("port = 16379", "port = 0")
    file.write_text("colour = 1\n" + broken + "[writes]\ndeadline_seconds = -1\n")
    with pytest.raises(ConfigFault) as refused:
        load(file)
    text = str(refused.value)
    assert text.startswith(f"{file} can't be used:\n")
    paths = {line.strip().partition(":")[0] for line in text.splitlines()[1:]}
    assert paths == {
        "colour",
        "node.port",
        "node.colour",
        "groups.players.slots",
        "control.database",
        "redis.embedded.port",
        "writes.deadline_seconds",
    }


def test_every_unknown_name_is_reported_at_once(file: Path) -> None:
    broken = GOOD.replace('databases = ["one"]', 'databases = ["three"]').replace("groups.players", "groups.plyers")
    file.write_text(broken.replace('database = "one"', 'database = "four"'))
    with pytest.raises(ConfigFault) as refused:
        load(file)
    for wanted in ("groups.accounts", "'three'", "control", "'four'", "groups.plyers", "groups.players is missing"):
        assert wanted in str(refused.value)


LIMITS = """
[backend.keys]
shop = "too-short"
game = "with a blank, and thirty-two characters long"
[limits]
exempt = ["10.0.0.1/8"]
sign_ups_per_address = { per_minute = 0, burst = 1 }
sign_ins_per_address = { per_minute = 30, burst = 0 }
sign_ins_per_name = { per_minute = 0.01, burst = 30 }
actions_per_player = { per_second = 1000000, burst = 1000001 }
frames_per_socket = { per_minute = 7, burst = 1 }
"""


def test_invalid_limits_and_keys_are_reported_with_their_paths_and_no_key_is_shown(file: Path) -> None:
    file.write_text(GOOD.replace("port = 8080", 'trusted_proxies = ["nobody"]') + LIMITS)
    with pytest.raises(ConfigFault) as refused:
        load(file)
    text = str(refused.value)
    paths = {line.strip().partition(":")[0] for line in text.splitlines()[1:]}
    assert paths == {
        "node.trusted_proxies.0",
        "backend.keys.shop",
        "backend.keys.game",
        "limits.exempt.0",
        "limits.sign_ups_per_address.per_minute",
        "limits.sign_ins_per_address.burst",
        "limits.sign_ins_per_name.burst",
        "limits.actions_per_player.burst",
        "limits.frames_per_socket.per_second",
        "limits.frames_per_socket.per_minute",
    }
    assert "too-short" not in text
    assert "thirty-two" not in text


SECRETS = {
    "database": "the-databases-password",
    "redis": "the-password-of-redis",
    "sentinel": "the-sentinels-password",
    "admin": "the-key-of-ann-that-is-long-enough-for-it",
    "backend": "the-key-of-the-shop-that-is-long-enough",
}


@pytest.fixture
def secretive(file: Path) -> Path:
    """A configuration with a secret in every place that can have one."""
    text = GOOD.replace("secret@", f"{SECRETS['database']}@").replace(
        "anns-key-that-nobody-ever-guesses-1", SECRETS["admin"]
    )
    redis = f'url = "redis+sentinel://:{SECRETS["redis"]}@a:1/m"\nsentinel_password = "{SECRETS["sentinel"]}"'
    text = text.replace("embedded = { port = 16379 }", redis)
    file.write_text(text + f'[backend.keys]\nshop = "{SECRETS["backend"]}"\n')
    return file


def test_no_text_of_the_settings_shows_a_secret(secretive: Path) -> None:
    settings = load(secretive)
    shown = [
        settings,
        settings.model_dump(),
        settings.model_dump_json(),
        settings.database_url("two"),
        settings.redis_url(),
        settings.redis_access(),
        parse(settings.redis_url()),
        settings.admin_keys(),
        settings.backend,
    ]
    for secret in SECRETS.values():
        assert secret not in f"{shown!r} {shown}"
    assert settings.database_url("two").get_secret_value().count(SECRETS["database"]) == 1
    assert settings.backend.keys["shop"].get_secret_value() == SECRETS["backend"]


def test_no_fault_of_the_settings_shows_a_secret(secretive: Path) -> None:
    text = secretive.read_text()
    with pytest.raises(ValidationError) as refused:
        Settings(**tomllib.loads(text.replace('database = "one"', 'database = "nowhere"')))
    for broken in (text.replace("[redis]", "[redis]\nport = 1"), text + "colour = 1\n", text.replace("@a:1/m", "@a:1")):
        secretive.write_text(broken)
        with pytest.raises(ConfigFault) as fault:
            load(secretive)
        for secret in SECRETS.values():
            assert secret not in f"{fault.value} {refused.value}"


@pytest.mark.parametrize("rate", ["nan", "inf", "-1", "1e9", '"many"'])
def test_a_rate_is_a_positive_number_within_bounds(file: Path, rate: str) -> None:
    file.write_text(GOOD + f"[limits]\nactions_per_player = {{ per_second = {rate}, burst = 1 }}\n")
    with pytest.raises(ConfigFault, match=r"limits\.actions_per_player\.per_second"):
        load(file)


DURATIONS = (
    ("sessions.idle_seconds", 10 * YEAR), ("sessions.longest_seconds", 10 * YEAR), ("ledger.keep_seconds", 10 * YEAR),
    ("ledger.window_back_seconds", YEAR // 13), ("ledger.window_ahead_seconds", 3600), ("mail.keep_seconds", 10 * YEAR),
    ("backups.keep_seconds", 10 * YEAR), ("backups.old_seconds", YEAR),
)  # fmt: skip


@pytest.mark.parametrize(("setting", "long"), DURATIONS)
def test_what_lasts_longer_than_moments_go_is_refused(file: Path, setting: str, long: int) -> None:
    section, _, name = setting.partition(".")
    more = f"[{section}]\n{name} = {{}}\n" + ('folder = "backups"\n' if section == "backups" else "")
    file.write_text(GOOD + more.format(long))
    settings = load(file)
    if settings.backups is not None:
        assert datetime.now(UTC) + settings.backups.model_copy(update={"least": 1000}).stay
    file.write_text(GOOD + more.format(300_000_000_000))
    with pytest.raises(ConfigFault, match=setting):
        load(file)


def test_the_configurations_of_one_machine_let_the_bots_in_and_play() -> None:
    for name in ("local", "one"):
        limits = load(CONFIG / f"{name}.toml").limits
        assert [str(network) for network in limits.exempt] == ["127.0.0.0/8", "::1/128"]
        assert limits.actions_per_player.per_second >= 5_000
        assert limits.frames_per_socket.per_second >= 10_000
    assert LimitSettings().exempt == ()


@pytest.mark.parametrize("server", ["", 'url = "redis://a"\nembedded = { port = 1 }'])
def test_a_server_has_either_a_url_or_a_port_to_be_embedded_at(file: Path, server: str) -> None:
    file.write_text(GOOD.replace("embedded = { port = 16379 }", server))
    with pytest.raises(ConfigFault, match=r"redis: .*either `url` or `embedded"):
        load(file)


FRONT = "[haproxy]\nport = 8000\noperators_port = 8001\n"


@pytest.mark.parametrize(
    ("changed", "to", "path"),
    [
        ("port = 8000\n", "", "haproxy.port"),
        ("8001", "8000", "haproxy"),
        ("8001", '8001\nnodes = ["a:1", "b"]', "haproxy.nodes.1"),
        ("8001", '8001\nnodes = ["a:99999"]', "haproxy.nodes.0"),
        ("8001", '8001\nnodes = ["a b:80"]', "haproxy.nodes.0"),
        ("8001", '8001\nnodes = ["a:1", "a:1"]', "haproxy"),
        ("8001", '8001\nnodes = ["a:1", "b:1"]\nplaces = 1', "haproxy"),
        ("8001", "8001\nplaces = 0", "haproxy.places"),
        ("8001", "8001\nconnections = 0", "haproxy.connections"),
    ],
)
def test_a_fault_of_haproxy_is_reported_with_its_path(file: Path, changed: str, to: str, path: str) -> None:
    file.write_text(GOOD + FRONT.replace(changed, to))
    with pytest.raises(ConfigFault) as refused:
        load(file)
    assert [line.strip().partition(": ")[0] for line in str(refused.value).splitlines()[1:]] == [path]


def test_everything_that_keeps_nodes_from_standing_behind_haproxy_is_reported_at_once(file: Path) -> None:
    front = FRONT.replace("8001", "8083\nplaces = 4").replace("8000", "8081")
    file.write_text(GOOD.replace('data = "var"', 'data = "var"\nnodes = 5') + front)
    with pytest.raises(ConfigFault) as refused:
        load(file)
    for wanted in (
        "stack.nodes is 5",
        "haproxy.places only 4",
        "haproxy.port is 8081",
        "haproxy.operators_port is 8083",
    ):
        assert wanted in str(refused.value)
    file.write_text(GOOD.replace("8080", "65530") + FRONT)
    with pytest.raises(ConfigFault, match=r"node\.port leaves no ports"):
        load(file)


def test_a_certificate_is_relative_to_the_file(file: Path) -> None:
    assert load(file).certificate is None
    file.write_text(GOOD + FRONT + 'certificate = "tls/own.pem"\n')
    assert load(file).certificate == file.parent / "tls" / "own.pem"


@pytest.mark.parametrize("text", ["a = ", "\x80\x81", f"a = {'9' * 5000}", "a = " + "[" * 5000])
def test_a_file_that_isnt_toml_or_doesnt_exist_is_reported_in_a_sentence(file: Path, text: str) -> None:
    file.write_bytes(text.encode("latin-1"))
    with pytest.raises(ConfigFault, match=r"a\.toml"):
        load(file)
    with pytest.raises(ConfigFault, match=r"nowhere\.toml can't be read"):
        load(file.with_name("nowhere.toml"))


def test_the_environment_overrides_single_values_of_the_file(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAMESERVER_NODE__PORT", "9090")
    monkeypatch.setenv("GAMESERVER_DATABASES__TWO__URL", "postgresql://elsewhere/game")
    monkeypatch.setenv("GAMESERVER_LOG", "warning")
    monkeypatch.setenv("GAMESERVER_READY_FILE", "/somewhere")
    settings = load(file)
    assert (settings.node.port, settings.node.host, settings.log) == (9090, "127.0.0.1", "warning")
    assert settings.database_url("two").get_secret_value() == "postgresql://elsewhere/game"
    assert settings.databases["one"].embedded is not None
    monkeypatch.setenv("GAMESERVER_NODE__PORT", "much")
    with pytest.raises(ConfigFault, match=r"node\.port"):
        load(file)


def test_lists_of_the_environment_are_json_or_have_commas(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GAMESERVER_NODE__ORIGINS", "https://game.example, https://*.game.example")
    monkeypatch.setenv("GAMESERVER_NODE__TRUSTED_PROXIES", "10.0.0.0/8")
    monkeypatch.setenv("GAMESERVER_LIMITS__EXEMPT", '["10.1.0.0/16", "::1/128"]')
    monkeypatch.setenv("GAMESERVER_ADMIN__ONE_TIME_PASSWORDS", "operator")
    monkeypatch.setenv("GAMESERVER_NAMES__RESERVED", "1234")
    settings = load(file)
    assert list(settings.names.reserved) == ["1234"]
    assert len(settings.node.origins) == 2
    assert [str(network) for network in settings.node.trusted_proxies] == ["10.0.0.0/8"]
    assert [str(network) for network in settings.limits.exempt] == ["10.1.0.0/16", "::1/128"]
    assert settings.admin.one_time_passwords == {"operator"}


def test_every_variable_that_should_be_json_is_named_beside_other_faults(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    variables = ("NODE", "ADMIN__KEYS", "HAPROXY", "DATABASES__TWO", "LIMITS__SIGN_UPS_PER_ADDRESS")
    for name in variables:
        monkeypatch.setenv(f"GAMESERVER_{name}", "topsecret")
    monkeypatch.setenv("GAMESERVER_NAMES__RESERVED", '["topsecret')
    monkeypatch.setenv("GAMESERVER_LIMITS__EXEMPT", "topsecret")
    file.write_text("colour = 1\n" + GOOD)
    with pytest.raises(ConfigFault) as refused:
        load(file)
    said = [line.strip().partition(": ") for line in str(refused.value).splitlines()[1:]]
    not_json = {place for place, _, problem in said if "isn't JSON" in problem}
    assert not_json == {f"GAMESERVER_{name}" for name in (*variables, "NAMES__RESERVED")}
    assert {place for place, *_ in said} - not_json == {"colour", "limits.exempt.0"}
    assert "topsecret" not in str(refused.value)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o777


def test_the_embedded_stacks_admin_key_is_made_once_and_only_its_owner_may_read_it(file: Path) -> None:
    keys = load(file).admin_keys()
    assert keys == load(file).admin_keys()
    assert keys["ann"] == SecretStr("anns-key-that-nobody-ever-guesses-1")
    assert len(keys["operator"].get_secret_value()) >= 32
    key_file = load(file).admin_key_file
    assert (key_file.read_text().strip(), mode(key_file)) == (keys["operator"].get_secret_value(), 0o600)


def test_every_role_of_every_embedded_server_has_a_password_of_its_own(file: Path) -> None:
    settings = load(file)
    roles = [("one", "gameserver"), ("one", "postgres"), ("two", "gameserver"), ("redis", "default")]
    passwords = [settings.server_password(*role).get_secret_value() for role in roles]
    secrets = {*passwords, settings.server_secret().get_secret_value()}
    secrets |= {key.get_secret_value() for key in settings.admin_keys().values()}
    assert len(secrets) == len(roles) + 1 + len(settings.admin_keys())
    assert passwords == [load(file).server_password(*role).get_secret_value() for role in roles]
    assert passwords[0] in settings.database_url("one").get_secret_value()
    assert passwords[3] in settings.redis_url().get_secret_value()
    assert mode(settings.data / "servers.key") == 0o600


def test_without_embedded_servers_there_are_only_the_keys_of_the_settings(file: Path, tmp_path: Path) -> None:
    text = GOOD.replace("embedded = { port = 15432 }", 'url = "postgresql://a/b"')
    file.write_text(text.replace("embedded = { port = 16379 }", 'url = "redis://a"'))
    assert load(file).admin_keys() == {"ann": SecretStr("anns-key-that-nobody-ever-guesses-1")}
    assert list(tmp_path.iterdir()) == [file]


def test_processes_that_make_the_same_secret_at_once_get_the_same_one(tmp_path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from gameserver.config.files import secret; "
        "print(secret(Path(sys.argv[1])).get_secret_value())"
    )
    path = tmp_path / "deep" / "a.key"
    running = [
        subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE, text=True) for _ in range(4)
    ]
    secrets = {process.communicate()[0].strip() for process in running}
    assert secrets == {path.read_text().strip()}
    assert [file.name for file in path.parent.iterdir()] == ["a.key"]


def test_a_secret_that_cant_be_created_is_reported_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ConfigFault, match="can't be read or made"):
        files.secret(tmp_path / "file" / "a.key")


def test_the_shipped_configurations_can_be_used() -> None:
    folder = CONFIG
    for path in folder.glob("*.toml"):
        if "[databases" in path.read_text():
            assert isinstance(load(path), Settings), path
    assert os.path.exists(folder / "local.toml")


def test_items_live_where_players_do_unless_they_are_placed(file: Path) -> None:
    assert load(file).groups["items"] == load(file).groups["players"]
    file.write_text(GOOD + '[groups.items]\ndatabases = ["two"]\n')
    assert (load(file).groups["items"].databases, load(file).groups["items"].slots) == (("two",), 256)


def test_items_with_another_number_of_slots_than_players_are_refused(file: Path) -> None:
    file.write_text(GOOD + '[groups.items]\ndatabases = ["two"]\nslots = 512\n')
    with pytest.raises(ConfigFault, match=r"groups\.items\.slots is 512, groups\.players has 256"):
        load(file)


@pytest.mark.parametrize("name", ["local", "one", "scaleout", "vertical", "sharded", "replicated", "cluster"])
def test_the_configurations_in_the_repository_can_be_used(name: str) -> None:
    assert load(CONFIG / f"{name}.toml").groups.keys() == {"accounts", "players", "items"}


def test_the_size_of_an_action_is_the_one_that_was_measured() -> None:
    texts = [
        " ".join((ROOT / file).read_text("utf-8").split()) for file in ("docs/limits.md", "gameserver/config/limits.py")
    ]
    (size,) = re.findall(r"\*\*an action\*\* .*\*\*(\d+) bytes\*\*", (ROOT / "docs/capacity.md").read_text("utf-8"))
    assert [re.findall(r"a row (?:of the ledger )?of (?:\D+ )?(\d+) bytes", text) for text in texts] == [[size], [size]]
