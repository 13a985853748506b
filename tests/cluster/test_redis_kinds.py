"""The same server on every kind of Redis that its users run, always as the user of config/redis.acl."""

import asyncio
import os
import re
import sys
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack
from pathlib import Path

import pytest

from gameserver.app import examine
from gameserver.config.settings import Settings
from tests.support.redis_kinds import ACL, TESTS_OWN, Running, alone, behind_sentinel, cluster, debian_redis, with_tls
from tests.support.redis_play import act_or_revive, play, played, playing, until_back, until_open
from tests.support.repository import ROOT
from tests.support.servers import OTHER_REDIS

Kind = Callable[[Path], AbstractAsyncContextManager[Running]]
STORAGE = (
    "tests/storage/sessions/test_attempts.py",
    "tests/storage/boards/test_boards.py",
    "tests/storage/boards/test_leaderboards.py",
)


def sentinel_and_tls(folder: Path) -> AbstractAsyncContextManager[Running]:
    return behind_sentinel(folder, secured=True)


def cluster_and_tls(folder: Path) -> AbstractAsyncContextManager[Running]:
    return cluster(folder, secured=True)


@pytest.mark.family(2)
@pytest.mark.parametrize("kind", [alone, with_tls, sentinel_and_tls, cluster_and_tls])
async def test_everything_works_on_every_kind(settings: Settings, tmp_path: Path, kind: Kind) -> None:
    async with kind(tmp_path) as redis, AsyncExitStack() as stack:
        await play(await played(stack, settings, redis))


@pytest.mark.parametrize("kind", [alone, cluster])
async def test_the_doctor_examines_every_kind(settings: Settings, tmp_path: Path, kind: Kind) -> None:
    async with kind(tmp_path) as redis, AsyncExitStack() as stack:
        node = (await played(stack, settings, redis)).node
        examined = (await examine(node.core.settings, 1))[-1]
        assert [symptom for symptom in examined.symptoms if "appendonly" not in symptom.problem] == []
        assert examined.facts["servers"][0]["maxmemory_policy"] == "noeviction"
        assert abs(examined.facts["clock"].seconds) < 1


async def test_everything_works_on_a_cluster_and_again_after_a_kill_of_one_of_its_masters(
    settings: Settings, tmp_path: Path
) -> None:
    async with cluster(tmp_path) as redis, AsyncExitStack() as stack:
        all_of = await played(stack, settings, redis)
        player = await play(all_of)
        victim = redis.servers[0]
        victim.kill()
        async with playing(all_of.api, player):
            await victim.start()
            await until_open(all_of.api, player)
        await until_back(all_of.api, player)


async def test_a_failover_by_sentinel_interrupts_no_play_and_loses_no_session(
    settings: Settings, tmp_path: Path
) -> None:
    async with behind_sentinel(tmp_path) as redis, AsyncExitStack() as stack:
        all_of = await played(stack, settings, redis)
        player = await play(all_of)
        async with playing(all_of.api, player):
            redis.servers[0].kill()
            await until_open(all_of.api, player)
        await until_back(all_of.api, player)
        await redis.servers[0].start()
        await act_or_revive(all_of.api, player)


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    ("kind", "files"),
    [
        pytest.param(lambda folder: alone(folder, debian_redis()), STORAGE, id="redis 7.0"),
        # What the user may do on a cluster is also shown by everything that works on every kind.
        pytest.param(cluster, STORAGE[:2], id="cluster", marks=pytest.mark.soak),
    ],
)
async def test_the_tests_of_the_storage_pass_as_the_user_of_the_acl(
    tmp_path: Path, kind: Kind, files: Sequence[str]
) -> None:
    async with kind(tmp_path) as redis:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "pytest", *files, "-p", "no:cacheprovider", "--timeout", "30",
            env={**os.environ, OTHER_REDIS: redis.url},
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        output, _ = await process.communicate()
        assert process.returncode == 0, output.decode()


def test_the_acl_allows_what_the_scripts_do_and_nothing_else() -> None:
    (line,) = [line for line in ACL.read_text("utf-8").splitlines() if line.startswith("user gameserver")]
    allowed = set(re.findall(r"\+(\S+)", line))
    scripts = "".join(path.read_text("utf-8") for path in (ROOT / "gameserver" / "storage").rglob("*.lua"))
    used_by_scripts = {command.lower() for command in re.findall(r"redis\.call\('([A-Z]+)'", scripts)}
    used_by_scripts |= {"sadd", "srem"}  # the heartbeat of presence, whose command is a variable
    code = "".join(path.read_text("utf-8") for path in (ROOT / "gameserver" / "storage").rglob("*.py"))
    sent = re.findall(r"""(?:\bsend\(\S+ |(?<!\w)\(|\+= )"([A-Z]{3,})",""", code)
    used_by_code = {command.lower() for command in sent} | {"eval", "evalsha", "subscribe", "unsubscribe", "info"}
    by_the_driver = re.findall(r"self\._redis\.(?!(?:eval|evalsha|pubsub)\()([a-z_]+)\(", code)
    assert set(by_the_driver) == {"unlink"}, "other commands go through clients.send, or aren't seen here"
    used_by_driver = {"ping", "select", "cluster|slots", "command", "asking"}
    needed = used_by_scripts | used_by_code | used_by_driver
    assert not needed - allowed, f"config/redis.acl lacks +{' +'.join(sorted(needed - allowed))}"
    assert not allowed - needed, f"config/redis.acl needn't allow +{' +'.join(sorted(allowed - needed))}"
    assert not allowed & set(TESTS_OWN)
