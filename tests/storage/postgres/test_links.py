"""A link outlives its connection, whoever ends that."""

from gameserver.app import Core
from gameserver.storage.postgres.link import Link


async def test_a_link_whose_connection_was_cut_rests_and_opens_another(core: Core) -> None:
    link = Link(core.databases["one"], {})
    (await link.open()).terminate()
    await link.rest()
    assert await (await link.open()).fetchval("select 1") == 1
    await link.close()
