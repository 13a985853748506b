"""One of two databases goes back to an earlier moment: what crossed since is put right, or listed."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner

from gameserver.__main__ import cli
from gameserver.app import Core, reconciling
from gameserver.commands import erasure
from gameserver.commands.erasure import Erasures
from gameserver.commands.erasure_receipts import ErasureReceipt
from gameserver.commands.results import ChangedBy
from gameserver.config.settings import Settings
from gameserver.rules.errors import CommandExpired, Unavailable
from gameserver.storage.crossings.findings import Findings
from gameserver.storage.items.grants import Grants
from gameserver.storage.operators.audit_log import AuditQuestion
from tests.storage.items.deployment import give, held, part, with_studio
from tests.support.client import Api, Signed, command_id
from tests.support.deployment import act, carrying, connected, drained, enlist, enlist_many, owner, working
from tests.support.devices import device_of
from tests.support.nodes import start_node, toml_of
from tests.support.servers import Servers, database_of
from tests.support.uniqueness import identities, sweep_all

AGE = "update item_ledger set at = at - interval '1 minute' where not settled"


@asynccontextmanager
async def undone(servers: Servers, settings: Settings, name: str) -> AsyncIterator[None]:
    """What the block does on this database is undone at its end. Nobody is connected to it then, nor before."""
    database = database_of(settings.database_url(name))
    url = SecretStr(servers.postgres[name].superuser_url.rsplit("/", 1)[0] + "/postgres")
    async with connected(url) as connection:
        await connection.execute(f"create database {database}_back template {database} owner gameserver")
        yield
        await connection.execute(f"drop database {database} with (force)")
        await connection.execute(f"alter database {database}_back rename to {database}")


async def reconciled(settings: Settings, name: str, since: datetime) -> Mapping[str, Findings]:
    by = ChangedBy("ann", "a drill", command_id())
    return {found.kind: found for found in await reconciling.reconcile(settings, name, since, by, lambda _: None)}


@asynccontextmanager
async def served(settings: Settings) -> AsyncIterator[tuple[Api, Core]]:
    async with AsyncExitStack() as stack:
        node = await start_node(stack, settings)
        yield await stack.enter_async_context(Api(node.url)), node.core


async def test_names_and_devices_are_claimed_by_whoever_has_them_but_for_those_that_others_took_which_are_listed(
    servers: Servers, settings: Settings
) -> None:
    async with served(settings) as (api, _):
        players = list(await asyncio.gather(*(api.sign_up() for _ in range(16))))
    since = datetime.now(UTC)
    async with undone(servers, settings, "two"), served(settings) as (api, core):
        await asyncio.gather(*(rename(api, player) for player in players), *(api.sign_up() for _ in range(16)))
        for player in players[:8]:
            answer = await api.ask("POST", "/v1/players", body=body(player), key=key_for(core, "one"))
            assert answer.status == 201, answer.body
    found = await reconciled(settings, "two", since)
    assert found["claims_doubted"].count
    assert found["claims_retaken"].count
    taken = found["claims_taken"].listed
    assert len(taken) >= sum(owner(core, int(player.id)) == "two" for player in players[:8])
    async with working(settings) as core:
        await sweep_all(core)
        after = await identities(core)
    claimed = {(held.key, held.player_id) for held, confirmed in after.claims if confirmed}
    wanted = {(held.key, held.player_id) for held in after.wanted}
    assert not claimed - wanted, "claimed for nobody"
    assert wanted - claimed == {(row["key"], int(str(row["player"]))) for row in taken}
    assert {(row["key"], int(str(row["holder"]))) for row in taken} <= claimed
    assert (await reconciled(settings, "two", since))["claims_retaken"].count == 0


def key_for(core: Core, database: str) -> str:
    """A command id whose sign-up makes a player on this database."""
    while True:
        key = command_id()
        if owner(core, core.rooms.accounts.enrolments.id_of(key, 0)) == database:
            return key


async def rename(api: Api, player: Signed) -> None:
    answer = await api.ask("POST", "/v1/players/me/name", token=player.token, body={"name": f"{player.name} new"})
    assert answer.status == 200, answer.body


def body(player: Signed) -> dict[str, str]:
    return {"name": player.name, "class": "warrior", "device": device_of(f"another {player.name}")}


async def test_letters_with_one_end_in_the_undone_past_are_listed_and_one_that_is_sent_again_arrives_once(
    servers: Servers, settings: Settings, tmp_path: Path
) -> None:
    settings = with_studio(settings, tmp_path)
    async with working(settings) as core:
        here, there = await enlist(core, database="one"), await enlist(core, database="two")
        await act(core, there.id, "present", player=str(here.id))
    since = datetime.now(UTC)
    async with undone(servers, settings, "two"), working(settings) as core, carrying(core):
        await act(core, here.id, "present", player=str(there.id))
        await act(core, there.id, "present", player=str(here.id))
        await drained(core)
        assert await held(core, here.id) == {"potion": 4}
    found = await reconciled(settings, "two", since)
    (lost,), (kept,) = found["letters_lost"].listed, found["letters_kept"].listed
    assert (lost["sender"], lost["recipient"], lost["kind"]) == (str(here.id), str(there.id), "gift")
    assert (kept["sender"], kept["recipient"], kept["kind"]) == (str(there.id), str(here.id), "gift")
    async with working(settings) as core, carrying(core):
        await drained(core)
        assert await held(core, here.id) == {"potion": 4}


async def test_players_that_were_erased_since_are_erased_again_once_also_those_of_other_databases(
    servers: Servers, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(settings) as (api, core):
        earlier, *players = await asyncio.gather(*(api.sign_up() for _ in range(12)))
        await erase(core, int(earlier.id))
        here, there = ([who for who in players if owner(core, int(who.id)) == name] for name in ("two", "one"))
    since, erased = datetime.now(UTC), [here[0], there[0]]
    async with undone(servers, settings, "two"), served(settings) as (api, core):
        late = await signed_up_on(api, core, "two")
        for player in (*erased, late, here[0]):
            await erase(core, int(player.id))
    async with working(settings) as core:
        assert await core.commands.erasures.erasure.left(int(late.id)) == 0
        assert await core.commands.erasures.erasure.left(int(here[0].id)), "it is there again"

    monkeypatch.setattr(reconciling, "CLOCKS_APART", timedelta(0))
    with monkeypatch.context() as faulty:
        faulty.setattr(erasure, "erase", failing_for(int(here[0].id)))
        found = await reconciled(settings, "two", since)
        assert [row["player"] for row in found["erasures_left"].listed] == [here[0].id]
    assert [row["player"] for row in found["erasures_undone"].listed] == [player.id for player in (*erased, late)]
    found = await reconciled(settings, "two", since)
    assert [row["player"] for row in found["erasures_undone"].listed] == [here[0].id, late.id], "as the rest is done"
    assert found["erasures_left"].count == 0
    assert [row["player"] for row in (await reconciled(settings, "two", since))["erasures_undone"].listed] == [late.id]
    async with working(settings) as core:
        for player in erased:
            assert (await core.commands.erasures.erasure.traces(int(player.id))).names == frozenset()
        entries, _ = await core.rooms.operators.audit.log.find(AuditQuestion(1, target=here[0].id, action="erase"))
    [entry] = entries
    assert (entry.admin, entry.details["restored"], entry.after["complete"]) == ("ann", "two", True)
    assert entry.reason == "a drill: erased again, as two went back"


async def test_who_was_never_erased_isnt_erased_again_whatever_was_ordered(settings: Settings) -> None:
    """An order that was refused has an entry in the audit log, too; so has one whose node died, nobody knows when."""
    async with served(settings) as (api, core):
        refused, doubtful = [await api.sign_up() for _ in range(2)]
        old = command_id(seconds_ago=30 * 86_400)
        with pytest.raises(CommandExpired):
            await erasure.erase(core.commands.erasures, int(refused.id), ChangedBy("ann", "a mistake", old))
    async with connected(settings.database_url("one")) as connection:
        await connection.execute(
            "insert into audit (at, admin, action, target, reason, details, before)"
            " select at, admin, action, $1, reason, details, before from audit where target = $2",
            doubtful.id, refused.id,
        )  # fmt: skip
    found = await reconciled(settings, "two", datetime.now(UTC) - timedelta(minutes=1))
    assert (found["erasures_undone"].count, [row["player"] for row in found["erasures_left"].listed]) == (
        0, [doubtful.id],
    )  # fmt: skip
    async with working(settings) as core:
        for player in (refused, doubtful):
            assert await core.commands.erasures.erasure.left(int(player.id))


async def test_a_player_that_cant_be_erased_again_yet_ends_the_command_with_1(
    settings: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with served(settings) as (api, core):
        who = await api.sign_up()
        await erase(core, int(who.id))
        config = tmp_path / "gameserver.toml"
        config.write_text(toml_of(settings, settings.node.port))
    monkeypatch.setattr(erasure, "erase", failing_for(int(who.id)))
    since = (datetime.now(UTC) - timedelta(minutes=1)).isoformat()
    words = ["backups", "reconcile", "--database", "two", "--since", since, "--reason", "x", "--config", str(config)]
    done = await asyncio.to_thread(CliRunner().invoke, cli, words)
    assert done.exit_code == 1, done.output
    assert f"1 of 1: the player {who.id} is not erased again." in done.output
    assert "Players that aren't erased again yet: 1." in done.stderr


def failing_for(player_id: int) -> Callable[..., Awaitable[ErasureReceipt]]:
    erase = erasure.erase

    async def erased(erasures: Erasures, each: int, *more: Any) -> ErasureReceipt:
        if each == player_id:
            raise Unavailable("Letters of it are on their way.", retry_after=0)
        return await erase(erasures, each, *more)

    return erased


async def signed_up_on(api: Api, core: Core, database: str) -> Signed:
    while owner(core, int((who := await api.sign_up()).id)) != database:
        pass
    return who


async def erase(core: Core, player_id: int) -> None:
    await erasure.erase(core.commands.erasures, player_id, ChangedBy("a", "a test", command_id()))


async def test_what_players_paid_elsewhere_for_what_is_undone_comes_back(
    servers: Servers, settings: Settings, tmp_path: Path
) -> None:
    await part(settings)
    settings = with_studio(settings, tmp_path)
    async with working(settings) as core:
        players = await enlist_many(core, 3, "two")
        for player in players:
            await give(core, player.id, "herb", 5)
            assert await held(core, player.id) == {"herb": 5}
    since = datetime.now(UTC)
    async with undone(servers, settings, "two"), working(settings) as core:
        for player in players:
            await act(core, player.id, "brew")
            assert await held(core, player.id) == {"herb": 3, "potion": 1}
    found = await reconciled(settings, "two", since)
    assert (found["items_given_back"].count, found["items_kept"].count) == (3, 3)
    async with working(settings) as core:
        async with connected(core.databases["one"].url) as connection:
            await connection.execute(AGE)
        await core.rooms.players.payments.sweep(100)
        for player in players:
            assert await held(core, player.id) == {"herb": 5, "potion": 1}, "the potion is listed as kept"


async def test_what_the_items_database_lost_is_granted_again_once_and_unpaid_actions_are_listed(
    servers: Servers, settings: Settings, tmp_path: Path
) -> None:
    await part(settings)
    settings = with_studio(settings, tmp_path)
    async with working(settings) as core:
        player = await enlist(core, database="one")
        await give(core, player.id, "herb", 5)
        assert await held(core, player.id) == {"herb": 5}
    since = datetime.now(UTC)
    async with undone(servers, settings, "two"), working(settings) as core:
        await act(core, player.id, "brew")
        assert await held(core, player.id) == {"herb": 3, "potion": 1}
    for count in (1, 0):
        found = await reconciled(settings, "two", since)
        assert found["items_granted_again"].count == count
        assert found["items_unpaid"].count == 1
        async with working(settings) as core, carrying(core, Grants(core.rooms.players.inventory)):
            await drained(core)
            assert await held(core, player.id) == {"herb": 5, "potion": 1}
