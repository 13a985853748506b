"""What an action did is taken back at most once, whatever chain of undos, undos of undos and rollbacks leads there."""

from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as examples
from hypothesis import strategies as st

from gameserver.app import Core
from gameserver.commands import corrections, player_page
from gameserver.commands.corrections import ChangedBy, Corrected
from gameserver.config.settings import Settings
from gameserver.rules.corrections import Correct, RollBack, Undo
from gameserver.rules.errors import NotUndoable
from gameserver.rules.player import Player
from gameserver.storage.ids import slot_of
from tests.support.client import command_id
from tests.support.deployment import (
    act,
    assert_ledger_explains,
    connected,
    enlist,
    ledger,
    present,
    with_actions,
    working,
)

BOARDS = """
[boards.kills]
score = "points:kills"
[boards.jump]
score = "points:kills"
operator = "best"
[boards.mood]
score = "points:kills"
operator = "last"
"""
SCORE = "tests.storage.seasons.scoring_actions:score"
Effect = Counter[int]
"""How often the deeds of these versions are done by a command; taken back where it is negative."""


@pytest.fixture
async def core(settings: Settings, tmp_path: Path) -> AsyncIterator[Core]:
    async with working(with_actions(settings, tmp_path, BOARDS, score=SCORE)) as opened:
        yield opened


@dataclass(frozen=True)
class Made:
    """A command of the chain: what it did itself (EXP, potions, kills), and its effect on deeds."""

    key: str
    at: datetime
    effect: Effect
    exp: int = 0
    potions: int = 0
    kills: int | None = None


@dataclass
class Chain:
    """The commands of one player, the first at version 2; `made` has one for each."""

    core: Core
    player: Player
    made: list[Made] = field(default_factory=list)
    seen: list[tuple[datetime, dict[str, int], dict[str, int]]] = field(default_factory=list)
    """The items and scores that there were after a command of that moment."""

    def standing(self, commands: int | None = None) -> Effect:
        """Which deeds stand after so many commands, each 0 or 1 times."""
        sums: Effect = Counter()
        for each in self.made[:commands]:
            for deed, times in each.effect.items():
                sums[deed] += times
        return Counter({deed: times for deed, times in sums.items() if times})

    async def order(self, wanted: Correct | Undo | RollBack) -> Corrected:
        by = ChangedBy("operator", "a test", command_id())
        return await corrections.carry_out(self.core.commands.corrections, self.player.id, wanted, by)

    async def note(
        self, effect: Effect | None = None, exp: int = 0, potions: int = 0, kills: int | None = None
    ) -> None:
        row = (await ledger(self.core, self.player.id))[-1]
        itself: Effect = Counter([len(self.made)])
        self.made.append(Made(row["key"], row["at"], itself if effect is None else effect, exp, potions, kills))

    async def score(self, amount: int) -> None:
        await act(self.core, self.player.id, "score", points={"kills": amount}, exp=10 * amount)
        await self.note(exp=10 * amount, kills=amount)

    async def correct(self, amount: int) -> None:
        exp = (await present(self.core, self.player.id)).exp
        await self.order(Correct(exp=exp + amount, items={"potion": amount}))
        await self.note(exp=amount, potions=amount)

    async def undo(self, number: int) -> None:
        """Undoes a command, or is refused because what it did is taken back already."""
        target = self.made[number % len(self.made)]
        then = self.standing()
        then.subtract(target.effect)
        try:
            await self.order(Undo(command_id=target.key))
        except NotUndoable:
            return
        assert set(then.values()) <= {0, 1}, "what was taken back, or stands, was taken back or brought back again"
        await self.note(Counter({deed: -times for deed, times in target.effect.items()}))

    async def roll_back(self, number: int) -> None:
        kept = number % len(self.made)
        effect = self.standing(kept + 1)
        effect.subtract(self.standing())
        try:
            await self.order(RollBack(to=self.made[kept].at.isoformat()))
        except NotUndoable:
            assert kept == len(self.made) - 1, "it is the present"
            return
        await self.note(effect)

    async def check(self) -> None:
        """The player is what the deeds that stand have made of it."""
        done = [self.made[deed] for deed in sorted(self.standing())]
        held = {stack.item: stack.count for stack in await self.core.rooms.players.items(self.player.id)}
        kills = [each.kills for each in done if each.kills is not None]
        assert (await present(self.core, self.player.id)).exp == sum(each.exp for each in done)
        assert held.get("potion", 0) == sum(each.potions for each in done)
        boards = {"kills": sum(kills), "jump": max(kills), "mood": kills[-1]} if kills else {}
        assert await self.scores() == boards
        self.seen.append((self.made[-1].at, {item: count for item, count in held.items() if count}, boards))

    async def check_past(self) -> None:
        """What was seen after each command is what an operator is shown of that moment."""
        for at, items, boards in self.seen:
            state = await player_page.state_at(self.core.commands.player_pages, self.player.id, at.isoformat())
            then = state.holdings
            scores = {board: score for board, _, score in then.scores if board in ("kills", "jump", "mood")}
            assert (then.items, scores, then.unknown) == (items, boards, []), at

    async def scores(self) -> dict[str, int]:
        slot = slot_of(self.player.id)
        async with connected(self.core.slots.owner("players", slot).url) as connection:
            asked = "select board, score from scores where slot = $1 and player_id = $2 and score is not null"
            return dict(map(tuple, await connection.fetch(asked, slot, self.player.id)))


STEPS = st.lists(
    st.tuples(st.sampled_from(["score", "correct", "undo", "undo", "undo", "roll_back"]), st.integers(0, 11)),
    min_size=4,
    max_size=14,
)


@examples(max_examples=40)
@given(steps=STEPS)
async def test_a_player_is_what_the_commands_that_stand_have_made_of_it(
    core: Core, steps: list[tuple[str, int]]
) -> None:
    chain = Chain(core, await enlist(core))
    await chain.correct(3)
    await chain.score(5)
    for step, number in steps:
        match step:
            case "score":
                await chain.score(1 + number % 7)
            case "correct":
                await chain.correct(1 + number % 3)
            case "undo":
                await chain.undo(len(chain.made) - 1 - number % len(chain.made))
            case _:
                await chain.roll_back(number)
        await chain.check()
    await assert_ledger_explains(core, chain.player.id)


async def test_undoing_an_undo_takes_nothing_back_a_second_time(core: Core) -> None:
    chain = Chain(core, await enlist(core))
    await chain.correct(50)
    for number in (0, 1, 0):
        await chain.undo(number)
    assert len(chain.made) == 4, "undone, brought back, and undone again"
    with pytest.raises(NotUndoable, match="taken back again") as refused:
        await chain.order(Undo(command_id=chain.made[2].key))
    assert chain.made[0].key in str(refused.value.detail)
    await chain.check()
    await chain.undo(3)
    await chain.undo(2)
    assert len(chain.made) == 6, "once the other undo is undone, it can be"
    assert chain.standing() == {}
    await chain.check()


async def test_undoing_a_rollback_takes_nothing_back_a_second_time(core: Core) -> None:
    chain = Chain(core, await enlist(core))
    await chain.correct(50)
    await chain.undo(0)
    await chain.roll_back(0)
    await chain.undo(0)
    assert len(chain.made) == 4
    with pytest.raises(NotUndoable, match="taken back again"):
        await chain.order(Undo(command_id=chain.made[2].key))
    await chain.check()


async def test_undoing_the_undo_of_a_rollback_takes_nothing_back_a_second_time(core: Core) -> None:
    chain = Chain(core, await enlist(core))
    await chain.correct(1)
    await chain.score(4)
    await chain.roll_back(0)
    await chain.undo(2)
    await chain.undo(1)
    assert len(chain.made) == 5
    with pytest.raises(NotUndoable, match="taken back again"):
        await chain.order(Undo(command_id=chain.made[3].key))
    await chain.check()


async def chained(core: Core) -> Chain:
    """Commands of every kind, after each of which it was noted what the player had."""
    chain = Chain(core, await enlist(core))
    steps = (chain.score(5), chain.correct(3), chain.score(2), chain.undo(2), chain.score(7), chain.roll_back(1))
    for step in (*steps, chain.score(1), chain.undo(5), chain.undo(0)):
        await step
        await chain.check()
    return chain


async def test_a_past_moment_has_the_items_and_scores_that_there_were(core: Core) -> None:
    await (await chained(core)).check_past()


async def test_what_the_ledger_doesnt_lead_to_any_more_is_unknown_and_said_so(
    core: Core, monkeypatch: pytest.MonkeyPatch
) -> None:
    chain = await chained(core)
    monkeypatch.setattr("gameserver.commands.past_holdings.MOST_ROWS", 3)
    at, items, boards = chain.seen[-3]
    then = (await player_page.state_at(core.commands.player_pages, chain.player.id, at.isoformat())).holdings
    scores = {board: score for board, _, score in then.scores}
    assert (then.items, scores["kills"], scores["jump"]) == (items, boards["kills"], None)
    assert ["jump" in sentence for sentence in then.unknown] == [True]
    at, *_ = chain.seen[-4]
    then = (await player_page.state_at(core.commands.player_pages, chain.player.id, at.isoformat())).holdings
    assert (then.items, {score for *_, score in then.scores}) == (None, {None})
    assert then.unknown[0].startswith("The player has changed 3 times since")
