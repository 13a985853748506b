"""What a board has of a player, and whether that is what the databases say of him."""

from dataclasses import dataclass

from gameserver.rules.player import Player
from gameserver.storage.boards.layout import START, Contest, Place, Score, card_of, microseconds, pack_card


@dataclass(frozen=True, slots=True)
class Difference:
    """A player whose place isn't what the database says; scores are None for who isn't there."""

    player_id: int
    board: int | None
    database: int | None


@dataclass(frozen=True, slots=True)
class Noted:
    """What the board has of a player: `whole` unless his member isn't where his note says."""

    score: int | None
    reached_at: int
    version: int
    card: bytes
    whole: bool


def expected_of(contest: Contest, place: Place | None) -> Score | None:
    return None if place is None else place.score(contest)


def differs(contest: Contest, place: Place | None, noted: Noted | None) -> bool:
    expected = expected_of(contest, place)
    if noted is None:
        return expected is not None
    if place is None:
        return True
    if noted.version > place.player.version:
        return False
    if expected is None or not noted.whole or noted.version < place.player.version:
        return True
    same = (noted.score, noted.reached_at) == (expected.score, microseconds(expected.reached_at))
    return not same or noted.card != pack_card(place.player)


def nobody(player_id: int, noted: Noted) -> Place:
    """Takes a member off who is no player of any database."""
    card = card_of(bytes(16) + noted.card)
    player = Player(player_id, card.name, card.class_name, card.level, 0, 0, noted.version, START, START)
    return Place(player, START, gone=True, kept={})
