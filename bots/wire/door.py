"""The door of the server that a bot plays through."""

from enum import Enum


class Door(Enum):
    """The two ways in."""

    HTTP = "http"
    SOCKET = "socket"
