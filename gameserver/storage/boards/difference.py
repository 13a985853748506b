"""What a board has of a player, and whether that is what the databases say of it."""

from dataclasses import dataclass

from gameserver.rules.player import Player
from gameserver.storage.boards.layout import START, Contest, microseconds, pack_card, unpack_card
from gameserver.storage.boards.ranked import RankedPlayer, Score


@dataclass(frozen=True, slots=True)
class Difference:
    """A player whose place isn't what the database says; a score is None where the player has no place."""

    player_id: int
    board: int | None
    database: int | None


@dataclass(frozen=True, slots=True)
class BoardRecord:
    """What the board has of a player: `whole` unless its member isn't where its record says."""

    score: int | None
    reached_at: int
    version: int
    card: bytes
    whole: bool


def expected_of(contest: Contest, place: RankedPlayer | None) -> Score | None:
    """The score that a player has to have on the board by what the database says."""
    return None if place is None else place.score(contest)


def differs(contest: Contest, place: RankedPlayer | None, record: BoardRecord | None) -> bool:
    """Whether the board's record isn't what the database says; a newer record never differs."""
    expected = expected_of(contest, place)
    if record is None:
        return expected is not None
    if place is None:
        return True
    if record.version > place.player.version:
        return False
    if expected is None or not record.whole or record.version < place.player.version:
        return True
    same = (record.score, record.reached_at) == (expected.score, microseconds(expected.reached_at))
    return not same or record.card != pack_card(place.player)


def without_player(player_id: int, record: BoardRecord) -> RankedPlayer:
    """Takes a member off the board that is no player of any database."""
    card = unpack_card(record.card)
    player = Player(player_id, card.name, card.class_name, card.level, 0, 0, record.version, START, START)
    return RankedPlayer(player, START, gone=True, stored={})
