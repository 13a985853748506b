"""Redis takes no writes, from the start or in the middle: no error denies a change that has taken place."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from typing import Any

import pytest

from gameserver.app import Core
from gameserver.commands import moderation, sessions
from gameserver.commands.accounts import Application, Welcome
from gameserver.commands.credentials import NewPassword, change_password
from gameserver.commands.identity import delete
from gameserver.commands.sign_up import sign_up
from gameserver.rules.errors import NameTaken, OutcomeUnknown, SessionsUnavailable
from gameserver.storage.accounts.bans import BanChange
from gameserver.storage.accounts.claim_writes import ClaimRow, ClaimWrite, Confirmation, write_claims
from gameserver.storage.accounts.claims import Key, KeyKind
from gameserver.storage.sessions.sessions import UNKNOWN
from tests.support.client import command_id
from tests.support.devices import device_of

ANN = Application("Ann Lee", "mage", device=device_of("anns-device-0001"), password="correct horse battery")
NAME = Key(KeyKind.NAME, "ann lee")


@pytest.fixture(params=["read-only", "out of memory"])
async def fail(request: pytest.FixtureRequest, core: Core) -> AsyncIterator[Callable[[], Awaitable[None]]]:
    """Makes Redis refuse writes as a replica, or one that is full, does."""
    redis: Any = core.redis.commands

    async def refuse() -> None:
        if request.param == "read-only":
            await redis.execute_command("REPLICAOF", "127.0.0.1", "1")
        else:
            await redis.execute_command("CONFIG", "SET", "maxmemory", "1")

    yield refuse
    await redis.execute_command("REPLICAOF", "NO", "ONE")
    await redis.execute_command("CONFIG", "SET", "maxmemory", "0")


async def test_a_sign_up_that_cannot_open_a_session_makes_no_player(
    core: Core, fail: Callable[[], Awaitable[None]]
) -> None:
    await fail()
    with pytest.raises(SessionsUnavailable):
        await sign_up(core.commands.accounts, ANN, command_id())
    assert await core.rooms.accounts.claims.find(NAME) is None


async def test_a_sign_up_whose_session_fails_after_the_commit_says_that_the_player_may_exist(
    core: Core, fail: Callable[[], Awaitable[None]], monkeypatch: pytest.MonkeyPatch
) -> None:
    create, key = core.rooms.accounts.enrolments.create, command_id()

    async def create_and_fail(*arguments: object) -> bool:
        made = await create(*arguments)  # type: ignore[arg-type]
        await fail()
        return made

    monkeypatch.setattr(core.rooms.accounts.enrolments, "create", create_and_fail)
    with pytest.raises(OutcomeUnknown, match="The player exists"):
        await sign_up(core.commands.accounts, ANN, key)
    assert await core.rooms.accounts.claims.find(NAME) is not None


async def test_a_claim_that_cannot_be_confirmed_after_the_commit_does_not_fail_the_sign_up(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def refuse(connection: Any, writes: Sequence[ClaimWrite]) -> Sequence[ClaimRow | None]:
        if any(isinstance(write, Confirmation) for write in writes):
            raise OSError("the connection was lost")
        return await write_claims(connection, writes)

    monkeypatch.setattr(core.rooms.accounts.claims._writes, "_work", refuse)
    welcome = await sign_up(core.commands.accounts, ANN, command_id())
    assert not welcome.replayed
    claim = await core.rooms.accounts.claims.find(NAME)
    assert claim is not None
    assert (claim.player_id, claim.confirmed) == (welcome.player.id, False)
    with pytest.raises(NameTaken):
        await sign_up(core.commands.accounts, ANN, command_id())


async def test_a_password_is_not_changed_when_no_session_can_be_opened(
    core: Core, fail: Callable[[], Awaitable[None]]
) -> None:
    accounts = core.commands.accounts
    welcome = await sign_up(accounts, ANN, command_id())
    hashed = await core.rooms.accounts.credentials.password(welcome.player.id)
    await fail()
    with pytest.raises(SessionsUnavailable):
        await change_password(accounts, welcome.session, NewPassword("another one, longer", ANN.password), UNKNOWN)
    assert await core.rooms.accounts.credentials.password(welcome.player.id) == hashed


async def sign_out(core: Core, welcome: Welcome) -> None:
    await sessions.sign_out_everywhere(core.commands.accounts, welcome.session)


async def ban(core: Core, welcome: Welcome) -> None:
    change = BanChange(command_id(), welcome.player.id, banned=True, reason="Tests.")
    await moderation.change_ban(core.commands.operations, "tests", change)


async def remove(core: Core, welcome: Welcome) -> None:
    await delete(core.commands.accounts, welcome.token, command_id())


async def takes_nothing(core: Core) -> bool:
    """Whether Redis takes not even what ends sessions, which a full one does (decision 0121)."""
    redis: Any = core.redis.commands
    return (await redis.execute_command("ROLE"))[0] in ("slave", b"slave")


@pytest.mark.parametrize("change", [sign_out, ban, remove], ids=lambda change: change.__name__)
async def test_what_was_committed_before_redis_failed_is_not_denied(
    core: Core, fail: Callable[[], Awaitable[None]], change: Callable[[Core, Welcome], Awaitable[None]]
) -> None:
    welcome = await sign_up(core.commands.accounts, ANN, command_id())
    await fail()
    with pytest.raises(OutcomeUnknown) if await takes_nothing(core) else contextlib.nullcontext():
        await change(core, welcome)
    entrant = await core.rooms.accounts.entrants.find(welcome.player.id)
    assert entrant is None or entrant.banned or entrant.session_epoch > welcome.session.epoch
