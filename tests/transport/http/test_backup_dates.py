"""The receipt of an erasure says which backups still have the player, and until when."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from gameserver.config.backups import BackupSettings
from gameserver.config.settings import Settings
from gameserver.stack.backups.catalog import BackupCatalog, BaseBackup, new_id
from gameserver.storage.accounts import erasure
from gameserver.times import rfc3339
from tests.support.client import Api
from tests.support.nodes import InProcessNode, start_node
from tests.transport.http.test_player_changes import change

pytestmark = pytest.mark.own_node

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
LEFT = "select 1 where cast(:slot as bigint) < cast(:id as bigint)"


@pytest.fixture
def kept(tmp_path: Path) -> BackupSettings:
    return BackupSettings(folder=tmp_path / "backups")


@pytest.fixture
async def node(settings: Settings, kept: BackupSettings) -> AsyncIterator[InProcessNode]:
    async with AsyncExitStack() as stack:
        yield await start_node(stack, settings.model_copy(update={"backups": kept}))


def add(kept: BackupSettings, database: str, began: datetime) -> Path:
    """The folder of a base backup that is facts alone."""
    catalog = BackupCatalog(database, kept.folder / database)
    ended = began + timedelta(minutes=1)
    backup = BaseBackup(new_id(began), database, "7", "18.4", 1, 0, 0, began, ended, 1, 1)
    catalog.half(backup.id).mkdir(parents=True)
    catalog.complete(backup)
    return catalog.data(backup).parent


async def test_a_receipt_says_which_backups_have_the_player_and_until_when(
    api: Api, kept: BackupSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    who = await api.sign_up("mage")
    for database, began in (("one", NOON), ("one", NOON - timedelta(days=1)), ("two", NOON + timedelta(hours=1))):
        damaged = add(kept, database, began)
    shown = await change(api, "POST", who, "/erasure", preview=True)
    assert shown.body["backups"] == {"newest": None, "gone_by": None}
    with monkeypatch.context() as faulty:
        faulty.setitem(erasure.SQL, "left", text(LEFT))
        begun = await change(api, "POST", who, "/erasure")
        assert (begun.body["complete"], begun.body["backups"]) == (False, {"newest": None, "gone_by": None})
    earliest = datetime.now(UTC) + kept.stay - timedelta(milliseconds=1)
    said = (await change(api, "POST", who, "/erasure")).body["backups"]
    assert said["newest"] == rfc3339(NOON + timedelta(hours=1))
    assert rfc3339(earliest) <= said["gone_by"] <= rfc3339(datetime.now(UTC) + kept.stay)
    assert (await api.admin("audit", target=who.id)).body["entries"][0]["after"]["backups"] == said

    (damaged / "backup.json").write_text("{")
    said = (await change(api, "POST", who, "/erasure")).body["backups"]
    assert said["newest"] is None, "nobody knows how new it is"
    assert said["gone_by"]
