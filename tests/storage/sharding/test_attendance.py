"""One worker for each database of a group: when one ends all do, and what they raised is heard."""

import asyncio
import gc
from typing import Any

import pytest

from gameserver.app import Core
from gameserver.storage.postgres.database import Database
from gameserver.storage.slots.attendance import attend


async def test_workers_that_fail_together_are_all_heard_and_nothing_is_reported_as_forgotten(core: Core) -> None:
    reported = list[dict[str, Any]]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: reported.append(context))
    names = {database.name for database in core.slots.databases("players")}
    broken = asyncio.Event()

    async def work(database: Database) -> None:
        await broken.wait()
        raise OSError(database.name)

    asyncio.get_running_loop().call_later(0.05, broken.set)
    with pytest.raises(BaseExceptionGroup) as caught:
        await attend(core.slots, "players", work)
    assert {str(error) for error in caught.value.exceptions} == names
    assert len(names) > 1
    del caught
    gc.collect()
    assert not reported


async def test_one_that_fails_ends_the_others(core: Core) -> None:
    first, *others = sorted(database.name for database in core.slots.databases("players"))
    ended = set[str]()

    async def work(database: Database) -> None:
        if database.name == first:
            raise OSError(first)
        try:
            await asyncio.Event().wait()
        finally:
            ended.add(database.name)

    with pytest.raises(BaseExceptionGroup, match="have failed") as caught:
        await attend(core.slots, "players", work)
    assert [str(error) for error in caught.value.exceptions] == [first]
    assert ended == set(others)
