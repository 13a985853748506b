"""Friends, blocked players, and feeds of what a player did last."""

from collections.abc import Sequence
from typing import Any

from typing_extensions import TypedDict

from gameserver.commands.results import Block
from gameserver.rules.game import Game
from gameserver.rules.player import Player
from gameserver.times import rfc3339
from gameserver.transport.answers.encoding import encoded
from gameserver.transport.answers.players import PlayerAnswer, player_now


class FeedEntry(TypedDict):
    """Something that the player did; `version` is the player's own after it."""

    version: int
    command_id: str
    action: str
    events: list[dict[str, Any]]
    at: str


class FeedAnswer(TypedDict):
    entries: list[FeedEntry]


class FriendsAnswer(TypedDict):
    """By name; `most` is how many friends a player may have."""

    friends: list[PlayerAnswer]
    most: int


class BlockEntry(TypedDict):
    """A player whose letters the caller doesn't take."""

    id: str
    added_at: str


class BlocksAnswer(TypedDict):
    """By id; `most` is how many players a player may block."""

    blocks: list[BlockEntry]
    most: int


def blocks(entries: Sequence[Block], most: int) -> BlocksAnswer:
    return {"blocks": [{"id": str(entry.blocked_id), "added_at": rfc3339(entry.added_at)} for entry in entries],
            "most": most}  # fmt: skip


def friends(players: Sequence[Player], most: int, game: Game) -> FriendsAnswer:
    return {"friends": [player_now(player, game) for player in players], "most": most}


def feed(entries: Sequence[bytes]) -> dict[str, object]:
    """A FeedAnswer, of entries that are JSON already."""
    return {"entries": encoded(b"[%s]" % b",".join(entries))}
