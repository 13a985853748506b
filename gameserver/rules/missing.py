"""What isn't there: the part of the tree of errors below NotFound (see errors.py, from which they are imported)."""

from gameserver.rules.failures import GameError


class NotFound(GameError):
    """There is nothing at this address."""

    code = "not_found"
    sentence = "There is nothing here."


class PlayerNotFound(NotFound):
    """No player has this id or name."""

    code = "player_not_found"
    sentence = "There is no such player."


class QueryNotFound(NotFound):
    """No saved query has this name."""

    code = "query_not_found"
    sentence = "There is no such query."


class DeviceNotFound(NotFound):
    """The player has no device of this id."""

    code = "device_not_found"
    sentence = "There is no such device."


class StateUnknown(NotFound):
    """The ledger doesn't have the player's state at that moment, or that command, any more or at all."""

    code = "state_unknown"
    sentence = "The ledger doesn't have this."


class BoardNotFound(NotFound):
    """The game has no board with this name."""

    code = "board_not_found"
    sentence = "There is no such board."


class SeasonNotFound(NotFound):
    """The board has no season of this name, or its standings have been deleted."""

    code = "season_not_found"
    sentence = "There is no such season."


class NotOnBoard(NotFound):
    """The player exists but is not ranked on this board."""

    code = "not_on_board"
    sentence = "The player is not on this board."


class SessionNotFound(NotFound):
    """The player has no session with this id."""

    code = "session_not_found"
    sentence = "There is no such session."
