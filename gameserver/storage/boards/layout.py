"""How boards lie in Redis: their keys, and what is packed into members, records, cards, rows and cursors.

Law: this file is the one place of the layout; the Lua scripts get it as CONSTANTS. A contest is a board in one season,
with standings of its own. Its keys share a hash tag with those of its board's other seasons. A generation's name says
how to read it: the sign of its scores, its ties, and the definition of the board that it was built by. So a board whose
definition has changed is served as it was until it has been rebuilt. A member of the order is the time at which its
score was reached and the player's id; a player's record is that time, the player's version, and its card.
"""

import hashlib
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from gameserver.rules.boards import LARGEST_SCORE, Board, Ties
from gameserver.rules.errors import BadInput, FieldProblem
from gameserver.rules.player import Player
from gameserver.storage.ids import LARGEST_ID
from gameserver.storage.redis.legend import Constant

ALL_TIME = 0
"""The season of a board without seasons; others are named by the Unix seconds of their start."""
LAYOUT = 2
"""Part of every definition: a board with another layout is rebuilt."""
START = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
NEGATED = "-"
"""How the names of generations begin whose scores are negated, since the highest comes first; others' with `+`."""
TIES: dict[Ties, str] = {"first": "f", "dense": "d", "competition": "c"}
_TIES: dict[str, Ties] = {short: ties for ties, short in TIES.items()}
STATE = "state"
"""The last part of the key that says which generations there are."""
_KEY = "%s%s:%s"
"""The contest's prefix, the generation's name, the part: Python's and Lua's formats agree here."""
_ROW = struct.Struct(">QQddBH")
"""Id, time, version, score, whether the player is there, length of the card, which follows."""
_RECORD = struct.Struct(">Qd")
"""Time and version; the card follows."""
_MEMBER = struct.Struct(">QQ")
"""Time and id."""
_CARD = struct.Struct(">IB")
"""Level and length of the class' name, which follows; then the player's."""


class Parts(NamedTuple):
    """The keys of a generation."""

    order: str
    members: str
    gone: str
    gone_before: str
    scores: str
    checkpoints: str
    as_of: str


@dataclass(frozen=True, slots=True)
class Contest:
    """A board in one season."""

    board: Board
    season: int = ALL_TIME

    @property
    def prefix(self) -> str:
        """How its keys begin; they share a slot of a Redis cluster."""
        return f"gs:{{board:{self.board.name}}}:{self.season}:"

    @property
    def state(self) -> str:
        return self.prefix + STATE

    @property
    def definition(self) -> str:
        """How the names of its generations begin."""
        sign = NEGATED if self.board.order == "desc" else "+"
        digest = hashlib.blake2b(repr((LAYOUT, self.board.ranks())).encode(), digest_size=5).hexdigest()
        return f"{sign}{TIES[self.board.ties]}{digest}"

    def key(self, generation: str, part: str) -> str:
        return _KEY % (self.prefix, generation, part)

    def parts(self, generation: str) -> Parts:
        return Parts(*(self.key(generation, part) for part in Parts._fields))


ID_BYTES = 8
"""Of a player's id, packed."""
LOADING = "loading:"
"""How the field of the checkpoints begins that names the load of a database, and says how far it has come."""


def prefix_of(state: str) -> str:
    """How the keys of a contest begin, by that of its state."""
    return state.removesuffix(STATE)


def _in_lua(packed: struct.Struct) -> str:
    """A format for Lua, whose numbers can't hold 64 bits: it leaves such a field as its eight bytes."""
    return packed.format.replace("Q", "c8")


CONSTANTS: Mapping[str, Constant] = {
    "KEY": _KEY,
    "PARTS": Parts._fields,
    "ROW": _in_lua(_ROW) + "c0",
    "RECORD": _in_lua(_RECORD),
    "ID_AT": _MEMBER.size // 2 + 1,
    "NEGATED": NEGATED,
    "TIES_AT": len(NEGATED) + 1,
    "DENSE": TIES["dense"],
    "COMPETITION": TIES["competition"],
    "LOADING": LOADING,
    "LOAD_BEGAN": "load:began:",
    "LOADS": "load:count",
    "READY": "ready:",
    "PART": "part:",
    "FILLED": "filled",
    "WHOLE": "whole",
}
"""What the Lua scripts of this room are given of the layout; positions count from 1."""


class Card(NamedTuple):
    """What a board shows of a player."""

    name: str
    class_name: str
    level: int


def microseconds(moment: datetime) -> int:
    return (moment - START) // MICROSECOND


def pack_row(player: Player, reached: int, score: int, *, there: bool, card: bytes) -> bytes:
    """One row for apply.lua; `score` as it is stored, `reached` in µs since 1970."""
    return _ROW.pack(player.id, reached, player.version, score, there, len(card)) + card


def pack_card(player: Player) -> bytes:
    class_name = player.class_name.encode()
    return _CARD.pack(player.level, len(class_name)) + class_name + player.name.encode()


def card_of(record: bytes) -> Card:
    return unpack_card(record[_RECORD.size :])


def unpack_card(card: bytes) -> Card:
    level, length = _CARD.unpack_from(card)
    names = card[_CARD.size :]
    return Card(names[length:].decode(), names[:length].decode(), level)


def unpack_record(record: bytes) -> tuple[int, int, bytes]:
    """When the score was reached, in µs since 1970; the player's version; the packed card."""
    reached, version = _RECORD.unpack_from(record)
    return reached, int(version), record[_RECORD.size :]


def member_of(reached: int, player_id: int) -> bytes:
    return _MEMBER.pack(reached, player_id)


def unpack_member(member: bytes) -> tuple[int, int]:
    """When the score was reached, in µs since 1970, and the player's id."""
    reached, player_id = _MEMBER.unpack(member)
    return reached, player_id


def shown_score(generation: str, stored: bytes) -> int:
    """A score as boards show it. Raises ValueError, OverflowError for what no follower has stored."""
    score = int(float(stored))
    if abs(score) > LARGEST_SCORE:
        raise ValueError("not a score")
    return sign_of(generation) * score


def sign_of(generation: str) -> int:
    return -1 if generation.startswith(NEGATED) else 1


def ties_of(generation: str) -> Ties:
    return _TIES[generation[len(NEGATED)]]


def pack_id(player_id: int) -> bytes:
    """An id that can't exist becomes one that no player has."""
    return player_id.to_bytes(ID_BYTES) if 0 <= player_id <= LARGEST_ID else bytes(ID_BYTES)


def cursor(contest: Contest, score: int, reached: int, player_id: int) -> str:
    """The position behind a standing, which holds also after that has moved."""
    return f"{contest.board.name}~{contest.season}~{score}~{member_of(reached, player_id).hex()}"


def parse_cursor(contest: Contest, text: str) -> tuple[str, bytes]:
    """The score and the member behind which to go on. Raises BadInput."""
    try:
        board, season, score, member = text.split("~")
        if (
            not text.isascii()
            or (board, season) != (contest.board.name, str(contest.season))
            or not score.removeprefix("-").isdecimal()
        ):
            raise ValueError
        packed = bytes.fromhex(member)
        if not -LARGEST_SCORE <= int(score) <= LARGEST_SCORE or len(packed) != _MEMBER.size:
            raise ValueError
        if unpack_member(packed)[1] > LARGEST_ID:  # which no database could be asked for
            raise ValueError
        return str(int(score)), packed
    except ValueError:
        problem = FieldProblem("cursor", "isn't a cursor of this board and season")
        raise BadInput("The cursor can't be used.", errors=[problem]) from None
