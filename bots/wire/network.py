"""What all players of a run share: connections, addresses, and the limits of patience."""

from dataclasses import dataclass

import aiohttp


@dataclass(frozen=True, slots=True)
class Network:
    """How long to wait per attempt and in all; those who lost a socket come back spread over `spread_seconds`."""

    session: aiohttp.ClientSession
    urls: tuple[str, ...]
    attempt_seconds: float = 5.0
    patience_seconds: float = 60.0
    spread_seconds: float = 1.0
