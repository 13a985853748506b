"""Sessions, as their own player sees them."""

from collections.abc import Sequence

from typing_extensions import TypedDict

from gameserver.commands.results import Listed, Session
from gameserver.times import rfc3339


class SessionAnswer(TypedDict):
    token: str
    expires_at: str


class PasswordAnswer(TypedDict):
    """The caller's new session; all sessions that it had before have ended."""

    session: SessionAnswer


class ListedSession(TypedDict):
    """One of the caller's sessions: `label` is what its client called itself, `address` where it was opened from."""

    id: str
    label: str
    address: str
    opened_at: str
    used_at: str
    expires_at: str
    current: bool


class SessionsAnswer(TypedDict):
    sessions: list[ListedSession]


def session(token: str, opened: Session) -> SessionAnswer:
    return {"token": token, "expires_at": rfc3339(opened.expires_at)}


def session_list(listed: Sequence[Listed], current: Session) -> SessionsAnswer:
    return {"sessions": [_listed(entry, current) for entry in listed]}


def _listed(entry: Listed, current: Session) -> ListedSession:
    return {
        "id": entry.id,
        "label": entry.origin.label,
        "address": entry.origin.address,
        "opened_at": rfc3339(entry.opened_at),
        "used_at": rfc3339(entry.used_at),
        "expires_at": rfc3339(entry.expires_at),
        "current": entry.name == current.name,
    }
