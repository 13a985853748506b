"""Judges the mail between the bots: the letters that their ledgers say were sent, against those that arrived.

The law: a letter is in its recipient's ledger once, or it came back to its sender's ledger once, and never both; and no
ledger has a letter that nobody in the swarm sent, but for the server's own, such as a season's rewards. The ledger of a
player that is gone, banned or deleted, can't be read: how its letters ended, and what was sent to it, is left open. The
events of the command that sent a letter give its id; in the ledger where the letter takes effect, that id stands in
place of a command id. Pure.
"""

from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from typing import NamedTuple

from bots.proof.invariants import LETTERS, Fault
from bots.proof.players import SERVER, LedgerEntry, PlayerVerdict

MAIL = "mail:"
RETURNED = "mail:returned"
Ledgers = Mapping[str, Sequence[LedgerEntry]]
"""Each player's ledger, by the player's id."""


class SwarmLetter(NamedTuple):
    """A letter: its id, its sender, its recipient, and the rule that applies it there."""

    mail_id: str
    sender: str
    to: str
    kind: str


class LetterRow(NamedTuple):
    """Where a letter took effect: whose ledger, the letter's id, and the action that the ledger has for it."""

    player: str
    mail_id: str
    action: str


@dataclass(slots=True)
class MailCounts:
    """How the swarm's letters ended."""

    sent: int = 0
    arrived: int = 0
    returned: int = 0


def unfinished_players(ledgers: Ledgers, gone: Set[str] = frozenset()) -> set[str]:
    """The senders and recipients of letters that are still under way, but for those to players that are gone."""
    rows = _rows(ledgers)
    under_way = [letter for letter in _all_sent(ledgers) if letter.to not in gone and not _ends(letter, rows)]
    return {player for letter in under_way for player in (letter.sender, letter.to) if player in ledgers}


def judge_letters(ledgers: Ledgers, verdicts: Mapping[str, PlayerVerdict], gone: Set[str] = frozenset()) -> MailCounts:
    """Compare all ledgers with each other; a fault goes to the verdict of the player that it concerns."""
    rows, mail, letters = _rows(ledgers), MailCounts(), _all_sent(ledgers)
    letters_by_id = {letter.mail_id: letter for letter in letters}
    if len(letters_by_id) < len(letters):
        shared = len(letters) - len(letters_by_id)
        told = f"{shared} letters have the id of another letter"
        verdicts[letters[0].sender].unexplained.append(Fault(LETTERS, told))
    for letter in letters:
        ends = _ends(letter, rows)
        mail.sent += 1
        verdicts[letter.sender].checked[LETTERS] += 1
        mail.arrived += letter.to in ends
        mail.returned += letter.sender in ends
        if ends or letter.to not in gone:
            _judge_ends(letter, ends, verdicts[letter.sender])
    for row in (rows - _rows(ledgers, {SERVER, *gone})).elements():
        if not _is_expected(letters_by_id.get(row.mail_id), row):
            told = f"{row.mail_id} ({row.action}) arrived at player {row.player}, but nobody sent it"
            verdicts[row.player].unexplained.append(Fault(LETTERS, told))
    return mail


def _judge_ends(letter: SwarmLetter, ends: Sequence[str], verdict: PlayerVerdict) -> None:
    told = f"the letter {letter.mail_id} ({letter.kind}) of player {letter.sender} to {letter.to}"
    if not ends:
        verdict.lost.append(Fault(LETTERS, f"{told} neither arrived nor came back"))
    elif len(ends) > 1:
        verdict.doubled.append(
            Fault(LETTERS, f"{told} ended {len(ends)} times", [f"with player {end}" for end in ends])
        )


def _all_sent(ledgers: Ledgers) -> list[SwarmLetter]:
    return [
        SwarmLetter(letter.mail_id, player, letter.to, letter.kind)
        for player, entries in ledgers.items()
        for entry in entries
        for letter in entry.letters
    ]


def _rows(ledgers: Ledgers, senders: Set[str] | None = None) -> Counter[LetterRow]:
    """How often each ledger has each letter, or each letter of certain senders."""
    return Counter(
        LetterRow(player, entry.command_id, entry.action)
        for player, entries in ledgers.items()
        for entry in entries
        if entry.action.startswith(MAIL) and (senders is None or entry.sender in senders)
    )


def _ends(letter: SwarmLetter, rows: Counter[LetterRow]) -> list[str]:
    """The players in whose ledgers the letter ended, once for each time."""
    arrived = rows[LetterRow(letter.to, letter.mail_id, MAIL + letter.kind)]
    returned = rows[LetterRow(letter.sender, letter.mail_id, RETURNED)]
    return [letter.to] * arrived + [letter.sender] * returned


def _is_expected(letter: SwarmLetter | None, row: LetterRow) -> bool:
    if letter is None:
        return False
    return (row.player, row.action) in ((letter.to, MAIL + letter.kind), (letter.sender, RETURNED))
