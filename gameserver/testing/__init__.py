"""A test kit for studios: the laws of players as properties over a game's own actions and letters.

Needs the extra `testing` (hypothesis). The server itself never imports it.
Door: `kit` (`GameKit`) and `strategies` (`json_of`). Inside, `laws` are those of one case, and `chains` many in a row.
"""

from gameserver.testing.kit import GameKit

__all__ = ["GameKit"]
