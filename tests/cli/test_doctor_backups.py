"""What doctor and the metrics say of backups whose log has a gap, that a clock was ahead at, or that can't be read."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from pathlib import Path

import orjson
import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr

from gameserver.app import backup_watch, examine
from gameserver.app import backups as backups_of
from gameserver.config.backups import BackupSettings
from gameserver.config.deployment import StackSettings
from gameserver.config.settings import Settings
from gameserver.rules.errors import Overloaded
from gameserver.stack.backups import making
from gameserver.stack.backups.catalog import FACTS, BackupCatalog, BaseBackup, new_id
from gameserver.stack.errors import StackError
from gameserver.storage.operators.condition import Symptom
from gameserver.storage.postgres import shares
from gameserver.storage.postgres.database import Database
from gameserver.storage.sharding import provision
from gameserver.waiting import cancel_and_wait
from tests.stack.conftest import open_folder, roomy
from tests.support.deployment import connected
from tests.support.servers import Servers
from tests.support.wait import wait_until

SEGMENT = 16 << 20
IDLE = "idle_replication_slot_timeout"
Keep = Callable[..., BaseBackup]


@pytest.fixture
def room() -> Iterator[Path]:
    """A folder that the servers' account can enter."""
    with open_folder(roomy()) as folder:
        yield folder


@pytest.fixture
def backed(settings: Settings, room: Path) -> Settings:
    return settings.model_copy(update={"backups": BackupSettings(folder=room)})


@pytest.fixture
def keep(room: Path) -> Keep:
    """Facts of a backup that ended so long ago, at the end of segment 2, and segments of its log."""

    def kept(name: str, ago: timedelta, *segments: int) -> BaseBackup:
        ended, end = datetime.now(UTC) - ago, 2 * SEGMENT + 0x120
        backup = BaseBackup(new_id(ended), name, "7", "18.4", 1, end - 0x100, end, ended, ended, 1, SEGMENT)
        folder = BackupCatalog(name, room / name).data(backup).parent
        folder.mkdir(parents=True)
        (folder / FACTS).write_bytes(orjson.dumps(asdict(backup)))
        log = room / name / "wal" / "7" / "0001"
        log.mkdir(parents=True, exist_ok=True)
        for number in segments:
            (log / f"{1:08X}{0:08X}{number:08X}").touch()
        return backup

    return kept


async def problems(settings: Settings, name: str) -> list[str]:
    examined = await examine(settings, 1)
    (server,) = [server for server in examined if server.name == name]
    return [symptom.problem for symptom in server.symptoms]


async def test_a_gap_behind_the_newest_backup_is_named(backed: Settings, keep: Keep) -> None:
    keep("one", timedelta(hours=1), 3, 5)
    assert "the log behind its newest backup has a gap" in await problems(backed, "one")


async def test_whole_log_has_none(backed: Settings, keep: Keep) -> None:
    keep("one", timedelta(hours=1), 2, 3, 4, 5)
    about = [problem for problem in await problems(backed, "one") if "backup" in problem]
    assert about == ["nothing keeps its log for backups"]


async def test_a_server_that_gives_up_slots_that_are_idle_is_named(servers: Servers, backed: Settings) -> None:
    one = SecretStr(servers.postgres["one"].superuser_url)
    async with connected(one) as superuser:
        if not await superuser.fetchval(f"select exists (select from pg_settings where name = '{IDLE}')"):
            pytest.skip("this Postgres has no such setting")
    assert not any(IDLE in problem for problem in await problems(backed, "one"))

    async def named() -> bool:
        return any(f"for 86400 s ({IDLE})" in problem for problem in await problems(backed, "one"))

    try:
        async with connected(one) as superuser:
            await superuser.execute(f"alter system set {IDLE} = '1d'")
            await superuser.execute("select pg_reload_conf()")
        await wait_until(named, what="it is named")
    finally:
        async with connected(one) as superuser:
            await superuser.execute(f"alter system reset {IDLE}")
            await superuser.execute("select pg_reload_conf()")


@pytest.mark.parametrize("left", ["restoring", "restoring.new", "restored.dropped"])
async def test_what_a_killed_restore_left_is_named_when_no_restore_is_under_way(
    backed: Settings, keep: Keep, room: Path, left: str
) -> None:
    keep("one", timedelta(hours=1), 3)
    with open_folder("/tmp") as data:
        settings = backed.model_copy(update={"stack": StackSettings(data=data)})
        remains = data / f"postgres-one.{left}"
        remains.mkdir()
        named = f"an interrupted restore left {remains.resolve()}"
        assert named in await problems(settings, "one")
        with making.locked(BackupCatalog("one", room / "one")):
            assert named not in await problems(settings, "one")


async def test_data_that_the_next_start_takes_is_an_error_with_what_to_do_then(
    backed: Settings, keep: Keep, room: Path
) -> None:
    keep("one", timedelta(hours=1), 3)
    with open_folder("/tmp") as data:
        settings = backed.model_copy(update={"stack": StackSettings(data=data)})
        waiting = data / "postgres-one.restored"
        waiting.mkdir()

        async def about() -> list[Symptom]:
            (server,) = [server for server in await examine(settings, 1) if server.name == "one"]
            return [symptom for symptom in server.symptoms if str(waiting.resolve()) in symptom.problem]

        (found,) = await about()
        assert found.level == "error"
        assert "backups reconcile --database one" in found.remedy
        with making.locked(BackupCatalog("one", room / "one")):
            assert await about() == []


async def test_a_backup_from_a_clock_that_was_ahead_is_named_and_hides_no_old_one(backed: Settings, keep: Keep) -> None:
    keep("one", timedelta(days=5), 3)
    ahead = keep("one", -timedelta(days=300))
    found = await problems(backed, "one")
    assert f"its backup {ahead.id} ended later than it is now: a clock was wrong" in found
    assert "its newest backup is 120 hours old" in found


async def test_what_has_expired_goes_before_a_backup_that_fails_for_a_full_disk(
    backed: Settings, keep: Keep, monkeypatch: pytest.MonkeyPatch
) -> None:
    backups = [keep("one", timedelta(days=days), 3) for days in (20, 30, 40, 50)]

    async def full(*_: object, **__: object) -> BaseBackup:
        raise StackError("No space left on device")

    monkeypatch.setattr(making, "back_up", full)
    said: list[str] = []
    assert await backups_of.back_up(backed, ["one"], said.append) == ["one: No space left on device"]
    folder = backed.backup_folder
    assert folder is not None
    assert BackupCatalog("one", folder / "one").backups() == backups[:2]
    assert all("is deleted" in line for line in said)


@pytest.mark.parametrize("fault", [StackError("it is away"), OSError("no space")], ids=["away", "disk"])
async def test_one_database_that_cant_be_backed_up_keeps_no_other_from_it(
    backed: Settings, keep: Keep, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    old = [keep("two", timedelta(days=days), 3) for days in (1, 2, 50)]

    async def of_two(database: making.BackedUp, *_: object, **__: object) -> BaseBackup:
        if database.name == "one":
            raise fault
        return old[0]

    monkeypatch.setattr(making, "back_up", of_two)
    said: list[str] = []
    assert await backups_of.back_up(backed, ["one", "two"], said.append) == [f"one: {fault}"]
    assert any(line.startswith(f"two: {old[0].id}, ") for line in said), said
    assert not any(line.startswith("one:") for line in said), said


async def test_a_check_goes_on_when_one_databases_backups_are_being_made(
    backed: Settings, keep: Keep, room: Path
) -> None:
    for name in ("one", "two"):
        keep(name, timedelta(hours=1), 3)
    with making.locked(BackupCatalog("one", room / "one")):
        faults = await backups_of.verify(backed, ["one", "two"], print, everything=False)
    assert faults[0].startswith("Another backup, check or restore of one is under way")
    assert len(faults) > 1, "two has been read"


@pytest.mark.parametrize("error", [Overloaded(), RuntimeError("a fault of the driver")])
async def test_whatever_a_database_answers_the_watch_goes_on_and_asks_it_as_upkeep(
    backed: Settings, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    purposes = []

    async def ask(*_: object) -> None:
        purposes.append(shares._purpose.get())
        raise error

    monkeypatch.setattr(Database, "ask", ask)
    monkeypatch.setattr(backup_watch, "LOOK_SECONDS", 0)
    databases = provision.open_databases(backed)
    databases.assign({"players": ["two"]})
    watch = asyncio.create_task(backup_watch.watch_for_ever(backed, databases))
    try:
        await wait_until(lambda: watch.done() or len(purposes) > 4, 10, "it asks again")
        assert not watch.done(), watch.exception()
        assert set(purposes) == {shares.Purpose.UPKEEP}
        databases.assign({"players": []})
        await wait_until(lambda: keeps_log("two") is None, 10, "nobody has to keep the log of a removed database")
        assert keeps_log(backed.control.database) == 0
    finally:
        await cancel_and_wait([watch])
        await databases.close()


def keeps_log(database: str) -> float | None:
    return REGISTRY.get_sample_value("gameserver_backup_log_followed", {"database": database})


async def test_facts_that_cant_be_read_silence_no_other_database_and_a_removed_one_isnt_measured(
    backed: Settings, keep: Keep, room: Path
) -> None:
    broken = keep("a", timedelta(hours=1))
    (room / "a" / "base" / broken.id / FACTS).write_text("{")
    for name in ("b", "removed"):
        keep(name, timedelta(hours=2), 3, 5)

    def told(name: str, database: str = "b") -> float | None:
        return REGISTRY.get_sample_value(name, {"database": database})

    async def is_told() -> bool:
        return told("gameserver_backup_age_seconds") is not None

    databases = provision.open_databases(backed)
    for name in ("a", "b"):
        databases.join(name, backed.database_url("one"))
    databases.assign({"players": ["a", "b"]})
    watch = asyncio.create_task(backup_watch.watch_for_ever(backed, databases))
    try:
        await wait_until(is_told, 10, "the other one is measured")
        await wait_until(lambda: told("gameserver_backup_log_followed", "one") == 0, what="who keeps the log, too")
        assert (told("gameserver_backups"), told("gameserver_backup_log_gap")) == (1, 1)
        assert told("gameserver_backups", "removed") is None
    finally:
        watch.cancel()
        with suppress(asyncio.CancelledError):
            await watch
        await databases.close()
    assert not any("{" in problem for problem in await problems(backed, "one"))
