"""What all players of a run share: the connection pool, the addresses, and the time limits."""

from dataclasses import dataclass

from bots.history.writer import HistoryWriter
from bots.wire.http import HttpSession


@dataclass(frozen=True, slots=True)
class Network:
    """Where to send requests, and how long to wait for one attempt and for all attempts of a request.

    Players who lost a socket at the same moment reconnect at random within `spread_seconds`. `history` gets everything
    that is sent and answered, if there is one.
    """

    session: HttpSession
    urls: tuple[str, ...]
    attempt_seconds: float = 5.0
    patience_seconds: float = 60.0
    spread_seconds: float = 1.0
    history: HistoryWriter | None = None
