"""Names of servers and of holders of keys: what nothing else can take is refused with its setting."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from pydantic import SecretStr

from gameserver.config.errors import ConfigFault
from gameserver.config.settings import load
from gameserver.rules.errors import Conflict
from gameserver.storage.sharding.admission import admit

MARKUP, TURNED = "<img src=x onerror=alert(1)>", "eu\u202exe.gnp"
HOSTILE = (
    MARKUP, TURNED, "n" * 300, "", " ", "a b", "eu\nbind :1", "eu\x00", "a'b", 'a"b', "{}", "{0}", "%s", "$(id)",
    "../../etc", "..", "-rf", "eu/1", "eu\\1", "데이터", "eu,us", "eu;drop", "eu\u2028us", "ｅｕ",
)  # fmt: skip
UNSEEN = (TURNED, "n" * 65, "", " ", " ann", "eu\nann", "ann\x00", "ann\u2028", "ann\u200b")
HOSTS = (MARKUP, TURNED, "0.0.0.0\n  bind :1", "a b", "127.0.0.1:80", "[::1]", "${HOME}", "n" * 300)
KEY = "k" * 40


def content(
    database: str = "one", node: str = "eu-1", holder: str = "ann", host: str = "127.0.0.1", more: str = ""
) -> str:
    """Settings as TOML, whose basic strings are written as JSON's are."""
    name = json.dumps(database)
    return f"""
[node]
name = {json.dumps(node)}
host = {json.dumps(host)}
[haproxy]
port = 80
operators_port = 81
host = {json.dumps(host)}
operators_host = {json.dumps(host)}
[databases.{name}]
url = "postgresql://somebody@db.example/game"
[databases.run]
embedded = {{ port = 15432 }}
{more}
[redis]
embedded = {{ port = 16379 }}
[control]
database = {name}
[groups.accounts]
databases = [{name}]
[groups.players]
databases = [{name}]
[admin.keys]
{json.dumps(holder)} = "{KEY}"
[backend.keys]
{json.dumps(holder)} = "{KEY}"
"""


def refusal(path: Path, text: str) -> str:
    path.write_text(text)
    with pytest.raises(ConfigFault) as refused:
        load(path)
    return str(refused.value)


@pytest.mark.parametrize(
    ("names", "make", "settings"),
    [
        (HOSTILE, lambda name: content(database=name), ("databases.",)),
        (HOSTILE, lambda name: content(node=name), ("node.name",)),
        (UNSEEN, lambda name: content(holder=name), ("admin.keys.", "backend.keys.")),
        (HOSTS, lambda name: content(host=name), ("node.host", "haproxy.host", "haproxy.operators_host")),
    ],
    ids=["databases", "nodes", "holders", "hosts"],
)
def test_a_hostile_name_is_refused_with_its_setting_and_a_harmless_text(
    tmp_path: Path, names: tuple[str, ...], make: Callable[[str], str], settings: tuple[str, ...]
) -> None:
    for name in names:
        said = refusal(tmp_path / "a.toml", make(name))
        assert all(setting in said for setting in settings), (name, said)
        assert all(line.isprintable() and len(line) < 400 for line in said.splitlines()), (name, said)
        assert len(said.splitlines()) == 1 + len(settings), (name, said)


@pytest.mark.parametrize("name", ["one", "EU-West_1.a", "0", "n" * 64])
def test_a_plain_name_is_taken(tmp_path: Path, name: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(content(database=name, node=name, holder="김 용사, 서울", host="::1"))
    settings = load(path)
    assert name in settings.databases
    assert "김 용사, 서울" in settings.admin.keys
    for host in ("localhost", "*", "", "fe80::1%eth0", "10.0.0.1", "db-1.internal_net"):
        path.write_text(content(host=host))
        assert load(path).node.host == host


def test_two_servers_of_up_never_have_one_name_nor_one_that_postgres_cuts_off(tmp_path: Path) -> None:
    long = "n" * 49
    more = f"""replicas = [{{ embedded = {{ port = 15433 }} }}]
[databases.run-replica-1]
embedded = {{ port = 15434 }}
[databases.{long}]
embedded = {{ port = 15435 }}
[databases.two]
members = [{{ port = 1, api_port = 2 }}, {{ port = 3, api_port = 4 }}]
[databases.two-2]
embedded = {{ port = 15436 }}
[etcd]
members = [{{ port = 5, peer_port = 6 }}]"""
    said = refusal(tmp_path / "a.toml", content(more=more))
    assert "databases.run-replica-1: a server of the database run has this name already" in said
    assert "databases.two-2: a server of the database two has this name already" in said
    assert f"{long}: the name of a database that `up` runs has 48 characters at the most" in said


async def test_a_database_that_joins_at_run_time_has_a_plain_name_too(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text(content().replace("[groups.accounts]", '[stack]\ndata = "var"\n[groups.accounts]'))
    for name in HOSTILE:
        with pytest.raises(Conflict, match="can't be a name") as refused:
            await admit(load(path), name, SecretStr("postgresql://somebody@127.0.0.1:1/game"), ["players"])
        assert str(refused.value.detail).isprintable()


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("postgresql://gameserver:topsecret@db/game", "Leave the password out"),
        ("postgresql://gameserver:x/topsecret@db/game", "The address can't be used: it isn't a URL"),
        ("postgresql://gameserver:x#topsecret@db/game", "The address can't be used: it isn't a URL"),
        ("postgresql://db/game?password=x#topsecret", "The address can't be used: it isn't a URL"),
    ],
)
async def test_a_database_that_joins_has_an_address_without_a_password(tmp_path: Path, url: str, said: str) -> None:
    path = tmp_path / "a.toml"
    path.write_text(content().replace("[groups.accounts]", '[stack]\ndata = "var"\n[groups.accounts]'))
    with pytest.raises(Conflict, match=said) as refused:
        await admit(load(path), "joining", SecretStr(url), ["players"])
    assert "topsecret" not in str(refused.value.detail)
