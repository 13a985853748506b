"""Sign-ups: one player under a command id, one holder of a name, whoever dies or freezes in between."""

import asyncio
import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple
from unicodedata import normalize

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gameserver.app import Core
from gameserver.commands.accounts import Application
from gameserver.commands.drafts import draft_of
from gameserver.commands.keys import device_key, is_look
from gameserver.commands.sign_in import sign_in_by_device
from gameserver.commands.sign_up import enroll
from gameserver.rules import names
from gameserver.rules.errors import CommandMismatch, Conflict, DeviceTaken, NameTaken, PlayerNotFound, WrongCredentials
from gameserver.storage.accounts.claims import Claim, Key, KeyKind
from gameserver.storage.accounts.enrolments import Enrolment
from gameserver.storage.accounts.identities import Change
from gameserver.upkeep.loops import sweep
from tests.support.client import command_id
from tests.support.deployment import act, connected
from tests.support.devices import device_of
from tests.support.uniqueness import assert_unique, sweep_all
from tests.support.wait import wait_until

ANN = Application("Ann Lee", "mage", device=device_of("anns-device"))
NAME = Key(KeyKind.NAME, "ann lee")


async def rows(core: Core, asked: str) -> list[Any]:
    """Of both databases."""
    found: list[Any] = []
    for name in ("one", "two"):
        async with connected(core.databases[name].url) as connection:
            found += [tuple(row) for row in await connection.fetch(asked)]
    return found


async def holders(core: Core, name: str = "Ann Lee") -> list[int]:
    """The ids of all players of this name."""
    return [row[0] for row in await rows(core, f"select id from players where name = '{name}' and not void")]


async def assert_claims_are_those_of_the_players(core: Core) -> None:
    """Each player holds what its sign-up claimed, confirmed, and nothing else is held."""
    asked = "select player_id, json_array_elements_text(outcome -> 'keys') from ledger where action = 'sign_up'"
    wanted = [(player_id, key, True) for player_id, key in await rows(core, asked)]
    held: list[tuple[Any, ...]] = []

    async def is_settled() -> bool:
        held[:] = await rows(core, "select player_id, kind || ':' || key, confirmed from claims")
        return all(confirmed for *_, confirmed in held)

    await wait_until(is_settled, 10, "what the nodes confirm behind their answers is confirmed")
    assert sorted(held) == sorted(wanted)


class Wish(NamedTuple):
    """A sign-up by one of two nodes; names and devices are few, so that they are contested."""

    node: int
    name: str
    device: int


wishes = st.lists(
    st.builds(Wish, st.integers(0, 1), st.sampled_from(["Bo Ek", "bo  EK", "Cy Fo", "ＣＹ fo"]), st.integers(0, 2)),
    min_size=2,
    max_size=10,
)


@settings(max_examples=10)
@given(wanted=wishes)
async def test_however_sign_ups_race_no_name_and_no_device_gets_two_players_and_refusals_leave_nothing_behind(
    core: Core, second: Core, wanted: list[Wish]
) -> None:
    for database in ("one", "two"):
        async with connected(core.databases[database].url) as connection:
            await connection.execute("truncate players, claims, ledger")
    nodes = (core, second)
    tries = [
        enroll(
            nodes[wish.node].commands.accounts,
            Application(wish.name, "mage", device=device_of(f"device {wish.device}")),
            command_id(),
        )
        for wish in wanted
    ]
    outcomes = await asyncio.gather(*tries, return_exceptions=True)
    made = [wish for wish, each in zip(wanted, outcomes, strict=True) if not isinstance(each, BaseException)]
    assert made
    assert all(isinstance(outcome, Conflict) for outcome in outcomes if isinstance(outcome, BaseException)), outcomes
    assert len(made) == len({wish.device for wish in made}) == len({names.parse(wish.name).key for wish in made})
    await assert_claims_are_those_of_the_players(core)


async def test_of_two_nodes_that_want_a_name_at_once_exactly_one_gets_it(core: Core, second: Core) -> None:
    for number in range(10):
        tries = [
            enroll(
                node.commands.accounts,
                Application(f"Racer {number}", "mage", device=device_of(f"{number} of {who}")),
                command_id(),
            )
            for who, node in enumerate((core, second) * 2)
        ]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NameTaken"] * 3 + ["tuple"]
    await assert_claims_are_those_of_the_players(core)


async def test_a_refused_device_leaves_the_name_free(core: Core) -> None:
    await enroll(core.commands.accounts, ANN, command_id())
    with pytest.raises(DeviceTaken):
        await enroll(
            core.commands.accounts, Application("Bea Lee", "mage", device=device_of("anns-device")), command_id()
        )
    await enroll(core.commands.accounts, Application("Bea Lee", "mage", device=device_of("beas-device")), command_id())
    await assert_claims_are_those_of_the_players(core)


def draft(core: Core, key: str, attempt: int = 0) -> Enrolment:
    """The player that a sign-up of Ann by her name alone would make."""
    player = core.rulebook.new_player(
        core.rooms.accounts.enrolments.id_of(key, attempt), "Ann Lee", "mage", datetime.now(UTC)
    )
    args = {"name": "Ann Lee", "class": "mage", "hp": None, "exp": 0}
    return Enrolment(key, args, [str(NAME)], player, player.hp)


async def reserved(core: Core, birth: Enrolment) -> Claim:
    return (await core.rooms.accounts.claims.reserve([NAME], birth.player.id, birth.command_id))[0]


async def let_pass(core: Core) -> None:
    """The deadline of every reservation."""
    for name in ("one", "two"):
        async with connected(core.databases[name].url) as connection:
            await connection.execute("update claims set deadline = now() - interval '1 ms' where not confirmed")


async def test_a_sign_up_killed_before_it_made_its_player_keeps_the_name_until_its_deadline_and_no_longer(
    core: Core,
) -> None:
    await reserved(core, draft(core, command_id()))
    with pytest.raises(NameTaken):
        await enroll(core.commands.accounts, ANN, command_id())
    assert await sweep(core.commands.accounts) == 0
    await let_pass(core)
    assert await sweep(core.commands.accounts) == 1
    assert await core.rooms.accounts.claims.find(NAME) is None
    birth, _ = await enroll(core.commands.accounts, ANN, command_id())
    assert await holders(core) == [birth.player.id]


async def test_whoever_wants_a_name_whose_reservation_has_run_out_neednt_wait_for_the_sweeper(core: Core) -> None:
    await reserved(core, draft(core, command_id()))
    await let_pass(core)
    birth, _ = await enroll(core.commands.accounts, ANN, command_id())
    assert await holders(core) == [birth.player.id]


@pytest.mark.parametrize("by", ["sweeper", "another"])
async def test_a_sign_up_killed_after_it_made_its_player_keeps_the_name(core: Core, by: str) -> None:
    birth = draft(core, command_id())
    await reserved(core, birth)
    assert await core.rooms.accounts.enrolments.create(birth, None)
    await let_pass(core)
    if by == "sweeper":
        assert await sweep(core.commands.accounts) == 1
    with pytest.raises(NameTaken):
        await enroll(core.commands.accounts, ANN, command_id())
    claim = await core.rooms.accounts.claims.find(NAME)
    assert claim is not None
    assert (claim.confirmed, claim.player_id) == (True, birth.player.id)
    assert await holders(core) == [birth.player.id]


async def test_a_sign_up_that_wakes_after_the_sweeper_gave_its_name_away_makes_no_second_holder(core: Core) -> None:
    frozen = draft(core, key := command_id())
    await reserved(core, frozen)
    await let_pass(core)
    await sweep(core.commands.accounts)
    taker, _ = await enroll(core.commands.accounts, ANN, command_id())
    assert not await core.rooms.accounts.enrolments.create(frozen, None)
    with pytest.raises(NameTaken):
        await enroll(core.commands.accounts, Application("Ann Lee", "mage", device=device_of("another-device")), key)
    assert await holders(core) == [taker.player.id]
    assert frozen.player.id not in await core.rooms.players.read([frozen.player.id])
    with pytest.raises(PlayerNotFound):
        await act(core, frozen.player.id)


async def test_a_sign_up_that_wakes_after_the_sweeper_freed_its_name_makes_one_player_under_another_id(
    core: Core, second: Core
) -> None:
    frozen = draft(core, key := command_id())
    await reserved(core, frozen)
    await let_pass(core)
    await sweep(core.commands.accounts)
    births = await asyncio.gather(*(enroll(node.commands.accounts, ANN, key) for node in (core, second) * 2))
    assert len({birth.player.id for birth, _ in births}) == 1
    assert [replayed for _, replayed in births].count(False) == 1
    assert await holders(core) == [births[0][0].player.id] != [frozen.player.id]
    again, replayed = await enroll(second.commands.accounts, ANN, key)
    assert (again.player, replayed) == (births[0][0].player, True)
    await assert_claims_are_those_of_the_players(core)


async def test_a_frozen_sign_up_frees_nothing_of_the_same_command_that_went_on_without_it(core: Core) -> None:
    """It froze between two claims; its retry made the player under another id; then it wakes and gives up."""
    frozen = draft(core, key := command_id())
    seen = await reserved(core, frozen)
    await let_pass(core)
    await sweep(core.commands.accounts)
    birth = draft(core, key, attempt=1)
    claim = await reserved(core, birth)
    await core.rooms.accounts.claims.release(seen)
    assert await core.rooms.accounts.enrolments.create(birth, None)
    await core.rooms.accounts.claims.confirm(claim)
    with pytest.raises(NameTaken):
        await enroll(core.commands.accounts, ANN, command_id())


async def test_a_sign_up_killed_under_its_second_id_can_be_sent_again_at_once(core: Core) -> None:
    first, second_try = draft(core, key := command_id()), draft(core, key, attempt=1)
    await core.rooms.accounts.identities.resolve(await reserved(core, first))
    await let_pass(core)
    await sweep(core.commands.accounts)
    await reserved(core, second_try)
    wanted = Application("Ann Lee", "mage", password="anns-password")
    birth, _ = await enroll(core.commands.accounts, wanted, key)
    assert await holders(core) == [birth.player.id]
    await let_pass(core)
    await sweep(core.commands.accounts)
    with pytest.raises(NameTaken):
        await enroll(core.commands.accounts, ANN, command_id())


async def test_a_reserved_device_lets_nobody_sign_in_before_its_player_is_made(core: Core) -> None:
    """The reservation may name an id that turns out to be another sign-up's player."""
    birth, _ = await enroll(core.commands.accounts, ANN, command_id())
    device = Key(KeyKind.DEVICE, hashlib.sha256(device_of("beas-device").encode()).hexdigest())
    await core.rooms.accounts.claims.reserve([device], birth.player.id, command_id())
    with pytest.raises(WrongCredentials):
        await sign_in_by_device(core.commands.accounts, device_of("beas-device"))
    assert (await sign_in_by_device(core.commands.accounts, device_of("anns-device"))).player == birth.player


async def test_commands_from_one_end_of_the_window_to_the_other_find_their_partition(core: Core) -> None:
    birth, _ = await enroll(core.commands.accounts, ANN, command_id())
    window = core.commands.accounts.policy.window
    back, ahead = timedelta(milliseconds=window.back), timedelta(milliseconds=window.ahead)
    for ago in (back.total_seconds() - 5, 0, 5 - ahead.total_seconds()):
        assert not (await act(core, birth.player.id, key=command_id(ago))).replayed


async def test_a_name_that_looks_like_a_taken_one_is_refused_and_leaves_nothing(core: Core, second: Core) -> None:
    await enroll(core.commands.accounts, Application("Ian Lee", "mage", device=device_of("ians-device")), command_id())
    for name in ("lan Lee", "Ian Iee", "IAN LEE", "1an Lee"):
        with pytest.raises(NameTaken):
            await enroll(
                second.commands.accounts, Application(name, "mage", device=device_of("another-device")), command_id()
            )
    await enroll(
        second.commands.accounts, Application("Jan Lee", "mage", device=device_of("another-device")), command_id()
    )
    await assert_claims_are_those_of_the_players(core)


async def test_of_names_that_look_alike_and_race_one_is_made(core: Core, second: Core) -> None:
    looks = ["Bill {}", "Biil {}", "Blll {}", "B1ll {}", "bıll {}"]
    for number in range(2, 6):
        tries = [
            enroll(
                node.commands.accounts,
                Application(name.format(number), "mage", device=device_of(f"{name} {number}")),
                command_id(),
            )
            for node, name in zip((core, second, core, second, core), looks, strict=True)
        ]
        outcomes = await asyncio.gather(*tries, return_exceptions=True)
        assert sorted(type(outcome).__name__ for outcome in outcomes) == ["NameTaken"] * 4 + ["tuple"]
    await assert_claims_are_those_of_the_players(core)


@pytest.mark.parametrize("name", ["Official Support", "аdmin lee", "Ａｎｎ Lee"])
async def test_a_sign_up_that_an_earlier_version_made_gets_its_first_answer(core: Core, name: str) -> None:
    """It had no claim on the look, the name was stored as NFKC, and fewer names were refused."""
    shown = normalize("NFKC", name)
    made = draft(core, key := command_id())
    player = made.player._replace(name=shown)
    keys = [f"name:{names.key_of(name)}", str(device_key(device_of("anns-device")))]
    made = replace(made, args={**made.args, "name": shown}, player=player, keys=keys)
    for text in made.keys:
        await core.rooms.accounts.claims.reserve([Key.parse(text)], player.id, key)
    assert await core.rooms.accounts.enrolments.create(made, None)
    again, replayed = await enroll(
        core.commands.accounts, Application(name, "mage", device=device_of("anns-device")), key
    )
    assert (again.player.id, again.player.name, replayed) == (player.id, shown, True)
    with pytest.raises(CommandMismatch):
        await enroll(core.commands.accounts, Application("Ann Lee2", "mage", device=device_of("anns-device")), key)


async def test_a_look_that_an_earlier_version_left_behind_is_free(core: Core) -> None:
    """Such a node, running beside this one, deletes a player without its claim on the look of its name."""
    ian, _ = await enroll(
        core.commands.accounts, Application("Ian Lee", "mage", device=device_of("ians-device")), command_id()
    )
    change = Change(command_id(), ian.player.id, "delete", {"session": ""}, 0)
    identity = await core.rooms.accounts.identities.find(change)
    assert await core.rooms.accounts.identities.remove(change, identity.claims_epoch)
    for key in identity.keys:
        if not is_look(key) and (claim := await core.rooms.accounts.claims.doubt(key, ian.player.id)) is not None:
            await core.rooms.accounts.claims.release(claim)
    lan, _ = await enroll(
        core.commands.accounts, Application("lan Lee", "mage", device=device_of("ians-device")), command_id()
    )
    assert await holders(core, "lan Lee") == [lan.player.id]


async def test_a_refused_sign_up_stays_refused_on_every_node_once_the_name_is_free(core: Core, second: Core) -> None:
    ann, _ = await enroll(core.commands.accounts, ANN, command_id())
    for wanted, refusal in (
        (Application("Ann Lee", "mage", device=device_of("a new device")), NameTaken),
        (Application("Bea Lee", "mage", device=device_of("anns-device")), DeviceTaken),
    ):
        key = command_id()
        for node in (core, second):
            with pytest.raises(refusal):
                await enroll(node.commands.accounts, wanted, key)
    refused, once = command_id(), command_id()
    again = Application("Ann Lee", "mage", device=device_of("a new device"))
    with pytest.raises(NameTaken):
        await enroll(core.commands.accounts, again, refused)
    with pytest.raises(NameTaken):
        await enroll(core.commands.accounts, again, once, repeatable=False)
    change = Change(command_id(), ann.player.id, "delete", {"session": ""}, 0)
    identity = await core.rooms.accounts.identities.find(change)
    for claimed in identity.keys:
        await core.rooms.accounts.claims.doubt(claimed, ann.player.id)
    assert await core.rooms.accounts.identities.remove(change, identity.claims_epoch)
    await sweep_all(core)
    # The name is free, and copies of the refused sign-up that lay somewhere arrive: all of them are refused.
    for node in (core, second):
        with pytest.raises(NameTaken):
            await enroll(node.commands.accounts, again, refused)
    with pytest.raises(NameTaken):
        await enroll_at_the_last_step(second, again, refused)
    assert not (await assert_unique(core)).living
    made, replayed = await enroll(second.commands.accounts, again, once)
    assert (made.player.name, replayed) == ("Ann Lee", False), "without a record it is a new command"


async def enroll_at_the_last_step(core: Core, application: Application, key: str) -> None:
    """A node that froze after it had reserved everything, and wakes up before its commit."""
    made = draft_of(core.commands.accounts, application, key, 0)
    assert not await core.rooms.accounts.enrolments.create(made, None)
    await core.rooms.accounts.enrolments.find(made.player.id, key)
