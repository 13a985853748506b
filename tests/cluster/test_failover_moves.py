"""Failovers under a move of slots: it goes on or begins again, every slot has one owner, and nothing is lost."""

import asyncio
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager

import asyncpg
import pytest

from gameserver.config import postgres_url
from tests.cluster.fault_table import OF_THREE, OF_TWO, SLOWER, family, measured, started_cluster
from tests.cluster.running_cluster import RunningCluster, stopped, tell
from tests.cluster.swarm import Bots
from tests.support.command_line import CommandLine
from tests.support.wait import wait_until

pytestmark = [pytest.mark.soak, pytest.mark.timeout(400)]
CONTROL = "one"
MOVED = 40
"""Slots, each with players, the newest of which are those who play."""
MOVE_SECONDS = 120
BEYOND = """
select exists(select from pg_replication_slots move, pg_stat_replication standby
    where move.slot_type = 'logical' and move.active and standby.application_name = any($1)
    group by move.confirmed_flush_lsn having move.confirmed_flush_lsn > max(standby.flush_lsn))
"""
"""Whether a move has sent its target what no standby has."""


@pytest.fixture(scope="module")
def cluster() -> Iterator[RunningCluster]:
    with started_cluster() as run:
        yield run


class MoveUnderHarm:
    """A move of slots from one database to another by the command line, which goes on while the harm is done."""

    def __init__(self, cluster: RunningCluster, command_line: CommandLine, source: str, target: str) -> None:
        self._cluster, self._command_line = cluster, command_line
        self._source, self._target = source, target

    @asynccontextmanager
    async def reached(self, step: str) -> AsyncIterator[None]:
        """The block runs once the move has come to this step, and ends when no move is left."""
        slots = ",".join(map(str, await self._slots()))
        assert slots, f"nobody plays on {self._source}"
        words = ("slots", "move", slots, "--to", self._target, "--config", str(self._cluster.config))
        moving = asyncio.create_task(self._command_line.gameserver(*words))

        async def has_come() -> bool:
            assert not moving.done(), moving.result().text
            return await self._steps() == [step]

        await wait_until(has_come, MOVE_SECONDS, f"the move is {step}")
        try:
            yield
        finally:
            async with asyncio.timeout(MOVE_SECONDS):
                await moving
            await wait_until(self._is_over, MOVE_SECONDS, "no move is left")

    async def require_one_owner(self) -> None:
        checked = await self._command_line.gameserver("slots", "check", "--config", str(self._cluster.config))
        assert checked.code == 0, checked.text

    async def _slots(self) -> list[int]:
        async with self._cluster.superuser(self._source) as connection:
            rows = await connection.fetch(
                "select slot from players join players_owned_slots using (slot) where owned"
                " group by slot order by max(id) desc limit $1",
                MOVED,
            )
        return [row["slot"] for row in rows]

    async def _steps(self) -> list[str]:
        """Those of the moves that aren't over; empty, too, while the control database is away."""
        url = postgres_url.for_servers(self._cluster.settings.database_url(CONTROL)).get_secret_value()
        try:
            connection = await asyncpg.connect(url, timeout=3)
        except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError):
            return ["unknown"]
        try:
            rows = await connection.fetch("select step from moves where ended_at is null")
            return [row["step"] for row in rows]
        finally:
            connection.terminate()

    async def _is_over(self) -> bool:
        return not await self._steps()


@pytest.mark.parametrize("step", ["copying", "moving"])
@pytest.mark.parametrize(
    ("source", "target", "switched"),
    [(OF_THREE, OF_TWO, OF_THREE), (OF_TWO, OF_THREE, OF_THREE), (OF_THREE, OF_TWO, CONTROL)],
    ids=["source", "target", "control"],
)
async def test_a_switchover_during_a_move_loses_nothing(
    cluster: RunningCluster, bots: Bots, command_line: CommandLine, source: str, target: str, switched: str, step: str
) -> None:
    move = MoveUnderHarm(cluster, command_line, source, target)

    async def a_switchover(cluster: RunningCluster, victim: str) -> None:
        async with move.reached(step):
            await cluster.switch(victim)

    role = {source: "source", target: "target"}.get(switched, "control database")
    a_switchover.__name__ = f"a_switchover_of_the_{role.replace(' ', '_')}_of_a_move_that_is_{step}"
    row = await measured(cluster, bots, a_switchover, switched)
    assert row.writes_after <= 8 * SLOWER
    await move.require_one_owner()


@pytest.fixture
async def ahead(cluster: RunningCluster) -> AsyncIterator[None]:
    """Moves from the database of three get what its standbys lack, as where `synchronized_standby_slots` isn't set."""
    names = [member.name for member in await cluster.members(OF_THREE)]

    async def everywhere(statement: str) -> None:
        for name in names:
            async with cluster.superuser(OF_THREE, name) as connection:
                await connection.execute(statement)
                await connection.execute("select pg_reload_conf()")

    await everywhere("alter system set synchronized_standby_slots = ''")
    yield
    await cluster.whole(OF_THREE)
    await everywhere("alter system reset synchronized_standby_slots")


@pytest.mark.usefixtures("ahead")
async def test_a_target_that_has_what_the_new_primary_lacks_is_copied_anew(
    cluster: RunningCluster, bots: Bots, command_line: CommandLine
) -> None:
    move = MoveUnderHarm(cluster, command_line, OF_THREE, OF_TWO)

    async def a_lost_source_of_a_move_that_sent_more_than_its_standbys_have(
        cluster: RunningCluster, victim: str
    ) -> None:
        leader = await cluster.leader(victim)
        standbys = [member.name for member in await cluster.members(victim) if member.name != leader]
        async with move.reached("moving"), cluster.superuser(victim) as connection:

            async def is_beyond() -> bool:
                return bool(await connection.fetchval(BEYOND, standbys))

            frozen = [pid for name in standbys for pid in family(cluster.postgres(name))]
            with stopped(cluster.pid, *frozen):
                await wait_until(is_beyond, 30, "the target has what the standbys lack")
                for pid in (cluster.patroni(leader), cluster.postgres(leader), *frozen):
                    # The standbys, too, lose what they have received and not read; their Patronis start them again.
                    tell(pid, signal.SIGKILL)
                await cluster.in_step(victim, not_led_by=leader)

    row = await measured(cluster, bots, a_lost_source_of_a_move_that_sent_more_than_its_standbys_have, OF_THREE)
    assert row.writes_after <= 50 * SLOWER
    await move.require_one_owner()
