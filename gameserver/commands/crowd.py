"""A crowd of made-up players for demonstrations and load tests, signed up by the thousand.

Who the number N is never changes: his name, device, class, EXP and HP. So loading again adds only those that aren't
there yet, wherever the last one was killed. They are real players: by law, in the ledger, on the boards, able to sign
in by their devices, which anybody can guess. Not for a live game.
"""

import asyncio
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

from gameserver.commands import boards
from gameserver.commands.accounts import Accounts, Application
from gameserver.commands.boards import Leaderboards
from gameserver.commands.sign_up import draft_of
from gameserver.rules.dice import Dice
from gameserver.rules.errors import BoardUnavailable, DatabaseUnavailable
from gameserver.rules.game import Game
from gameserver.storage.accounts.enrolments import Enrolment
from gameserver.storage.accounts.intake import Holder
from gameserver.storage.ids import new_command_id

CHUNK = 5_000
"""Players in one round, so that a follower never reads more at once."""
AT_A_TIME = 2
"""Rounds under way: one is prepared while the databases work on the other."""
A_MILLISECOND = 8
"""Command ids with the same time, so that their players' ids hardly ever collide."""
AHEAD = 40_000
"""How many players may be loaded that the boards don't show yet."""
PATIENCE = 3.0
"""Seconds without any progress of a board after which nobody seems to follow, and loading goes on regardless."""
TRIES = 5
HIGHEST = 1.2
"""The most EXP, in what the last level takes."""
DOWN, UNHURT = 3, 60
"""Per cent of players that are at 0 HP, and at their most."""


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """How many were made, were there already, or couldn't be made.

    `taken` are those of whose name or device somebody else has one, or a load that was killed has opened only one.
    """

    made: int = 0
    there: int = 0
    taken: int = 0

    def __add__(self, other: "LoadProgress") -> "LoadProgress":
        return LoadProgress(self.made + other.made, self.there + other.there, self.taken + other.taken)

    @property
    def done(self) -> int:
        return self.made + self.there + self.taken


def member(number: int, game: Game) -> Application:
    """Who the number is: EXP falls off steeply, so that many are beginners and few at the top."""
    dice, classes = Dice(number), list(game.classes)
    class_name = classes[dice.roll(0, len(classes) - 1)]
    share = dice.roll(0, 10**9) / 10**9
    exp = int(game.levels.thresholds[-1] * HIGHEST * share**6)
    most = game.max_hp(class_name, game.level_of(exp))
    fate = dice.roll(0, 99)
    hp = 0 if fate < DOWN else most if fate < DOWN + UNHURT else dice.roll(1, most)
    return Application(f"Demo {number:07}", class_name, device=f"demo-device-{number:07}", hp=hp, exp=exp)


async def load(accounts: Accounts, leaderboards: Leaderboards, players: int) -> AsyncGenerator[LoadProgress, None]:
    """Signs up the players from 1 on; how far it has come after each chunk.

    Raises DatabaseUnavailable: what was made stays, and loading again goes on.
    """
    starts = iter(range(1, players + 1, CHUNK))
    pace, total = _Pace(leaderboards), LoadProgress()
    under_way: set[asyncio.Task[LoadProgress]] = set()
    try:
        while True:
            while len(under_way) < AT_A_TIME and (start := next(starts, None)) is not None:
                await pace.wait(total.made)
                numbers = range(start, min(start + CHUNK, players + 1))
                under_way.add(asyncio.create_task(_load_chunk(accounts, numbers)))
            if not under_way:
                return
            done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            total = sum([each.result() for each in done], total)
            yield total
    finally:
        for each in under_way:
            each.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)


async def _load_chunk(accounts: Accounts, numbers: Sequence[int]) -> LoadProgress:
    wanted = {each.name: each for each in (member(number, accounts.rulebook.game) for number in numbers)}
    births, progress = _births(accounts, [*wanted.values()]), LoadProgress()
    for _ in range(TRIES):
        reserved = await accounts.room.intake.reserve(births)
        chances = _chances(births, reserved.holders)
        made = await accounts.room.intake.create(chances.good)
        await accounts.room.intake.confirm([each for each in chances.good if each.command_id in made], reserved)
        unmade = [each for each in chances.good if each.command_id not in made]
        if unmade or chances.taken:
            await accounts.room.intake.release([*unmade, *chances.taken], reserved)
        progress += LoadProgress(len(made), chances.there, len(chances.taken))
        births = chances.again + _births(accounts, [wanted[each.player.name] for each in unmade])
        if not births:
            return progress
    raise DatabaseUnavailable("Some players can't be loaded now: load again.", retry_after=1)


def _births(accounts: Accounts, wanted: Sequence[Application]) -> list[Enrolment]:
    """Sign-ups under new command ids; each at a time of its own, as no two players' creation needs to be equal."""
    now, milliseconds = accounts.policy.now(), int(time.time() * 1000)
    times = (now - timedelta(microseconds=index) for index in range(len(wanted), 0, -1))
    dated = replace(accounts, policy=replace(accounts.policy, now=lambda: next(times)))
    return [
        draft_of(dated, each, new_command_id(milliseconds - index // A_MILLISECOND), 0)
        for index, each in enumerate(wanted)
    ]


@dataclass(slots=True)
class _Chances:
    """Sign-ups that may make their players, or that have to be tried again; how many players are `there` already.

    Those that an earlier load has begun and not finished are tried `again` under that one's command.
    """

    good: list[Enrolment] = field(default_factory=list)
    again: list[Enrolment] = field(default_factory=list)
    taken: list[Enrolment] = field(default_factory=list)
    there: int = 0


def _chances(births: Sequence[Enrolment], holders: Mapping[str, Holder]) -> _Chances:
    found = _Chances()
    for birth in births:
        held = [holder for key in birth.keys if (holder := holders.get(key)) is not None]
        whose = {holder[:2] for holder in held}
        if len(held) == len(birth.keys) and len(whose) == 1:
            if all(holder.confirmed for holder in held):
                found.there += 1
            else:
                found.again.append(_adopted(birth, held[0]))
        elif whose - {(birth.player.id, birth.command_id)}:
            found.taken.append(birth)
        else:
            found.good.append(birth)
    return found


def _adopted(birth: Enrolment, holder: Holder) -> Enrolment:
    return replace(birth, command_id=holder.command_id, player=birth.player._replace(id=holder.player_id))


class _Pace:
    """Holds loading back until the boards have nearly caught up, as long as somebody keeps them."""

    def __init__(self, leaderboards: Leaderboards) -> None:
        self._backend = leaderboards
        whole = (each for each in leaderboards.seasons.calendar.boards() if not each.stores_scores and each.ranks_all)
        self._board = next((each.name for each in whole), "")
        self._first: int | None = None

    async def wait(self, made: int) -> None:
        shown, since = await self._shown(), time.monotonic()
        if self._first is None and shown is not None:
            self._first = shown - made
        while shown is not None and self._first is not None and self._first + made - shown > AHEAD:
            if time.monotonic() - since > PATIENCE:
                self._board = ""
            await asyncio.sleep(0.05)
            now = await self._shown()
            if now != shown:
                shown, since = now, time.monotonic()

    async def _shown(self) -> int | None:
        """How many players the board of all shows; None when there is none that anybody could read."""
        if not self._board:
            return None
        try:
            return (await boards.top(self._backend, self._board, boards.CURRENT, 1, None)).page.total
        except BoardUnavailable:
            return None
