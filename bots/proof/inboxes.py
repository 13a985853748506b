"""A player's inbox against its ledger: every letter that took effect lies there, and no other. Pure.

The law: an inbox keeps FEWEST letters at the least, and each for an hour and more, so of a player that got no more than
these, every letter of the last LATELY seconds is in it, once.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from bots.proof.players import LedgerEntry
from bots.wire.errors import BadAnswerError

FEWEST = 10
"""Letters that every inbox has room for (docs/mail.md)."""
LATELY = 1800.0
MAIL = "mail:"


def inbox_faults(ledger: Sequence[LedgerEntry], inbox: Sequence[Any]) -> list[str]:
    """Compare the letters of a ledger with the entries of an inbox of the same moment; raises BadAnswerError."""
    arrived = {entry.command_id for entry in ledger if entry.action.startswith(MAIL)}
    shown = Counter(map(_mail_id, inbox))
    faults = [f"the letter {each} is in its inbox {count} times" for each, count in shown.items() if count > 1]
    faults += [f"the letter {each} is in its inbox and not in its ledger" for each in shown if each not in arrived]
    if len(arrived) <= FEWEST:
        lately = _lately(ledger)
        faults += [f"the letter {each} took effect and isn't in its inbox" for each in lately if each not in shown]
    return faults


def _mail_id(entry: Any) -> str:
    if not isinstance(entry, Mapping) or not isinstance(entry.get("mail_id"), str):
        raise BadAnswerError(f"expected a letter with a mail_id, got {entry!r:.120}")
    return str(entry["mail_id"])


def _lately(ledger: Sequence[LedgerEntry]) -> Iterator[str]:
    """Yield the letters that took effect not long before the newest entry."""
    times = [(entry, datetime.fromisoformat(entry.at)) for entry in ledger if entry.at]
    newest = max((at for _, at in times), default=None)
    for entry, at in times:
        if newest is not None and entry.action.startswith(MAIL) and (newest - at).total_seconds() < LATELY:
            yield entry.command_id
