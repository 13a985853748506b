"""What followers write to boards. Every call raises RedisError when Redis is away.

Law: a generation becomes live when every database has been loaded into it whole and every follower has then caught
up with what was there after the last load. A row older than what is there changes nothing, also when the player has
left: a tombstone keeps its version for as long as older rows can come.
"""

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple

from redis.asyncio import Redis

from gameserver.storage.boards.layout import CONSTANTS, LOADING, Contest
from gameserver.storage.boards.listed_boards import ListedBoards
from gameserver.storage.boards.lost_boards import LostBoards
from gameserver.storage.boards.marks import FollowerMarks
from gameserver.storage.boards.ranked import RankedPlayer, pack, pack_changed
from gameserver.storage.redis.scripts import Script
from gameserver.storage.redis.unreadable import Unreadable, reading

TOMBSTONE_SECONDS = 120
"""Far longer than a row can be under way: a follower drops what it read before OLDEST_READ_SECONDS."""
WANTED_SECONDS = 10
"""Nodes ask for their definition of a board twice a second."""
IDLE_SECONDS = 600
"""A board that nobody has asked for in so long is loaded anew, while it is served as it was."""
NOBODY = (-1, -1)
"""Before the first slot and player."""
Rows = Literal["follow", "load", "repair"]


@dataclass(frozen=True, slots=True)
class Generation:
    """One body of a contest. `checkpoint` is a database's, empty when it hasn't been loaded.

    `is_next` while it isn't live yet; then `loads`, which rises with every load, isn't 0 once every database has a
    checkpoint in it.
    """

    name: str
    checkpoint: str
    is_next: bool = False
    loads: int = 0


class GenerationsCall(NamedTuple):
    state: str
    prefix: str
    database: str
    definition: str
    edition: int
    name: str
    starting: int
    wanted_seconds: int
    idle_seconds: int
    databases: Sequence[str]


class RenewCall(NamedTuple):
    state: str
    prefix: str
    name: str
    unusable: str


class BeginLoadCall(NamedTuple):
    checkpoints: str
    database: str
    load: str


class ReadyCall(NamedTuple):
    state: str
    prefix: str
    generation: str
    database: str
    databases: Sequence[str]


class Guard(NamedTuple):
    """What the checkpoints must say for a write to count, and what it makes them say."""

    field: str
    expected: str
    to_field: str
    to: str


class LoadStep(NamedTuple):
    """A load of a database; up to which slot and player it has come, and up to which it comes with a write."""

    database: str
    load: str
    since: tuple[int, int] = NOBODY
    until: tuple[int, int] = NOBODY


class WritePart(NamedTuple):
    """One of several writes that move a checkpoint together: its name, '' for the last, and that of the one before."""

    name: str = ""
    before: str = ""


WHOLE = WritePart()


class ApplyCall(NamedTuple):
    """Begins with the fields of `Parts`; those of `Guard` follow the state."""

    order: str
    members: str
    gone: str
    gone_before: str
    scores: str
    checkpoints: str
    as_of: str
    state: str
    field: str
    expected: str
    to_field: str
    to: str
    part: str
    part_before: str
    generation: str
    database: str
    ledger_ms: int | str
    tombstone_seconds: int
    kind: Rows
    rows: bytes


class BoardWriter:
    """One per node."""

    def __init__(self, redis: Redis) -> None:
        self.marks, self.listed = FollowerMarks(redis), ListedBoards(redis)
        self._lost = LostBoards(redis)
        lose = self._lost.lose
        self._generations = Script(redis, __package__, "generations", GenerationsCall, CONSTANTS, lose)
        self._begin = Script(redis, __package__, "begin_load", BeginLoadCall, CONSTANTS)
        self._apply = Script(redis, __package__, "apply", ApplyCall, CONSTANTS, lose)
        self._ready = Script(redis, __package__, "ready", ReadyCall, CONSTANTS, lose)
        self._renew = Script(redis, __package__, "renew", RenewCall, CONSTANTS, lose)

    async def generations(
        self, contests: Sequence[Contest], database: str, names: Sequence[str], *, edition: int = 0,
        starting: bool = False,
    ) -> list[list[Generation]]:  # fmt: skip
        """Those that a follower has to write, of each contest; the first is begun if there is none.

        `names` are all databases that the boards rank, `edition` is that of the rules that the contests are of.
        """
        calls = [
            GenerationsCall(
                state=contest.state,
                prefix=contest.prefix,
                database=database,
                definition=contest.definition,
                edition=edition,
                name=_name(contest),
                starting=int(starting),
                wanted_seconds=WANTED_SECONDS,
                idle_seconds=IDLE_SECONDS,
                databases=names,
            )
            for contest in contests
        ]
        answers = await self._generations.many(calls)
        return [await self._read(contest, rows) for contest, rows in zip(contests, answers, strict=True)]

    async def _read(self, contest: Contest, rows: Any) -> list[Generation]:
        """None of a contest that can't be read: it is dropped, and begun anew by the next call."""
        try:
            with reading(contest.state):
                return [_generation(*row) for row in rows]
        except Unreadable:
            await self._lost.drop(contest)
            return []

    async def renew(self, contest: Contest, unusable: str = "") -> str:
        """Begins a next generation, unless one other than `unusable` is being built already; the next one's name."""
        call = RenewCall(state=contest.state, prefix=contest.prefix, name=_name(contest), unusable=unusable)
        name: bytes = await self._renew(call)
        return name.decode()

    async def begin_load(self, contest: Contest, generation: str, database: str, load: str) -> bool:
        """Ends the writes of any earlier load of this database; True if there were none."""
        checkpoints = contest.key(generation, "checkpoints")
        call = BeginLoadCall(checkpoints=checkpoints, database=database, load=_place(load, NOBODY))
        return bool(await self._begin(call))

    async def apply_load(
        self, contest: Contest, generation: str, step: LoadStep, players: Sequence[RankedPlayer], *,
        first: bool = False,
    ) -> bool:  # fmt: skip
        """Writes a part of a load; False when the load has been superseded, or Redis has lost what it wrote before.

        `first` for one into a generation that has nothing of the database yet.
        """
        field = LOADING + step.database
        rows = pack(contest, players, all_absent=not first)
        guard = Guard(field, _place(step.load, step.since), field, _place(step.load, step.until))
        return bool(await self._apply(_call(contest, generation, guard, "load", rows, step.database)))

    async def end_load(self, contest: Contest, generation: str, step: LoadStep, checkpoint: str) -> bool:
        """Gives the database its first checkpoint in the generation, after the last step; False as `apply_load`."""
        guard = Guard(LOADING + step.database, _place(step.load, step.until), step.database, checkpoint)
        return bool(await self._apply(_call(contest, generation, guard, "load", b"", step.database)))

    async def apply(
        self,
        followed: Sequence[tuple[Contest, Generation]],
        database: str,
        checkpoint: str,
        players: Sequence[RankedPlayer],
        as_of: int | None = None,
        part: WritePart = WHOLE,
    ) -> list[bool]:
        """Writes what has changed since the checkpoints of the generations; False where it has another one.

        Also False where Redis has lost the part before this `part`. Without `checkpoint` they keep theirs. `as_of` is
        the ledger's time of the reading, in ms. Boards that a player isn't on hear of it if it has `moved`.
        """
        calls = []
        packed = pack_changed([contest for contest, _ in followed], players)
        for (contest, generation), rows in zip(followed, packed, strict=True):
            guard = Guard(database, generation.checkpoint, database, checkpoint)
            call = _call(contest, generation.name, guard, "follow", rows, database)._replace(
                part=part.name, part_before=part.before
            )
            calls.append(call if as_of is None else call._replace(ledger_ms=as_of))
        return [bool(answer) for answer in await self._apply.many(calls)]

    async def repair(self, contest: Contest, generation: str, players: Sequence[RankedPlayer]) -> bool:
        """Writes over what is there, unless it is newer; False when the generation is gone."""
        guard = Guard("repair", "", "repair", "")
        return bool(await self._apply(_call(contest, generation, guard, "repair", pack(contest, players))))

    async def ready(self, contest: Contest, generation: str, database: str, names: Sequence[str]) -> bool:
        """Says that the database's follower has caught up; True if the generation has become the live one."""
        call = ReadyCall(
            state=contest.state, prefix=contest.prefix, generation=generation, database=database, databases=names
        )
        return bool(await self._ready(call))


def _generation(name: bytes, checkpoint: bytes, is_next: int, loads: int) -> Generation:
    return Generation(name.decode(), checkpoint.decode(), bool(is_next), loads)


def _place(load: str, position: tuple[int, int]) -> str:
    """How far a load has come; those of one load are of one length, and stand in the order of their positions."""
    slot, player_id = position
    return f"{load}:{slot + 1:05d}:{player_id + 1:019d}"


def _name(contest: Contest) -> str:
    return f"{contest.definition}-{secrets.token_hex(6)}"


def _call(contest: Contest, generation: str, guard: Guard, kind: Rows, rows: bytes, database: str = "") -> ApplyCall:
    return ApplyCall(
        *contest.parts(generation),
        contest.state,
        *guard,
        part="",
        part_before="",
        generation=generation,
        database=database,
        ledger_ms="",
        tombstone_seconds=TOMBSTONE_SECONDS,
        kind=kind,
        rows=rows,
    )
