"""The requests that the bots send, each in both of its forms, so that a retry may go over either channel."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

SUBPROTOCOL = "gameserver.v1"
NO_FIELDS: Mapping[str, Any] = MappingProxyType({})


class Request(NamedTuple):
    """One request: `key` is the command id; `op` is its name on a socket, empty where only HTTP has it.

    `token` is what HTTP sends as Consistency-Token.
    """

    name: str
    method: str
    path: str
    op: str = ""
    fields: Mapping[str, Any] = NO_FIELDS
    body: Mapping[str, Any] | None = None
    key: str | None = None
    token: str | None = None


def sign_up(name: str, class_name: str, device: str, key: str) -> Request:
    """Ask for a new player, whose device opens later sessions."""
    body = {"name": name, "class": class_name, "device": device}
    return Request("sign_up", "POST", "/v1/players", body=body, key=key)


def log_in(device: str | None) -> Request:
    """Ask for a new session of the player with this device."""
    return Request("sign_in", "POST", "/v1/sessions", body={"device": device})


def act(command_id: str, action: str, args: Mapping[str, Any]) -> Request:
    """Ask for an action under a command id that the client made."""
    body = {"action": action, "args": args}
    fields = {"command_id": command_id, "action": action, "args": args}
    return Request(action, "POST", "/v1/players/me/actions", "act", fields, body, command_id)


def read_me() -> Request:
    """Ask for the player's present state."""
    return Request("read", "GET", "/v1/players/me", "read")


def read_back(player_id: str, version: int) -> Request:
    """Ask for a state of the player that is at least of this version, whoever has it."""
    return read_me()._replace(fields={"at_least": version}, token=f"{player_id}:{version}")


def read_aged(seconds: int) -> Request:
    """Ask for a state of the player that is at the most so old, whoever has it."""
    age = {"max_staleness": seconds}
    return read_me()._replace(path=f"/v1/players/me?max_staleness={seconds}", fields=age)


def read_items() -> Request:
    """Ask for what the player owns."""
    return Request("items", "GET", "/v1/players/me/items", "items")


def board_top(board: str, limit: int) -> Request:
    """Ask for the first `limit` places of a board."""
    return Request("board", "GET", f"/v1/boards/{board}?limit={limit}", "board", {"board": board, "limit": limit})


def board_around(board: str, radius: int) -> Request:
    """Ask for the player's own place and the `radius` places above and below it."""
    path = f"/v1/boards/{board}/around/me?radius={radius}"
    return Request("around", "GET", path, "around", {"board": board, "radius": radius})


def get(name: str, path: str) -> Request:
    """Ask for a resource that only HTTP has."""
    return Request(name, "GET", path)
