"""URLs of Redis and what goes with them: every kind is parsed, every fault is named, and no password is shown."""

import re
from pathlib import Path

import pytest
from pydantic import SecretStr

from gameserver.config.errors import ConfigFault
from gameserver.config.redis_url import RedisUrl, parse
from gameserver.config.settings import load
from gameserver.storage.redis import clients
from tests.config.test_settings import GOOD


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("redis://a", RedisUrl("server", False, (("a", 6379),), None, None)),
        ("redis://:p%40s:s@a:7/3", RedisUrl("server", False, (("a", 7),), None, SecretStr("p@s:s"), database=3)),
        ("rediss://u:p@[::1]:7", RedisUrl("server", True, (("::1", 7),), "u", SecretStr("p"))),
        (
            "redis+sentinel://u:p@a,b:7/the-master/2",
            RedisUrl("sentinel", False, (("a", 26379), ("b", 7)), "u", SecretStr("p"), "the-master", 2),
        ),
        ("rediss+sentinel://a:1/m", RedisUrl("sentinel", True, (("a", 1),), None, None, "m")),
        ("redis+cluster://a:1,b:2", RedisUrl("cluster", False, (("a", 1), ("b", 2)), None, None)),
        ("rediss+cluster://:p@a:1/0", RedisUrl("cluster", True, (("a", 1),), None, SecretStr("p"))),
    ],
)
def test_each_kind_of_url_is_understood(text: str, expected: RedisUrl) -> None:
    assert parse(SecretStr(text)) == expected


FAULTS = [
    ("http://a", "the scheme isn't one of redis://, rediss://, redis\\+sentinel://"),
    ("a:6379", "the scheme isn't one of"),
    ("redis://", "isn't a host"),
    ("redis://a:0", "its address 1 isn't a host"),
    ("redis://a:99999", "isn't a host"),
    ("redis://a b", "isn't a host"),
    ("redis+cluster://a:1,", "its address 2 isn't a host"),
    ("redis://a:1,b:2", "redis:// names one server; for several write redis\\+sentinel:// or redis\\+cluster://"),
    ("redis://a/x", "what follows its last / isn't the number of a database"),
    ("redis://a/-1", "isn't the number of a database"),
    ("redis://topsecret@a", "a user without a password"),
    ("redis://a?db=1", "no options"),
    ("redis+sentinel://a:1", "the master's name is missing"),
    ("redis+sentinel://a:1/", "the master's name is missing"),
    ("redis+sentinel://a:1/m/x", "isn't the number"),
    ("redis://:x/topsecret@a", "special characters of the password must be percent-encoded"),
    ("redis://:topsecret/x@a:1/0", "special characters of the password must be percent-encoded"),
    ("redis+sentinel://u:x/topsecret@a:1/m", "special characters of the password must be percent-encoded"),
    ("redis://:topsecret", "its address 1 isn't a host"),
    ("redis://a/topsecret", "isn't the number of a database"),
    ("redis+cluster://a:1/3", "a cluster has only database 0"),
]


@pytest.mark.parametrize(("text", "fault"), FAULTS)
def test_every_fault_of_a_url_is_reported_at_start_without_the_password(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "a.toml"
    given = text.replace("://a", "://:topsecret@a") if "topsecret" not in text else text
    file.write_text(GOOD.replace("embedded = { port = 16379 }", f'url = "{given}"'))
    with pytest.raises(ConfigFault, match=f"redis.url: .*{fault}") as refused:
        load(file)
    assert "topsecret" not in str(refused.value)


@pytest.mark.parametrize(
    ("section", "fault"),
    [
        ('url = "redis://a"\nca = "ca.pem"', "are for TLS"),
        ('embedded = { port = 1 }\nkey = "k"', "are for TLS"),
        ('url = "rediss://a"\ncertificate = "c.pem"', "`certificate` and `key` go together"),
        ('url = "redis://a"\nsentinel_password = "x"', "are for redis\\+sentinel"),
    ],
)
def test_settings_that_dont_fit_the_url_are_reported(tmp_path: Path, section: str, fault: str) -> None:
    file = tmp_path / "a.toml"
    file.write_text(GOOD.replace("embedded = { port = 16379 }", section))
    with pytest.raises(ConfigFault, match=f"redis: .*{fault}"):
        load(file)


def test_tls_files_are_relative_to_the_settings_and_must_exist_and_be_valid(tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text(GOOD.replace("embedded = { port = 16379 }", 'url = "rediss://a"\nca = "ca.pem"'))
    settings = load(file)
    with pytest.raises(ConfigFault, match=f"redis.ca: the file {re.escape(str(tmp_path))}/ca.pem can't be read"):
        settings.redis_access()
    (tmp_path / "ca.pem").write_text("no certificate")
    access = settings.redis_access()
    assert access.ca == tmp_path / "ca.pem"
    with pytest.raises(ConfigFault, match="don't hold what TLS needs"):
        clients.connect(settings.redis_url(), access)
