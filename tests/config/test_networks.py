"""What settings accept and would then never match, or take for something else: each is a fault with its path."""

from ipaddress import ip_address, ip_network
from pathlib import Path

import pytest

from gameserver.config.errors import ConfigFault
from gameserver.config.networks import plain, translated
from gameserver.config.settings import load
from tests.config.test_settings import GOOD


@pytest.mark.parametrize(
    ("written", "path"),
    [
        ("[limits]\nexempt = [1]", "limits.exempt.0"),
        ('[limits]\nexempt = ["10.0.0.0/8", true]', "limits.exempt.1"),
        ('[limits]\nexempt = ["::ffff:10.0.0.0/104"]', "limits.exempt.0"),
        ('[limits]\nexempt = ["64:ff9b::10.0.0.0/104"]', "limits.exempt.0"),
        ('[haproxy]\nport = 1\noperators_port = 2\nforwarded_from = ["::ffff:0:0/96"]', "haproxy.forwarded_from.0"),
        ("[haproxy]\nport = 1\noperators_port = 2\nplaces = true", "haproxy.places"),
        ("[sockets]\nper_node = true", "sockets.per_node"),
        ('[sockets]\nper_node = "5_0"', "sockets.per_node"),
        ("[writes]\ndeadline_seconds = true", "writes.deadline_seconds"),
        ("[limits]\nactions_per_player = { per_second = true, burst = 5 }", "limits.actions_per_player.per_second"),
    ],
)
def test_what_would_never_match_or_mean_something_else_is_a_fault(tmp_path: Path, written: str, path: str) -> None:
    file = tmp_path / "a.toml"
    file.write_text(f"{GOOD}{written}\n")
    with pytest.raises(ConfigFault) as refused:
        load(file)
    assert [line.strip().partition(": ")[0] for line in str(refused.value).splitlines()[1:]] == [path]


@pytest.mark.parametrize("name", ["GAMESERVER_LIMIT__EXEMPT", "GAMESERVER_NOED__PORT", "gameserver_game__x"])
def test_a_variable_that_names_no_section_is_a_fault(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    file = tmp_path / "a.toml"
    file.write_text(GOOD.replace("port = 8080", "port = 0"))
    monkeypatch.setenv(name, "1")
    monkeypatch.setenv("GAMESERVER_PASSWORD", "of something else")
    monkeypatch.setenv("GAMESERVER_SOCKETS__PER_NODE", "50")
    with pytest.raises(ConfigFault) as refused:
        load(file)
    faults = [line.strip().partition(": ") for line in str(refused.value).splitlines()[1:]]
    assert [fault[0] for fault in faults] == [name, "node.port"]
    assert faults[0][2].startswith("the settings have no section [")
    monkeypatch.delenv(name)
    file.write_text(GOOD)
    assert load(file).sockets.per_node == 50


def test_an_address_of_ipv4_is_one_however_it_is_written() -> None:
    for text in ("192.0.2.1", "::ffff:192.0.2.1", "64:ff9b::192.0.2.1", "64:ff9b::c000:201"):
        assert plain(ip_address(text)) == ip_address("192.0.2.1"), text
    for text in ("64:ff9b:1::192.0.2.1", "64:ff9b::1:192.0.2.1", "2001:db8::192.0.2.1", "::1"):
        assert plain(ip_address(text)) == ip_address(text), text
    assert translated(ip_network("10.0.0.0/8")) == [ip_network("10.0.0.0/8"), ip_network("64:ff9b::10.0.0.0/104")]
    assert translated(ip_network("fd00::/8")) == [ip_network("fd00::/8")]
