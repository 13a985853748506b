"""Settings of what fails over: one kind of server each, and nothing that couldn't elect."""

from pathlib import Path

import pytest

from gameserver.config.errors import ConfigFault
from gameserver.config.settings import load
from gameserver.stack.clusters import clusters, failover_api
from gameserver.stack.errors import StackError
from gameserver.stack.servers.patroni import PatroniServer
from gameserver.stack.servers.patroni_settings import shared
from gameserver.stack.servers.standbys import ARCHIVE_SLOT
from tests.support.repository import CONFIG

CLUSTER = CONFIG / "cluster.toml"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "cluster.toml"
    path.write_text(CLUSTER.read_text("utf-8"), "utf-8")
    return path


@pytest.mark.parametrize(
    ("before", "after", "fault"),
    [
        ("{ port = 15911, api_port = 15941 }, ", "", "needs two or more"),
        ("[databases.one]\n", '[databases.one]\nurl = "postgresql://a@b/c"\n', "give either"),
        ("[redis.sentinels]", "[redis]\nembedded = { port = 16379 }\n[redis.sentinels]", "give either"),
        ("ports = [16889, 16890, 16891]", "ports = [16889, 16890]", r"redis\.sentinels\.ports"),
    ],
)
def test_what_cant_fail_over_is_refused(file: Path, before: str, after: str, fault: str) -> None:
    text = file.read_text("utf-8")
    assert before in text
    file.write_text(text.replace(before, after), "utf-8")
    with pytest.raises(ConfigFault, match=fault):
        load(file)


def test_members_without_etcd_are_refused(file: Path) -> None:
    before, _, after = file.read_text("utf-8").partition("[etcd]")
    file.write_text(before + after[after.index("[databases.one]") :], "utf-8")
    with pytest.raises(ConfigFault, match=r"databases\.one\.members need \[etcd\].*databases\.three\.members need"):
        load(file)


def test_nodes_get_every_address(file: Path) -> None:
    settings = load(file)
    assert settings.database_url("one").get_secret_value().endswith("@127.0.0.1:15911,127.0.0.1:15912/gameserver")
    assert (
        settings.redis_url().get_secret_value().endswith("@127.0.0.1:16889,127.0.0.1:16890,127.0.0.1:16891/gameserver")
    )


def test_a_member_waits_with_moves_for_the_others_and_knows_no_others_password(file: Path) -> None:
    members = [member for member in clusters(load(file)).servers if isinstance(member, PatroniServer)]
    assert [(member.name, *member.others) for member in members[:2]] == [("one-1", "one-2"), ("one-2", "one-1")]
    passwords = {member.passwords.superuser.get_secret_value() for member in members}
    assert len(passwords) == 3, "one for each database"
    moves, archive = {"type": "logical", "plugin": "pgoutput"}, {"type": "physical", "name": ARCHIVE_SLOT}
    assert shared(2)["ignore_slots"] == [moves, archive], "Patroni would drop them"


def test_a_database_without_members_has_no_primary_to_change(file: Path) -> None:
    with pytest.raises(StackError, match=r"'four' isn't a database with `members`.*one, two, three"):
        failover_api(load(file), "four")
