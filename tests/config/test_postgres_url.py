"""URLs of Postgres: several addresses are told apart, every fault is named, and no password is shown."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from gameserver.config.errors import ConfigFault
from gameserver.config.postgres_url import for_servers, places
from gameserver.config.settings import load
from tests.config.test_settings import GOOD

SEVERAL = [
    (
        "postgresql://r:p%40s@one,two:7/d?sslmode=require",
        [
            ("one:5432", "postgresql://r:p%40s@one/d?sslmode=require"),
            ("two:7", "postgresql://r:p%40s@two:7/d?sslmode=require"),
        ],
    ),
    ("postgres://[::1]:5,[::2]/d", [("[::1]:5", "postgres://[::1]:5/d"), ("[::2]:5432", "postgres://[::2]/d")]),
    (
        "postgresql:///d?host=one,two&port=5,6&user=r",
        [("one:5", "postgresql:///d?host=one&port=5&user=r"), ("two:6", "postgresql:///d?host=two&port=6&user=r")],
    ),
    (
        "postgresql://r:p@/d?host=one,two",
        [
            ("one:5432", "postgresql://r:p@/d?host=one&port=5432"),
            ("two:5432", "postgresql://r:p@/d?host=two&port=5432"),
        ],
    ),
    (
        "postgresql:///d?host=/run/a,/run/b",
        [
            ("/run/a:5432", "postgresql:///d?host=%2Frun%2Fa&port=5432"),
            ("/run/b:5432", "postgresql:///d?host=%2Frun%2Fb&port=5432"),
        ],
    ),
]


@pytest.mark.parametrize(("text", "expected"), SEVERAL)
def test_each_of_several_addresses_has_all_else_of_the_url(text: str, expected: list[tuple[str, str]]) -> None:
    assert [(place.address, place.url.get_secret_value()) for place in places(SecretStr(text))] == expected


ALONE = (
    "postgresql://r:p@one:7/d?sslmode=require", "postgresql:///d?host=/run/a", "postgresql://", "postgresql:///d?port=7",
    "postgresql://r@:7/d", "postgresql://r:p@/d?host=one", "postgresql://r@%2Frun%2Fa:7/d", "postgresql://r@[::1]/d",
    "postgresql://r@[fe80::1%25eth0]:7/d", "postgresql://me%40x:p%2F%3F%23s@one/d?application_name=a%40b&sslcert=",
)  # fmt: skip


@pytest.mark.parametrize("text", ALONE)
def test_a_url_of_one_address_stays_as_it_is(text: str) -> None:
    assert [place.url.get_secret_value() for place in places(SecretStr(text))] == [text]
    assert for_servers(SecretStr(text)).get_secret_value() == text


def test_a_server_that_connects_by_itself_looks_for_the_primary_too() -> None:
    url = for_servers(SecretStr("postgresql://r:p%40s@one,two:7/d?sslmode=require&target_session_attrs=any"))
    assert url.get_secret_value() == (
        "postgresql://r:p%40s@one,two:7/d?tcp_user_timeout=5000&sslmode=require&target_session_attrs=read-write"
    )


MANGLED = (
    "postgresql://r:topsecret/x@one:5432/d", "postgresql://r:5432/topsecret@one/d", "postgresql://r:x#topsecret@one/d",
    "postgresql://r:x?topsecret@one/d", "postgresql://r:x?a=topsecret@one/d", "postgresql://r:x@topsecret@one/d",
    "postgresql://r:[topsecret]@one/d", "postgresql://r:[topsecret@one/d", "postgresql://r:\u2100topsecret@one/d",
    "postgresql:r:topsecret@one/d", "postgresql://one/d?password=x#topsecret",
)  # fmt: skip
FAULTS = [
    ("http://r:topsecret@one/d", "the scheme isn't one of postgresql://, postgres://"),
    ("postgresql://r@one/d?topsecret", "a parameter of its query has no `=`"),
    ("postgresql://r:topsecret@one,/d", "its address 2 isn't a host, or host:port"),
    ("postgresql://r:topsecret@one,two:99999/d", "its address 2 isn't a host"),
    ("postgresql://r:topsecret@one,two:0/d", "its address 2 isn't a host"),
    ("postgresql://r:topsecret@one:5432,one/d", "it names an address twice"),
    ("postgresql:///d?host=one,two&port=1,2,3&password=topsecret", "`host` lists 2 addresses and `port` 3"),
    ("postgresql://r:topsecret@one:99999/d", "its address 1 isn't a host, or host:port"),
    ("postgresql://r:topsecret@one:x/d", "its address 1 isn't a host"),
    ("postgresql:///d?port=topsecret", "its address 1 isn't a host"),
    *((text, "it isn't a URL: special characters of the password must be percent-encoded") for text in MANGLED),
    (f"postgresql://r:topsecret@{','.join(f'h{number}' for number in range(17))}/d", "has 17 addresses, and 16"),
]


@pytest.mark.parametrize(("text", "fault"), FAULTS)
def test_every_fault_of_a_url_is_reported_at_start_without_the_password(tmp_path: Path, text: str, fault: str) -> None:
    file = tmp_path / "a.toml"
    file.write_text(GOOD.replace("embedded = { port = 15432 }", f'url = "{text}"'))
    with pytest.raises(ConfigFault, match=f"databases.one.url: .*{fault}") as refused:
        load(file)
    assert "topsecret" not in str(refused.value)
