"""A crowd of made-up players for demonstrations and load tests, signed up by the thousand.

Law: player N is deterministic: name, device, class, EXP and HP. So another load adds only the players that are
missing, wherever the last one was interrupted. They are real players: in the ledger, on the boards, able to sign in by
their devices, which anybody can guess. Not for a live game.
"""

import asyncio
import random
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from gameserver.commands import boards
from gameserver.commands.accounts import Accounts, Application
from gameserver.commands.boards import Leaderboards
from gameserver.commands.drafts import draft_of
from gameserver.commands.keys import is_look
from gameserver.commands.repeating import Tell, repeated
from gameserver.rules.dice import Dice
from gameserver.rules.errors import BoardUnavailable, DatabaseUnavailable
from gameserver.rules.game import Game
from gameserver.storage.accounts.claims import Key
from gameserver.storage.accounts.enrolments import Enrolment
from gameserver.storage.accounts.intake import Holder
from gameserver.storage.ids import new_command_id
from gameserver.waiting import cancel_and_wait

CHUNK = 5_000
"""Players in one chunk, so that a follower never reads more at once."""
CHUNKS_AT_ONCE = 2
"""One is prepared while the databases work on the other."""
IDS_PER_MILLISECOND = 8
"""Command ids with the same time; few, so that their players' ids hardly ever collide."""
LARGEST_LAG = 40_000
"""How many loaded players the boards may not show yet before loading waits for them."""
PATIENCE = 3.0
"""Seconds without progress of a board after which no follower seems to run, and loading no longer waits."""
RETRIES = 5
PAUSE_SECONDS = 0.1
"""The longest before the first retry, and twice as long before each further one: two loads of the same players meet."""
HIGHEST = 1.2
"""The most EXP, as a multiple of what the last level takes."""
DOWN, UNHURT = 3, 60
"""Per cent of players with 0 HP, and with full HP."""


@dataclass(frozen=True, slots=True)
class LoadProgress:
    """How many players were made, were there already, or couldn't be made.

    taken: the name or the device is another player's, or an interrupted load claimed only one of the two.
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
    """Player number N. EXP falls off steeply: many are beginners, few are at the top."""
    dice, classes = Dice(number), [name for name, entry in game.classes.items() if not entry.retired]
    class_name = classes[dice.roll(0, len(classes) - 1)]
    share = dice.roll(0, 10**9) / 10**9
    exp = int(game.levels.thresholds[-1] * HIGHEST * share**6)
    most = game.max_hp(class_name, game.level_of(exp))
    fate = dice.roll(0, 99)
    hp = 0 if fate < DOWN else most if fate < DOWN + UNHURT else dice.roll(1, most)
    return Application(
        f"Demo {number:07}", class_name, device=f"demo-device-{number:07}", device_is_trusted=True, hp=hp, exp=exp
    )


async def load(
    accounts: Accounts, leaderboards: Leaderboards, players: int, tell: Tell
) -> AsyncGenerator[LoadProgress, None]:
    """Signs up players 1 to `players`; yields the total progress after every chunk.

    A step of a chunk is repeated while a database can't be used, of which `tell` is told. Raises DatabaseUnavailable,
    Overloaded: what was made stays, and another load makes the rest.
    """
    starts = iter(range(1, players + 1, CHUNK))
    pace, total = _Pace(leaderboards), LoadProgress()
    under_way: set[asyncio.Task[LoadProgress]] = set()
    try:
        while True:
            while len(under_way) < CHUNKS_AT_ONCE and (start := next(starts, None)) is not None:
                await pace.wait(total.made)
                numbers = range(start, min(start + CHUNK, players + 1))
                under_way.add(asyncio.create_task(_load_chunk(accounts, numbers, tell)))
            if not under_way:
                return
            done, under_way = await asyncio.wait(under_way, return_when=asyncio.FIRST_COMPLETED)
            total = sum([task.result() for task in done], total)
            yield total
    finally:
        await cancel_and_wait(under_way)


async def _load_chunk(accounts: Accounts, numbers: Sequence[int], tell: Tell) -> LoadProgress:
    game, intake = accounts.rulebook.game, accounts.room.intake
    applications = {wanted.name: wanted for wanted in (member(number, game) for number in numbers)}
    enrolments, progress = _enrolments(accounts, [*applications.values()]), LoadProgress()
    for longest in (0.0, *(PAUSE_SECONDS * 2**retry for retry in range(RETRIES - 1))):
        await asyncio.sleep(longest * random.random())  # noqa: S311 (nobody gains by guessing it)
        # The steps of a sign-up: reserve the keys, make the players, confirm the keys.
        reserved = await repeated(partial(intake.reserve, enrolments), tell)
        sorted_ = _sorted(enrolments, reserved.holders)
        made = await repeated(partial(intake.create, sorted_.good), tell)
        held = [enrolment for enrolment in sorted_.good if enrolment.command_id in made]
        await repeated(partial(intake.confirm, held, reserved), tell)
        # Free the keys of those that make no player under their ids.
        unmade = [enrolment for enrolment in sorted_.good if enrolment.command_id not in made]
        if freed := [*unmade, *sorted_.taken, *sorted_.without_look]:
            await repeated(partial(intake.release, freed, reserved), tell)
        progress += LoadProgress(len(made), sorted_.there, len(sorted_.taken))
        # Try the rest again: under an interrupted load's command, or under a new id.
        enrolments = sorted_.again + _enrolments(accounts, [applications[left.player.name] for left in unmade])
        if not enrolments:
            return progress
    raise DatabaseUnavailable("Some players can't be loaded now: load again.", retry_after=1)


def _enrolments(accounts: Accounts, applications: Sequence[Application]) -> list[Enrolment]:
    """Enrolments under new command ids, all created at different times."""
    now = accounts.policy.now()
    milliseconds = int(now.timestamp() * 1000)
    times = (now - timedelta(microseconds=index) for index in range(len(applications), 0, -1))
    dated = replace(accounts, policy=replace(accounts.policy, now=lambda: next(times)))
    return [
        draft_of(dated, application, new_command_id(milliseconds - index // IDS_PER_MILLISECOND), 0)
        for index, application in enumerate(applications)
    ]


@dataclass(slots=True)
class _Sorted:
    """Enrolments by what their keys' holders allow; how many players are `there` already.

    good: may make their players; again: begun by an interrupted load, to be finished under its command;
    without_look: there, but made by an earlier version, so that the claims on their looks have just been opened.
    """

    good: list[Enrolment] = field(default_factory=list)
    again: list[Enrolment] = field(default_factory=list)
    taken: list[Enrolment] = field(default_factory=list)
    without_look: list[Enrolment] = field(default_factory=list)
    there: int = 0


def _sorted(enrolments: Sequence[Enrolment], holders: Mapping[str, Holder]) -> _Sorted:
    outcome = _Sorted()
    for enrolment in enrolments:
        held = [holder for key in enrolment.keys if (holder := holders.get(key)) is not None]
        sign_ups = {(holder.player_id, holder.command_id) for holder in held}
        known = [key for key in enrolment.keys if not is_look(Key.parse(key))]
        # All keys belong to one other sign-up: its player exists, or an interrupted load is to be finished.
        if len(held) == len(enrolment.keys) and len(sign_ups) == 1:
            if all(holder.confirmed for holder in held):
                outcome.there += 1
            else:
                outcome.again.append(_adopted(enrolment, held[0]))
        elif not sign_ups - {(enrolment.player.id, enrolment.command_id)}:
            outcome.good.append(enrolment)
        elif len(sign_ups) == 1 and all(key in holders and holders[key].confirmed for key in known):
            outcome.there += 1
            outcome.without_look.append(enrolment)
        else:
            outcome.taken.append(enrolment)
    return outcome


def _adopted(enrolment: Enrolment, holder: Holder) -> Enrolment:
    """The enrolment under the command and the player id of the one that holds its keys."""
    player = enrolment.player._replace(id=holder.player_id)
    return replace(enrolment, command_id=holder.command_id, player=player)


class _Pace:
    """Holds loading back until the boards have nearly caught up, as long as a follower runs."""

    def __init__(self, leaderboards: Leaderboards) -> None:
        self._leaderboards = leaderboards
        boards_of_all = (
            board.name
            for board in leaderboards.seasons.calendar.boards()
            if not board.stores_scores and board.ranks_all
        )
        self._board = next(boards_of_all, "")
        self._first: int | None = None

    async def wait(self, made: int) -> None:
        shown, since = await self._shown(), time.monotonic()
        if self._first is None and shown is not None:
            self._first = shown - made
        while shown is not None and self._first is not None and self._first + made - shown > LARGEST_LAG:
            if time.monotonic() - since > PATIENCE:
                self._board = ""
            await asyncio.sleep(0.05)
            now = await self._shown()
            if now != shown:
                shown, since = now, time.monotonic()

    async def _shown(self) -> int | None:
        """How many players the board that ranks all shows; None without such a board, or if it can't be read."""
        if not self._board:
            return None
        try:
            return (await boards.top(self._leaderboards, self._board, boards.CURRENT, 1, None)).page.total
        except BoardUnavailable:
            return None
