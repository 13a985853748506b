"""Letters are bounded by sender, pair and recipient, and blocked by recipients; inboxes and streams stay small."""

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import pytest

from gameserver.app import Core, postman_of
from gameserver.config.limits import LETTERS, LimitSettings, PerMinute
from gameserver.config.sections import MailSettings
from gameserver.config.settings import Settings
from gameserver.rules.errors import GameError, RateLimited, TooManyBlocks
from gameserver.rules.player import Player
from gameserver.rules.rulebook import LETTERS as RULEBOOK_LETTERS
from gameserver.storage.ids import mail_id, slot_of
from gameserver.storage.live.pushes import SENDER_SHARE, Seen
from gameserver.storage.mail.bounds import forget_rested
from gameserver.storage.mail.inbox import Forgotten, Mail
from gameserver.storage.mail.mailbag import NOT_ACCEPTED, SentLetter
from gameserver.storage.players.command import Receipt
from gameserver.storage.social.blocks import BlockChange
from tests.support.client import command_id
from tests.support.deployment import (
    act,
    carrying,
    connected,
    drained,
    enlist,
    ledger,
    move_slot,
    order,
    present,
    settled,
    widely_limited,
    working,
)

SLOW = 0.001
"""Letters a minute: none comes back within a test."""


def limited(settings: Settings, **bursts: int) -> Settings:
    """The settings with these bursts of letters, and nothing after them."""
    paces = {name: PerMinute(per_minute=SLOW * burst, burst=burst) for name, burst in bursts.items()}
    wide = widely_limited(settings)
    return wide.model_copy(update={"limits": wide.limits.model_copy(update=paces)})


async def duels(core: Core, sender: Player, recipient: Player, count: int) -> Counter[str]:
    """Sends challenges at once; how many ended how."""
    answers = await settled(core, [order(core, sender.id, "duel", player=str(recipient.id)) for _ in range(count)])
    return Counter("sent" if isinstance(answer, Receipt) else answer.code for answer in answers)


async def letters_of(core: Core, player: Player, limit: int = 1000) -> Sequence[Mail]:
    return (await core.commands.play.inbox.page(player.id, limit, None)).rows


async def kinds_of(core: Core, player: Player) -> Counter[str]:
    return Counter(mail.kind for mail in await letters_of(core, player))


async def test_a_player_may_send_one_recipient_so_many_letters_over_all_nodes(settings: Settings) -> None:
    chosen = limited(settings, letters_per_pair=10)
    async with working(chosen) as one, working(chosen) as other:
        sender, stranger, third = await enlist(one), await enlist(one, database="two"), await enlist(one)
        ends = await asyncio.gather(duels(one, sender, stranger, 60), duels(other, sender, stranger, 60))
        assert sum(ends, Counter()) == Counter(sent=10, rate_limited=110)
        with pytest.raises(RateLimited) as error:
            await act(other, sender.id, "duel", player=str(stranger.id))
        assert error.value.retry_after is not None
        assert error.value.retry_after > 60
        assert await duels(one, sender, third, 1) == Counter(sent=1), "another pair has its own allowance"
        assert len(await ledger(one, sender.id)) == 12, "what was refused left nothing"
    async with working(chosen) as later:
        assert await duels(later, sender, stranger, 3) == Counter(rate_limited=3), "a restart forgets nothing"


async def test_a_player_may_send_so_many_letters_to_all(settings: Settings) -> None:
    async with working(limited(settings, letters_per_sender=10)) as core:
        sender, *others = [await enlist(core) for _ in range(5)]
        ends = [await duels(core, sender, other, 3) for other in others]
        assert sum(ends, Counter()) == Counter(sent=10, rate_limited=2)


async def test_a_repeated_command_and_a_refused_one_count_nothing(settings: Settings) -> None:
    async with working(limited(settings, letters_per_pair=10)) as core:
        sender, other = await enlist(core, "priest"), await enlist(core)
        key = command_id()
        for _ in range(20):
            await act(core, sender.id, "duel", key, player=str(other.id))
        refused = await settled(core, [order(core, sender.id, "duel", player=str(sender.id)) for _ in range(20)])
        assert {answer.code for answer in refused if isinstance(answer, GameError)} == {"same_player"}
        assert await duels(core, sender, other, 12) == Counter(sent=9, rate_limited=3)


async def test_a_player_receives_so_many_letters_and_the_others_come_back(settings: Settings) -> None:
    async with working(limited(settings, letters_per_recipient=5)) as core:
        stranger = await enlist(core, database="two")
        senders = [await enlist(core, database="one") for _ in range(4)]
        async with carrying(core):
            for sender in senders:
                assert await duels(core, sender, stranger, 3) == Counter(sent=3)
            await drained(core)
        rows = [row for row in await ledger(core, stranger.id) if row["action"] == "mail:challenged"]
        down = (await present(core, stranger.id)).hp == 0
        assert len(rows) == 5 or (down and len(rows) < 5)
        back = [mail for sender in senders for mail in await letters_of(core, sender) if mail.kind == "returned"]
        reasons = Counter(mail.args["reason"] for mail in back)
        assert reasons.total() == 12 - len(rows)
        assert down or reasons == Counter({NOT_ACCEPTED: 7})


async def test_answers_and_the_servers_letters_are_never_refused(settings: Settings) -> None:
    async with working(limited(settings, letters_per_recipient=1)) as core:
        challenger = await enlist(core, database="one")
        others = [await enlist(core, database="two") for _ in range(4)]
        async with carrying(core):
            for other in others:
                assert await duels(core, challenger, other, 1) == Counter(sent=1)
            await drained(core)
        assert await kinds_of(core, challenger) == Counter(duelled=4)
        for number in range(3):
            await deliver(core, challenger, 0, "mail:rewarded", number, REWARD)
        assert await kinds_of(core, challenger) == Counter(duelled=4, rewarded=3)


REWARD = '{"sender": "0", "board": "exp", "season": "1", "rank": 1, "exp": 1, "text": "well done"}'


async def deliver(
    core: Core, recipient: Player, sender: int, kind: str, number: int, payload: str, hours: int = 0
) -> Mail | None:
    """Delivers a letter of a command dated so many hours ago, by the postman; what is in the inbox of it."""
    key = command_id(3600 * hours)
    at = core.commands.accounts.policy.now()
    letter = SentLetter(sender, key, number, kind, recipient.id, payload, at, mail_id(sender, key, number))
    (ending,) = await postman_of(core).deliver([letter])
    assert ending is not None
    return next((mail for mail in await letters_of(core, recipient) if mail.mail_id == letter.mail_id), None)


async def heal(core: Core, recipient: Player, sender: int, hours: int = 0) -> Mail | None:
    payload = f'{{"sender": "{sender}", "points": 1}}'
    return await deliver(core, recipient, sender, "mail:healed", 0, payload, hours)


def change(player: Player, blocked: Player | int) -> BlockChange:
    return BlockChange(player.id, 0, blocked if isinstance(blocked, int) else blocked.id)


async def test_a_blocked_sender_has_no_effect_from_the_answer_on_and_cant_tell(core: Core, second: Core) -> None:
    stranger, harasser = await enlist(core, database="two"), await enlist(core, database="one")
    friend = await enlist(core, database="one")
    blocks = core.rooms.social.blocks
    async with carrying(core):
        assert await duels(core, harasser, stranger, 1) == Counter(sent=1)
        await drained(core)
        before = await present(core, stranger.id)
        await blocks.add(change(stranger, harasser))
        assert await duels(second, harasser, stranger, 3) == Counter(sent=3)
        await drained(core)
        assert await present(core, stranger.id) == before
        back = [mail.args["reason"] for mail in await letters_of(core, harasser) if mail.kind == "returned"]
        assert back == [NOT_ACCEPTED] * 3
        assert await duels(core, friend, stranger, 1) == Counter(sent=1)
        await drained(core)
        assert (await present(core, stranger.id)).version == before.version + 1
        await blocks.remove(change(stranger, harasser))
        assert await duels(core, harasser, stranger, 1) == Counter(sent=1)
        await drained(core)
        assert (await present(core, stranger.id)).version == before.version + 2


async def test_the_end_of_a_duel_comes_back_to_a_challenger_that_blocks_the_other(core: Core) -> None:
    one, two = await enlist(core, database="one"), await enlist(core, database="two")
    await core.rooms.social.blocks.add(change(one, two))
    async with carrying(core):
        assert await duels(core, one, two, 1) == Counter(sent=1)
        await drained(core)
    assert await kinds_of(core, one) == Counter(duelled=1)


async def test_blocks_are_bounded_listed_and_move_with_their_player(core: Core) -> None:
    player = await enlist(core, database="one")
    blocks = core.rooms.social.blocks
    for number in range(1, blocks.most + 1):
        await blocks.add(change(player, number))
        await blocks.add(change(player, number)) if number == 1 else None
    with pytest.raises(TooManyBlocks):
        await blocks.add(change(player, blocks.most + 1))
    assert [block.blocked_id for block in await blocks.of(player.id)] == list(range(1, blocks.most + 1))
    await move_slot(core, slot_of(player.id), "two")
    assert len(await blocks.of(player.id)) == blocks.most
    await blocks.remove(change(player, 1))
    assert len(await blocks.of(player.id)) == blocks.most - 1


async def test_an_inbox_holds_what_matters_and_no_more(settings: Settings) -> None:
    wide = widely_limited(settings)
    async with working(wide.model_copy(update={"mail": MailSettings(inbox=20)})) as core:
        player = await enlist(core)
        for number in range(3):
            assert await deliver(core, player, 0, "mail:rewarded", number, REWARD) is not None
        for sender in (7, 8):
            assert await heal(core, player, sender) is not None
        for _ in range(60):
            assert await heal(core, player, 9) is not None
            assert len(await letters_of(core, player)) <= 20
        held = await letters_of(core, player)
        assert len(held) >= 18
        assert {mail.kind for mail in held if mail.sender == 0} == {"rewarded"}
        senders = Counter(mail.sender for mail in held)
        assert (senders[0], senders[7], senders[8]) == (3, 1, 1), "one sender's flood takes no other's place"
        await core.commands.play.inbox.forget(Forgotten(player.id, 0))
        assert await letters_of(core, player) == []


async def test_an_inbox_loses_what_arrived_first_whenever_its_sender_says_that_it_was_sent(settings: Settings) -> None:
    wide = widely_limited(settings)
    async with working(wide.model_copy(update={"mail": MailSettings(inbox=20)})) as core:
        player = await enlist(core)
        for sender in range(10, 25):
            assert await heal(core, player, sender) is not None
        for hours in (1, 3, 2):
            assert await heal(core, player, 7, hours) is not None
        for sender in range(30, 42):
            await heal(core, player, sender)
        senders = [mail.sender for mail in await letters_of(core, player)]
        assert set(senders) & {10, 11, 12, 13, 14, 15} == set()
        assert senders.count(7) == 3


async def test_an_inbox_from_before_there_was_a_bound_is_trimmed_by_its_next_letter(settings: Settings) -> None:
    wide = widely_limited(settings)
    async with working(wide.model_copy(update={"mail": MailSettings(inbox=1000)})) as core:
        player = await enlist(core)
        for _ in range(40):
            await heal(core, player, 9)
        async with connected(core.slots.owner("players", slot_of(player.id)).url) as connection:
            await connection.execute("delete from letter_counts where player_id = $1", player.id)
    async with working(wide.model_copy(update={"mail": MailSettings(inbox=20)})) as core:
        await heal(core, player, 9)
        assert len(await letters_of(core, player)) <= 20


async def test_counts_that_have_no_effect_are_deleted_and_those_that_have_stay(settings: Settings) -> None:
    fast = PerMinute(per_minute=1_000_000, burst=10)
    limits = settings.limits.model_copy(update={"letters_per_sender": fast, "letters_per_pair":
                                                PerMinute(per_minute=SLOW * 10, burst=10)})  # fmt: skip
    async with working(settings.model_copy(update={"limits": limits})) as core:
        sender, other = await enlist(core, database="one"), await enlist(core, database="two")
        assert await duels(core, sender, other, 10) == Counter(sent=10)
        await asyncio.sleep(0.01)
        while await forget_rested(core.databases["one"], 1000):
            pass
        assert [row["other_id"] for row in await counts(core, sender)] == [other.id]
        assert await duels(core, sender, other, 1) == Counter(rate_limited=1)


async def counts(core: Core, player: Player) -> list[Mapping[str, Any]]:
    async with connected(core.slots.owner("players", slot_of(player.id)).url) as connection:
        return [dict(row) for row in await connection.fetch(
            "select * from letter_counts where player_id = $1", player.id)]  # fmt: skip


async def test_one_sender_doesnt_fill_the_stored_pushes(core: Core) -> None:
    pushes, player = core.rooms.live.pushes, await enlist(core)
    opened = await pushes.open(player.id, Seen())
    seen = Seen(opened.stream, opened.seq)
    wanted = [await pushes.keep(player.id, "mail", {"sender": str(sender)}) for sender in (7, 8)]
    notice = await pushes.keep(player.id, "notice", {"text": "hello"})
    flood = [await pushes.keep(player.id, "mail", {"sender": "9"}) for _ in range(300)]
    again = await pushes.open(player.id, seen)
    assert [push.seq for push in again.missed] == [*wanted, notice, *flood[-SENDER_SHARE:]]
    assert (again.resumed, again.mail_skipped, again.seq) == (True, True, flood[-1])
    late = await pushes.open(player.id, Seen(opened.stream, flood[-5]))
    assert ([push.seq for push in late.missed], late.mail_skipped) == (flood[-4:], False)
    # What leaves the tail for good is still reported as lost.
    for sender in range(100, 200):
        await pushes.keep(player.id, "mail", {"sender": str(sender)})
    assert (await pushes.open(player.id, seen)).resumed is False
    assert (await pushes.open(player.id, Seen(opened.stream, flood[-1]))).resumed is True


def test_a_burst_that_would_refuse_an_action_for_ever_is_a_fault() -> None:
    with pytest.raises(ValueError, match="8 letters"):
        LimitSettings(letters_per_pair=PerMinute(per_minute=10, burst=7))
    assert LETTERS == RULEBOOK_LETTERS
