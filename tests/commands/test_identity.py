"""Renames and deletions: one holder of a name at any time, whatever dies or stalls at any step."""

import asyncio
from dataclasses import replace
from itertools import permutations
from typing import NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameserver.app import Core
from gameserver.commands.accounts import Accounts, Application
from gameserver.commands.claims import resolve
from gameserver.commands.identity import delete, rename
from gameserver.commands.keys import name_keys
from gameserver.commands.sign_in import sign_in_by_device, sign_in_by_password
from gameserver.commands.sign_up import enroll, sign_up
from gameserver.rules.errors import (
    CommandExpired,
    CommandMismatch,
    Conflict,
    NameTaken,
    NotAuthenticated,
    PlayerNotFound,
    SessionRevoked,
    WrongCredentials,
)
from gameserver.rules.player import Player
from gameserver.storage.accounts.claims import Claim, Key, KeyKind
from gameserver.storage.accounts.identities import Change, Identity
from gameserver.storage.players.command import Receipt
from gameserver.storage.sessions.sessions import Session
from tests.support.client import command_id
from tests.support.deployment import act, assert_ledger_explains, connected, present
from tests.support.devices import device_of
from tests.support.uniqueness import assert_unique, let_pass, sweep_all

ANN, BEA = Key(KeyKind.NAME, "ann lee"), Key(KeyKind.NAME, "bea lee")


class Signed(NamedTuple):
    player: Player
    token: str
    session: Session


async def signed(core: Core, name: str = "Ann Lee", password: str | None = None) -> Signed:
    wanted = Application(name, "mage", device=device_of(f"device of {name}"), password=password)
    welcome = await sign_up(core.commands.accounts, wanted, command_id())
    return Signed(welcome.player, welcome.token, welcome.session)


async def rename_to(core: Core, who: Signed, name: str, key: str | None = None) -> Receipt:
    return await rename(core.commands.accounts, who.session, name, key or command_id())


def answer_of(receipt: Receipt) -> tuple[object, ...]:
    """What an answer tells."""
    return receipt.player._replace(exp_reached_at=receipt.player.created_at), receipt.max_hp, receipt.events


async def claim(core: Core, key: Key) -> Claim | None:
    return await core.rooms.accounts.claims.find(key)


async def test_a_rename_gives_the_new_name_frees_the_old_one_and_is_in_the_history(core: Core, second: Core) -> None:
    ann, key = await signed(core, password="anns-password"), command_id()
    receipt = await rename_to(core, ann, "Bea  Lee", key)
    assert (receipt.player.name, receipt.player.version, receipt.replayed) == ("Bea Lee", 2, False)
    assert receipt.player == await present(core, ann.player.id)
    await assert_unique(core)
    assert await claim(core, ANN) is None
    acted = await act(second, ann.player.id)
    assert (acted.player.name, acted.player.version) == ("Bea Lee", 3)
    again = await rename_to(second, ann, "Bea Lee", key)
    assert (answer_of(again), again.replayed) == (answer_of(receipt), True)
    rows = await assert_ledger_explains(core, ann.player.id)
    assert [row["action"] for row in rows] == ["sign_up", "rename", "hunt"]
    assert (await sign_in_by_password(core.commands.accounts, "bea lee", "anns-password")).player == acted.player
    with pytest.raises(WrongCredentials):
        await sign_in_by_password(core.commands.accounts, "Ann Lee", "anns-password")
    await enroll(
        second.commands.accounts, Application("Ann Lee", "mage", device=device_of("another-device")), command_id()
    )
    later = await rename_to(core, ann, "Bea Lee", key)
    assert answer_of(later) == answer_of(receipt), "the first answer, whoever has the names now"
    await assert_unique(core)


async def test_a_player_can_write_its_own_name_otherwise(core: Core) -> None:
    ann = await signed(core)
    assert (await rename_to(core, ann, "ANN  lee")).player.name == "ANN lee"
    assert (await rename_to(core, ann, "ANN lee")).player.version == 3
    await assert_unique(core)
    with pytest.raises(NameTaken):
        await signed(core, "Ann Lee")


SPELLINGS = ("O'Brien", "O\u02bcBrien", "O\u2019BRIEN", "\uff2f\u02bcbrien")
"""Of one name, with and without the letter that has a key of its own."""


async def test_however_a_player_writes_its_name_it_holds_the_keys_of_that_alone(core: Core) -> None:
    who = await signed(core, SPELLINGS[0])
    for one, other in permutations(SPELLINGS, 2):
        for name in (one, other):
            await rename_to(core, who, name)
            await assert_unique(core)


@pytest.mark.parametrize("by", ["rename", "sign-up"])
async def test_a_key_that_an_earlier_version_left_with_a_player_that_has_lost_it_is_free(
    core: Core, second: Core, by: str
) -> None:
    ann, claims, name = await signed(core), core.rooms.accounts.claims, SPELLINGS[1]
    await claims.confirm(await claims.retake(Key(KeyKind.NAME, name.casefold()), ann.player.id, command_id()))
    if by == "rename":
        await rename_to(second, await signed(second, "Bea Lee"), name)
    else:
        await signed(second, name)
    await assert_unique(core)


async def test_of_renames_to_a_free_name_that_race_one_succeeds(core: Core, second: Core) -> None:
    players = [await signed(core, f"P {number}") for number in range(4)]
    for number in range(12):
        tries = [rename_to(node, who, f"Racer {number}") for who, node in zip(players, (core, second) * 2, strict=True)]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NameTaken"] * 3 + ["Receipt"]
    await assert_unique(core)


async def test_what_is_refused_changes_nothing(core: Core, second: Core) -> None:
    ann, bea = await signed(core), await signed(second, "Bea Lee")
    with pytest.raises(NameTaken):
        await rename_to(core, ann, "bea LEE")
    for seconds_ago in (60 * 3600, -3600):
        with pytest.raises(CommandExpired):
            await rename_to(core, ann, "Cid Lee", command_id(seconds_ago))
    used = (await act(core, ann.player.id)).command_id
    with pytest.raises(CommandMismatch):
        await rename_to(core, ann, "Cid Lee", used)
    renamed = (await rename_to(core, ann, "Dan Lee")).command_id
    with pytest.raises(CommandMismatch):
        await rename_to(core, ann, "Cid Lee", renamed)
    with pytest.raises(CommandMismatch):
        await act(core, ann.player.id, key=renamed)
    await core.rooms.accounts.credentials.raise_session_epoch(ann.player.id)
    with pytest.raises(SessionRevoked):
        await rename_to(core, ann, "Cid Lee")
    found = await assert_unique(core)
    assert sorted(found.living.values()) == ["Bea Lee", "Dan Lee"]
    assert await present(core, bea.player.id) == bea.player


class Wish(NamedTuple):
    """A rename by one of four players at one of two nodes; names are few, so that they are contested."""

    node: int
    who: int
    name: str


wishes = st.lists(
    st.builds(Wish, st.integers(0, 1), st.integers(0, 3), st.sampled_from(["Bo Ek", "bo  EK", "Cy Fo", "P 0", "P 1"])),
    min_size=2,
    max_size=12,
)


@settings(max_examples=6)
@given(wanted=wishes)
async def test_however_renames_race_every_player_holds_exactly_its_name(
    core: Core, second: Core, wanted: list[Wish]
) -> None:
    for database in ("one", "two"):
        async with connected(core.databases[database].url) as connection:
            await connection.execute("truncate players, claims, ledger, credentials")
    nodes = (core, second)
    players = [await signed(core, f"P {number}") for number in range(4)]
    tries = [rename_to(nodes[wish.node], players[wish.who], wish.name) for wish in wanted]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    strange = [
        outcome for outcome in outcomes if isinstance(outcome, BaseException) and not isinstance(outcome, Conflict)
    ]
    # Changes of one player at two nodes may stand in each other's way until one gives up.
    allowed = {"database_unavailable", "too_many_changes"}
    assert all(getattr(fault, "code", "") in allowed for fault in strange), strange
    await assert_unique(core)
    for player in players:
        await assert_ledger_explains(core, player.player.id)


async def test_two_players_swap_their_names_by_a_third(core: Core, second: Core) -> None:
    ann, bea = await signed(core), await signed(second, "Bea Lee")
    for node, who, name in ((core, ann, "Cid Lee"), (second, bea, "Ann Lee"), (core, ann, "Bea Lee")):
        await rename_to(node, who, name)
        await assert_unique(core)
    assert [(await present(core, signed_up.player.id)).name for signed_up in (ann, bea)] == ["Bea Lee", "Ann Lee"]


class Begun(NamedTuple):
    """A rename from Ann Lee to Bea Lee that stands before its commit."""

    change: Change
    identity: Identity
    taken: list[Claim]
    doubted: list[Claim]


async def begun(core: Core, who: Signed, key: str) -> Begun:
    change = Change(key, who.player.id, "rename", {"name": "Bea Lee"}, who.session.epoch)
    identity = await core.rooms.accounts.identities.find(change)
    claims = core.rooms.accounts.claims
    taken = [await claims.retake(wanted, who.player.id, key) for wanted in name_keys("Bea Lee")]
    doubted = [claim for present in name_keys("Ann Lee") if (claim := await claims.doubt(present, who.player.id))]
    assert len(doubted) == len(taken) == 2
    return Begun(change, identity, taken, doubted)


async def test_a_rename_killed_before_its_commit_is_undone_by_the_sweeper(core: Core) -> None:
    ann = await signed(core, password="anns-password")
    await begun(core, ann, command_id())
    await assert_unique(core, open_claims=True)
    for name in ("Ann Lee", "Bea Lee"):
        with pytest.raises(NameTaken):
            await enroll(
                core.commands.accounts, Application(name, "mage", device=device_of("another-device")), command_id()
            )
    assert (await sign_in_by_password(core.commands.accounts, "Ann Lee", "anns-password")).player == ann.player
    with pytest.raises(WrongCredentials):
        await sign_in_by_password(core.commands.accounts, "Bea Lee", "anns-password")
    assert await sweep_all(core) == 4
    await assert_unique(core)
    assert await claim(core, BEA) is None


async def test_a_rename_killed_after_its_commit_is_finished_by_the_sweeper(core: Core) -> None:
    ann = await signed(core, password="anns-password")
    started = await begun(core, ann, command_id())
    assert await core.rooms.accounts.identities.rename(started.change, started.identity.claims_epoch) is not None
    await assert_unique(core, open_claims=True)
    for name in ("Ann Lee", "Bea Lee"):
        with pytest.raises(NameTaken):
            await enroll(
                core.commands.accounts, Application(name, "mage", device=device_of("another-device")), command_id()
            )
    assert (await sign_in_by_password(core.commands.accounts, "Bea Lee", "anns-password")).player.name == "Bea Lee"
    with pytest.raises(WrongCredentials):
        await sign_in_by_password(core.commands.accounts, "Ann Lee", "anns-password")
    assert await sweep_all(core) == 4
    await assert_unique(core)
    assert await claim(core, ANN) is None


async def test_a_rename_killed_after_its_commit_is_finished_by_its_retry(core: Core, second: Core) -> None:
    ann, key = await signed(core), command_id()
    started = await begun(core, ann, key)
    first = await core.rooms.accounts.identities.rename(started.change, started.identity.claims_epoch)
    assert first is not None
    assert await rename_to(second, ann, "Bea Lee", key) == replace(first, replayed=True)
    await assert_unique(core)


async def test_whoever_wants_a_name_whose_rename_was_undone_or_done_neednt_wait_for_the_sweeper(core: Core) -> None:
    ann, key = await signed(core), command_id()
    await begun(core, ann, key)
    await let_pass(core)
    bea = await signed(core, "Bea Lee")
    with pytest.raises(NameTaken):
        await rename_to(core, bea, "Ann Lee")
    await assert_unique(core, open_claims=True)
    await sweep_all(core)
    await assert_unique(core)


@pytest.mark.parametrize("taker", ["sign-up", "rename", "nobody"])
async def test_a_rename_that_wakes_after_the_sweeper_freed_its_reservation_isnt_committed(
    core: Core, second: Core, taker: str
) -> None:
    ann, key = await signed(core), command_id()
    frozen = await begun(core, ann, key)
    assert await sweep_all(second) == 4
    if taker == "sign-up":
        await signed(second, "Bea Lee")
    elif taker == "rename":
        await rename_to(second, await signed(second, "Cid Lee"), "Bea Lee")
    assert await core.rooms.accounts.identities.rename(frozen.change, frozen.identity.claims_epoch) is None
    for claimed in (*frozen.taken, *frozen.doubted):
        await core.rooms.accounts.claims.release(claimed)
        await core.rooms.accounts.claims.confirm(claimed)
    await assert_unique(core)
    assert await present(core, ann.player.id) == ann.player
    if taker == "nobody":
        assert (await rename_to(second, ann, "Bea Lee", key)).player.version == 2, "a retry begins anew"
    else:
        with pytest.raises(NameTaken):
            await rename_to(second, ann, "Bea Lee", key)
    await assert_unique(core)


async def test_a_sweeper_that_froze_over_a_reservation_frees_nothing_of_the_same_rename_begun_anew(
    core: Core, second: Core
) -> None:
    """It resolved the claim, stalled, and wakes between the reservation of the retry and its commit."""
    ann, key = await signed(core), command_id()
    stale = await begun(core, ann, key)
    await second.rooms.accounts.identities.resolve(stale.taken[0])
    retried = await begun(core, ann, key)
    assert retried.taken[0].deadline > stale.taken[0].deadline
    await second.rooms.accounts.claims.release(stale.taken[0])
    await second.rooms.accounts.claims.confirm(stale.doubted[0])
    assert await core.rooms.accounts.identities.rename(retried.change, retried.identity.claims_epoch) is not None
    await assert_unique(core, open_claims=True)
    await sweep_all(second)
    await assert_unique(core)


async def test_a_rename_that_froze_after_its_commit_undoes_nothing_when_the_player_has_gone_on(
    core: Core, second: Core
) -> None:
    ann = await signed(core)
    frozen = await begun(core, ann, command_id())
    assert await core.rooms.accounts.identities.rename(frozen.change, frozen.identity.claims_epoch) is not None
    await rename_to(second, ann, "Ann Lee")
    await signed(second, "Bea Lee")
    for claimed in (*frozen.taken, *frozen.doubted):
        await core.rooms.accounts.claims.confirm(claimed)
        await core.rooms.accounts.claims.release(claimed)
    await assert_unique(core)


async def test_a_sign_up_that_froze_before_it_confirmed_confirms_no_name_that_its_player_has_left(
    core: Core, second: Core
) -> None:
    ann = await signed(core)
    seen = await core.rooms.accounts.claims.doubt(ANN, ann.player.id)
    assert seen is not None
    await rename_to(second, ann, "Bea Lee")
    await core.rooms.accounts.claims.confirm(seen)
    await assert_unique(core)


async def test_a_deleted_player_is_gone_its_ledger_stays_and_its_name_and_device_are_free(
    core: Core, second: Core
) -> None:
    ann = await signed(core, password="anns-password")
    await rename_to(core, ann, "Bea Lee")
    await act(core, ann.player.id)
    await delete(core.commands.accounts, ann.token, command_id())
    found = await assert_unique(core)
    assert (dict(found.living), list(found.deleted.values()), found.claims) == ({}, ["Bea Lee"], [])
    assert await core.rooms.players.read([ann.player.id]) == {}
    for refused in (act(second, ann.player.id), rename_to(second, ann, "Cid Lee")):
        with pytest.raises(PlayerNotFound):
            await refused
    with pytest.raises(NotAuthenticated):
        await second.rooms.sessions.check(ann.token)
    for back in (
        sign_in_by_device(core.commands.accounts, device_of("device of Ann Lee")),
        sign_in_by_password(core.commands.accounts, "Bea Lee", "anns-password"),
    ):
        with pytest.raises(WrongCredentials):
            await back
    assert (await core.rooms.operators.reports.count())[0] == []
    entries = (await core.commands.play.history.page(ann.player.id, 10, None)).rows
    assert [(entry.action, entry.version) for entry in entries] == [
        ("delete", 4), ("hunt", 3), ("rename", 2), ("sign_up", 1),
    ]  # fmt: skip
    wanted = Application("Bea Lee", "mage", device=device_of("device of Ann Lee"))
    await enroll(second.commands.accounts, wanted, command_id())
    await assert_unique(core)


async def test_a_deletion_sent_again_is_taken_for_the_first_only_with_its_key_and_token(
    core: Core, second: Core
) -> None:
    ann, key = await signed(core), command_id()
    other = await sign_in_by_device(core.commands.accounts, device_of("device of Ann Lee"))
    await delete(core.commands.accounts, ann.token, key)
    for node in (core, second):
        await delete(node.commands.accounts, ann.token, key)
        for token, command in ((ann.token, command_id()), (other.token, key), (f"{ann.player.id}.guess", key)):
            with pytest.raises(NotAuthenticated):
                await delete(node.commands.accounts, token, command)
    assert len((await assert_unique(core)).deleted) == 1


async def test_a_sign_up_sent_again_after_its_player_was_deleted_makes_no_other(core: Core) -> None:
    wanted, key = (
        Application("Ann Lee", "mage", device=device_of("device of Ann Lee"), password="anns-password"),
        command_id(),
    )
    await delete(core.commands.accounts, (await sign_up(core.commands.accounts, wanted, key)).token, command_id())
    with pytest.raises(PlayerNotFound):
        await sign_up(core.commands.accounts, wanted, key)
    assert not (await assert_unique(core)).living


def blocking(core: Core) -> Accounts:
    """Accounts of a node that blocks the names of deleted players."""
    accounts = core.commands.accounts
    return replace(accounts, policy=replace(accounts.policy, deleted_names="blocked"))


async def test_a_blocked_name_is_never_free_again(core: Core) -> None:
    ann = await signed(core)
    await delete(blocking(core), ann.token, command_id())
    await assert_unique(core, blocked=True)
    await sweep_all(core)
    await assert_unique(core, blocked=True)
    with pytest.raises(NameTaken):
        await enroll(
            core.commands.accounts, Application("ann  LEE", "mage", device=device_of("device of Ann Lee")), command_id()
        )
    bea = await signed(core, "Bea Lee")
    with pytest.raises(NameTaken):
        await rename_to(core, bea, "Ann Lee")
    await assert_unique(core, blocked=True)


async def test_a_sign_up_that_draws_a_deleted_players_id_blocks_no_name_for_good(core: Core) -> None:
    ann = await signed(core)
    accounts = blocking(core)
    await delete(accounts, ann.token, command_id())
    (opened,) = await core.rooms.accounts.claims.reserve([BEA], ann.player.id, command_id())
    await resolve(accounts, opened)
    assert await claim(core, BEA) is None
    await assert_unique(core, blocked=True)


@pytest.mark.parametrize("committed", [False, True])
async def test_a_deletion_killed_in_between_is_undone_or_finished_by_the_sweeper(
    core: Core, second: Core, committed: bool
) -> None:
    ann, key = await signed(core), command_id()
    change = Change(key, ann.player.id, "delete", {"session": ann.session.name}, ann.session.epoch)
    identity = await core.rooms.accounts.identities.find(change)
    for claimed in identity.keys:
        await core.rooms.accounts.claims.doubt(claimed, ann.player.id)
    if committed:
        assert await core.rooms.accounts.identities.remove(change, identity.claims_epoch)
    await assert_unique(core, open_claims=True)
    assert await sweep_all(second) == 3
    found = await assert_unique(core)
    assert len(found.deleted) == committed
    if committed:
        assert await core.rooms.sessions.listed(ann.player.id) == []
        await delete(second.commands.accounts, ann.token, key)
    else:
        assert not await core.rooms.accounts.identities.remove(change, identity.claims_epoch), "it woke too late"
        await delete(second.commands.accounts, ann.token, key)
        assert len((await assert_unique(core)).deleted) == 1
