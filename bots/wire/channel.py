"""The two channels over which a client can send a request: HTTP and the WebSocket."""

from enum import Enum


class Channel(Enum):
    """A channel to the server."""

    HTTP = "http"
    SOCKET = "socket"


SOCKET = Channel.SOCKET
"""The same, looked up faster: for what every request asks."""
