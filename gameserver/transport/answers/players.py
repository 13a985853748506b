"""Players, and what becomes of them: sign-up, renaming, bans."""

from collections.abc import Sequence

from typing_extensions import TypedDict

from gameserver.commands.results import BanChange, BanState, Foreseen, Receipt, Welcome
from gameserver.rules.game import Game
from gameserver.rules.player import Player, shown_max_hp
from gameserver.times import rfc3339
from gameserver.transport.answers.changes import PlaceChange, ValueChange, ranks_changed, values_changed
from gameserver.transport.answers.sessions import SessionAnswer, session

PlayerAnswer = TypedDict(
    "PlayerAnswer",
    {"id": str, "name": str, "class": str, "level": int, "hp": int, "max_hp": int, "exp": int, "version": int,
     "created_at": str},
)  # fmt: skip
"""A player; `id` is a string because it can pass 2^53."""


class WelcomeAnswer(TypedDict):
    player: PlayerAnswer
    session: SessionAnswer


class SignUpAnswer(WelcomeAnswer):
    """`replayed`: the sign-up had been made before under this command id; the session is new."""

    replayed: bool


class RenameAnswer(TypedDict):
    """`replayed`: the player was already renamed under this command id; `player` is its state after that."""

    player: PlayerAnswer
    replayed: bool


class PlayersAnswer(TypedDict):
    players: list[PlayerAnswer]


class BanAnswer(TypedDict):
    """A player who was banned, or whose ban was lifted; a ban without `until` has no end, `said` is what it is told.

    A preview changes nothing and has no `command_id`: `banned` is what it would be, and `changes`, `ranks` and `left`
    say what would change.
    """

    preview: bool
    changes: dict[str, ValueChange]
    ranks: list[PlaceChange]
    left: list[str]

    player: PlayerAnswer
    banned: bool
    until: str | None
    said: str
    command_id: str | None
    replayed: bool


def player(shown: Player, max_hp: int) -> PlayerAnswer:
    """Never more HP than `max_hp`, which a newer game may have lowered: the next command starts from that, too."""
    return {
        "id": str(shown.id),
        "name": shown.name,
        "class": shown.class_name,
        "level": shown.level,
        "hp": min(shown.hp, max_hp),
        "max_hp": max_hp,
        "exp": shown.exp,
        "version": shown.version,
        "created_at": rfc3339(shown.created_at),
    }


def player_now(shown: Player, game: Game) -> PlayerAnswer:
    """A player with the `max_hp` that the present game gives it."""
    return player(shown, shown_max_hp(shown, game))


def player_list(shown: Sequence[Player], game: Game) -> PlayersAnswer:
    return {"players": [player_now(entry, game) for entry in shown]}


def welcome(signed_in: Welcome) -> WelcomeAnswer:
    return {
        "player": player(signed_in.player, signed_in.max_hp),
        "session": session(signed_in.token, signed_in.session),
    }


def sign_up(signed_up: Welcome) -> SignUpAnswer:
    return {**welcome(signed_up), "replayed": signed_up.replayed}


def rename(receipt: Receipt) -> RenameAnswer:
    return {"player": player(receipt.player, receipt.max_hp), "replayed": receipt.replayed}


def ban_preview(found: Foreseen, game: Game, change: BanChange) -> BanAnswer:
    state = BanState(found.player, change.banned, replayed=False, command_id=None, until=None)
    return {
        **ban_state(state, game, change),
        "preview": True,
        "command_id": None,
        "changes": values_changed(found.changes),
        "ranks": ranks_changed(found.ranks),
        "left": list(found.left),
    }


def ban_state(state: BanState, game: Game, change: BanChange) -> BanAnswer:
    return {
        "preview": False,
        "changes": {},
        "ranks": [],
        "left": [],
        "player": player_now(state.player, game),
        "banned": state.banned,
        "until": None if change.until is None else rfc3339(change.until),
        "said": change.said,
        "command_id": change.command_id,
        "replayed": state.replayed,
    }
