"""What a foreign Patroni is told about replication slots: doctor says it, and moves that would fail don't begin."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from gameserver import app as application
from gameserver.app import examine
from gameserver.app.patroni_watch import PatroniFacts
from gameserver.commands import sharding
from gameserver.config.backups import BackupSettings
from gameserver.config.servers import DatabaseSettings
from gameserver.config.settings import Settings
from gameserver.rules.errors import Conflict
from gameserver.stack.processes.ports import free_port
from gameserver.storage.sharding.move import PlannedMove
from tests.support.deployment import connected
from tests.support.servers import SLOTS

MOVES = {"type": "logical", "plugin": "pgoutput"}
ARCHIVE = {"type": "physical", "name": "gameserver_archive"}


@contextmanager
def patroni(version: str, config: dict[str, Any]) -> Iterator[str]:
    """The URL of a REST API that says this, as Patroni's does; `config` may change."""

    class Answers(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            said = {"/config": config, "/patroni": {"state": "running", "patroni": {"version": version, "scope": "x"}}}
            self.send_response(200)
            self.end_headers()
            self.wfile.write(json.dumps(said[self.path]).encode())

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Answers) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()
            thread.join()


def under(settings: Settings, *urls: str) -> Settings:
    """Database `one` is run by the Patronis at these URLs."""
    one = settings.databases["one"].model_copy(update={"patroni": urls})
    chosen = {"databases": {**settings.databases, "one": one}, "backups": BackupSettings(folder=Path("no-backups"))}
    return settings.model_copy(update=chosen)


async def symptoms(settings: Settings) -> list[str]:
    (one,) = [server for server in await examine(settings, 1) if server.name == "one" and server.kind == "database"]
    return [symptom.problem for symptom in one.symptoms if "Patroni" in symptom.problem]


@pytest.mark.parametrize(
    ("ignored", "leaves"),
    [
        ([], False),
        ([MOVES], True),
        ([{"type": "logical"}], True),
        ([{"plugin": "pgoutput", "database": "game"}], True),
        ([{"plugin": "pgoutput", "database": "other"}], False),
        ([{"type": "physical"}], False),
        ([{**MOVES, "name": "some_slot"}], False),
        ([{"type": "physical"}, MOVES], True),
    ],
)
def test_an_entry_of_ignore_slots_fits_as_patroni_has_it(ignored: list[dict[str, str]], leaves: bool) -> None:
    for version, failover, expected in (((4, 1, 5), False, leaves), ((4, 0, 4), True, leaves), ((4, 1), True, True)):
        assert PatroniFacts(version, ignored, {}).leaves_moves("game", failover=failover) is expected


def test_the_slot_of_the_archive_stays_by_its_name_or_as_a_permanent_one() -> None:
    assert not PatroniFacts((4, 1), [MOVES, {"type": "physical", "name": "other"}], {}).leaves_archive()
    assert PatroniFacts((4, 1), [ARCHIVE], {}).leaves_archive()
    assert PatroniFacts((4, 1), [], {"gameserver_archive": {"type": "physical"}}).leaves_archive()


async def test_moves_are_refused_while_patroni_would_drop_their_slots(settings: Settings) -> None:
    config: dict[str, Any] = {"ttl": 30, "ignore_slots": [{"type": "physical"}]}
    with patroni("4.0.4", config) as url:
        here = under(settings, f"http://127.0.0.1:{free_port()}", url)
        assert await symptoms(here) == ["Patroni would drop the replication slots of moves"]
        async with application.open_sharding(here) as moves:
            slot = next(slot for slot in range(SLOTS) if moves.slots.owner("players", slot).name == "one")
            plan = PlannedMove("players", "one", "two", [slot])
            with pytest.raises(Conflict, match="Patroni of one would drop the replication slot of the move: put "):
                await sharding.begin(moves, [plan])
            assert not await moves.moves.unfinished()
            config["ignore_slots"] = [MOVES]
            assert await sharding.begin(moves, [plan])
        assert await symptoms(here) == ["Patroni would drop the slot that keeps its log for backups"]
    assert await symptoms(here) == ["no Patroni of it answers"]


async def test_a_patroni_that_the_settings_dont_name_is_noticed_by_its_connections(settings: Settings) -> None:
    url = settings.database_url("one")
    assert await symptoms(settings) == []
    async with connected(url) as heartbeat:
        await heartbeat.execute("set application_name = 'Patroni heartbeat'")
        (problem,) = await symptoms(settings)
    assert "isn't known" in problem


@pytest.mark.parametrize("url", ["db-1:8008", "ftp://db-1:8008", "http://db-1:8008/config", "http://name@db-1"])
def test_what_is_no_address_of_a_rest_api_is_refused(url: str) -> None:
    with pytest.raises(ValueError, match="isn't http"):
        DatabaseSettings.model_validate({"url": "postgresql://gameserver@db-1/gameserver", "patroni": [url]})
