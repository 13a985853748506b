"""The connection of the hot path, also when it was cut by another's doing, as after a failover."""

from gameserver.app import Core
from gameserver.storage.postgres.link import Link


async def test_a_connection_that_was_cut_elsewhere_is_replaced_and_stops_nobody_who_rests(core: Core) -> None:
    link = Link(core.databases["one"], {})
    connection = await link.open()
    await connection.execute("begin")
    connection.terminate()
    await link.rest()
    assert await (await link.open()).fetchval("select 1") == 1
    await link.close()
