"""Leaderboards in Redis: sorted sets that are derived from Postgres and read by one Lua call a question.

Law: a board is never silently short. What is read is the live generation; a generation becomes live when every
database has been loaded into it whole, and until there is one, reads raise BoardUnavailable. Order is (score, time at
which it was reached, id): a member of the sorted set is the time and the id as big-endian bytes, its score the
negated score, so equal scores stand as they were reached. Scores are exact to 53 bits.
"""

import hashlib
import secrets
import struct
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from redis.asyncio import Redis

from gameserver.rules.boards import Board
from gameserver.rules.errors import BadInput, BoardNotFound, BoardUnavailable, FieldProblem, NotOnBoard
from gameserver.rules.player import Player
from gameserver.storage.ids import LARGEST_ID
from gameserver.storage.scripts import Script, translated

AWAY = "The board can't be read right now."
_START = datetime(1970, 1, 1, tzinfo=UTC)
_PLAYER = struct.Struct(">QQddB")
_MEMBER = struct.Struct(">QQ")


@dataclass(frozen=True, slots=True)
class Standing:
    """One place on a board; ranks count from 1."""

    rank: int
    score: int
    reached_at: datetime
    player_id: int


@dataclass(frozen=True, slots=True)
class Page:
    """Standings in their order; `after` continues behind the last one, and is None at the board's end."""

    total: int
    standings: Sequence[Standing]
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Generation:
    """One body of a board; `checkpoint` is a database's, empty when it hasn't been loaded."""

    name: str
    checkpoint: str


class Boards:
    """Reads, for the commands."""

    def __init__(self, redis: Redis, boards: Mapping[str, Board]) -> None:
        self._boards = boards
        self._prefixes = {name: _prefix(board) for name, board in boards.items()}
        self._page, self._around = Script(redis, "board_page"), Script(redis, "board_around")
        self._ranks = Script(redis, "board_ranks")

    def names(self) -> list[str]:
        return list(self._boards)

    def board(self, name: str) -> Board:
        """Raises BoardNotFound."""
        if name not in self._boards:
            raise BoardNotFound(f"There is no board of this name; there are {', '.join(self._boards)}.")
        return self._boards[name]

    async def top(self, board: str, limit: int, after: str | None) -> Page:
        """At most `limit` standings from the top, or behind `after`.

        Raises BoardNotFound, BadInput, BoardUnavailable.
        """
        self.board(board)
        score, member = _parse_cursor(board, after) if after else ("", b"")
        with translated(BoardUnavailable, AWAY):
            found = await self._page([self._state(board)], (self._prefixes[board], limit, score, member))
        page = _page_of(found)
        last = page.standings[-1] if page.standings else None
        if last is None or last.rank >= page.total:
            return page
        return Page(page.total, page.standings, _cursor(board, last))

    async def around(self, board: str, player_id: int, radius: int) -> Page:
        """A player and at most `radius` on either side. Raises BoardNotFound, NotOnBoard, BoardUnavailable."""
        self.board(board)
        with translated(BoardUnavailable, AWAY):
            found = await self._around([self._state(board)], (self._prefixes[board], _id(player_id), radius))
        if found == []:
            raise NotOnBoard("The player isn't on this board.")
        return _page_of(found)

    async def ranks(self, board: str, ids: Sequence[int]) -> Page:
        """The standings of those that are on the board, in the order asked. Raises BoardNotFound, BoardUnavailable."""
        self.board(board)
        with translated(BoardUnavailable, AWAY):
            found = await self._ranks([self._state(board)], (self._prefixes[board], *map(_id, ids)))
        if found is None:
            raise BoardUnavailable("The board is being built.", retry_after=1)
        return Page(found[0], [_standing(each[0], each[1], each[2]) for each in found[1] if each])

    def _state(self, board: str) -> str:
        return self._prefixes[board] + "state"


class BoardWriter:
    """Writes, for the followers. Every call raises RedisError when Redis is away."""

    def __init__(self, redis: Redis, boards: Mapping[str, Board]) -> None:
        self.boards = boards
        self._prefixes = {name: _prefix(board) for name, board in boards.items()}
        self._generations, self._begin = Script(redis, "board_generations"), Script(redis, "board_begin_load")
        self._apply, self._swap = Script(redis, "board_apply"), Script(redis, "board_swap")
        self._renew = Script(redis, "board_renew")

    async def generations(self, board: str, database: str) -> list[Generation]:
        """Those that a follower has to write; the first is made if there is none."""
        arguments = (self._prefixes[board], database, secrets.token_hex(6))
        return [
            Generation(name.decode(), checkpoint.decode())
            for name, checkpoint in await self._generations([self._state(board)], arguments)
        ]

    async def renew(self, board: str, unusable: str = "") -> None:
        """Begins a next generation, unless one other than `unusable` is being built already."""
        await self._renew([self._state(board)], (self._prefixes[board], secrets.token_hex(6), unusable))

    async def begin_load(self, board: str, generation: str, database: str, load: str) -> None:
        """Makes the writes of any earlier load of this database end."""
        await self._begin([self._part(board, generation, "checkpoints")], (database, load))

    async def apply_load(
        self,
        board: str,
        generation: str,
        database: str,
        load: str,
        players: Iterable[Player],
        gone: Container[int] = (),
    ) -> bool:
        """Writes a chunk of a load; False when the load has been superseded. Who is `gone` was deleted."""
        field = f"loading:{database}"
        return await self._write(board, generation, (field, load, field, ""), players, gone)

    async def end_load(self, board: str, generation: str, database: str, load: str, checkpoint: str) -> bool:
        """Gives the database its first checkpoint in the generation; False when the load has been superseded."""
        return await self._write(board, generation, (f"loading:{database}", load, database, checkpoint), ())

    async def apply(
        self,
        followed: Sequence[tuple[str, Generation]],
        database: str,
        checkpoint: str,
        players: Sequence[Player],
        gone: Container[int] = (),
    ) -> list[bool]:
        """Writes what has changed since the checkpoints of boards' generations; False where it has another one.

        Who is `gone` was deleted.
        """
        calls = [
            self._call(board, found.name, (database, found.checkpoint, database, checkpoint), players, gone)
            for board, found in followed
        ]
        return [bool(answer) for answer in await self._apply.many(calls)]

    async def swap(self, board: str, databases: Sequence[str]) -> str | None:
        """Puts the next generation in the live one's place if every database has been loaded into it."""
        swapped = await self._swap([self._state(board)], (self._prefixes[board], *databases))
        return swapped.decode() if swapped else None

    async def _write(
        self,
        board: str,
        generation: str,
        guard: tuple[str, str, str, str],
        players: Iterable[Player],
        gone: Container[int] = (),
    ) -> bool:
        return bool(await self._apply(*self._call(board, generation, guard, players, gone)))

    def _call(
        self,
        board: str,
        generation: str,
        guard: tuple[str, str, str, str],
        players: Iterable[Player],
        gone: Container[int],
    ) -> tuple[list[str], tuple[str | bytes, ...]]:
        keys = [self._part(board, generation, part) for part in ("order", "members", "checkpoints")]
        return [*keys, self._state(board)], (*guard, generation, _pack(self.boards[board], players, gone))

    def _state(self, board: str) -> str:
        return self._prefixes[board] + "state"

    def _part(self, board: str, generation: str, part: str) -> str:
        return f"{self._prefixes[board]}{generation}:{part}"


def _pack(board: Board, players: Iterable[Player], gone: Container[int]) -> bytes:
    wanted = board.class_name
    return b"".join(
        _PLAYER.pack(
            player.id,
            (player.exp_reached_at - _START) // timedelta(microseconds=1),
            player.version,
            -player.exp,
            player.id not in gone and (wanted is None or player.class_name == wanted),
        )
        for player in players
    )


def _page_of(found: Any) -> Page:
    if found is None:
        raise BoardUnavailable("The board is being built.", retry_after=1)
    total, first, *rest = found
    pairs = zip(rest[::2], rest[1::2], strict=True)
    return Page(total, [_standing(first + each, member, score) for each, (member, score) in enumerate(pairs)])


def _standing(index: int, member: bytes, score: bytes) -> Standing:
    reached, player_id = _MEMBER.unpack(member)
    return Standing(index + 1, -int(float(score)), _START + timedelta(microseconds=reached), player_id)


def _cursor(board: str, standing: Standing) -> str:
    reached = (standing.reached_at - _START) // timedelta(microseconds=1)
    return f"{board}~{standing.score}~{_MEMBER.pack(reached, standing.player_id).hex()}"


def _parse_cursor(board: str, cursor: str) -> tuple[str, bytes]:
    try:
        name, score, member = cursor.split("~")
        if name != board or not 0 <= int(score) < 1 << 53 or len(bytes.fromhex(member)) != _MEMBER.size:
            raise ValueError
        return str(-int(score)), bytes.fromhex(member)
    except ValueError:
        problem = FieldProblem("cursor", "isn't a cursor of this board")
        raise BadInput("The cursor can't be used.", errors=[problem]) from None


def _id(player_id: int) -> bytes:
    return player_id.to_bytes(8) if 0 <= player_id <= LARGEST_ID else bytes(8)


def _prefix(board: Board) -> str:
    """Of a board's keys, which share a slot of a Redis cluster; a board that is defined anew is another board."""
    definition = hashlib.blake2b(repr(board).encode(), digest_size=4).hexdigest()
    return f"gs:{{board:{board.name}:{definition}}}:"
