"""The judgement of the mail between the bots: the letters that their ledgers say were sent, against those that came.

The law: a letter is in its recipient's ledger once, or has come back once to its sender's, and never both; and no
letter is in a ledger that nobody of the swarm has sent. A letter's id is told with the command that sent it, in its
events; the ledger has it as the id of the row in which it took effect. Pure.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from bots.proof.verdict import Entry, Verdict

MAIL = "mail:"
RETURNED = "mail:returned"


class Sent(NamedTuple):
    """A letter: its id, who sent it, to whom, and the rule that it is for."""

    mail_id: str
    sender: str
    to: str
    kind: str


@dataclass(slots=True)
class Mail:
    """How the swarm's letters ended."""

    sent: int = 0
    arrived: int = 0
    returned: int = 0


def open_letters(books: Mapping[str, Sequence[Entry]]) -> set[str]:
    """The players of whose letters, or to whom, some have not ended yet; `books` are ledgers by player."""
    rows = _rows(books)
    waiting = [each for each in _all_sent(books) if not _ends(each, rows)]
    return {player for each in waiting for player in (each.sender, each.to) if player in books}


def judge_letters(books: Mapping[str, Sequence[Entry]], verdicts: Mapping[str, Verdict]) -> Mail:
    """Hold all ledgers against each other; faults go to the verdict of the player whose they are."""
    rows, mail, sent = _rows(books), Mail(), _all_sent(books)
    known = {each.mail_id: each for each in sent}
    if len(known) < len(sent):
        verdicts[sent[0].sender].unexplained.append(f"{len(sent) - len(known)} letters share their ids")
    for each in sent:
        ends = _ends(each, rows)
        mail.sent += 1
        mail.arrived += each.to in ends
        mail.returned += each.sender in ends
        if not ends:
            verdicts[each.sender].lost.append(f"the letter {each.mail_id} ({each.kind}) neither came nor came back")
        elif len(ends) > 1:
            verdicts[each.sender].doubled.append(f"the letter {each.mail_id} ({each.kind}) ended {len(ends)} times")
    for player, entries in books.items():
        for entry in entries:
            if entry.action.startswith(MAIL) and not _is_expected(known.get(entry.command_id), player, entry):
                verdicts[player].unexplained.append(f"{entry.command_id} ({entry.action}) came, and nobody sent it")
    return mail


def _all_sent(books: Mapping[str, Sequence[Entry]]) -> list[Sent]:
    return [
        Sent(mail_id, player, to, kind)
        for player, entries in books.items()
        for entry in entries
        for mail_id, to, kind in entry.letters
    ]


def _rows(books: Mapping[str, Sequence[Entry]]) -> dict[tuple[str, str, str], int]:
    """How often each player's ledger has a letter's row, by player, mail id and action."""
    rows: dict[tuple[str, str, str], int] = {}
    for player, entries in books.items():
        for entry in entries:
            if entry.action.startswith(MAIL):
                key = player, entry.command_id, entry.action
                rows[key] = rows.get(key, 0) + 1
    return rows


def _ends(letter: Sent, rows: Mapping[tuple[str, str, str], int]) -> list[str]:
    """In whose ledgers the letter has ended, once for each time."""
    arrived = rows.get((letter.to, letter.mail_id, MAIL + letter.kind), 0)
    returned = rows.get((letter.sender, letter.mail_id, RETURNED), 0)
    return [letter.to] * arrived + [letter.sender] * returned


def _is_expected(letter: Sent | None, player: str, entry: Entry) -> bool:
    if letter is None:
        return False
    return (player, entry.action) in ((letter.to, MAIL + letter.kind), (letter.sender, RETURNED))
