"""The letters of a player's inbox."""

from typing import Any

from typing_extensions import TypedDict

from gameserver.commands.mail import shown
from gameserver.commands.results import MailPage


class MailAnswer(TypedDict):
    """A letter that arrived: what it said (`args`), what came of it (`events`), and when it was sent."""

    mail_id: str
    kind: str
    sender: str
    args: dict[str, Any]
    events: list[dict[str, Any]]
    at: str


class InboxAnswer(TypedDict):
    entries: list[MailAnswer]
    next_cursor: str | None


def inbox(page: MailPage) -> dict[str, Any]:
    return {"entries": [shown(letter) for letter in page.mails], "next_cursor": page.cursor}
